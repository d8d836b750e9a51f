import type { Job, Pod } from "@bowline/kube";
import { isTrue } from "../conditions.ts";
import { isActive, isReady } from "../pod-state.ts";
import { indexOf, parseIndexes } from "./indexes.ts";

/** While a pod has it, its end is not yet counted in the Job's status, and the pod stays. */
export const TRACKING = "batch.kubernetes.io/job-tracking";

/** A Job and its pods in numbers, with what has ended counted once, whether its pod is still there or not. */
export interface JobState {
  readonly job: Job;
  readonly active: readonly Pod[];
  readonly ready: number;
  readonly terminating: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Of an Indexed Job. */
  readonly completed: ReadonlySet<number>;
  /** The end of the last failed pod, in milliseconds of the epoch. */
  readonly lastFailureMs: number | undefined;
}

export function stateOf(job: Job, pods: readonly Pod[]): JobState {
  const counted = new Set([
    ...(job.status?.uncountedTerminatedPods?.succeeded ?? []),
    ...(job.status?.uncountedTerminatedPods?.failed ?? []),
  ]);
  const fresh = pods.filter((pod) => isTracked(pod) && !counted.has(pod.metadata.uid ?? ""));
  const succeeded = fresh.filter((pod) => outcomeOf(pod) === "succeeded");
  const failed = fresh.filter((pod) => outcomeOf(pod) === "failed");
  const active = pods.filter(isActive);
  const indexes = pods.filter((pod) => outcomeOf(pod) === "succeeded").map(indexOf);
  const completed = new Set([
    ...parseIndexes(job.status?.completedIndexes),
    ...indexes.filter((at) => at !== undefined),
  ]);
  const ends = pods.filter((pod) => outcomeOf(pod) === "failed").map(endOf);
  const indexed = job.spec?.completionMode === "Indexed";
  return {
    job,
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !isEnded(pod)).length,
    succeeded: indexed
      ? completed.size
      : (job.status?.succeeded ?? 0) + (job.status?.uncountedTerminatedPods?.succeeded?.length ?? 0) + succeeded.length,
    failed: (job.status?.failed ?? 0) + (job.status?.uncountedTerminatedPods?.failed?.length ?? 0) + failed.length,
    completed,
    lastFailureMs: ends.length === 0 ? undefined : Math.max(...ends),
  };
}

/** How a pod has ended, or undefined while it may still succeed. A pod that is told to end has failed. */
export function outcomeOf(pod: Pod): "succeeded" | "failed" | undefined {
  if (pod.status?.phase === "Succeeded") return "succeeded";
  if (pod.status?.phase === "Failed" || pod.metadata.deletionTimestamp !== undefined) return "failed";
  return undefined;
}

export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(TRACKING) ?? false;
}

/** Complete or failed: nothing more is done for it. */
export function isJobFinished(job: Job): boolean {
  return isTrue(job.status?.conditions, "Complete") || isTrue(job.status?.conditions, "Failed");
}

function isEnded(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

function endOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) =>
    Date.parse(state?.terminated?.finishedAt ?? ""),
  );
  const known = ends.filter((end) => !Number.isNaN(end));
  if (known.length > 0) return Math.max(...known);
  return Date.parse(pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp ?? "") || 0;
}
