import { createHash } from "node:crypto";
import { CustomType } from "../kinds/custom-type.ts";
import type { ResourceType } from "../resource-type.ts";
import type { JsonObject } from "../schema.ts";
import { openApiPaths } from "./paths.ts";
import { openApiSchemas, type TypeVersion } from "./schemas.ts";

export interface OpenApiIndex {
  readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
}

export const DOCUMENT_INFO: JsonObject = { title: "Kubernetes", version: "v1.32.0" };

/** Each group version with the address of its document, which has a hash in it: clients keep documents for ever. */
export function openApiV3Index(types: readonly ResourceType[]): OpenApiIndex {
  const entries = [...byGroupVersion(types)].map(([path, members]): [string, { serverRelativeURL: string }] => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(members)}` },
  ]);
  return { paths: Object.fromEntries(entries) };
}

/** @param path "api/v1", "apis/apps/v1" */
export function openApiV3Document(types: readonly ResourceType[], path: string): JsonObject | undefined {
  const members = byGroupVersion(types).get(path);
  if (members === undefined) return undefined;
  return {
    openapi: "3.0.0",
    info: DOCUMENT_INFO,
    paths: openApiPaths(members, "v3"),
    components: { schemas: openApiSchemas(members, "v3") },
  };
}

function byGroupVersion(types: readonly ResourceType[]): Map<string, TypeVersion[]> {
  const groups = new Map<string, TypeVersion[]>();
  for (const type of types) {
    for (const version of type.versions) {
      const path = type.group === "" ? `api/${version}` : `apis/${type.group}/${version}`;
      groups.set(path, [...(groups.get(path) ?? []), { type, version }]);
    }
  }
  return groups;
}

/** Built-in kinds change with the program only, which the document's version stands for. */
function hashOf(members: readonly TypeVersion[]): string {
  const hash = createHash("sha256").update(JSON.stringify(DOCUMENT_INFO));
  for (const { type, version } of members) {
    hash.update(`${type.kind} ${type.plural}`);
    if (type instanceof CustomType) hash.update(JSON.stringify(type.schemaOf(version)));
  }
  return hash.digest("hex").slice(0, 32).toUpperCase();
}
