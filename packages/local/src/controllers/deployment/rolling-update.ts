import type { ReplicaSet } from "@bowline/kube";
import { allOf, availableOf, type DeploymentView, type ReplicaSets, replicasOf, sumOf } from "./deployment-view.ts";

/** A ReplicaSet and the number of pods it is to have from now on. */
export interface Scaling {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

type Limits = Pick<DeploymentView, "replicas" | "maxSurge" | "maxUnavailable">;

/**
 * The next step from the old pods to the new: never more pods than `replicas + maxSurge` are asked for, and none that is
 * available is given up below `replicas - maxUnavailable`. Empty: there is nothing to do but wait.
 */
export function planRollingUpdate(limits: Limits, sets: ReplicaSets & { readonly fresh: ReplicaSet }): Scaling[] {
  const grown = freshReplicas(limits, sets);
  if (grown !== replicasOf(sets.fresh)) return [{ set: sets.fresh, replicas: grown }];
  return planShrinking(limits, sets);
}

/** How many pods the new ReplicaSet may have now. */
export function freshReplicas(limits: Limits, sets: ReplicaSets): number {
  const current = sets.fresh === undefined ? 0 : replicasOf(sets.fresh);
  if (current >= limits.replicas) return limits.replicas;
  const room = limits.replicas + limits.maxSurge - sumOf(allOf(sets), replicasOf);
  return current + Math.max(0, Math.min(room, limits.replicas - current));
}

/** The old ReplicaSets give up pods: first those that are not available anyway, then as many as the new ones can stand in for. */
function planShrinking({ replicas, maxUnavailable }: Limits, sets: ReplicaSets & { fresh: ReplicaSet }): Scaling[] {
  const minAvailable = replicas - maxUnavailable;
  const freshMissing = replicasOf(sets.fresh) - availableOf(sets.fresh);
  let removable = sumOf(allOf(sets), replicasOf) - minAvailable - freshMissing;
  if (removable <= 0) return [];
  const targets = new Map(sets.old.map((set) => [set, replicasOf(set)]));
  for (const set of sets.old) {
    const removed = Math.min(removable, replicasOf(set) - availableOf(set));
    targets.set(set, replicasOf(set) - removed);
    removable -= removed;
  }
  let spare = Math.min(removable, sumOf(allOf(sets), availableOf) - minAvailable);
  for (const set of sets.old) {
    if (spare <= 0) break;
    const left = targets.get(set) ?? 0;
    const removed = Math.min(spare, left);
    targets.set(set, left - removed);
    spare -= removed;
  }
  return changed(targets);
}

function changed(targets: ReadonlyMap<ReplicaSet, number>): Scaling[] {
  const all = Array.from(targets, ([set, replicas]) => ({ set, replicas }));
  return all.filter(({ set, replicas }) => replicas !== replicasOf(set));
}

const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";

/**
 * What changes when the Deployment's own number of replicas does, or while it is paused: the only ReplicaSet with pods follows; of
 * several, amid an update, each gets its share.
 */
export function planScaling(view: DeploymentView, sets: ReplicaSets): Scaling[] {
  const active = allOf(sets).filter((set) => replicasOf(set) > 0);
  const latest = sets.fresh ?? sets.old.at(-1);
  const only = active.length === 0 ? latest : active.length === 1 ? active[0] : undefined;
  if (only !== undefined) return changed(new Map([[only, view.replicas]]));
  if (sets.fresh !== undefined && isSaturated(view, sets.fresh)) {
    return changed(new Map(sets.old.map((set) => [set, 0])));
  }
  return view.recreate ? [] : planShares(view, active);
}

function isSaturated({ replicas }: DeploymentView, set: ReplicaSet): boolean {
  const wanted = Number(set.metadata.annotations?.["deployment.kubernetes.io/desired-replicas"]);
  return replicasOf(set) === replicas && wanted === replicas && (set.status?.availableReplicas ?? 0) === replicas;
}

function planShares(view: DeploymentView, active: readonly ReplicaSet[]): Scaling[] {
  const allowed = view.replicas > 0 ? view.replicas + view.maxSurge : 0;
  const toAdd = allowed - sumOf(active, replicasOf);
  if (toAdd === 0) return [];
  // Rounding favours the biggest; among equals the newest grows and the oldest shrinks.
  const bySize = [...(toAdd > 0 ? active.toReversed() : active)].sort((a, b) => replicasOf(b) - replicasOf(a));
  const targets = new Map<ReplicaSet, number>();
  let added = 0;
  for (const set of bySize) {
    const share = shareOf(view, set, toAdd - added);
    added += share;
    targets.set(set, replicasOf(set) + share);
  }
  const biggest = bySize[0];
  if (biggest !== undefined) targets.set(biggest, Math.max(0, (targets.get(biggest) ?? 0) + toAdd - added));
  return changed(targets);
}

/** In proportion to its part of what the Deployment could have had before. */
function shareOf(view: DeploymentView, set: ReplicaSet, left: number): number {
  const before =
    Number(set.metadata.annotations?.[MAX_REPLICAS]) || view.object.status?.replicas || view.replicas + view.maxSurge;
  const wanted = Math.round((replicasOf(set) * (view.replicas + view.maxSurge)) / before);
  const share = view.replicas === 0 ? -replicasOf(set) : wanted - replicasOf(set);
  return left > 0 ? Math.min(left, Math.max(0, share)) : Math.max(left, Math.min(0, share));
}
