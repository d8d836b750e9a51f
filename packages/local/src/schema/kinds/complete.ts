import type { KubeObject } from "@bowline/kube";
import { fieldObject } from "../defaults/pod-spec.ts";
import type { PrepareOptions, WriteKind } from "../resource-type.ts";
import { isObject, type JsonObject, numberAt, objectAt, objectsAt, sameJson, textAt } from "../schema.ts";

/** Jobs select their pods by their own uid, unless they say that they know better. */
export function completeJob(object: KubeObject, write: WriteKind, { old }: PrepareOptions): void {
  const spec = fieldObject(object, "spec");
  if (write === "update" && old !== undefined) {
    // What was generated need not be repeated in an update.
    const before = objectAt(old, "spec");
    if (spec["selector"] === undefined) spec["selector"] = before["selector"];
    const generated = objectAt(before, "template", "metadata", "labels");
    const labels = fieldObject(fieldObject(fieldObject(spec, "template"), "metadata"), "labels");
    for (const name of JOB_LABELS) if (generated[name] !== undefined) labels[name] ??= generated[name];
    return;
  }
  if (write !== "create" || spec["manualSelector"] === true) return;
  const uid = object.metadata.uid ?? "";
  const labels = fieldObject(fieldObject(fieldObject(spec, "template"), "metadata"), "labels");
  for (const prefix of ["", "batch.kubernetes.io/"]) {
    labels[`${prefix}controller-uid`] = uid;
    labels[`${prefix}job-name`] = object.metadata.name;
  }
  if (spec["selector"] === undefined) spec["selector"] = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
}

const JOB_LABELS = ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];

/** A namespace has Kubernetes' finalizer until that is taken away explicitly, by an empty list. */
export function completeNamespace(object: KubeObject, write: WriteKind, { old }: PrepareOptions): void {
  const spec = fieldObject(object, "spec");
  const before = objectAt(old, "spec")["finalizers"];
  if (write === "create" || !Array.isArray(before)) spec["finalizers"] ??= ["kubernetes"];
  else spec["finalizers"] ??= [...before];
}

/**
 * The status of a definition: here nothing has to be waited for, so it is established when it is written. The names it asks for are the
 * names it gets.
 */
export function completeCustomResourceDefinition(object: KubeObject, _write: WriteKind, { old }: PrepareOptions): void {
  const spec = objectAt(object, "spec");
  const previous = objectAt(old, "status");
  const storage = textAt(
    objectsAt(spec, "versions").find((version) => version["storage"] === true),
    "name",
  );
  const stored = Array.isArray(previous["storedVersions"]) ? previous["storedVersions"] : [];
  const status: JsonObject = {
    ...previous,
    acceptedNames: structuredClone(objectAt(spec, "names")),
    storedVersions: stored.includes(storage) ? stored : [...stored, storage],
  };
  status["conditions"] ??= [
    condition("NamesAccepted", "NoConflicts", "no conflicts found", object),
    condition("Established", "InitialNamesAccepted", "the initial names have been accepted", object),
  ];
  object["status"] = status;
}

function condition(type: string, reason: string, message: string, object: KubeObject): JsonObject {
  const lastTransitionTime = object.metadata.creationTimestamp ?? new Date().toISOString().replace(/\.\d+Z$/, "Z");
  return { type, status: "True", lastTransitionTime, reason, message };
}

/** Pods begin as pending, with the class of service that their resources give. */
export function initialPodStatus(object: KubeObject): unknown {
  return { phase: "Pending", qosClass: qosClassOf(objectAt(object, "spec")) };
}

function qosClassOf(spec: JsonObject): string {
  const containers = [...objectsAt(spec, "initContainers"), ...objectsAt(spec, "containers")];
  const resources = containers.map((container) => objectAt(container, "resources"));
  const named = (list: string) => resources.map((each) => pick(objectAt(each, list)));
  const [requests, limits] = [named("requests"), named("limits")];
  if ([...requests, ...limits].every((each) => Object.keys(each).length === 0)) return "BestEffort";
  const guaranteed = limits.every(
    (limit, index) => Object.keys(limit).length === 2 && sameJson(limit, requests[index]),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

function pick(amounts: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => name === "cpu" || name === "memory"));
}

/** Status fields that Kubernetes always shows. */
export function zeroStatus(...fields: readonly string[]): () => JsonObject {
  return () => Object.fromEntries(fields.map((field) => [field, 0]));
}

/** The generation of an object that is written: one more when something beside metadata and status has changed. */
export function nextGeneration(object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): number {
  const before = numberAt(old, "metadata", "generation") ?? 0;
  if (old === undefined) return 1;
  return fields.every((field) => sameJson(object[field], old[field])) ? Math.max(before, 1) : before + 1;
}

/** Makes an update of the status leave everything else as it was. */
export function keepAllButStatus(object: KubeObject, old: KubeObject): void {
  const { resourceVersion, managedFields } = object.metadata;
  for (const field of Object.keys(object)) if (field !== "status" && old[field] === undefined) delete object[field];
  for (const [field, value] of Object.entries(old)) {
    if (field === "status") continue;
    object[field] = isObject(value) || Array.isArray(value) ? structuredClone(value) : value;
  }
  if (resourceVersion !== undefined) object.metadata.resourceVersion = resourceVersion;
  if (managedFields !== undefined) object.metadata.managedFields = managedFields;
}
