import { ApiError } from "@bowline/kube";
import { resolveDefinition } from "../definitions/definitions.ts";
import { isObject, type JsonObject, type Schema, sameJson } from "../schema.ts";
import { orderAsAsked } from "./element-order.ts";
import { fieldSchema, itemSchema } from "./schema-view.ts";

const DELETE_FROM = "$deleteFromPrimitiveList/";
const SET_ORDER = "$setElementOrder/";
const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";

/**
 * Kubernetes' strategic merge patch: as a merge patch, but lists that have a merge key are merged item by item, and directives ($patch,
 * $retainKeys, $deleteFromPrimitiveList, $setElementOrder) say what else is to be done.
 * @param original is changed
 * @throws ApiError 400 for directives that make no sense
 */
export function strategicMerge(schema: Schema, original: JsonObject, patch: JsonObject): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive === "replace") return withoutDirectives(schema, patch);
  if (directive === "delete") return {};
  if (directive !== undefined && directive !== "merge") refuse(`unknown patch type ${JSON.stringify(directive)}`);
  retainKeys(original, patch[RETAIN_KEYS]);
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith(DELETE_FROM)) deleteValues(original, name.slice(DELETE_FROM.length), value);
    else if (!name.startsWith("$")) mergeField(schema, original, name, value);
  }
  for (const [name, order] of Object.entries(patch)) {
    if (!name.startsWith(SET_ORDER) || !Array.isArray(order)) continue;
    const field = name.slice(SET_ORDER.length);
    const list = original[field];
    if (Array.isArray(list)) original[field] = orderAsAsked(list, order, mergeKeyOf(fieldSchema(schema, field)));
  }
  return original;
}

function mergeField(parent: Schema, original: JsonObject, name: string, value: unknown): void {
  if (value === null) {
    delete original[name];
    return;
  }
  const schema = fieldSchema(parent, name);
  const before = original[name];
  const strategies = strategiesOf(schema);
  if (isObject(value)) {
    const replaces = strategies.includes("replace");
    original[name] = strategicMerge(schema, isObject(before) && !replaces ? before : {}, value);
  } else if (Array.isArray(value)) {
    const merges = strategies.includes("merge");
    original[name] = merges
      ? mergeList(schema, Array.isArray(before) ? before : [], value)
      : value.map((item) => cleaned(itemSchema(schema), item));
  } else original[name] = value;
}

function mergeList(schema: Schema, original: unknown[], patch: readonly unknown[]): unknown[] {
  if (!patch.some(isObject)) {
    return [...original, ...patch.filter((item, index) => !original.includes(item) && patch.indexOf(item) === index)];
  }
  const key = mergeKeyOf(schema);
  if (key === undefined) return [...patch];
  const items = itemSchema(schema);
  const directives = patch
    .filter(isObject)
    .filter((item) => item[DIRECTIVE] !== undefined && item[DIRECTIVE] !== "merge");
  if (directives.some((item) => item[DIRECTIVE] === "replace")) {
    return patch.filter((item) => isObject(item) && item[DIRECTIVE] !== "replace").map((item) => cleaned(items, item));
  }
  const result = [...original];
  for (const item of patch) {
    if (!isObject(item)) refuse(`a list with merge key ${key} holds ${JSON.stringify(item)}`);
    const wanted = item[key];
    if (wanted === undefined) refuse(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const at = result.findIndex((other) => isObject(other) && sameJson(other[key], wanted));
    const found = result[at];
    if (item[DIRECTIVE] === "delete") {
      if (at >= 0) result.splice(at, 1);
    } else if (isObject(found)) result[at] = strategicMerge(items, found, item);
    else result.push(cleaned(items, item));
  }
  return result;
}

/** What a patch adds, without its directives and nulls. */
function cleaned(schema: Schema, value: unknown): unknown {
  return isObject(value) ? strategicMerge(schema, {}, value) : value;
}

function withoutDirectives(schema: Schema, patch: JsonObject): JsonObject {
  const { [DIRECTIVE]: _, ...rest } = patch;
  return strategicMerge(schema, {}, rest);
}

function retainKeys(original: JsonObject, keys: unknown): void {
  if (!Array.isArray(keys)) return;
  for (const name of Object.keys(original)) if (!keys.includes(name)) delete original[name];
}

function deleteValues(original: JsonObject, name: string, values: unknown): void {
  const list = original[name];
  if (Array.isArray(list) && Array.isArray(values)) original[name] = list.filter((item) => !values.includes(item));
}

function strategiesOf(schema: Schema): readonly string[] {
  const own = schema["x-kubernetes-patch-strategy"] ?? resolveDefinition(schema)["x-kubernetes-patch-strategy"];
  return own?.split(",") ?? [];
}

function mergeKeyOf(schema: Schema): string | undefined {
  return schema["x-kubernetes-patch-merge-key"];
}

function refuse(why: string): never {
  throw ApiError.badRequest(`invalid strategic merge patch: ${why}`);
}
