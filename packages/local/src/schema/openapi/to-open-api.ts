import { type DefinitionName, openApiNameOf } from "../definitions/definitions.ts";
import { isObject, type JsonObject, type Schema } from "../schema.ts";

export type Dialect = "v2" | "v3";

/** Where a document has its schemas. */
const SCHEMAS_AT: Readonly<Record<Dialect, string>> = { v2: "#/definitions/", v3: "#/components/schemas/" };

export const INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/** A definition's schema in a dialect of OpenAPI. `refer` is told of every definition that it mentions. */
export function builtInToOpenApi(schema: Schema, dialect: Dialect, refer: (name: DefinitionName) => void): JsonObject {
  const { $ref, properties, items, additionalProperties, enum: values, format, type, description, required } = schema;
  const result: JsonObject = description === undefined ? {} : { description };
  if ($ref !== undefined) {
    refer($ref);
    Object.assign(result, reference(openApiNameOf($ref), dialect, description !== undefined));
  } else if (schema["x-kubernetes-int-or-string"] === true) {
    return { ...result, ...reference(INT_OR_STRING, dialect, description !== undefined) };
  } else if (type !== undefined) result["type"] = type;
  if (format !== undefined && format !== "quantity") result["format"] = format;
  if (values !== undefined && dialect === "v3") result["enum"] = values;
  if (required !== undefined) result["required"] = required;
  if (properties !== undefined)
    result["properties"] = mapValues(properties, (each) => builtInToOpenApi(each, dialect, refer));
  if (items !== undefined) result["items"] = builtInToOpenApi(items, dialect, refer);
  if (isObject(additionalProperties)) {
    result["additionalProperties"] = builtInToOpenApi(additionalProperties, dialect, refer);
  }
  return { ...result, ...extensionsOf(schema) };
}

/** The schema of a CustomResourceDefinition; swagger 2 lacks what would make clients refuse good objects, so that is left open. */
export function customToOpenApi(schema: Schema, dialect: Dialect): JsonObject {
  const { properties, items, additionalProperties, type, description, required } = schema;
  if (dialect === "v3") {
    return {
      ...(schema as JsonObject),
      ...(properties === undefined
        ? {}
        : { properties: mapValues(properties, (each) => customToOpenApi(each, dialect)) }),
      ...(items === undefined ? {} : { items: customToOpenApi(items, dialect) }),
    };
  }
  const result: JsonObject = description === undefined ? {} : { description };
  const open =
    schema.nullable === true ||
    schema["x-kubernetes-preserve-unknown-fields"] === true ||
    schema["x-kubernetes-int-or-string"] === true;
  if (open) return { ...result, ...extensionsOf(schema) };
  if (type !== undefined) result["type"] = type;
  if (schema.format !== undefined) result["format"] = schema.format;
  if (required !== undefined) result["required"] = required;
  if (properties !== undefined) result["properties"] = mapValues(properties, (each) => customToOpenApi(each, dialect));
  if (items !== undefined) result["items"] = customToOpenApi(items, dialect);
  if (isObject(additionalProperties)) result["additionalProperties"] = customToOpenApi(additionalProperties, dialect);
  return { ...result, ...extensionsOf(schema) };
}

/** OpenAPI 3.0 ignores what stands beside a reference, so Kubernetes wraps it where something does. */
export function reference(name: string, dialect: Dialect, wrapped: boolean): JsonObject {
  const $ref = `${SCHEMAS_AT[dialect]}${name}`;
  return dialect === "v3" && wrapped ? { allOf: [{ $ref }] } : { $ref };
}

function extensionsOf(schema: Schema): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name.startsWith("x-kubernetes-")));
}

function mapValues(map: Readonly<Record<string, Schema>>, change: (schema: Schema) => JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).map(([name, schema]) => [name, change(schema)]));
}
