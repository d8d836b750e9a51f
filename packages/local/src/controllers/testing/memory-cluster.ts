import { ApiError, type KubeObject, matchesSelector } from "@bowline/kube";
import type { ClusterApi, ClusterDeleteOptions, ClusterEvent, ListOptions } from "../../api/cluster-api.ts";
import type { ResourceTypes, TypeName } from "../resource-types.ts";

type Handler = (event: ClusterEvent<KubeObject>) => void;

/** Refuses a write by throwing what it returns. */
export type Refusal = (type: string, object: KubeObject) => Error | undefined;

/** The cluster's API with nothing but what controllers need of it: no defaults, no validation, no disk. */
export class MemoryCluster implements ClusterApi {
  readonly events: { reason: string; message: string; about: string }[] = [];
  /** Called on every create. */
  refuse: Refusal = () => undefined;
  /** Writes since the start. */
  writes = 0;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #handlers = new Map<string, Set<Handler>>();
  #serial = 0;

  get<T extends KubeObject>(type: string, namespace: string, name: string): T | undefined {
    return this.#objects.get(type)?.get(`${namespace}/${name}`) as T | undefined;
  }

  list<T extends KubeObject>(type: string, options: ListOptions = {}): T[] {
    const { namespace, labelSelector, ownerUid } = options;
    const all = [...(this.#objects.get(type)?.values() ?? [])].filter(({ metadata }) => {
      if (namespace !== undefined && namespace !== "" && metadata.namespace !== namespace) return false;
      if (labelSelector !== undefined && !matchesSelector(labelSelector, metadata.labels)) return false;
      return ownerUid === undefined || (metadata.ownerReferences?.some(({ uid }) => uid === ownerUid) ?? false);
    });
    const key = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ""}/${metadata.name}`;
    return all.sort((a, b) => (key(a) < key(b) ? -1 : 1)) as T[];
  }

  watch<T extends KubeObject>(type: string, handler: (event: ClusterEvent<T>) => void): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    const known = handler as Handler;
    for (const object of this.list(type)) queueMicrotask(() => handlers.has(known) && known({ type: "ADDED", object }));
    handlers.add(known);
    return () => handlers.delete(known);
  }

  async create<T extends KubeObject>(type: string, object: T): Promise<T> {
    await Promise.resolve();
    const stored = structuredClone(object);
    const { metadata } = stored;
    const refusal = this.refuse(type, stored);
    if (refusal !== undefined) throw refusal;
    this.#serial++;
    if (metadata.name === "")
      metadata.name = `${metadata.generateName ?? ""}${this.#serial.toString(36).padStart(5, "z")}`;
    if (this.get(type, metadata.namespace ?? "", metadata.name) !== undefined) {
      throw ApiError.alreadyExists(type, metadata.name);
    }
    metadata.uid = `uid-${this.#serial}`;
    metadata.creationTimestamp = new Date(Date.now()).toISOString();
    metadata.generation = 1;
    if (type === "namespaces") Object.assign(stored, { spec: { finalizers: ["kubernetes"] } });
    this.#put(type, stored, undefined);
    return stored;
  }

  async change<T extends KubeObject>(
    type: string,
    namespace: string,
    name: string,
    // biome-ignore lint/suspicious/noConfusingVoidType: the interface's own type
    change: (draft: T) => void | false,
    sub?: "status",
  ): Promise<T | undefined> {
    await Promise.resolve();
    const old = this.get<T>(type, namespace, name);
    if (old === undefined) return undefined;
    let draft: T = structuredClone(old);
    if (change(draft) === false) return old;
    const status = sub === "status" ? draft["status"] : old["status"];
    draft = Object.assign(sub === "status" ? structuredClone(old) : draft, { status });
    draft.metadata = { ...draft.metadata };
    if (draft["status"] === undefined) Reflect.deleteProperty(draft, "status");
    if (Bun.deepEquals(draft, old)) return old;
    if (!Bun.deepEquals(draft["spec"], old["spec"])) draft.metadata.generation = (old.metadata.generation ?? 0) + 1;
    if (draft.metadata.deletionTimestamp !== undefined && isFree(type, draft)) this.#remove(type, draft);
    else this.#put(type, draft, old);
    return draft;
  }

