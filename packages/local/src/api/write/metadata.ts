import { randomInt, randomUUID } from "node:crypto";
import { ApiError, type KubeObject } from "@bowline/kube";
import type { ResourceType } from "../../schema/resource-type.ts";

/** Without vowels and look-alikes, as Kubernetes has it, so that no words come about. */
const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH = 5;
/** A generated name is a DNS label at most. */
const GENERATED_BASE_MAX = 63 - SUFFIX_LENGTH;

/** What the server decides about a new object. */
export function fillMetadata(type: ResourceType, object: KubeObject): void {
  const { metadata } = object;
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== "") {
    throw ApiError.badRequest("resourceVersion should not be set on objects to be created");
  }
  if (isEmpty(metadata.name) && isEmpty(metadata.generateName)) {
    const message = "Required value: name or generateName is required";
    const cause = { field: "metadata.name", message, reason: "FieldValueRequired" };
    throw ApiError.invalid(type.kind, "", [cause], type.group);
  }
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestamp(Date.now());
}

/** A name for `metadata.generateName`. Whether it is free shows when the object is stored. */
export function generateName(base: string): string {
  let name = base.slice(0, GENERATED_BASE_MAX);
  for (let i = 0; i < SUFFIX_LENGTH; i++) name += SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)];
  return name;
}

/** RFC 3339 in whole seconds, as metav1.Time. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** How messages name a type: "pods", "deployments.apps". */
export function resourceName(type: { readonly group: string; readonly plural: string }): string {
  return type.group === "" ? type.plural : `${type.plural}.${type.group}`;
}

/** Refuses a write that was meant for another version or another object of the name. */
export function checkPreconditions(
  type: ResourceType,
  current: KubeObject,
  wanted: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined },
): void {
  const { name, uid, resourceVersion } = current.metadata;
  if (!isEmpty(wanted.uid) && wanted.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`;
    throw ApiError.conflict(resourceName(type), name, why);
  }
  if (!isEmpty(wanted.resourceVersion) && wanted.resourceVersion !== resourceVersion) {
    throw modifiedError(type, name);
  }
}

export function modifiedError(type: ResourceType, name: string): ApiError {
  const why = "the object has been modified; please apply your changes to the latest version and try again";
  return ApiError.conflict(resourceName(type), name, why);
}

function isEmpty(text: string | undefined): boolean {
  return text === undefined || text === "";
}
