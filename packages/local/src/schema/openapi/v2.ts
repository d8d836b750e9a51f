import type { ResourceType } from "../resource-type.ts";
import type { JsonObject } from "../schema.ts";
import { openApiPaths } from "./paths.ts";
import { openApiSchemas } from "./schemas.ts";
import { DOCUMENT_INFO } from "./v3.ts";

/** The whole API as Swagger 2.0: what kubectl up to 1.26 validates against and explains by. */
export function openApiV2Document(types: readonly ResourceType[]): JsonObject {
  const all = types.flatMap((type) => type.versions.map((version) => ({ type, version })));
  return {
    swagger: "2.0",
    info: DOCUMENT_INFO,
    paths: openApiPaths(all, "v2"),
    definitions: openApiSchemas(all, "v2"),
  };
}
