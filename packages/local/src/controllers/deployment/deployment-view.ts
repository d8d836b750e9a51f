import type { Deployment, ReplicaSet } from "@bowline/kube";
import { countOf } from "../int-or-percent.ts";

/** The numbers of a Deployment's spec, defaults filled in, percentages resolved. */
export interface DeploymentView {
  readonly object: Deployment;
  readonly replicas: number;
  readonly recreate: boolean;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  readonly minReadySeconds: number;
  readonly paused: boolean;
  /** undefined: no deadline. */
  readonly progressDeadlineMs: number | undefined;
  readonly revisionHistoryLimit: number;
}

/** The ReplicaSets of a Deployment: `fresh` has today's template, `old` others, oldest first. */
export interface ReplicaSets {
  readonly fresh: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}

/** Kubernetes' word for "no deadline". */
const NO_DEADLINE_SECONDS = 2 ** 31 - 1;

export function viewOf(object: Deployment): DeploymentView {
  const { spec } = object;
  const replicas = spec?.replicas ?? 1;
  const recreate = spec?.strategy?.type === "Recreate";
  const { maxSurge = "25%", maxUnavailable = "25%" } = spec?.strategy?.rollingUpdate ?? {};
  const surge = recreate ? 0 : countOf(maxSurge, replicas, "up");
  const unavailable = recreate ? 0 : Math.min(replicas, countOf(maxUnavailable, replicas, "down"));
  const deadline = spec?.progressDeadlineSeconds ?? 600;
  return {
    object,
    replicas,
    recreate,
    maxSurge: surge,
    // With neither, nothing could ever move; Kubernetes then lets one pod be missing.
    maxUnavailable: !recreate && surge === 0 && unavailable === 0 ? 1 : unavailable,
    minReadySeconds: spec?.minReadySeconds ?? 0,
    paused: spec?.paused ?? false,
    progressDeadlineMs: deadline === NO_DEADLINE_SECONDS ? undefined : deadline * 1000,
    revisionHistoryLimit: spec?.revisionHistoryLimit ?? 10,
  };
}

export function replicasOf(set: ReplicaSet): number {
  return set.spec?.replicas ?? 1;
}

/** Of those it is to have, so that pods it is about to end do not count. */
export function availableOf(set: ReplicaSet): number {
  return Math.min(replicasOf(set), set.status?.availableReplicas ?? 0);
}

export function allOf({ fresh, old }: ReplicaSets): ReplicaSet[] {
  return fresh === undefined ? [...old] : [...old, fresh];
}

export function sumOf(sets: readonly ReplicaSet[], count: (set: ReplicaSet) => number): number {
  return sets.reduce((sum, set) => sum + count(set), 0);
}
