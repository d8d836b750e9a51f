import { type ControllerRevision, type KubeObject, matchesSelector, type Pod, type StatefulSet } from "@bowline/kube";
import { claim, claimants } from "../claim.ts";
import {
  type Controller,
  type ControllerContext,
  keyOf,
  type ReconcileTarget,
  startController,
} from "../controller.ts";
import { ensureRevision, type Revisions, removeOldRevisions } from "../controller-revisions.ts";
import { createPod, deletePod, messageOf } from "../pod-factory.ts";
import { availableIn, awaitAvailable, isActive, isReady } from "../pod-state.ts";
import { planStatefulSet } from "./plan.ts";
import { ordinalOf, revisionNameOf, statefulPod } from "./stateful-pod.ts";

const NAME = "statefulset-controller";
const TYPE = "statefulsets.apps";

/** Keeps pods with names and an order. */
export function startStatefulSets(context: ControllerContext): Controller {
  const { api } = context;
  return startController(context, {
    name: NAME,
    watch(on) {
      on<StatefulSet>(TYPE, (event) => [keyOf(event.object)]);
      on<Pod>("pods", (event) => {
        const wants = (set: StatefulSet): boolean => matchesSelector(set.spec?.selector, event.object.metadata.labels);
        return claimants(api, event, { type: TYPE, group: "apps", kind: "StatefulSet", wants });
      });
    },
    reconcile: (target) => reconcile(context, target),
  });
}

async function reconcile(context: ControllerContext, target: ReconcileTarget): Promise<void> {
  const { api } = context;
  const set = api.get<StatefulSet>(TYPE, target.namespace, target.name);
  if (set === undefined) return;
  const selector = set.spec?.selector ?? {};
  const adopts = (pod: Pod): boolean => ordinalOf(set, pod) !== undefined;
  const pods = await claim<Pod>(api, set, { ownerType: TYPE, childType: "pods", selector, adopts });
  if (set.metadata.deletionTimestamp !== undefined) return;
  const revisions = await ensureRevision(api, TYPE, set);
  const current = revisions.all.find(({ metadata }) => metadata.name === set.status?.currentRevision);
  try {
    await step(context, set, pods, { current: current ?? revisions.update, update: revisions.update });
  } finally {
    await writeStatus(context, set, current ?? revisions.update, revisions.update, target);
  }
  await forget(context, set, revisions);
}

async function step(
  context: ControllerContext,
  set: StatefulSet,
  pods: readonly Pod[],
  revisions: { current: ControllerRevision; update: ControllerRevision },
): Promise<void> {
  const nowMs = context.now();
  const plan = planStatefulSet({ set, pods, updateRevision: revisions.update.metadata.name, nowMs });
  for (const { ordinal, revision } of plan.create) {
    await ensureClaims(context, set, ordinal);
    await createPod(context, statefulPod(set, ordinal, revisions[revision]), set, NAME);
  }
  for (const pod of plan.delete) await deletePod(context, pod, set, NAME);
}

/** Claims outlive their pods, so that a pod that comes back finds its own. */
async function ensureClaims({ api }: ControllerContext, set: StatefulSet, ordinal: number): Promise<void> {
  const { namespace = "", name } = set.metadata;
  for (const template of set.spec?.volumeClaimTemplates ?? []) {
    const claimName = `${template.metadata?.name}-${name}-${ordinal}`;
    if (api.get("persistentvolumeclaims", namespace, claimName) !== undefined) continue;
    const claim: KubeObject = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name: claimName,
        namespace,
        labels: { ...template.metadata?.labels, ...set.spec?.selector.matchLabels },
        annotations: { ...template.metadata?.annotations },
      },
      spec: structuredClone(template.spec),
    };
    try {
      await api.create("persistentvolumeclaims", claim);
    } catch (error) {
      api.event(set, "Warning", "FailedCreate", `create Claim ${claimName} failed: ${messageOf(error)}`, NAME);
      throw error;
    }
  }
}

async function writeStatus(
  context: ControllerContext,
  set: StatefulSet,
  current: ControllerRevision,
  update: ControllerRevision,
  target: ReconcileTarget,
): Promise<void> {
  const { api } = context;
  const { uid = "", generation = 0 } = set.metadata;
  await api.change<StatefulSet>(
    TYPE,
    target.namespace,
    target.name,
    (draft) => {
      if (draft.metadata.uid !== uid) return false;
      const pods = api.list<Pod>("pods", { ownerUid: uid }).filter((pod) => ordinalOf(draft, pod) !== undefined);
      const minReadySeconds = draft.spec?.minReadySeconds ?? 0;
      const waits = pods.filter(isActive).map((pod) => availableIn(pod, minReadySeconds, context.now()));
      awaitAvailable(target, waits);
      const counts = {
        replicas: pods.length,
        readyReplicas: pods.filter(isReady).length,
        availableReplicas: waits.filter((wait) => wait === 0).length,
        updatedReplicas: countOf(pods, update),
        currentReplicas: countOf(pods, current),
      };
      const wanted = draft.spec?.replicas ?? 1;
      const rolling = draft.spec?.updateStrategy?.type !== "OnDelete";
      const done = rolling && counts.updatedReplicas === wanted && counts.replicas === wanted;
      const complete = done && counts.readyReplicas === wanted;
      draft.status = {
        ...counts,
        ...(complete ? { currentReplicas: counts.updatedReplicas } : {}),
        currentRevision: (complete ? update : current).metadata.name,
        updateRevision: update.metadata.name,
        observedGeneration: generation,
        collisionCount: draft.status?.collisionCount ?? 0,
      };
      return undefined;
    },
    "status",
  );
}

function countOf(pods: readonly Pod[], revision: ControllerRevision): number {
  return pods.filter((pod) => isActive(pod) && revisionNameOf(pod) === revision.metadata.name).length;
}

async function forget({ api }: ControllerContext, set: StatefulSet, revisions: Revisions): Promise<void> {
  const { uid = "", namespace = "", name } = set.metadata;
  const used = new Set(api.list<Pod>("pods", { ownerUid: uid }).map(revisionNameOf));
  const status = api.get<StatefulSet>(TYPE, namespace, name)?.status;
  used.add(status?.currentRevision ?? "").add(status?.updateRevision ?? "");
  const limit = set.spec?.revisionHistoryLimit ?? 10;
  await removeOldRevisions(api, revisions, ({ metadata }) => used.has(metadata.name), limit);
}
