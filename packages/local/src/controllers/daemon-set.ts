import {
  type ControllerRevision,
  type DaemonSet,
  matchesSelector,
  type Node,
  type Pod,
  type PodSpec,
} from "@bowline/kube";
import { claim, claimants } from "./claim.ts";
import { type Controller, type ControllerContext, keyOf, type ReconcileTarget, startController } from "./controller.ts";
import { ensureRevision, hashOf, removeOldRevisions } from "./controller-revisions.ts";
import { countOf } from "./int-or-percent.ts";
import { createPod, deletePod, podFromTemplate } from "./pod-factory.ts";
import { availableIn, awaitAvailable, isActive, isAvailable, isFinished, isReady } from "./pod-state.ts";

const NAME = "daemonset-controller";
const TYPE = "daemonsets.apps";
const REVISION = "controller-revision-hash";

/** Keeps one pod on each node that a DaemonSet selects. */
export function startDaemonSets(context: ControllerContext): Controller {
  const { api } = context;
  return startController(context, {
    name: NAME,
    watch(on) {
      on<DaemonSet>(TYPE, (event) => [keyOf(event.object)]);
      on<Node>("nodes", () => api.list<DaemonSet>(TYPE).map(keyOf));
      on<Pod>("pods", (event) => {
        const wants = (set: DaemonSet): boolean => matchesSelector(set.spec?.selector, event.object.metadata.labels);
        return claimants(api, event, { type: TYPE, group: "apps", kind: "DaemonSet", wants });
      });
    },
    reconcile: (target) => reconcile(context, target),
  });
}

async function reconcile(context: ControllerContext, target: ReconcileTarget): Promise<void> {
  const { api } = context;
  const set = api.get<DaemonSet>(TYPE, target.namespace, target.name);
  if (set === undefined) return;
  const selector = set.spec?.selector ?? {};
  const pods = await claim<Pod>(api, set, { ownerType: TYPE, childType: "pods", selector });
  if (set.metadata.deletionTimestamp !== undefined) return;
  const revisions = await ensureRevision(api, TYPE, set);
  const nodes = api.list<Node>("nodes").filter((node) => isSelected(set.spec?.template.spec, node));
  try {
    await step(context, set, revisions.update, nodes, pods);
  } finally {
    await writeStatus(context, set, revisions.update, nodes, target);
  }
  const used = new Set(api.list<Pod>("pods", { ownerUid: set.metadata.uid ?? "" }).map(hashOfPod));
  await removeOldRevisions(api, revisions, (each) => used.has(hashOf(each)), set.spec?.revisionHistoryLimit ?? 10);
}

async function step(
  context: ControllerContext,
  set: DaemonSet,
  revision: ControllerRevision,
  nodes: readonly Node[],
  pods: readonly Pod[],
): Promise<void> {
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  const byNode = Map.groupBy(pods, nodeOf);
  const doomed = pods.filter((pod) => !names.has(nodeOf(pod)) || isFinished(pod));
  const { rollingUpdate, type } = set.spec?.updateStrategy ?? {};
  const surge = countOf(rollingUpdate?.maxSurge, nodes.length, "up");
  const unavailableMax = surge > 0 ? 0 : Math.max(1, countOf(rollingUpdate?.maxUnavailable ?? 1, nodes.length, "up"));
  const missing = (node: Node): boolean =>
    !(byNode.get(node.metadata.name) ?? []).some((pod) => isActive(pod) && isUp(context, set, pod));
  let spare = unavailableMax - nodes.filter(missing).length;
  for (const node of nodes) {
    const alive = (byNode.get(node.metadata.name) ?? []).filter((pod) => !isFinished(pod));
    const fresh = alive.filter((pod) => hashOfPod(pod) === hashOf(revision));
    const old = alive.filter((pod) => !fresh.includes(pod) && pod.metadata.deletionTimestamp === undefined);
    if (alive.length === 0 || (surge > 0 && type !== "OnDelete" && fresh.length === 0)) {
      await createPod(context, daemonPod(set, revision, node), set, NAME);
      continue;
    }
    if (type === "OnDelete") continue;
    doomed.push(...fresh.slice(1));
    for (const pod of old) {
      const replaced =
        surge > 0 ? fresh.some((each) => isUp(context, set, each)) : spare > 0 || !isUp(context, set, pod);
      if (!replaced) continue;
      if (isUp(context, set, pod)) spare--;
      doomed.push(pod);
    }
  }
  for (const pod of doomed) {
    if (pod.metadata.deletionTimestamp === undefined) await deletePod(context, pod, set, NAME);
  }
}

/** Bound to its node by affinity, as Kubernetes does it, so that the scheduler still has its say. */
function daemonPod(set: DaemonSet, revision: ControllerRevision, node: Node): Pod {
  const pod = podFromTemplate({
    template: set.spec?.template ?? {},
    owner: set,
    labels: { [REVISION]: hashOf(revision), "pod-template-generation": String(set.metadata.generation ?? 1) },
  });
  if (pod.spec === undefined) return pod;
  const matchFields = [{ key: "metadata.name", operator: "In", values: [node.metadata.name] }];
  const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } };
  pod.spec.affinity = { ...pod.spec.affinity, nodeAffinity };
  return pod;
}

function nodeOf(pod: Pod): string {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0] ?? "";
}

function isSelected(spec: PodSpec | undefined, node: Node): boolean {
  if (spec?.nodeName) return spec.nodeName === node.metadata.name;
  const wanted = Object.entries(spec?.nodeSelector ?? {});
  return wanted.every(([key, value]) => node.metadata.labels?.[key] === value);
}

function hashOfPod(pod: Pod): string {
  return pod.metadata.labels?.[REVISION] ?? "";
}

function isUp(context: ControllerContext, set: DaemonSet, pod: Pod): boolean {
  return isAvailable(pod, set.spec?.minReadySeconds ?? 0, context.now());
}

async function writeStatus(
  context: ControllerContext,
  set: DaemonSet,
  revision: ControllerRevision,
  nodes: readonly Node[],
  target: ReconcileTarget,
): Promise<void> {
  const { api } = context;
  const { uid = "", generation = 0 } = set.metadata;
  const pods = api.list<Pod>("pods", { ownerUid: uid }).filter(isActive);
  const nowMs = context.now();
  awaitAvailable(
    target,
    pods.map((pod) => availableIn(pod, set.spec?.minReadySeconds ?? 0, nowMs)),
  );
  const nodesWith = (test: (pod: Pod) => boolean): number => {
    return nodes.filter(({ metadata }) => pods.some((pod) => nodeOf(pod) === metadata.name && test(pod))).length;
  };
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  const numberAvailable = nodesWith((pod) => isUp(context, set, pod));
  await api.change<DaemonSet>(
    TYPE,
    target.namespace,
    target.name,
    (draft) => {
      if (draft.metadata.uid !== uid) return false;
      draft.status = {
        desiredNumberScheduled: nodes.length,
        currentNumberScheduled: nodesWith(() => true),
        numberMisscheduled: pods.filter((pod) => !names.has(nodeOf(pod))).length,
        numberReady: nodesWith(isReady),
        numberAvailable,
        numberUnavailable: nodes.length - numberAvailable,
        updatedNumberScheduled: nodesWith((pod) => hashOfPod(pod) === hashOf(revision)),
        observedGeneration: generation,
      };
      return undefined;
    },
    "status",
  );
}
