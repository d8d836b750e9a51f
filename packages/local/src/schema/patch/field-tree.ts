import { isObject, type JsonObject, ownValue, type Schema, sameJson } from "../schema.ts";
import { fieldSchema, isAtomicField, itemKey, itemSchema, listTypeOf } from "./schema-view.ts";

/**
 * A set of fields, as managedFields hold it (FieldsV1): "f:spec" a field, `k:{"name":"web"}` an item of a list, `v:"a"` a member of a set,
 * "." the item, or the empty object, itself. A node without children stands for everything below it.
 */
export interface FieldTree {
  [key: string]: FieldTree;
}

/** Every field of a value. */
export function fieldsOf(schema: Schema, value: unknown): FieldTree {
  return changedFields(schema, undefined, value);
}

/** The fields of `value` that are new or other than in `old`. */
export function changedFields(schema: Schema, old: unknown, value: unknown): FieldTree {
  const tree: FieldTree = {};
  for (const child of childrenOf(schema, value)) {
    const before = childAt(schema, old, child.key);
    if (isAtomicField(child.schema, child.value)) {
      if (before === undefined || !sameJson(before, child.value)) tree[child.key] = {};
      continue;
    }
    const below = changedFields(child.schema, before, child.value);
    if (before === undefined && (child.key.startsWith("k:") || isEmptyValue(child.value))) below["."] = {};
    if (!isEmpty(below)) tree[child.key] = below;
  }
  return tree;
}

/** The value that a key of a tree stands for; undefined when there is none. */
export function childAt(schema: Schema, value: unknown, key: string): unknown {
  if (key.startsWith("f:")) return isObject(value) ? ownValue(value, key.slice(2)) : undefined;
  if (!Array.isArray(value)) return undefined;
  if (key.startsWith("v:")) return value.find((item) => `v:${JSON.stringify(item)}` === key);
  return value.find((item) => isObject(item) && itemKey(schema, item) === key);
}

export function childSchema(schema: Schema, key: string): Schema {
  return key.startsWith("f:") ? fieldSchema(schema, key.slice(2)) : itemSchema(schema);
}

/** All of both. */
export function union(a: FieldTree, b: FieldTree): FieldTree {
  const result: FieldTree = { ...a };
  for (const [key, below] of Object.entries(b)) {
    const own = result[key];
    result[key] = own === undefined ? below : union(own, below);
  }
  return result;
}

/** What is in the first and not in the second; of an item that both know of, the item itself is not in the result. */
export function difference(a: FieldTree, b: FieldTree): FieldTree {
  const result: FieldTree = {};
  for (const [key, below] of Object.entries(a)) {
    const other = b[key];
    if (other === undefined) {
      result[key] = below;
      continue;
    }
    if (isEmpty(below) || isEmpty(other)) continue;
    const { ".": _, ...rest } = difference(below, other);
    if (!isEmpty(rest)) result[key] = rest;
  }
  return result;
}

/** Removes fields from a value, in place. Objects and lists that become empty by it go too. */
export function removeFields(schema: Schema, value: unknown, tree: FieldTree): void {
  for (const [key, below] of Object.entries(tree)) {
    if (key === ".") continue;
    const child = childAt(schema, value, key);
    if (child === undefined) continue;
    if (isEmpty(below) || (key.startsWith("k:") && below["."] !== undefined)) {
      dropChild(value, key, child);
      continue;
    }
    removeFields(childSchema(schema, key), child, below);
    if (isEmptyValue(child)) dropChild(value, key, child);
  }
}

export function isEmpty(tree: FieldTree): boolean {
  return Object.keys(tree).length === 0;
}

interface Child {
  readonly key: string;
  readonly schema: Schema;
  readonly value: unknown;
}

function childrenOf(schema: Schema, value: unknown): Child[] {
  if (Array.isArray(value)) {
    const items = itemSchema(schema);
    const set = listTypeOf(schema) === "set";
    return value.flatMap((item) => {
      if (set) return [{ key: `v:${JSON.stringify(item)}`, schema: items, value: item }];
      return isObject(item) ? [{ key: itemKey(schema, item), schema: items, value: item }] : [];
    });
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, field]) =>
    field === undefined ? [] : [{ key: `f:${name}`, schema: fieldSchema(schema, name), value: field }],
  );
}

function isEmptyValue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function dropChild(parent: unknown, key: string, child: unknown): void {
  if (isObject(parent)) delete parent[key.slice(2)];
  else if (Array.isArray(parent)) parent.splice(parent.indexOf(child), 1);
}

/** Merges `config` into `live`, in place: what server-side apply sets. */
export function mergeApplied(schema: Schema, live: JsonObject, config: JsonObject): void {
  for (const [name, value] of Object.entries(config)) {
    live[name] = mergeValue(fieldSchema(schema, name), live[name], value);
  }
}

function mergeValue(schema: Schema, live: unknown, config: unknown): unknown {
  if (isAtomicField(schema, config)) return structuredClone(config);
  if (Array.isArray(config)) return mergeItems(schema, Array.isArray(live) ? live : [], config);
  if (!isObject(config)) return config;
  const target = isObject(live) ? live : {};
  mergeApplied(schema, target, config);
  return target;
}

function mergeItems(schema: Schema, live: unknown[], config: readonly unknown[]): unknown[] {
  if (listTypeOf(schema) === "set")
    return [...live, ...config.filter((item) => !live.some((other) => sameJson(other, item)))];
  const items = itemSchema(schema);
  for (const item of config) {
    if (!isObject(item)) continue;
    const found = childAt(schema, live, itemKey(schema, item));
    if (isObject(found)) mergeApplied(items, found, item);
    else live.push(structuredClone(item));
  }
  return live;
}
