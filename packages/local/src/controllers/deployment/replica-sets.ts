import {
  controllerReference,
  type Deployment,
  type LabelSelector,
  matchesSelector,
  type PodTemplateSpec,
  type ReplicaSet,
} from "@bowline/kube";
import { canonical, hashName } from "../canonical.ts";
import { claim } from "../claim.ts";
import type { ControllerContext } from "../controller.ts";
import { type DeploymentView, type ReplicaSets, replicasOf } from "./deployment-view.ts";
import { freshReplicas } from "./rolling-update.ts";

export const REVISION = "deployment.kubernetes.io/revision";
const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";
const TEMPLATE_HASH = "pod-template-hash";
const SOURCE = "deployment-controller";

/** Annotations of a Deployment that are about itself, and do not go on to its ReplicaSets. */
const OWN_ANNOTATIONS = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  "deprecated.deployment.rollback.to",
]);

/** The ReplicaSets of a Deployment as they are; nothing but adoption is written. */
export async function readReplicaSets(context: ControllerContext, deployment: Deployment): Promise<ReplicaSets> {
  const sets = await claim<ReplicaSet>(context.api, deployment, {
    ownerType: "deployments.apps",
    childType: "replicasets.apps",
    selector: deployment.spec?.selector ?? {},
  });
  sets.sort(byAge);
  const wanted = templateText(deployment.spec?.template);
  const fresh = sets.find((set) => templateText(set.spec?.template) === wanted);
  return { fresh, old: sets.filter((set) => set !== fresh) };
}

/**
 * Makes the ReplicaSet of today's template, or brings the annotations of the one there is up to date, with the highest
 * revision of all.
 *
 * @returns undefined when its name was taken by another; the next reconciliation tries another one
 */
export async function ensureFresh(
  context: ControllerContext,
  view: DeploymentView,
  sets: ReplicaSets,
): Promise<ReplicaSet | undefined> {
  const revision = Math.max(0, ...sets.old.map(revisionOf)) + 1;
  if (sets.fresh !== undefined) return await updateFresh(context, view, sets.fresh, revision);
  return await createFresh(context, view, sets, revision);
}

/** Writes the number of replicas, and what it was computed from, so that a change of that is noticed. */
export async function scale(
  context: ControllerContext,
  view: DeploymentView,
  set: ReplicaSet,
  replicas: number,
): Promise<void> {
  const { namespace = "", name } = set.metadata;
  const before = replicasOf(set);
  await context.api.change<ReplicaSet>("replicasets.apps", namespace, name, (draft) => {
    if (draft.spec === undefined) return false;
    draft.spec.replicas = replicas;
    draft.metadata.annotations = { ...draft.metadata.annotations, ...sizeAnnotations(view) };
    return undefined;
  });
  if (before === replicas) return;
  const direction = before < replicas ? "up" : "down";
  const message = `Scaled ${direction} replica set ${name} from ${before} to ${replicas}`;
  context.api.event(view.object, "Normal", "ScalingReplicaSet", message, SOURCE);
}

/** Whether the Deployment's own number of replicas has changed since its ReplicaSets were scaled. */
export function wasResized(view: DeploymentView, { fresh, old }: ReplicaSets): boolean {
  return [...old, ...(fresh === undefined ? [] : [fresh])].some((set) => {
    const wanted = set.metadata.annotations?.[DESIRED_REPLICAS];
    return replicasOf(set) > 0 && wanted !== undefined && Number(wanted) !== view.replicas;
  });
}

/** Deletes the oldest of the ReplicaSets that have no pods any more, beyond those to be kept for a rollback. */
export async function removeOldest(context: ControllerContext, view: DeploymentView, sets: ReplicaSets): Promise<void> {
  const surplus = sets.old.length - view.revisionHistoryLimit;
  if (surplus <= 0) return;
  const empty = sets.old.filter((set) => replicasOf(set) === 0 && (set.status?.replicas ?? 0) === 0);
  const settled = empty.filter((set) => (set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0));
  const oldest = settled.sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, surplus);
  for (const { metadata } of oldest) {
    if (metadata.deletionTimestamp !== undefined) continue;
    await context.api.delete("replicasets.apps", metadata.namespace ?? "", metadata.name, {
      propagation: "Background",
    });
  }
}

export function revisionOf({ metadata }: Pick<ReplicaSet, "metadata">): number {
  return Number(metadata.annotations?.[REVISION]) || 0;
}

