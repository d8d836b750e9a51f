import type { KubeObject } from "@bowline/kube";
import { isObject, type JsonObject, numberAt, objectAt, objectsAt, textAt } from "../schema.ts";
import { AGE, type Column, column, NAME, NONE, shown } from "./columns.ts";
import { ageOf } from "./human-duration.ts";

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  column(
    "Ready",
    (pod) => {
      const { ready, total } = summaryOf(pod);
      return `${ready}/${total}`;
    },
    { description: "The aggregate readiness state of this pod for accepting traffic." },
  ),
  column("Status", (pod) => summaryOf(pod).reason, {
    description: "The aggregate status of the containers in this pod.",
  }),
  column("Restarts", restartsOf, {
    description: "The number of times the containers in this pod have been restarted.",
  }),
  AGE,
  column("IP", (pod) => shown(objectAt(pod, "status")["podIP"]), { wide: true }),
  column("Node", (pod) => shown(objectAt(pod, "spec")["nodeName"]), { wide: true }),
  column("Nominated Node", (pod) => shown(objectAt(pod, "status")["nominatedNodeName"]), { wide: true }),
  column("Readiness Gates", readinessGates, { wide: true }),
];

/** What a pod's containers come to. */
interface PodSummary {
  readonly ready: number;
  readonly total: number;
  readonly reason: string;
  readonly restarts: number;
  /** RFC 3339; "" if nothing has ended yet. */
  readonly lastEnd: string;
}

/** kubectl's STATUS: the first thing that keeps the pod from running, else its phase. */
function summaryOf(pod: KubeObject): PodSummary {
  const status = objectAt(pod, "status");
  const init = initSummary(pod);
  let summary: PodSummary = init.summary;
  if (!init.initializing || hasCondition(status, "Initialized")) {
    const containers = containerSummary(status, init.initializing ? phaseOf(pod) : init.summary.reason);
    summary = {
      ready: init.summary.ready + containers.ready,
      total: init.summary.total,
      reason: containers.reason,
      restarts: init.sidecarRestarts + containers.restarts,
      lastEnd: later(init.sidecarEnd, containers.lastEnd),
    };
  }
  if (pod.metadata.deletionTimestamp === undefined) return summary;
  if (textAt(status, "reason") === "NodeLost") return { ...summary, reason: "Unknown" };
  const ended = ["Succeeded", "Failed"].includes(textAt(status, "phase"));
  return ended ? summary : { ...summary, reason: "Terminating" };
}

function phaseOf(pod: KubeObject): string {
  const status = objectAt(pod, "status");
  const gated = objectsAt(status, "conditions").some(
    (condition) => condition["type"] === "PodScheduled" && condition["reason"] === "SchedulingGated",
  );
  if (gated) return "SchedulingGated";
  return textAt(status, "reason") || textAt(status, "phase");
}

interface InitSummary {
  readonly summary: PodSummary;
  readonly initializing: boolean;
  readonly sidecarRestarts: number;
  readonly sidecarEnd: string;
}

/** Init containers up to the first that has not done its work; sidecars that have started count as containers. */
function initSummary(pod: KubeObject): InitSummary {
  const spec = objectAt(pod, "spec");
  const declared = objectsAt(spec, "initContainers");
  const sidecars = new Set(declared.filter((each) => each["restartPolicy"] === "Always").map((each) => each["name"]));
  const total = objectsAt(spec, "containers").length + sidecars.size;
  let [ready, restarts, sidecarRestarts, lastEnd, sidecarEnd] = [0, 0, 0, "", ""];
  for (const [index, container] of objectsAt(pod, "status", "initContainerStatuses").entries()) {
    const sidecar = sidecars.has(container["name"]);
    restarts += numberAt(container, "restartCount") ?? 0;
    lastEnd = later(lastEnd, endOf(container));
    if (sidecar) {
      sidecarRestarts += numberAt(container, "restartCount") ?? 0;
      sidecarEnd = later(sidecarEnd, endOf(container));
    }
    if (numberAt(container, "state", "terminated", "exitCode") === 0) continue;
    if (sidecar && container["started"] === true) {
      if (container["ready"] === true) ready++;
      continue;
    }
    const reason = initReason(container) ?? `Init:${index}/${declared.length}`;
    return { summary: { ready, total, reason, restarts, lastEnd }, initializing: true, sidecarRestarts, sidecarEnd };
  }
  const summary = { ready, total, reason: phaseOf(pod), restarts, lastEnd };
  return { summary, initializing: false, sidecarRestarts, sidecarEnd };
}

function initReason(container: JsonObject): string | undefined {
  const { terminated, waiting } = objectAt(container, "state");
  if (isObject(terminated)) return `Init:${textAt(terminated, "reason") || exitText(terminated)}`;
  const reason = textAt(waiting, "reason");
  return reason === "" || reason === "PodInitializing" ? undefined : `Init:${reason}`;
}

function containerSummary(status: JsonObject, phase: string): Omit<PodSummary, "total"> {
  let [ready, restarts, lastEnd, reason, running] = [0, 0, "", phase, false];
  for (const container of objectsAt(status, "containerStatuses").reverse()) {
    restarts += numberAt(container, "restartCount") ?? 0;
    lastEnd = later(lastEnd, endOf(container));
    const { waiting, terminated, running: runs } = objectAt(container, "state");
    if (textAt(waiting, "reason") !== "") reason = textAt(waiting, "reason");
    else if (isObject(terminated)) reason = textAt(terminated, "reason") || exitText(terminated);
    else if (container["ready"] === true && runs !== undefined) {
      running = true;
      ready++;
    }
  }
  // One container may have done its work while the others go on.
  if (reason === "Completed" && running) reason = hasCondition(status, "Ready") ? "Running" : "NotReady";
  return { ready, restarts, lastEnd, reason };
}

function exitText(terminated: JsonObject): string {
  const signal = numberAt(terminated, "signal") ?? 0;
  return signal === 0 ? `ExitCode:${numberAt(terminated, "exitCode") ?? 0}` : `Signal:${signal}`;
}

function endOf(container: JsonObject): string {
  return textAt(container, "lastState", "terminated", "finishedAt");
}

/** Timestamps of one form and zone sort as text. */
function later(a: string, b: string): string {
  return a > b ? a : b;
}

function hasCondition(status: JsonObject, type: string): boolean {
  return objectsAt(status, "conditions").some((each) => each["type"] === type && each["status"] === "True");
}

function restartsOf(pod: KubeObject, nowMs: number): string {
  const { restarts, lastEnd } = summaryOf(pod);
  return restarts === 0 || lastEnd === "" ? String(restarts) : `${restarts} (${ageOf(lastEnd, nowMs)} ago)`;
}

function readinessGates(pod: KubeObject): string {
  const gates = objectsAt(pod, "spec", "readinessGates");
  if (gates.length === 0) return NONE;
  const status = objectAt(pod, "status");
  return `${gates.filter((gate) => hasCondition(status, textAt(gate, "conditionType"))).length}/${gates.length}`;
}
