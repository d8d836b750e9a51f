import { isObject, type JsonObject, ownValue, type Schema } from "../schema.ts";

/** Sets the defaults of a structural schema, in place. null counts as absent where it is not allowed. */
export function applySchemaDefaults(schema: Schema, object: JsonObject): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    // Not what every object inherits, which a field may be named like.
    const value = ownValue(object, name);
    const absent = value === undefined || (value === null && property.nullable !== true);
    if (absent && property.default !== undefined) object[name] = structuredClone(property.default);
    below(property, ownValue(object, name));
  }
  if (!isObject(schema.additionalProperties)) return;
  for (const [name, value] of Object.entries(object)) {
    if (ownValue(schema.properties, name) === undefined) below(schema.additionalProperties, value);
  }
}

function below(schema: Schema, value: unknown): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined) for (const item of value) below(items, item);
  } else if (isObject(value)) applySchemaDefaults(schema, value);
}
