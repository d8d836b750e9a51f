import type { KubeObject, LabelSelector, Pod, PodTemplateSpec, ReplicaSet, ReplicationController } from "@bowline/kube";
import { matchesSelector } from "@bowline/kube";
import { claim, claimants } from "../claim.ts";
import { type Condition, withCondition, withoutCondition } from "../conditions.ts";
import {
  type Controller,
  type ControllerContext,
  keyOf,
  type ReconcileTarget,
  startController,
} from "../controller.ts";
import { createPod, deletePod, messageOf, podFromTemplate, slowStart } from "../pod-factory.ts";
import { availableIn, awaitAvailable, isActive, isReady } from "../pod-state.ts";
import { inOrderOfDeletion } from "./pod-ranking.ts";

/** Keeps each ReplicaSet's number of pods. */
export function startReplicaSets(context: ControllerContext): Controller {
  return startReplicas(context, REPLICA_SETS);
}

/** The same for ReplicationControllers, the ReplicaSet of old. */
export function startReplicationControllers(context: ControllerContext): Controller {
  return startReplicas(context, REPLICATION_CONTROLLERS);
}

/** What differs between the two kinds. */
interface ReplicasKind {
  readonly type: string;
  readonly kind: string;
  readonly source: string;
  selectorOf(object: ReplicaSet | ReplicationController): LabelSelector;
}

const REPLICA_SETS: ReplicasKind = {
  type: "replicasets.apps",
  kind: "ReplicaSet",
  source: "replicaset-controller",
  selectorOf: (object) => (object as ReplicaSet).spec?.selector ?? {},
};

const REPLICATION_CONTROLLERS: ReplicasKind = {
  type: "replicationcontrollers",
  kind: "ReplicationController",
  source: "replication-controller",
  selectorOf: (object) => {
    const selector = (object as ReplicationController).spec?.selector;
    return { matchLabels: selector ?? object.spec?.template?.metadata?.labels ?? {} };
  },
};

type Replicas = ReplicaSet | ReplicationController;

function startReplicas(context: ControllerContext, kind: ReplicasKind): Controller {
  const { api } = context;
  const group = kind.type.includes(".") ? "apps" : "";
  return startController(context, {
    name: kind.source,
    watch(on) {
      on<Replicas>(kind.type, (event) => [keyOf(event.object)]);
      on<Pod>("pods", (event) => {
        const wants = (each: Replicas): boolean => matchesSelector(kind.selectorOf(each), event.object.metadata.labels);
        return claimants(api, event, { type: kind.type, group, kind: kind.kind, wants });
      });
    },
    reconcile: (target) => reconcile(context, kind, target),
  });
}

async function reconcile(context: ControllerContext, kind: ReplicasKind, target: ReconcileTarget): Promise<void> {
  const { api } = context;
  const owner = api.get<Replicas>(kind.type, target.namespace, target.name);
  if (owner === undefined) return;
  const claimed = await claim<Pod>(api, owner, {
    ownerType: kind.type,
    childType: "pods",
    selector: kind.selectorOf(owner),
    adopts: isActive,
  });
  const active = claimed.filter(isActive);
  let failure: Condition | undefined;
  let thrown: unknown;
  if (owner.metadata.deletionTimestamp === undefined) {
    try {
      await matchCount(context, kind, owner, active);
    } catch (error) {
      thrown = error;
      const wants = (owner.spec?.replicas ?? 1) > active.length;
      failure = {
        type: "ReplicaFailure",
        status: "True",
        reason: wants ? "FailedCreate" : "FailedDelete",
        message: messageOf(error),
      };
    }
  }
  await writeStatus(context, kind, owner, failure, target);
  if (thrown !== undefined) throw thrown;
}

async function matchCount(
  context: ControllerContext,
  kind: ReplicasKind,
  owner: Replicas,
  active: readonly Pod[],
): Promise<void> {
  const missing = (owner.spec?.replicas ?? 1) - active.length;
  const template: PodTemplateSpec = owner.spec?.template ?? {};
  if (missing > 0) {
    await slowStart(missing, () => createPod(context, podFromTemplate({ template, owner }), owner, kind.source));
  }
  const surplus = inOrderOfDeletion(active).slice(0, Math.max(0, -missing));
  await Promise.all(surplus.map((pod) => deletePod(context, pod, owner, kind.source)));
}

async function writeStatus(
  context: ControllerContext,
  kind: ReplicasKind,
  owner: Replicas,
  failure: Condition | undefined,
  target: ReconcileTarget,
): Promise<void> {
  const { api } = context;
  const { uid = "" } = owner.metadata;
  const nowMs = context.now();
  await api.change<Replicas>(
    kind.type,
    target.namespace,
    target.name,
    (draft) => {
      if (draft.metadata.uid !== uid) return false;
      const pods = api.list<Pod>("pods", { ownerUid: uid }).filter((pod) => isActive(pod) && isControlledBy(pod, uid));
      const minReadySeconds = draft.spec?.minReadySeconds ?? 0;
      const waits = pods.map((pod) => availableIn(pod, minReadySeconds, nowMs));
      awaitAvailable(target, waits);
      const templateLabels = { matchLabels: draft.spec?.template?.metadata?.labels ?? {} };
      const conditions = withoutCondition(
        draft.status?.conditions ?? [],
        failure === undefined ? "ReplicaFailure" : "",
      );
      const status = {
        replicas: pods.length,
        fullyLabeledReplicas: pods.filter((pod) => matchesSelector(templateLabels, pod.metadata.labels)).length,
        readyReplicas: pods.filter(isReady).length,
        availableReplicas: waits.filter((wait) => wait === 0).length,
        // What was read when this reconciliation began; a newer spec is not yet acted upon.
        observedGeneration: owner.metadata.generation ?? 0,
      };
      draft.status = withConditions(
        status,
        failure === undefined ? conditions : withCondition(conditions, failure, nowMs),
      );
      return undefined;
    },
    "status",
  );
}

function withConditions<T extends object>(status: T, conditions: Condition[]): T & { conditions?: Condition[] } {
  return conditions.length === 0 ? status : { ...status, conditions };
}

function isControlledBy(object: KubeObject, uid: string): boolean {
  return object.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.controller === true) ?? false;
}
