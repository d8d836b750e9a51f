import { controllerReference, type KubeObject, type LabelSelector, matchesSelector, ownerOf } from "@bowline/kube";
import type { ClusterApi, ClusterEvent } from "../api/cluster-api.ts";
import { keyOf, ownerKeys } from "./controller.ts";

/** A type whose objects control others. */
interface OwnerType<T extends KubeObject> {
  /** The store's name. */
  readonly type: string;
  readonly group: string;
  readonly kind: string;
  readonly wants: (owner: T) => boolean;
}

/**
 * The keys of those of a type that an event about a child concerns: of the owner it has and had, or else of those that want it, one of which
 * will adopt it.
 */
export function claimants<T extends KubeObject>(
  api: ClusterApi,
  event: ClusterEvent<KubeObject>,
  { type, group, kind, wants }: OwnerType<T>,
): Iterable<string> {
  const keys = ownerKeys(event, group, kind);
  if (keys.size > 0 || event.type === "DELETED" || ownerOf(event.object) !== undefined) return keys;
  const { namespace = "" } = event.object.metadata;
  return api.list<T>(type, { namespace }).filter(wants).map(keyOf);
}

export interface ClaimOptions<T extends KubeObject> {
  /** The store's name of the owner's type. */
  readonly ownerType: string;
  readonly childType: string;
  readonly selector: LabelSelector;
  /** Which orphans may be adopted. Default: those not being deleted. */
  readonly adopts?: (child: T) => boolean;
}

/**
 * The objects an owner controls: those that refer to it and match its selector. Orphans that match are adopted,
 * children that match no longer are released.
 */
export async function claim<T extends KubeObject>(
  api: ClusterApi,
  owner: KubeObject,
  { ownerType, childType, selector, adopts = () => true }: ClaimOptions<T>,
): Promise<T[]> {
  const { uid = "", namespace = "", name } = owner.metadata;
  const owned = api.list<T>(childType, { ownerUid: uid }).filter((child) => ownerOf(child)?.uid === uid);
  if (owner.metadata.deletionTimestamp !== undefined) return owned;
  const kept: T[] = [];
  for (const child of owned) {
    if (matchesSelector(selector, child.metadata.labels)) kept.push(child);
    else if (child.metadata.deletionTimestamp === undefined) await release(api, childType, child, uid);
  }
  for (const child of api.list<T>(childType, { namespace, labelSelector: selector })) {
    if (ownerOf(child) !== undefined || child.metadata.deletionTimestamp !== undefined || !adopts(child)) continue;
    const current = api.get(ownerType, namespace, name);
    if (current?.metadata.uid !== uid || current.metadata.deletionTimestamp !== undefined) break;
    const adopted = await adopt<T>(api, childType, child, owner);
    if (adopted !== undefined) kept.push(adopted);
  }
  return kept;
}

/** undefined when another owner was faster. */
async function adopt<T extends KubeObject>(
  api: ClusterApi,
  type: string,
  child: T,
  owner: KubeObject,
): Promise<T | undefined> {
  const { namespace = "", name, uid } = child.metadata;
  const adopted = await api.change<T>(type, namespace, name, (draft) => {
    if (draft.metadata.uid !== uid || ownerOf(draft) !== undefined) return false;
    draft.metadata.ownerReferences = [...(draft.metadata.ownerReferences ?? []), controllerReference(owner)];
    return undefined;
  });
  return adopted !== undefined && ownerOf(adopted)?.uid === owner.metadata.uid ? adopted : undefined;
}

async function release(api: ClusterApi, type: string, child: KubeObject, ownerUid: string): Promise<void> {
  const { namespace = "", name, uid } = child.metadata;
  await api.change(type, namespace, name, (draft) => {
    if (draft.metadata.uid !== uid) return false;
    draft.metadata.ownerReferences = draft.metadata.ownerReferences?.filter((owner) => owner.uid !== ownerUid) ?? [];
    return undefined;
  });
}
