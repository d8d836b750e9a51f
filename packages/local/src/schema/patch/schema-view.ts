import { resolveDefinition } from "../definitions/definitions.ts";
import { BuiltInType } from "../kinds/built-in-type.ts";
import { CustomType } from "../kinds/custom-type.ts";
import type { ResourceType } from "../resource-type.ts";
import { isObject, type JsonObject, ownValue, type Schema } from "../schema.ts";

const UNKNOWN: Schema = { "x-kubernetes-preserve-unknown-fields": true };
const METADATA: Schema = { $ref: "meta/v1.ObjectMeta" };

/** The whole object's schema, with Kubernetes' own for the metadata of custom kinds. */
export function rootSchema(type: ResourceType, apiVersion: string): Schema {
  if (type instanceof BuiltInType) return { $ref: type.definition };
  if (!(type instanceof CustomType)) return UNKNOWN;
  const schema = type.schemaOf(apiVersion.slice(apiVersion.indexOf("/") + 1));
  return { ...schema, properties: { ...schema.properties, metadata: METADATA } };
}

/** The schema of a field; of what is not described anything may be true. */
export function fieldSchema(schema: Schema, name: string): Schema {
  const actual = resolveDefinition(schema);
  const found = ownValue(actual.properties, name);
  if (found !== undefined) return found;
  return isObject(actual.additionalProperties) ? actual.additionalProperties : UNKNOWN;
}

export function itemSchema(schema: Schema): Schema {
  return resolveDefinition(schema).items ?? UNKNOWN;
}

/** Whether a value is owned as a whole: lists are, unless they say that they are sets or maps; objects only if they say so. */
export function isAtomicField(schema: Schema, value: unknown): boolean {
  const actual = resolveDefinition(schema);
  if (Array.isArray(value)) return listTypeOf(schema) === "atomic";
  if (!isObject(value)) return true;
  if (schema["x-kubernetes-map-type"] === "atomic" || actual["x-kubernetes-map-type"] === "atomic") return true;
  return false;
}

export function listTypeOf(schema: Schema): "atomic" | "set" | "map" {
  return schema["x-kubernetes-list-type"] ?? resolveDefinition(schema)["x-kubernetes-list-type"] ?? "atomic";
}

/** The key of a list's item as FieldsV1 writes it, `k:{"name":"web"}`; absent keys have their default. */
export function itemKey(schema: Schema, item: JsonObject): string {
  const keys = [...(schema["x-kubernetes-list-map-keys"] ?? [])].sort();
  const items = itemSchema(schema);
  const entries = keys.flatMap((name) => {
    const value = item[name] ?? fieldSchema(items, name).default ?? KEY_DEFAULTS[name];
    return value === undefined ? [] : [[name, value]];
  });
  return `k:${JSON.stringify(Object.fromEntries(entries))}`;
}

/** The only key of a built-in list that may be left out. */
const KEY_DEFAULTS: Readonly<Record<string, unknown>> = { protocol: "TCP" };
