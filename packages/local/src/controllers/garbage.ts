import type { KubeObject, OwnerReference } from "@bowline/kube";
import type { ClusterEvent } from "../api/cluster-api.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import type { ResourceTypes, TypeName } from "./resource-types.ts";
import { startWorkQueue, type WorkQueue } from "./work-queue.ts";

const NAME = "garbage-collector";
const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";
/** Kinds that come and go by themselves, have no dependents, and are many. */
const IGNORED = new Set(["events", "events.events.k8s.io"]);

/**
 * Deletes objects whose owners are all gone, and carries out deletions that are to take the dependents along first
 * (Foreground) or leave them behind (Orphan). Each key names one object: `type|namespace|name`.
 */
export function startGarbageCollector(context: ControllerContext, types: ResourceTypes): Controller {
  const queue = startWorkQueue({
    name: NAME,
    warn: context.warn,
    async reconcile(key) {
      const [type = "", namespace = "", name = ""] = key.split("|");
      const object = context.api.get(type, namespace, name);
      if (object === undefined) return;
      await collect(context, types, type, object);
      await finishDeletion(context, types, type, object);
    },
  });
  const watched = new Map<string, () => void>();
  const watchAll = (): void => {
    const known = new Set(types.types().map(({ storedAs }) => storedAs));
    for (const type of known) {
      if (watched.has(type) || IGNORED.has(type)) continue;
      watched.set(
        type,
        context.api.watch(type, (event) => onEvent(context, types, queue, type, event)),
      );
    }
    for (const [type, unwatch] of watched) {
      if (known.has(type)) continue;
      unwatch();
      watched.delete(type);
    }
  };
  watchAll();
  const unsubscribe = types.onChange(watchAll);
  return {
    stop() {
      unsubscribe();
      for (const unwatch of watched.values()) unwatch();
      queue.stop();
    },
  };
}

function onEvent(
  context: ControllerContext,
  types: ResourceTypes,
  queue: WorkQueue,
  type: string,
  { type: change, object }: ClusterEvent<KubeObject>,
): void {
  const { metadata } = object;
  if (change === "DELETED") {
    for (const dependent of dependentsOf(context, types, object)) queue.add(keyOf(dependent.type, dependent.object));
    // An owner that waits for its dependents may now have lost the last one.
    for (const owner of metadata.ownerReferences ?? []) {
      const ownerType = types.findKind(owner.apiVersion, owner.kind);
      if (ownerType !== undefined) queue.add(ownerKey(ownerType, owner, metadata.namespace ?? ""));
    }
    return;
  }
  const waits = metadata.deletionTimestamp !== undefined && isHeld(object);
  if (waits || (metadata.ownerReferences?.length ?? 0) > 0) queue.add(keyOf(type, object));
}

function keyOf(type: string, { metadata }: KubeObject): string {
  return `${type}|${metadata.namespace ?? ""}|${metadata.name}`;
}

function ownerKey(type: TypeName, owner: OwnerReference, namespace: string): string {
  return `${type.storedAs}|${type.namespaced ? namespace : ""}|${owner.name}`;
}

function isHeld({ metadata }: KubeObject): boolean {
  return metadata.finalizers?.some((finalizer) => finalizer === FOREGROUND || finalizer === ORPHAN) ?? false;
}

/** Looks whether the object's owners are still there. */
async function collect(
  context: ControllerContext,
  types: ResourceTypes,
  type: string,
  object: KubeObject,
): Promise<void> {
  const { metadata } = object;
  const owners = metadata.ownerReferences ?? [];
  if (owners.length === 0 || metadata.deletionTimestamp !== undefined) return;
  const states = owners.map((owner) => ({ owner, state: stateOf(context, types, owner, metadata.namespace ?? "") }));
  if (states.some(({ state }) => state === "alive")) {
    const gone = new Set(
      states.filter(({ state }) => state !== "alive" && state !== "unknown").map(({ owner }) => owner.uid),
    );
    if (gone.size > 0) await dropOwners(context, type, object, gone);
    return;
  }
  if (states.some(({ state }) => state === "unknown" || state === "orphaning")) return;
  // What an owner waits for takes its own dependents along first, so that nothing of them is left when the owner goes.
  const awaited = states.some(({ state, owner }) => state === "waiting" && owner.blockOwnerDeletion === true);
  await context.api.delete(type, metadata.namespace ?? "", metadata.name, {
    ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    propagation: awaited && type !== "pods" ? "Foreground" : "Background",
  });
}

