import { ApiError } from "@bowline/kube";
import fastJsonPatch, { type Operation } from "fast-json-patch";
import { isObject } from "../schema.ts";

/**
 * RFC 6902, on a document that may be changed.
 * @throws ApiError 422 where an operation does not apply or a test fails, 400 for what is no JSON patch
 */
export function jsonPatch(document: object, patch: unknown): unknown {
  if (!Array.isArray(patch) || !patch.every(isOperation)) {
    throw ApiError.badRequest("error decoding patch: a JSON patch is a list of operations");
  }
  try {
    return fastJsonPatch.applyPatch(document, patch, true, true).newDocument;
  } catch (error) {
    // Its refusal of "__proto__" in a path.
    if (error instanceof TypeError) throw ApiError.badRequest(`error decoding patch: ${error.message.split(",")[0]}`);
    if (!(error instanceof fastJsonPatch.JsonPatchError)) throw error;
    throw new ApiError(
      422,
      "Invalid",
      `the server rejected our request due to an error in our request: ${describe(error)}`,
    );
  }
}

function isOperation(value: unknown): value is Operation {
  return isObject(value) && typeof value["op"] === "string" && typeof value["path"] === "string";
}

function describe(error: { message: string; index?: number; operation?: unknown }): string {
  const [first = ""] = error.message.split("\n");
  const { operation } = error;
  if (!isObject(operation)) return first;
  return `operation ${error.index ?? 0}, ${String(operation["op"])} of ${String(operation["path"])}: ${first}`;
}
