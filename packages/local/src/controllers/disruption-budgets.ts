import {
  type Deployment,
  type KubeObject,
  matchesSelector,
  ownerOf,
  type Pod,
  type PodDisruptionBudget,
  type ReplicaSet,
} from "@bowline/kube";
import { type Condition, withCondition } from "./conditions.ts";
import { type Controller, type ControllerContext, groupOf, keyOf, startController } from "./controller.ts";
import { countOf } from "./int-or-percent.ts";
import { isActive, isReady } from "./pod-state.ts";

const NAME = "disruption-controller";
const TYPE = "poddisruptionbudgets.policy";

/** Tells how many pods of each budget may be evicted at the moment. */
export function startDisruptionBudgets(context: ControllerContext): Controller {
  const { api } = context;
  return startController(context, {
    name: NAME,
    settleMs: 20,
    watch(on) {
      on<PodDisruptionBudget>(TYPE, (event) => [keyOf(event.object)]);
      on<Pod>("pods", ({ object: { metadata } }) => {
        const budgets = api.list<PodDisruptionBudget>(TYPE, { namespace: metadata.namespace ?? "" });
        return budgets.filter((budget) => matchesSelector(budget.spec?.selector, metadata.labels)).map(keyOf);
      });
    },
    async reconcile({ namespace, name }) {
      const budget = api.get<PodDisruptionBudget>(TYPE, namespace, name);
      if (budget === undefined || budget.spec?.selector === undefined) return;
      const pods = api.list<Pod>("pods", { namespace, labelSelector: budget.spec.selector }).filter(isActive);
      const nowMs = context.now();
      const expected = expectedPods(context, budget, pods);
      await api.change<PodDisruptionBudget>(
        TYPE,
        namespace,
        name,
        (draft) => {
          draft.status = statusOf(draft, pods, expected, nowMs);
        },
        "status",
      );
    },
  });
}

function statusOf(
  { metadata, spec, status }: PodDisruptionBudget,
  pods: readonly Pod[],
  expected: number,
  nowMs: number,
): NonNullable<PodDisruptionBudget["status"]> {
  const desired =
    spec?.maxUnavailable !== undefined
      ? Math.max(0, expected - countOf(spec.maxUnavailable, expected, "up"))
      : countOf(spec?.minAvailable ?? 1, expected, "up");
  const healthy = pods.filter(isReady).length;
  const allowed = Math.max(0, healthy - desired);
  const condition: Condition = {
    type: "DisruptionAllowed",
    status: allowed > 0 ? "True" : "False",
    reason: allowed > 0 ? "SufficientPods" : "InsufficientPods",
    message: "",
  };
  const conditions = withCondition<Condition>(status?.conditions ?? [], condition, nowMs);
  return {
    currentHealthy: healthy,
    desiredHealthy: desired,
    disruptionsAllowed: expected === 0 ? 0 : allowed,
    expectedPods: expected,
    observedGeneration: metadata.generation ?? 0,
    conditions: conditions as NonNullable<NonNullable<PodDisruptionBudget["status"]>["conditions"]>,
  };
}

/** A plain number needs no controller: it is of the pods there are. A share is of the pods there should be. */
function expectedPods(context: ControllerContext, { spec }: PodDisruptionBudget, pods: readonly Pod[]): number {
  if (spec?.maxUnavailable === undefined && typeof spec?.minAvailable === "number") return pods.length;
  const scales = new Map<string, number>();
  for (const pod of pods) {
    const owner = scaleOwner(context, pod);
    if (owner !== undefined) scales.set(owner.metadata.uid ?? "", replicasOf(owner));
  }
  const unowned = pods.filter((pod) => scaleOwner(context, pod) === undefined).length;
  return [...scales.values()].reduce((sum, replicas) => sum + replicas, unowned);
}

const SCALED: Readonly<Record<string, string>> = {
  ReplicaSet: "replicasets.apps",
  StatefulSet: "statefulsets.apps",
  ReplicationController: "replicationcontrollers",
};

function scaleOwner({ api }: ControllerContext, pod: Pod): KubeObject | undefined {
  const { namespace = "" } = pod.metadata;
  const owner = ownerOf(pod);
  const type = SCALED[owner?.kind ?? ""];
  if (owner === undefined || type === undefined) return undefined;
  const object = api.get<ReplicaSet>(type, namespace, owner.name);
  const above = object === undefined ? undefined : ownerOf(object);
  if (above?.kind !== "Deployment" || groupOf(above.apiVersion) !== "apps") return object;
  return api.get<Deployment>("deployments.apps", namespace, above.name) ?? object;
}

function replicasOf(object: KubeObject): number {
  const { replicas } = (object["spec"] ?? {}) as { replicas?: number };
  return replicas ?? 1;
}
