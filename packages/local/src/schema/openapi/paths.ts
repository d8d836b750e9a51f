import type { ResourceType } from "../resource-type.ts";
import type { JsonObject } from "../schema.ts";
import { gvkOf, type TypeVersion } from "./schemas.ts";
import type { Dialect } from "./to-open-api.ts";

/**
 * The paths of types, with as much of the operations as clients look at: which kind they are about, and which parameters they take (kubectl asks
 * here whether dryRun and fieldValidation are supported).
 */
export function openApiPaths(types: readonly TypeVersion[], dialect: Dialect): JsonObject {
  const paths: JsonObject = {};
  for (const { type, version } of types) {
    const root = type.group === "" ? `/api/${version}` : `/apis/${type.group}/${version}`;
    const collection = `${root}${type.namespaced ? "/namespaces/{namespace}" : ""}/${type.plural}`;
    if (type.namespaced) paths[`${root}/${type.plural}`] = { get: operation(type, version, "list", [], dialect) };
    paths[collection] = {
      get: operation(type, version, "list", [], dialect),
      post: operation(type, version, "post", WRITING, dialect),
      delete: operation(type, version, "deletecollection", DELETING, dialect),
    };
    paths[`${collection}/{name}`] = {
      get: operation(type, version, "get", [], dialect),
      put: operation(type, version, "put", WRITING, dialect),
      patch: operation(type, version, "patch", [...WRITING, "force"], dialect),
      delete: operation(type, version, "delete", DELETING, dialect),
    };
  }
  return paths;
}

const WRITING = ["dryRun", "fieldManager", "fieldValidation"];
const DELETING = ["dryRun", "gracePeriodSeconds", "propagationPolicy"];
const TYPES: Readonly<Record<string, string>> = { force: "boolean", gracePeriodSeconds: "integer" };

function operation(
  type: ResourceType,
  version: string,
  action: string,
  parameters: readonly string[],
  dialect: Dialect,
): JsonObject {
  return {
    operationId: `${action}_${type.group}_${version}_${type.plural}`,
    parameters: parameters.map((name) => {
      const schema = { type: TYPES[name] ?? "string" };
      return { name, in: "query", ...(dialect === "v2" ? schema : { schema }) };
    }),
    responses: { 200: { description: "OK" } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": gvkOf(type, version, type.kind),
  };
}
