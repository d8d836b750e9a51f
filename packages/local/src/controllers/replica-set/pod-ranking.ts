import type { Pod } from "@bowline/kube";
import { isReady, readySince } from "../pod-state.ts";

const COST = "controller.kubernetes.io/pod-deletion-cost";
const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** The pods in the order in which Kubernetes ends them when there are too many: first those that would be missed least. */
export function inOrderOfDeletion(pods: readonly Pod[]): Pod[] {
  return [...pods].sort((a, b) => {
    for (const rank of RANKS) {
      const difference = rank(a) - rank(b);
      if (difference !== 0) return difference;
    }
    return a.metadata.name < b.metadata.name ? 1 : -1;
  });
}

/** Each gives a smaller number to the pod that goes first; the first that tells two pods apart decides. */
const RANKS: readonly ((pod: Pod) => number)[] = [
  (pod) => (pod.spec?.nodeName ? 1 : 0),
  (pod) => PHASES[pod.status?.phase ?? "Pending"] ?? 0,
  (pod) => (isReady(pod) ? 1 : 0),
  (pod) => Number(pod.metadata.annotations?.[COST] ?? 0) || 0,
  (pod) => -(readySince(pod) ?? 0),
  (pod) => -restartsOf(pod),
  (pod) => -(Date.parse(pod.metadata.creationTimestamp ?? "") || 0),
];

function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}
