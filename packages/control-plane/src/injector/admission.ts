import { isObject, type JsonObject, textIn } from "./json-object.ts";
import type { PatchOperation } from "./patch.ts";

/** What the API server asks about an object (admission.k8s.io/v1 and v1beta1, which are alike as far as this goes). */
export interface AdmissionRequest {
  readonly apiVersion: string;
  readonly uid: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly operation: string;
  readonly subResource: string;
  readonly dryRun: boolean;
  readonly object: JsonObject;
}

export interface AdmissionReview {
  readonly apiVersion: string;
  readonly kind: "AdmissionReview";
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: { readonly message: string };
    readonly patchType?: "JSONPatch";
    /** Base64 of the JSON patch. */
    readonly patch?: string;
  };
}

/** What came is no review. */
export class ReviewError extends Error {
  override name = "ReviewError";
}

const API_VERSIONS = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/** @throws ReviewError */
export function parseReview(body: string): AdmissionRequest {
  const review = parseJson(body);
  if (!isObject(review) || review["kind"] !== "AdmissionReview") throw new ReviewError("not an AdmissionReview");
  const apiVersion = textIn(review, "apiVersion");
  if (!API_VERSIONS.includes(apiVersion))
    throw new ReviewError(`apiVersion ${JSON.stringify(apiVersion)} is not known`);
  const request = review["request"];
  if (!isObject(request)) throw new ReviewError("the review has no request");
  const kind = request["kind"];
  const uid = textIn(request, "uid");
  if (uid === "" || !isObject(kind)) throw new ReviewError("the request has no uid or no kind");
  return {
    apiVersion,
    uid,
    kind: textIn(kind, "kind"),
    namespace: textIn(request, "namespace"),
    name: textIn(request, "name"),
    operation: textIn(request, "operation"),
    subResource: textIn(request, "subResource"),
    dryRun: request["dryRun"] === true,
    object: isObject(request["object"]) ? request["object"] : {},
  };
}

export function allow(request: AdmissionRequest, patch: readonly PatchOperation[]): AdmissionReview {
  const { apiVersion, uid } = request;
  const encoded = Buffer.from(JSON.stringify(patch)).toString("base64");
  const patched = patch.length === 0 ? {} : ({ patchType: "JSONPatch", patch: encoded } as const);
  return { apiVersion, kind: "AdmissionReview", response: { uid, allowed: true, ...patched } };
}

export function deny(request: AdmissionRequest, message: string): AdmissionReview {
  const { apiVersion, uid } = request;
  return { apiVersion, kind: "AdmissionReview", response: { uid, allowed: false, status: { message } } };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new ReviewError(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
