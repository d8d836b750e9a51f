import type { Pod, StatefulSet } from "@bowline/kube";
import { isAvailable, isFinished } from "../pod-state.ts";
import { ordinalOf, revisionNameOf } from "./stateful-pod.ts";

/** What is to be done now; what comes after it is seen when it has had its effect. */
export interface StatefulPlan {
  readonly create: { readonly ordinal: number; readonly revision: "current" | "update" }[];
  readonly delete: Pod[];
}

export interface StatefulState {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** Name of the revision of today's template. */
  readonly updateRevision: string;
  readonly nowMs: number;
}

/**
 * One step of a StatefulSet. Ordered: a pod is made when all before it are available, and ended when all after it are gone.
 * Parallel: all at once; but updates go one by one, from the last pod down, in both.
 */
export function planStatefulSet(state: StatefulState): StatefulPlan {
  const { set } = state;
  const parallel = set.spec?.podManagementPolicy === "Parallel";
  const replicas = set.spec?.replicas ?? 1;
  const start = set.spec?.ordinals?.start ?? 0;
  const byOrdinal = new Map(state.pods.map((pod) => [ordinalOf(set, pod), pod]));
  const plan: StatefulPlan = { create: [], delete: [] };
  for (let ordinal = start; ordinal < start + replicas; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    const done = keepPod(state, plan, ordinal, pod);
    if (!done && !parallel) return plan;
  }
  if (!planCondemned(state, plan, start, start + replicas, parallel)) return plan;
  if (plan.create.length === 0 && plan.delete.length === 0) planUpdate(state, plan, byOrdinal, start, replicas);
  return plan;
}

/** The revision a pod of this ordinal is to be made from. */
function revisionFor(set: StatefulSet, ordinal: number): "current" | "update" {
  const strategy = set.spec?.updateStrategy;
  if (strategy?.type === "OnDelete") return "update";
  const partition = strategy?.rollingUpdate?.partition ?? 0;
  return ordinal < (set.spec?.ordinals?.start ?? 0) + partition ? "current" : "update";
}

/** @returns whether the pod is there and available */
function keepPod(state: StatefulState, plan: StatefulPlan, ordinal: number, pod: Pod | undefined): boolean {
  if (pod === undefined) {
    plan.create.push({ ordinal, revision: revisionFor(state.set, ordinal) });
    return false;
  }
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  if (isFinished(pod)) {
    plan.delete.push(pod);
    return false;
  }
  return isUp(state, pod);
}

/** Ends the pods beyond the number of replicas, the last first. @returns whether there were none */
function planCondemned(
  state: StatefulState,
  plan: StatefulPlan,
  start: number,
  end: number,
  parallel: boolean,
): boolean {
  const ordinal = (pod: Pod): number => ordinalOf(state.set, pod) ?? -1;
  const condemned = state.pods.filter((pod) => {
    const at = ordinalOf(state.set, pod);
    return at !== undefined && (at < start || at >= end);
  });
  condemned.sort((a, b) => ordinal(b) - ordinal(a));
  if (parallel) {
    plan.delete.push(...condemned.filter((pod) => pod.metadata.deletionTimestamp === undefined));
    return condemned.length === 0;
  }
  const last = condemned[0];
  if (last !== undefined && last.metadata.deletionTimestamp === undefined) plan.delete.push(last);
  return last === undefined;
}

/** Ends one pod of another revision, from the last ordinal down to the partition, if all that have been updated are up. */
function planUpdate(
  state: StatefulState,
  plan: StatefulPlan,
  byOrdinal: ReadonlyMap<number | undefined, Pod>,
  start: number,
  replicas: number,
): void {
  if (state.set.spec?.updateStrategy?.type === "OnDelete") return;
  const partition = state.set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  for (let ordinal = start + replicas - 1; ordinal >= start + partition; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
    if (revisionNameOf(pod) !== state.updateRevision) {
      plan.delete.push(pod);
      return;
    }
    if (!isUp(state, pod)) return;
  }
}

function isUp({ set, nowMs }: StatefulState, pod: Pod): boolean {
  return pod.status?.phase === "Running" && isAvailable(pod, set.spec?.minReadySeconds ?? 0, nowMs);
}
