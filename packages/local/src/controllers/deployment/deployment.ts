import { type Deployment, ownerOf, type Pod, type ReplicaSet } from "@bowline/kube";
import { claimants } from "../claim.ts";
import {
  type Controller,
  type ControllerContext,
  keyOf,
  type ReconcileTarget,
  startController,
} from "../controller.ts";
import { isFinished } from "../pod-state.ts";
import { deadlineIn, deploymentStatus, isComplete } from "./deployment-status.ts";
import { allOf, type DeploymentView, type ReplicaSets, replicasOf, viewOf } from "./deployment-view.ts";
import {
  ensureFresh,
  REVISION,
  readReplicaSets,
  removeOldest,
  revisionOf,
  scale,
  wantsOrphan,
  wasResized,
} from "./replica-sets.ts";
import { planRollingUpdate, planScaling, type Scaling } from "./rolling-update.ts";

const NAME = "deployment-controller";

/**
 * Keeps for each Deployment a ReplicaSet of its template, and moves the pods over from those of earlier templates. A
 * rollback is nothing special: `kubectl rollout undo` writes an old template, whose ReplicaSet is still there.
 */
export function startDeployments(context: ControllerContext): Controller {
  const { api } = context;
  return startController(context, {
    name: NAME,
    watch(on) {
      on<Deployment>("deployments.apps", (event) => [keyOf(event.object)]);
      on<ReplicaSet>("replicasets.apps", (event) => {
        const wants = (deployment: Deployment): boolean => wantsOrphan(deployment, event.object);
        return claimants(api, event, { type: "deployments.apps", group: "apps", kind: "Deployment", wants });
      });
      // Recreate waits for the last old pod to be gone, which no ReplicaSet's status tells.
      on<Pod>("pods", (event) => (event.type === "DELETED" ? deploymentOf(context, event.object) : []));
    },
    reconcile: (target) => reconcile(context, target),
  });
}

async function reconcile(context: ControllerContext, target: ReconcileTarget): Promise<void> {
  const deployment = context.api.get<Deployment>("deployments.apps", target.namespace, target.name);
  if (deployment === undefined) return;
  const view = viewOf(deployment);
  const sets = await readReplicaSets(context, deployment);
  if (deployment.metadata.deletionTimestamp === undefined) await advance(context, view, sets);
  await writeStatus(context, deployment, target);
}

/** One step; the changes it makes bring the next one about. */
async function advance(context: ControllerContext, view: DeploymentView, sets: ReplicaSets): Promise<void> {
  if (view.paused || wasResized(view, sets)) {
    if (sets.fresh !== undefined) await noteRevision(context, view, await ensureFresh(context, view, sets));
    await apply(context, view, planScaling(view, sets));
    await refreshSizes(context, view, sets);
    return;
  }
  if (view.recreate && (await emptyOld(context, view, sets))) return;
  const fresh = await ensureFresh(context, view, sets);
  if (fresh === undefined) return;
  await noteRevision(context, view, fresh);
  const plan = view.recreate
    ? [{ set: fresh, replicas: view.replicas }].filter(({ set, replicas }) => replicasOf(set) !== replicas)
    : planRollingUpdate(view, { fresh, old: sets.old });
  await apply(context, view, plan);
  if (isComplete(view, view.object.status)) await removeOldest(context, view, sets);
}

async function apply(context: ControllerContext, view: DeploymentView, plan: readonly Scaling[]): Promise<void> {
  for (const { set, replicas } of plan) await scale(context, view, set, replicas);
}

/** Once the new size is dealt with, the ReplicaSets must say so, or it would be dealt with for ever. */
async function refreshSizes(context: ControllerContext, view: DeploymentView, sets: ReplicaSets): Promise<void> {
  for (const { metadata } of allOf(sets)) {
    const set = context.api.get<ReplicaSet>("replicasets.apps", metadata.namespace ?? "", metadata.name);
    if (set !== undefined && replicasOf(set) > 0) await scale(context, view, set, replicasOf(set));
  }
}

/** @returns whether there are still old pods, so that no new ones may be made */
async function emptyOld(context: ControllerContext, view: DeploymentView, sets: ReplicaSets): Promise<boolean> {
  const active = sets.old.filter((set) => replicasOf(set) > 0);
  for (const set of active) await scale(context, view, set, 0);
  if (active.length > 0) return true;
  return sets.old.some((set) => {
    const pods = context.api.list<Pod>("pods", { ownerUid: set.metadata.uid ?? "" });
    return pods.some((pod) => !isFinished(pod));
  });
}

async function noteRevision(
  context: ControllerContext,
  view: DeploymentView,
  fresh: ReplicaSet | undefined,
): Promise<void> {
  if (fresh === undefined) return;
  const { namespace = "", name } = view.object.metadata;
  const revision = String(revisionOf(fresh));
  await context.api.change<Deployment>("deployments.apps", namespace, name, (draft) => {
    draft.metadata.annotations = { ...draft.metadata.annotations, [REVISION]: revision };
  });
}

async function writeStatus(context: ControllerContext, seen: Deployment, target: ReconcileTarget): Promise<void> {
  const { namespace = "", name, uid, generation = 0 } = seen.metadata;
  const current = context.api.get<Deployment>("deployments.apps", namespace, name);
  if (current === undefined || current.metadata.uid !== uid) return;
  const sets = await readReplicaSets(context, current);
  const nowMs = context.now();
  const view = viewOf(current);
  await context.api.change<Deployment>(
    "deployments.apps",
    namespace,
    name,
    (draft) => {
      // A spec that came in meanwhile has not been acted upon; its own reconciliation will tell of it.
      if (draft.metadata.uid !== uid || draft.metadata.generation !== generation) return false;
      draft.status = deploymentStatus(view, sets, nowMs);
      const wait = deadlineIn(view, draft.status, nowMs);
      if (wait !== undefined) target.after(wait);
      return undefined;
    },
    "status",
  );
}

function deploymentOf({ api }: ControllerContext, pod: Pod): string[] {
  const { namespace = "" } = pod.metadata;
  const owner = ownerOf(pod);
  if (owner?.kind !== "ReplicaSet") return [];
  const set = api.get<ReplicaSet>("replicasets.apps", namespace, owner.name);
  const deployment = set === undefined ? undefined : ownerOf(set);
  return deployment?.kind === "Deployment" ? [`${namespace}/${deployment.name}`] : [];
}
