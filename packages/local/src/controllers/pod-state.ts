import type { Pod } from "@bowline/kube";
import type { ReconcileTarget } from "./controller.ts";

/** Neither ended nor told to end. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && pod.metadata.deletionTimestamp === undefined;
}

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

export function isReady(pod: Pod): boolean {
  return readyCondition(pod)?.status === "True";
}

/** Milliseconds of the epoch; undefined when the pod is not ready. */
export function readySince(pod: Pod): number | undefined {
  const condition = readyCondition(pod);
  if (condition?.status !== "True") return undefined;
  return Date.parse(condition.lastTransitionTime ?? "") || 0;
}

/** How long until the pod will have been ready for so long; 0 when it has, undefined while it is not ready at all. */
export function availableIn(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  const since = readySince(pod);
  if (since === undefined) return undefined;
  return minReadySeconds === 0 ? 0 : Math.max(0, since + minReadySeconds * 1000 - nowMs);
}

export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  return availableIn(pod, minReadySeconds, nowMs) === 0;
}

/** Asks to be called again when the next of some pods will have been ready for long enough, by what `availableIn` says of each. */
export function awaitAvailable(target: ReconcileTarget, waits: readonly (number | undefined)[]): void {
  const soonest = Math.min(...waits.filter((wait) => wait !== undefined && wait > 0).map(Number));
  if (Number.isFinite(soonest)) target.after(soonest);
}

function readyCondition(pod: Pod): { status: string; lastTransitionTime?: string } | undefined {
  return pod.status?.conditions?.find(({ type }) => type === "Ready");
}
