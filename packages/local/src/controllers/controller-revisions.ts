import {
  type ControllerRevision,
  controllerReference,
  type DaemonSet,
  type PodTemplateSpec,
  type StatefulSet,
} from "@bowline/kube";
import type { ClusterApi } from "../api/cluster-api.ts";
import { canonical, hashName } from "./canonical.ts";
import { claim } from "./claim.ts";

const TYPE = "controllerrevisions.apps";
const HASH = "controller-revision-hash";

/** An owner of pods whose templates are remembered as ControllerRevisions, for roll-outs and rollbacks. */
type RevisionedOwner = DaemonSet | StatefulSet;

export interface Revisions {
  /** Of the template as it is. */
  readonly update: ControllerRevision;
  /** All, oldest first, `update` last. */
  readonly all: readonly ControllerRevision[];
}

/**
 * Finds the revision of the owner's template, or writes it; `type` is the store's name of the owner's type. A template that was in use before gets the highest number
 * again. The data is a patch, which `kubectl rollout undo` applies as it is.
 */
export async function ensureRevision(api: ClusterApi, type: string, owner: RevisionedOwner): Promise<Revisions> {
  const selector = owner.spec?.selector ?? {};
  const all = await claim<ControllerRevision>(api, owner, { ownerType: type, childType: TYPE, selector });
  all.sort((a, b) => a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1));
  const data = { spec: { template: { ...owner.spec?.template, $patch: "replace" } } };
  const wanted = canonical(data);
  const equal = all.findLast((revision) => canonical(revision.data) === wanted);
  const latest = all.at(-1);
  if (equal !== undefined && equal === latest) return { update: equal, all };
  const number = (latest?.revision ?? 0) + 1;
  const update = equal === undefined ? await create(api, owner, data, number) : await renumber(api, equal, number);
  return { update, all: [...all.filter((revision) => revision !== equal), update] };
}

/** The template a revision stands for. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined;
  const { $patch: _patch, ...template } = data?.spec?.template ?? {};
  return template;
}

/** What pods of this revision carry in their label `controller-revision-hash`, in a DaemonSet. */
export function hashOf(revision: ControllerRevision): string {
  return revision.metadata.labels?.[HASH] ?? "";
}

/** Deletes the oldest revisions that nothing uses, beyond `limit`. */
export async function removeOldRevisions(
  api: ClusterApi,
  revisions: Revisions,
  inUse: (revision: ControllerRevision) => boolean,
  limit: number,
): Promise<void> {
  const idle = revisions.all.filter((revision) => revision !== revisions.update && !inUse(revision));
  for (const { metadata } of idle.slice(0, Math.max(0, idle.length - limit))) {
    await api.delete(TYPE, metadata.namespace ?? "", metadata.name);
  }
}

async function create(
  api: ClusterApi,
  owner: RevisionedOwner,
  data: object,
  revision: number,
): Promise<ControllerRevision> {
  const { namespace = "", name } = owner.metadata;
  for (let collisions = owner.status?.collisionCount ?? 0; ; collisions++) {
    const hash = hashName(data, collisions);
    if (api.get(TYPE, namespace, `${name}-${hash}`) !== undefined) continue;
    return await api.create<ControllerRevision>(TYPE, {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...owner.spec?.template.metadata?.labels, [HASH]: hash },
        ownerReferences: [controllerReference(owner)],
      },
      data: structuredClone(data),
      revision,
    });
  }
}

async function renumber(api: ClusterApi, revision: ControllerRevision, number: number): Promise<ControllerRevision> {
  const { namespace = "", name } = revision.metadata;
  const changed = await api.change<ControllerRevision>(TYPE, namespace, name, (draft) => {
    draft.revision = number;
  });
  return changed ?? revision;
}
