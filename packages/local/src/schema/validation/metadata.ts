import type { KubeObject } from "@bowline/kube";
import { isObject, objectAt, objectsAt, sameJson, textAt } from "../schema.ts";
import type { FieldErrors } from "./field-errors.ts";
import { dnsLabel, labelValue, type NameRule, qualifiedName } from "./names.ts";

/** Name, namespace, labels, annotations, owners and finalizers of an object. */
export function validateMetadata(object: KubeObject, namespaced: boolean, rule: NameRule, errors: FieldErrors): void {
  const { name, namespace } = object.metadata;
  if (name === undefined || name === "") errors.required("metadata.name", "name or generateName is required");
  else report(errors, "metadata.name", name, rule(name));
  if (namespaced && (namespace === undefined || namespace === "")) errors.required("metadata.namespace");
  else if (!namespaced && namespace !== undefined && namespace !== "") {
    errors.forbidden("metadata.namespace", "not allowed on this type");
  } else if (namespace !== undefined && namespace !== "") {
    report(errors, "metadata.namespace", namespace, dnsLabel(namespace));
  }
  validateLabels(object.metadata.labels, "metadata.labels", errors);
  validateAnnotations(object.metadata.annotations, "metadata.annotations", errors);
  validateOwners(object, errors);
  for (const finalizer of object.metadata.finalizers ?? []) {
    report(errors, "metadata.finalizers", finalizer, qualifiedName(finalizer));
  }
}

/** What no update may change. */
export function validateMetadataUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  for (const field of ["name", "namespace", "uid", "creationTimestamp"] as const) {
    const [now, before] = [object.metadata[field], old.metadata[field]];
    if (now !== before) errors.invalid(`metadata.${field}`, now, "field is immutable");
  }
  const added = object.metadata.finalizers?.filter((name) => !old.metadata.finalizers?.includes(name)) ?? [];
  if (old.metadata.deletionTimestamp !== undefined && added.length > 0) {
    const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(", ")}}`;
    errors.forbidden("metadata.finalizers", detail);
  }
}

export function validateLabels(labels: unknown, path: string, errors: FieldErrors): void {
  for (const [key, value] of Object.entries(isObject(labels) ? labels : {})) {
    report(errors, path, key, qualifiedName(key));
    if (typeof value === "string") report(errors, path, value, labelValue(value));
  }
}

export function validateAnnotations(annotations: unknown, path: string, errors: FieldErrors): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(isObject(annotations) ? annotations : {})) {
    report(errors, path, key, qualifiedName(key.toLowerCase()));
    bytes += key.length + (typeof value === "string" ? value.length : 0);
  }
  if (bytes > ANNOTATION_BYTES_MAX) errors.tooLong(path, ANNOTATION_BYTES_MAX);
}

/** A LabelSelector: operators with the values they take, and label syntax. */
export function validateSelector(selector: unknown, path: string, errors: FieldErrors): void {
  validateLabels(objectAt(selector, "matchLabels"), `${path}.matchLabels`, errors);
  objectsAt(selector, "matchExpressions").forEach((expression, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    const operator = textAt(expression, "operator");
    const values = Array.isArray(expression["values"]) ? expression["values"] : [];
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) errors.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0)
        errors.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else errors.invalid(`${at}.operator`, operator, "not a valid selector operator");
    report(errors, `${at}.key`, textAt(expression, "key"), qualifiedName(textAt(expression, "key")));
  });
}

/** Adds what a name rule found. */
export function report(errors: FieldErrors, path: string, value: unknown, wrong: string | undefined): void {
  if (wrong !== undefined) errors.invalid(path, value, wrong);
}

/** Says that a field changed that must not. */
export function validateImmutable(
  object: unknown,
  old: unknown,
  path: string,
  errors: FieldErrors,
  detail = "field is immutable",
): void {
  const names = path.split(".");
  const last = names.pop() ?? "";
  const [now, before] = [objectAt(object, ...names)[last], objectAt(old, ...names)[last]];
  if (!sameJson(now, before)) errors.invalid(path, now ?? null, detail);
}

function validateOwners(object: KubeObject, errors: FieldErrors): void {
  let controller: string | undefined;
  (object.metadata.ownerReferences ?? []).forEach((owner, index) => {
    const at = `metadata.ownerReferences[${index}]`;
    for (const field of ["apiVersion", "kind", "name", "uid"] as const) {
      if ((owner[field] ?? "") === "") errors.invalid(`${at}.${field}`, "", "must not be empty");
    }
    if (owner.controller !== true) return;
    if (controller !== undefined) {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.name}`;
      errors.invalid("metadata.ownerReferences", object.metadata.ownerReferences, detail);
    }
    controller = owner.name;
  });
}

const ANNOTATION_BYTES_MAX = 256 * 1024;