/** `waiting`: it is deleted in the foreground. `unknown`: its kind is not known now, so nobody can tell. */
type OwnerState = "alive" | "gone" | "waiting" | "orphaning" | "unknown";

function stateOf(
  { api }: ControllerContext,
  types: ResourceTypes,
  owner: OwnerReference,
  namespace: string,
): OwnerState {
  const type = types.findKind(owner.apiVersion, owner.kind);
  if (type === undefined) return "unknown";
  const object = api.get(type.storedAs, type.namespaced ? namespace : "", owner.name);
  if (object === undefined || object.metadata.uid !== owner.uid) return "gone";
  if (object.metadata.deletionTimestamp === undefined) return "alive";
  if (object.metadata.finalizers?.includes(FOREGROUND)) return "waiting";
  return object.metadata.finalizers?.includes(ORPHAN) ? "orphaning" : "alive";
}

/** Takes the finalizer off an object that is being deleted, once its dependents are gone or have been let go of. */
async function finishDeletion(
  context: ControllerContext,
  types: ResourceTypes,
  type: string,
  object: KubeObject,
): Promise<void> {
  const { metadata } = object;
  if (metadata.deletionTimestamp === undefined || !isHeld(object)) return;
  const dependents = dependentsOf(context, types, object);
  const uid = metadata.uid ?? "";
  if (metadata.finalizers?.includes(ORPHAN)) {
    for (const dependent of dependents) await dropOwners(context, dependent.type, dependent.object, new Set([uid]));
    await removeFinalizer(context, type, object, ORPHAN);
    return;
  }
  for (const dependent of dependents) await collect(context, types, dependent.type, dependent.object);
  const left = dependentsOf(context, types, object).filter((dependent) => blocks(dependent.object, uid));
  if (left.length === 0) await removeFinalizer(context, type, object, FOREGROUND);
}

function blocks({ metadata }: KubeObject, ownerUid: string): boolean {
  return (
    metadata.ownerReferences?.some(({ uid, blockOwnerDeletion }) => uid === ownerUid && blockOwnerDeletion) ?? false
  );
}

function dependentsOf(
  { api }: ControllerContext,
  types: ResourceTypes,
  { metadata }: KubeObject,
): { type: string; object: KubeObject }[] {
  const ownerUid = metadata.uid ?? "";
  const stored = new Set(types.types().map(({ storedAs }) => storedAs));
  return [...stored].flatMap((type) => api.list(type, { ownerUid }).map((object) => ({ type, object })));
}

async function dropOwners(
  { api }: ControllerContext,
  type: string,
  { metadata }: KubeObject,
  ownerUids: ReadonlySet<string>,
): Promise<void> {
  await api.change(type, metadata.namespace ?? "", metadata.name, (draft) => {
    if (draft.metadata.uid !== metadata.uid) return false;
    draft.metadata.ownerReferences = (draft.metadata.ownerReferences ?? []).filter(({ uid }) => !ownerUids.has(uid));
    return undefined;
  });
}

async function removeFinalizer(
  { api }: ControllerContext,
  type: string,
  { metadata }: KubeObject,
  finalizer: string,
): Promise<void> {
  await api.change(type, metadata.namespace ?? "", metadata.name, (draft) => {
    if (draft.metadata.uid !== metadata.uid) return false;
    draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter((each) => each !== finalizer);
    return undefined;
  });
}
