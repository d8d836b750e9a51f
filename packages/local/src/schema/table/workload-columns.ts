import type { KubeObject } from "@bowline/kube";
import { numberAt, objectAt, objectsAt, textAt } from "../schema.ts";
import {
  AGE,
  type Column,
  column,
  countOf,
  NAME,
  NONE,
  selectorColumn,
  selectorText,
  shown,
  templateColumns,
} from "./columns.ts";
import { ageOf, humanDuration } from "./human-duration.ts";

const TEMPLATE = templateColumns("spec", "template");
const SELECTOR = selectorColumn("spec", "selector");

export const DEPLOYMENT_COLUMNS: readonly Column[] = [
  NAME,
  column("Ready", (object) => `${statusNumber(object, "readyReplicas")}/${numberAt(object, "spec", "replicas") ?? 0}`),
  ofStatus("Up-to-date", "updatedReplicas"),
  ofStatus("Available", "availableReplicas"),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

/** Also of ReplicationControllers. */
export const REPLICA_SET_COLUMNS: readonly Column[] = [
  NAME,
  column("Desired", (object) => numberAt(object, "spec", "replicas") ?? 0, { type: "integer" }),
  ofStatus("Current", "replicas"),
  ofStatus("Ready", "readyReplicas"),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

export const STATEFUL_SET_COLUMNS: readonly Column[] = [
  NAME,
  column("Ready", (object) => `${statusNumber(object, "readyReplicas")}/${numberAt(object, "spec", "replicas") ?? 0}`),
  AGE,
  ...TEMPLATE,
];

export const DAEMON_SET_COLUMNS: readonly Column[] = [
  NAME,
  ofStatus("Desired", "desiredNumberScheduled"),
  ofStatus("Current", "currentNumberScheduled"),
  ofStatus("Ready", "numberReady"),
  ofStatus("Up-to-date", "updatedNumberScheduled"),
  ofStatus("Available", "numberAvailable"),
  column("Node Selector", (object) => selectorText(objectAt(object, "spec", "template", "spec", "nodeSelector"))),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

export const JOB_COLUMNS: readonly Column[] = [
  NAME,
  column("Status", jobStatus),
  column("Completions", completionsOf),
  column("Duration", durationOf),
  AGE,
  ...TEMPLATE,
  SELECTOR,
];

export const CRON_JOB_COLUMNS: readonly Column[] = [
  NAME,
  column("Schedule", (object) => textAt(object, "spec", "schedule")),
  column("Timezone", (object) => shown(objectAt(object, "spec")["timeZone"])),
  column("Suspend", (object) => (objectAt(object, "spec")["suspend"] === true ? "True" : "False")),
  column("Active", (object) => countOf(objectAt(object, "status")["active"]), { type: "integer" }),
  column("Last Schedule", (object, nowMs) => {
    const last = objectAt(object, "status")["lastScheduleTime"];
    return last === undefined ? NONE : ageOf(last, nowMs);
  }),
  AGE,
  ...templateColumns("spec", "jobTemplate", "spec", "template"),
  selectorColumn("spec", "jobTemplate", "spec", "selector"),
];

export const CONTROLLER_REVISION_COLUMNS: readonly Column[] = [
  NAME,
  column("Controller", (object) => {
    const owner = object.metadata.ownerReferences?.find((each) => each.controller === true);
    if (owner === undefined) return NONE;
    const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.slice(0, owner.apiVersion.indexOf("/"))}` : "";
    return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
  }),
  column("Revision", (object) => numberAt(object, "revision") ?? 0, { type: "integer" }),
  AGE,
];

function ofStatus(name: string, field: string): Column {
  return column(name, (object) => statusNumber(object, field), { type: "integer" });
}

function statusNumber(object: KubeObject, field: string): number {
  return numberAt(object, "status", field) ?? 0;
}

function jobStatus(job: KubeObject): string {
  const conditions = new Set(
    objectsAt(job, "status", "conditions")
      .filter((condition) => condition["status"] === "True")
      .map((condition) => condition["type"]),
  );
  if (conditions.has("Complete")) return "Complete";
  if (conditions.has("Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (conditions.has("Suspended")) return "Suspended";
  if (conditions.has("FailureTarget")) return "FailureTarget";
  return conditions.has("SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

function completionsOf(job: KubeObject): string {
  const succeeded = statusNumber(job, "succeeded");
  const completions = numberAt(job, "spec", "completions");
  if (completions !== undefined) return `${succeeded}/${completions}`;
  const parallelism = numberAt(job, "spec", "parallelism") ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationOf(job: KubeObject, nowMs: number): string {
  const start = Date.parse(textAt(job, "status", "startTime"));
  if (Number.isNaN(start)) return "";
  const end = Date.parse(textAt(job, "status", "completionTime"));
  return humanDuration((Number.isNaN(end) ? nowMs : end) - start);
}
