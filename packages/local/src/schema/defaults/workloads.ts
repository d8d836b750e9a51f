import type { KubeObject } from "@bowline/kube";
import { isObject, objectAt, objectsAt } from "../schema.ts";
import { defaultTemplate, fieldObject, setDefaults } from "./pod-spec.ts";

export function defaultDeployment(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  defaultTemplate(spec);
  setDefaults(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
  const strategy = fieldObject(spec, "strategy");
  setDefaults(strategy, { type: "RollingUpdate" });
  if (strategy["type"] !== "RollingUpdate") return;
  setDefaults(fieldObject(strategy, "rollingUpdate"), { maxUnavailable: "25%", maxSurge: "25%" });
}

export function defaultReplicaSet(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  defaultTemplate(spec);
  setDefaults(spec, { replicas: 1 });
}

export function defaultStatefulSet(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  defaultTemplate(spec);
  setDefaults(spec, { replicas: 1, podManagementPolicy: "OrderedReady", revisionHistoryLimit: 10, serviceName: "" });
  const strategy = fieldObject(spec, "updateStrategy");
  setDefaults(strategy, { type: "RollingUpdate" });
  if (strategy["type"] === "RollingUpdate") setDefaults(fieldObject(strategy, "rollingUpdate"), { partition: 0 });
  const retention = fieldObject(spec, "persistentVolumeClaimRetentionPolicy");
  setDefaults(retention, { whenDeleted: "Retain", whenScaled: "Retain" });
  for (const claim of objectsAt(spec, "volumeClaimTemplates")) {
    setDefaults(claim, { apiVersion: "v1", kind: "PersistentVolumeClaim", status: { phase: "Pending" } });
    setDefaults(fieldObject(claim, "spec"), { volumeMode: "Filesystem" });
  }
}

export function defaultDaemonSet(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  defaultTemplate(spec);
  setDefaults(spec, { revisionHistoryLimit: 10 });
  const strategy = fieldObject(spec, "updateStrategy");
  setDefaults(strategy, { type: "RollingUpdate" });
  if (strategy["type"] !== "RollingUpdate") return;
  setDefaults(fieldObject(strategy, "rollingUpdate"), { maxSurge: 0, maxUnavailable: 1 });
}

/** The only workload whose selector and labels come from its template. */
export function defaultReplicationController(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  defaultTemplate(spec);
  setDefaults(spec, { replicas: 1 });
  const labels = objectAt(spec, "template", "metadata", "labels");
  if (Object.keys(objectAt(spec, "selector")).length === 0) spec["selector"] = { ...labels };
  if (object.metadata.labels === undefined && isObject(spec["selector"])) {
    object.metadata.labels = { ...labels } as Record<string, string>;
  }
}

export function defaultJob(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  defaultTemplate(spec);
  if (spec["completions"] === undefined && spec["parallelism"] === undefined) spec["completions"] = 1;
  const replacement = spec["podFailurePolicy"] === undefined ? "TerminatingOrFailed" : "Failed";
  setDefaults(spec, {
    parallelism: 1,
    backoffLimit: 6,
    completionMode: "NonIndexed",
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: replacement,
  });
  const labels = objectAt(spec, "template", "metadata", "labels");
  if (object.metadata.labels === undefined && Object.keys(labels).length > 0) {
    object.metadata.labels = { ...labels } as Record<string, string>;
  }
}

export function defaultCronJob(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  const job = fieldObject(spec, "jobTemplate");
  fieldObject(job, "metadata");
  defaultTemplate(fieldObject(job, "spec"));
  setDefaults(spec, {
    concurrencyPolicy: "Allow",
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  });
}
