import type { KubeObject } from "@bowline/kube";
import type { PrepareOptions, WriteKind } from "../resource-type.ts";
import { FieldErrors } from "../validation/field-errors.ts";
import { validateMetadata, validateMetadataUpdate } from "../validation/metadata.ts";
import { dnsSubdomain } from "../validation/names.ts";
import { keepAllButStatus, nextGeneration } from "./complete.ts";
import type { KindRules } from "./kind-rules.ts";

export interface Preparation {
  readonly group: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Whether there is a status subresource, so that other writes leave the status alone. */
  readonly status: boolean;
  readonly rules: KindRules;
  /** Holds the object against its schema. */
  readonly validateSchema: (object: KubeObject, write: WriteKind, errors: FieldErrors) => void;
}

/** What every write of an object goes through, whatever its kind: the order of it. */
export function prepareObject(object: KubeObject, write: WriteKind, options: PrepareOptions, of: Preparation): void {
  const { old } = options;
  const { rules } = of;
  if (old !== undefined) keepMetadata(object, old);
  if (write === "status" && old !== undefined) keepAllButStatus(object, old);
  else {
    rules.defaults?.(object);
    if (of.status) keepStatus(object, old, rules);
    rules.complete?.(object, write, options);
    if (rules.generation !== undefined) object.metadata.generation = nextGeneration(object, old, rules.generation);
  }
  const errors = new FieldErrors();
  validateMetadata(object, of.namespaced, rules.name ?? dnsSubdomain, errors);
  if (old !== undefined) validateMetadataUpdate(object, old, errors);
  of.validateSchema(object, write, errors);
  if (write !== "status") {
    rules.validate?.(object, errors);
    if (old !== undefined) rules.validateUpdate?.(object, old, errors);
  }
  errors.throwIfAny(of.group, of.kind, object.metadata.name);
  if (write !== "status") rules.allocate?.(object, options);
}

/** What only the server writes. */
function keepMetadata(object: KubeObject, old: KubeObject): void {
  const { metadata } = object;
  for (const field of ["uid", "creationTimestamp", "namespace"] as const)
    metadata[field] ??= old.metadata[field] as string;
  for (const field of ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName"] as const) {
    if (old.metadata[field] === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: old.metadata[field] });
  }
  if (metadata.namespace === undefined) delete metadata.namespace;
}

function keepStatus(object: KubeObject, old: KubeObject | undefined, rules: KindRules): void {
  const status = old === undefined ? rules.initialStatus?.(object) : old["status"];
  if (old === undefined && rules.initialStatus === undefined) return;
  if (status === undefined) delete object["status"];
  else object["status"] = structuredClone(status);
}