  async delete(type: string, namespace: string, name: string, options: ClusterDeleteOptions = {}): Promise<void> {
    await Promise.resolve();
    const old = this.get(type, namespace, name);
    if (old === undefined || (options.uid !== undefined && options.uid !== old.metadata.uid)) return;
    const draft = structuredClone(old);
    const { metadata } = draft;
    metadata.deletionTimestamp ??= new Date(Date.now()).toISOString();
    const isRunning = type === "pods" && podRuns(draft);
    metadata.deletionGracePeriodSeconds = isRunning ? (options.gracePeriodSeconds ?? 30) : 0;
    if (options.propagation === "Foreground")
      metadata.finalizers = [...(metadata.finalizers ?? []), "foregroundDeletion"];
    if (options.propagation === "Orphan") metadata.finalizers = [...(metadata.finalizers ?? []), "orphan"];
    if (isFree(type, draft)) this.#remove(type, draft);
    else if (!Bun.deepEquals(draft, old)) this.#put(type, draft, old);
  }

  event(about: KubeObject, _kind: "Normal" | "Warning", reason: string, message: string): void {
    this.events.push({ about: about.metadata.name, reason, message });
  }

  #put(type: string, object: KubeObject, old: KubeObject | undefined): void {
    this.writes++;
    const { namespace = "", name } = object.metadata;
    const objects = this.#objects.get(type) ?? new Map<string, KubeObject>();
    this.#objects.set(type, objects);
    objects.set(`${namespace}/${name}`, object);
    this.#tell(type, old === undefined ? { type: "ADDED", object } : { type: "MODIFIED", object, old });
  }

  #remove(type: string, object: KubeObject): void {
    this.#objects.get(type)?.delete(`${object.metadata.namespace ?? ""}/${object.metadata.name}`);
    this.#tell(type, { type: "DELETED", object });
  }

  #tell(type: string, event: ClusterEvent<KubeObject>): void {
    const handlers = this.#handlers.get(type) ?? new Set();
    for (const handler of handlers) queueMicrotask(() => handlers.has(handler) && handler(event));
  }
}

function isFree(type: string, object: KubeObject): boolean {
  const { finalizers = [], deletionGracePeriodSeconds = 0 } = object.metadata;
  const spec = object["spec"] as { finalizers?: string[] } | undefined;
  const held = type === "namespaces" && (spec?.finalizers ?? []).length > 0;
  return finalizers.length === 0 && deletionGracePeriodSeconds === 0 && !held;
}

function podRuns(object: KubeObject): boolean {
  const { nodeName } = object["spec"] as { nodeName?: string };
  const { phase } = (object["status"] ?? {}) as { phase?: string };
  return nodeName !== undefined && phase !== "Succeeded" && phase !== "Failed";
}

const NAMES: readonly (readonly [string, string, string])[] = [
  ["v1", "Pod", "pods"],
  ["v1", "Service", "services"],
  ["v1", "Endpoints", "endpoints"],
  ["v1", "ConfigMap", "configmaps"],
  ["v1", "ServiceAccount", "serviceaccounts"],
  ["v1", "ReplicationController", "replicationcontrollers"],
  ["apps/v1", "Deployment", "deployments.apps"],
  ["apps/v1", "ReplicaSet", "replicasets.apps"],
  ["apps/v1", "StatefulSet", "statefulsets.apps"],
  ["apps/v1", "DaemonSet", "daemonsets.apps"],
  ["apps/v1", "ControllerRevision", "controllerrevisions.apps"],
  ["batch/v1", "Job", "jobs.batch"],
  ["batch/v1", "CronJob", "cronjobs.batch"],
  ["discovery.k8s.io/v1", "EndpointSlice", "endpointslices.discovery.k8s.io"],
];

export const MEMORY_TYPES: ResourceTypes = {
  types: () =>
    NAMES.map(([apiVersion, kind, storedAs]): TypeName => {
      return { group: apiVersion.split("/").at(-2) ?? "", kind, storedAs, namespaced: true };
    }),
  findKind: (apiVersion, kind) => {
    const found = NAMES.find(([version, name]) => version === apiVersion && name === kind);
    return found && { group: "", kind, storedAs: found[2], namespaced: true };
  },
  onChange: () => () => undefined,
};
