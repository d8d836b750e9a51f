import { type KubeObject, type LabelSelector, matchesSelector } from "@bowline/kube";
import { isObject, type JsonObject, numberAt, objectAt, sameJson } from "../schema.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validateAnnotations, validateImmutable, validateLabels, validateSelector } from "./metadata.ts";
import { validatePodSpec } from "./pod-spec.ts";

export function validateDeployment(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  validateWorkload(spec, "deployment", errors);
  validateDeploymentStrategy(objectAt(spec, "strategy"), errors);
  const [deadline, ready] = [numberAt(spec, "progressDeadlineSeconds"), numberAt(spec, "minReadySeconds") ?? 0];
  if (deadline !== undefined && deadline <= ready) {
    errors.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
  }
}

export function validateReplicaSet(object: KubeObject, errors: FieldErrors): void {
  validateWorkload(objectAt(object, "spec"), "replicaset", errors);
}

export function validateStatefulSet(object: KubeObject, errors: FieldErrors): void {
  validateWorkload(objectAt(object, "spec"), "statefulset", errors);
}

export function validateDaemonSet(object: KubeObject, errors: FieldErrors): void {
  validateWorkload(objectAt(object, "spec"), "daemonset", errors);
}

export function validateReplicationController(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  const selector = objectAt(spec, "selector");
  if (Object.keys(selector).length === 0) errors.required("spec.selector");
  const labels = objectAt(spec, "template", "metadata", "labels");
  if (Object.entries(selector).some(([key, value]) => labels[key] !== value)) {
    errors.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
  }
  validateCounts(spec, errors);
  validateTemplate(objectAt(spec, "template"), "spec.template", errors);
  requireRestarts(spec, errors);
}

/** spec.selector of Deployments, ReplicaSets and DaemonSets. */
export function validateFixedSelector(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  validateImmutable(object, old, "spec.selector", errors);
}

export function validateStatefulSetUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  const fixed = (of: KubeObject) =>
    Object.fromEntries(
      Object.entries(objectAt(of, "spec")).filter(([name]) => !STATEFUL_SET_CHANGEABLE.includes(name)),
    );
  if (sameJson(fixed(object), fixed(old))) return;
  const names = STATEFUL_SET_CHANGEABLE.map((name) => `'${name}'`);
  const list = `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
  errors.forbidden("spec", `updates to statefulset spec for fields other than ${list} are forbidden`);
}

const STATEFUL_SET_CHANGEABLE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

/** Labels, annotations and spec of a pod template. */
export function validateTemplate(template: JsonObject, path: string, errors: FieldErrors): void {
  const metadata = objectAt(template, "metadata");
  validateLabels(metadata["labels"], `${path}.metadata.labels`, errors);
  validateAnnotations(metadata["annotations"], `${path}.metadata.annotations`, errors);
  validatePodSpec(objectAt(template, "spec"), `${path}.spec`, errors);
}

/** Numbers of pods and seconds are not negative. */
export function validateCounts(spec: JsonObject, errors: FieldErrors, fields: readonly string[] = COUNTS): void {
  for (const field of fields) {
    const value = numberAt(spec, field);
    if (value !== undefined && value < 0) errors.invalid(`spec.${field}`, value, "must be greater than or equal to 0");
  }
}

const COUNTS = ["replicas", "minReadySeconds", "revisionHistoryLimit"];

/** A number of pods, or a share of them. */
export function validateShare(value: unknown, path: string, errors: FieldErrors): void {
  if (typeof value === "number" && value < 0) errors.invalid(path, value, "must be greater than or equal to 0");
  if (typeof value !== "string") return;
  if (!/^[0-9]+%$/.test(value)) {
    errors.invalid(
      path,
      value,
      "a valid percent string must be a numeric value followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    );
  }
}

function validateWorkload(spec: JsonObject, what: string, errors: FieldErrors): void {
  validateCounts(spec, errors);
  const { selector } = spec;
  const template = objectAt(spec, "template");
  if (isObject(selector)) {
    validateSelector(selector, "spec.selector", errors);
    const labels = objectAt(template, "metadata", "labels");
    if (isEmptySelector(selector)) errors.invalid("spec.selector", selector, `empty selector is invalid for ${what}`);
    else if (!matchesSelector(selector as LabelSelector, labels as Record<string, string>)) {
      errors.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
    }
  }
  validateTemplate(template, "spec.template", errors);
  requireRestarts(spec, errors);
}

function isEmptySelector(selector: JsonObject): boolean {
  const { matchExpressions } = selector;
  return (
    Object.keys(objectAt(selector, "matchLabels")).length === 0 &&
    !(Array.isArray(matchExpressions) && matchExpressions.length > 0)
  );
}

/** Controllers that replace their pods take no pods that end by themselves. */
function requireRestarts(spec: JsonObject, errors: FieldErrors): void {
  const pod = objectAt(spec, "template", "spec");
  const policy = pod["restartPolicy"];
  if (policy === "OnFailure" || policy === "Never") {
    errors.notSupported("spec.template.spec.restartPolicy", policy, ["Always"]);
  }
  if (pod["activeDeadlineSeconds"] !== undefined) {
    errors.forbidden(
      "spec.template.spec.activeDeadlineSeconds",
      "activeDeadlineSeconds in ReplicaSet is not Supported",
    );
  }
}

function validateDeploymentStrategy(strategy: JsonObject, errors: FieldErrors): void {
  const { rollingUpdate } = strategy;
  if (!isObject(rollingUpdate)) return;
  const path = "spec.strategy.rollingUpdate";
  if (strategy["type"] === "Recreate") {
    errors.forbidden(path, "may not be specified when strategy `type` is 'Recreate'");
    return;
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  validateShare(maxUnavailable, `${path}.maxUnavailable`, errors);
  validateShare(maxSurge, `${path}.maxSurge`, errors);
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.invalid(`${path}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0");
  }
}

function isZero(share: unknown): boolean {
  return share === 0 || share === "0" || share === "0%";
}
