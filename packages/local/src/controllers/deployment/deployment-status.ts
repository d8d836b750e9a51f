import type { DeploymentCondition, DeploymentStatus } from "kubernetes-types/apps/v1";
import { withCondition, withoutCondition } from "../conditions.ts";
import { timeText } from "../controller.ts";
import { allOf, type DeploymentView, type ReplicaSets, sumOf } from "./deployment-view.ts";

/** Reasons of the Progressing condition; `kubectl rollout status` reads the third. */
const PROGRESS = {
  created: "NewReplicaSetCreated",
  updated: "ReplicaSetUpdated",
  timedOut: "ProgressDeadlineExceeded",
  complete: "NewReplicaSetAvailable",
  paused: "DeploymentPaused",
  resumed: "DeploymentResumed",
} as const;

/** The counts and conditions of a Deployment as its ReplicaSets say. Messages and reasons are Kubernetes' own. */
export function deploymentStatus(view: DeploymentView, sets: ReplicaSets, nowMs: number): DeploymentStatus {
  const { object, replicas, maxUnavailable } = view;
  const all = allOf(sets);
  const total = sumOf(all, (set) => set.status?.replicas ?? 0);
  const available = sumOf(all, (set) => set.status?.availableReplicas ?? 0);
  const { collisionCount } = object.status ?? {};
  const status: DeploymentStatus = {
    observedGeneration: object.metadata.generation ?? 0,
    replicas: total,
    updatedReplicas: sets.fresh?.status?.replicas ?? 0,
    readyReplicas: sumOf(all, (set) => set.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, replicas - available),
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
  const enough = available >= replicas - maxUnavailable;
  let conditions = withCondition<DeploymentCondition>(
    object.status?.conditions ?? [],
    {
      type: "Available",
      status: enough ? "True" : "False",
      reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
      message: enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
      lastUpdateTime: timeText(nowMs),
    },
    nowMs,
  );
  conditions = withProgress(view, sets, { ...status, conditions }, nowMs);
  const failure = all.flatMap((set) => set.status?.conditions ?? []).find(({ type }) => type === "ReplicaFailure");
  conditions =
    failure === undefined
      ? withoutCondition(conditions, "ReplicaFailure")
      : withCondition(conditions, { ...failure, lastUpdateTime: timeText(nowMs) }, nowMs);
  return { ...status, conditions };
}

export function isComplete({ object, replicas }: DeploymentView, status: DeploymentStatus | undefined): boolean {
  return (
    status?.updatedReplicas === replicas &&
    status.replicas === replicas &&
    status.availableReplicas === replicas &&
    (status.observedGeneration ?? 0) >= (object.metadata.generation ?? 0)
  );
}

/** How long until the deadline for progress has passed; undefined when none is running. */
export function deadlineIn(view: DeploymentView, status: DeploymentStatus, nowMs: number): number | undefined {
  const progress = progressOf(status.conditions);
  if (view.progressDeadlineMs === undefined || view.paused || progress === undefined) return undefined;
  if (progress.reason === PROGRESS.complete || progress.reason === PROGRESS.timedOut) return undefined;
  // Half a second more, since conditions tell whole seconds only.
  const end = (Date.parse(progress.lastUpdateTime ?? "") || nowMs) + view.progressDeadlineMs + 500;
  return Math.max(0, end - nowMs);
}

function withProgress(
  view: DeploymentView,
  sets: ReplicaSets,
  status: DeploymentStatus,
  nowMs: number,
): DeploymentCondition[] {
  const conditions = status.conditions ?? [];
  const before = progressOf(conditions);
  const set = (reason: string, value: string, message: string): DeploymentCondition[] =>
    withCondition(
      conditions,
      { type: "Progressing", status: value, reason, message, lastUpdateTime: timeText(nowMs) },
      nowMs,
    );
  if (view.paused) return set(PROGRESS.paused, "Unknown", "Deployment is paused");
  if (before?.reason === PROGRESS.paused) return set(PROGRESS.resumed, "Unknown", "Deployment is resumed");
  if (view.progressDeadlineMs === undefined) return withoutCondition(conditions, "Progressing");
  const { fresh } = sets;
  const name = fresh === undefined ? view.object.metadata.name : fresh.metadata.name;
  const what = fresh === undefined ? "Deployment" : "ReplicaSet";
  const isNews = fresh !== undefined && !(before?.message?.includes(`"${name}"`) ?? false);
  // What has once come to its end stays so, whatever becomes of the pods later.
  const settled = status.replicas === status.updatedReplicas && before?.reason === PROGRESS.complete;
  if (settled && !isNews) return conditions;
  if (isComplete(view, status)) return set(PROGRESS.complete, "True", `${what} "${name}" has successfully progressed.`);
  if (isNews && status.updatedReplicas === 0) {
    return set(PROGRESS.created, "True", `Created new replica set "${name}"`);
  }
  if (isNews || hasMoved(view.object.status, status)) {
    const moved = set(PROGRESS.updated, "True", `${what} "${name}" is progressing.`);
    // Each move begins the deadline anew, though the condition says what it said before.
    return moved.map((each) => (each.type === "Progressing" ? { ...each, lastUpdateTime: timeText(nowMs) } : each));
  }
  const moment = { ...status, conditions };
  if (before?.reason !== PROGRESS.timedOut && deadlineIn(view, moment, nowMs) === 0) {
    return set(PROGRESS.timedOut, "False", `${what} "${name}" has timed out progressing.`);
  }
  return conditions;
}

/** Whether anything got nearer to completion since the last status. */
function hasMoved(before: DeploymentStatus | undefined, now: DeploymentStatus): boolean {
  const updated = (status: DeploymentStatus | undefined): number => status?.updatedReplicas ?? 0;
  const old = (status: DeploymentStatus | undefined): number => (status?.replicas ?? 0) - updated(status);
  return (
    updated(now) > updated(before) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

function progressOf(conditions: readonly DeploymentCondition[] | undefined): DeploymentCondition | undefined {
  return conditions?.find(({ type }) => type === "Progressing");
}
