import { ApiError, type KubeObject } from "@bowline/kube";
import type { PatchOptions, ResourceType } from "../resource-type.ts";
import { isObject } from "../schema.ts";
import { jsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import { rootSchema } from "./schema-view.ts";
import { serverSideApply } from "./server-side-apply.ts";
import { strategicMerge } from "./strategic-merge.ts";

/**
 * What a patch makes of an object: a new one that shares nothing with it, not yet decoded or validated.
 * @param object in the version that the request is about; undefined only for server-side apply, which then makes one
 * @param contentType says what sort of patch it is
 * @throws ApiError 400 for malformed patches, 409 for conflicts of server-side apply, 415 for sorts that the type does not take, 422 where a
 * JSON patch does not apply
 */
export function applyPatch(
  type: ResourceType,
  object: KubeObject | undefined,
  patch: unknown,
  contentType: string,
  options: PatchOptions = {},
): KubeObject {
  assertNoPrototypes(patch);
  const [media = ""] = contentType.split(";");
  const sort = media.trim();
  if (APPLY.has(sort)) return serverSideApply(type, object, patch, options);
  if (object === undefined) throw ApiError.badRequest(`${type.kind} does not exist, and ${sort} makes no object`);
  const copy = structuredClone(object);
  switch (sort) {
    case "application/json-patch+json":
      return assertObject(jsonPatch(copy, patch));
    case "application/merge-patch+json":
      return assertObject(mergePatch(copy, assertPatch(patch)));
    case "application/strategic-merge-patch+json":
      if (type.custom) throw unsupported(CUSTOM_SORTS);
      return assertObject(strategicMerge(rootSchema(type, object.apiVersion), copy, assertPatch(patch)));
    default:
      throw unsupported(type.custom ? CUSTOM_SORTS : SORTS);
  }
}

const APPLY: ReadonlySet<string> = new Set(["application/apply-patch+yaml", "application/apply-patch+json"]);
const CUSTOM_SORTS = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
const SORTS = [...CUSTOM_SORTS, "application/strategic-merge-patch+json"];

function unsupported(sorts: readonly string[]): ApiError {
  return ApiError.unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${sorts.join(", ")}`,
  );
}

/** "__proto__" is a name like any other in JSON; set on an object of JavaScript it would change all of them. */
function assertNoPrototypes(value: unknown): void {
  if (Array.isArray(value)) value.forEach(assertNoPrototypes);
  else if (isObject(value)) {
    if (Object.hasOwn(value, "__proto__")) throw ApiError.badRequest('error decoding patch: "__proto__" is no field');
    Object.values(value).forEach(assertNoPrototypes);
  }
}

function assertPatch(patch: unknown): Record<string, unknown> {
  if (isObject(patch)) return patch;
  throw ApiError.badRequest("error decoding patch: expected an object");
}

function assertObject(value: unknown): KubeObject {
  if (isObject(value) && isObject(value["metadata"])) return value as KubeObject;
  throw ApiError.badRequest("the patch leaves no object");
}
