import type { KubeObject } from "@bowline/kube";
import { isObject, type JsonObject, numberAt, objectAt, objectsAt, textAt } from "../schema.ts";
import type { FieldErrors } from "./field-errors.ts";
import { report, validateImmutable, validateSelector } from "./metadata.ts";
import { dnsSubdomain } from "./names.ts";
import { validateShare } from "./workloads.ts";

export function validateRole(object: KubeObject, errors: FieldErrors): void {
  const namespaced = object.kind === "Role";
  objectsAt(object, "rules").forEach((rule, index) => {
    const path = `rules[${index}]`;
    const urls = listAt(rule, "nonResourceURLs");
    if (urls.length > 0) {
      if (namespaced)
        errors.invalid(`${path}.nonResourceURLs`, urls, "namespaced rules cannot apply to non-resource URLs");
      return;
    }
    if (listAt(rule, "apiGroups").length === 0)
      errors.required(`${path}.apiGroups`, "resource rules must supply at least one api group");
    if (listAt(rule, "resources").length === 0)
      errors.required(`${path}.resources`, "resource rules must supply at least one resource");
  });
  objectsAt(object, "aggregationRule", "clusterRoleSelectors").forEach((selector, index) => {
    validateSelector(selector, `aggregationRule.clusterRoleSelectors[${index}]`, errors);
  });
}

export function validateRoleBinding(object: KubeObject, errors: FieldErrors): void {
  const role = objectAt(object, "roleRef");
  const kinds = object.kind === "RoleBinding" ? ["ClusterRole", "Role"] : ["ClusterRole"];
  if (role["kind"] !== undefined && !kinds.includes(textAt(role, "kind")))
    errors.notSupported("roleRef.kind", role["kind"], kinds);
  if (role["apiGroup"] !== "rbac.authorization.k8s.io") {
    errors.notSupported("roleRef.apiGroup", role["apiGroup"], ["rbac.authorization.k8s.io"]);
  }
  objectsAt(object, "subjects").forEach((subject, index) => {
    if (subject["kind"] !== "ServiceAccount") return;
    const name = textAt(subject, "name");
    if (name !== "") report(errors, `subjects[${index}].name`, name, dnsSubdomain(name));
    if (textAt(subject, "namespace") === "") errors.required(`subjects[${index}].namespace`);
  });
}

export function validateRoleBindingUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  validateImmutable(object, old, "roleRef", errors, "cannot change roleRef");
}

export function validateWebhooks(object: KubeObject, errors: FieldErrors): void {
  const names = new Set<string>();
  objectsAt(object, "webhooks").forEach((webhook, index) => {
    const path = `webhooks[${index}]`;
    const name = textAt(webhook, "name");
    if (name !== "") {
      const wrong =
        dnsSubdomain(name) ??
        (name.split(".").length < 3 ? "should be a domain with at least three segments separated by dots" : undefined);
      report(errors, `${path}.name`, name, wrong);
      if (names.has(name)) errors.duplicate(`${path}.name`, name);
      names.add(name);
    }
    validateWebhook(webhook, path, errors);
  });
}

function validateWebhook(webhook: JsonObject, path: string, errors: FieldErrors): void {
  const versions = listAt(webhook, "admissionReviewVersions");
  if (versions.length > 0 && !versions.includes("v1") && !versions.includes("v1beta1")) {
    errors.invalid(`${path}.admissionReviewVersions`, versions, "must include at least one of v1, v1beta1");
  }
  const seconds = numberAt(webhook, "timeoutSeconds");
  if (seconds !== undefined && (seconds < 1 || seconds > 30)) {
    errors.invalid(`${path}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds");
  }
  for (const selector of ["namespaceSelector", "objectSelector"])
    validateSelector(webhook[selector], `${path}.${selector}`, errors);
  objectsAt(webhook, "rules").forEach((rule, index) => {
    const at = `${path}.rules[${index}]`;
    for (const list of ["operations", "apiGroups", "apiVersions", "resources"]) {
      if (listAt(rule, list).length === 0) errors.required(`${at}.${list}`);
    }
    listAt(rule, "operations").forEach((operation, place) => {
      if (!OPERATIONS.includes(String(operation)))
        errors.notSupported(`${at}.operations[${place}]`, operation, OPERATIONS);
    });
  });
  validateClientConfig(objectAt(webhook, "clientConfig"), `${path}.clientConfig`, errors);
}

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

function validateClientConfig(config: JsonObject, path: string, errors: FieldErrors): void {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined))
    errors.required(path, "exactly one of url or service is required");
  if (typeof url === "string" && !(URL.canParse(url) && new URL(url).protocol === "https:")) {
    errors.invalid(`${path}.url`, url, "'https' is the only allowed URL scheme; desired format: https://host[/path]");
  }
  const port = isObject(service) ? numberAt(service, "port") : undefined;
  if (port !== undefined && (port < 1 || port > 65535)) {
    errors.invalid(`${path}.service.port`, port, "port is not valid: must be between 1 and 65535, inclusive");
  }
}

export function validateDisruptionBudget(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  const { minAvailable, maxUnavailable } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
  }
  validateShare(minAvailable, "spec.minAvailable", errors);
  validateShare(maxUnavailable, "spec.maxUnavailable", errors);
  validateSelector(spec["selector"], "spec.selector", errors);
}

export function validatePriorityClass(object: KubeObject, errors: FieldErrors): void {
  const value = numberAt(object, "value") ?? 0;
  if (value > 1e9 && !object.metadata.name.startsWith("system-")) {
    errors.forbidden("value", "maximum allowed value of a user defined priority is 1000000000");
  }
}

export function validatePriorityClassUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  if (object["value"] !== old["value"]) errors.forbidden("value", "may not be changed in an update.");
}

export function validateLease(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  const seconds = numberAt(spec, "leaseDurationSeconds");
  if (seconds !== undefined && seconds <= 0)
    errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
  const transitions = numberAt(spec, "leaseTransitions");
  if (transitions !== undefined && transitions < 0)
    errors.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0");
}

export function validatePersistentVolumeClaim(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  if (listAt(spec, "accessModes").length === 0)
    errors.required("spec.accessModes", "at least 1 access mode is required");
  if (objectAt(spec, "resources", "requests")["storage"] === undefined) errors.required("spec.resources[storage]");
}

export function validateEvent(object: KubeObject, errors: FieldErrors): void {
  const namespace = textAt(object, "involvedObject", "namespace");
  if (namespace !== "" && namespace !== object.metadata.namespace) {
    errors.invalid("involvedObject.namespace", namespace, "does not match event.namespace");
  }
}

export function validateControllerRevisionUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  validateImmutable(object, old, "data", errors);
}

function listAt(object: unknown, field: string): unknown[] {
  const list = isObject(object) ? object[field] : undefined;
  return Array.isArray(list) ? list : [];
}