async function updateFresh(
  context: ControllerContext,
  view: DeploymentView,
  set: ReplicaSet,
  revision: number,
): Promise<ReplicaSet | undefined> {
  const { namespace = "", name } = set.metadata;
  return await context.api.change<ReplicaSet>("replicasets.apps", namespace, name, (draft) => {
    const before = revisionOf(draft);
    const annotations = { ...draft.metadata.annotations, ...inheritedAnnotations(view.object) };
    if (before < revision) {
      annotations[REVISION] = String(revision);
      // A template that was in use before has come back: `kubectl rollout history` shows where it was.
      const history = annotations[REVISION_HISTORY];
      if (before > 0) annotations[REVISION_HISTORY] = history === undefined ? `${before}` : `${history},${before}`;
    }
    draft.metadata.annotations = annotations;
    if (draft.spec !== undefined) draft.spec.minReadySeconds = view.minReadySeconds;
    return undefined;
  });
}

async function createFresh(
  context: ControllerContext,
  view: DeploymentView,
  sets: ReplicaSets,
  revision: number,
): Promise<ReplicaSet | undefined> {
  const { api } = context;
  const { object } = view;
  const hash = hashName(object.spec?.template, object.status?.collisionCount);
  const { namespace = "", name: owner } = object.metadata;
  const name = `${owner}-${hash}`;
  if (api.get("replicasets.apps", namespace, name) !== undefined) {
    await api.change<Deployment>(
      "deployments.apps",
      namespace,
      owner,
      (draft) => {
        draft.status = { ...draft.status, collisionCount: (draft.status?.collisionCount ?? 0) + 1 };
      },
      "status",
    );
    return undefined;
  }
  const replicas = view.recreate ? view.replicas : freshReplicas(view, sets);
  const created = await api.create<ReplicaSet>("replicasets.apps", {
    ...replicaSetOf(object, hash, replicas),
    metadata: metadataOf(view, name, hash, revision),
  });
  const message = `Scaled up replica set ${name} from 0 to ${replicas}`;
  if (replicas > 0) api.event(object, "Normal", "ScalingReplicaSet", message, SOURCE);
  return created;
}

function metadataOf(view: DeploymentView, name: string, hash: string, revision: number): ReplicaSet["metadata"] {
  const { object } = view;
  return {
    name,
    namespace: object.metadata.namespace ?? "",
    labels: { ...object.spec?.template.metadata?.labels, [TEMPLATE_HASH]: hash },
    annotations: { ...inheritedAnnotations(object), ...sizeAnnotations(view), [REVISION]: String(revision) },
    ownerReferences: [controllerReference(object)],
  };
}

function replicaSetOf(object: Deployment, hash: string, replicas: number): Omit<ReplicaSet, "metadata"> {
  const template: PodTemplateSpec = structuredClone(object.spec?.template ?? {});
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [TEMPLATE_HASH]: hash } };
  const selector: LabelSelector = structuredClone(object.spec?.selector ?? {});
  selector.matchLabels = { ...selector.matchLabels, [TEMPLATE_HASH]: hash };
  const minReadySeconds = object.spec?.minReadySeconds;
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    spec: { replicas, selector, template, ...(minReadySeconds === undefined ? {} : { minReadySeconds }) },
  };
}

function sizeAnnotations(view: DeploymentView): Record<string, string> {
  return { [DESIRED_REPLICAS]: String(view.replicas), [MAX_REPLICAS]: String(view.replicas + view.maxSurge) };
}

function inheritedAnnotations(object: Deployment): Record<string, string> {
  const all = Object.entries(object.metadata.annotations ?? {});
  return Object.fromEntries(all.filter(([key]) => !OWN_ANNOTATIONS.has(key)));
}

/** What a template says, the label that names its ReplicaSet apart. */
function templateText(template: PodTemplateSpec | undefined): string {
  const { [TEMPLATE_HASH]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return canonical({ ...template, metadata: { ...template?.metadata, labels } });
}

function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const [before, after] = [a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? ""];
  if (before !== after) return before < after ? -1 : 1;
  return revisionOf(a) - revisionOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** Whether a Deployment would take this ReplicaSet as an orphan. */
export function wantsOrphan(deployment: Deployment, set: ReplicaSet): boolean {
  return matchesSelector(deployment.spec?.selector, set.metadata.labels);
}
