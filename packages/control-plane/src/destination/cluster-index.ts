import { matchesSelector, type Pod } from "@bowline/kube";
import { addressKey, canonicalIp } from "./ip.ts";
import {
  type AnyObject,
  type ExternalWorkload,
  keyOf,
  type ObjectKind,
  type ObjectsByKind,
  type Server,
} from "./objects.ts";

/**
 * Told when something it subscribed to has changed.
 * @param key the object that changed
 */
export interface TopicListener {
  onChange(topic: string, key: string): void;
}

/**
 * What is known of the cluster, found by what discovery asks for. Objects come in as a watch or a list tells them; whoever
 * has subscribed to a topic hears that something about it is different, in the same call, and looks up here what is so
 * now. Topics are the texts that the functions below make; a pod's topic also stands for the ReplicaSet or Job that owns
 * it and for the Servers that select it.
 */
export class ClusterIndex {
  readonly #objects: { readonly [K in ObjectKind]: Map<string, ObjectsByKind[K]> } = {
    services: new Map(),
    endpointslices: new Map(),
    pods: new Map(),
    serviceprofiles: new Map(),
    nodes: new Map(),
    replicasets: new Map(),
    jobs: new Map(),
    servers: new Map(),
    externalworkloads: new Map(),
  };
  /** Keys of objects by kind and index text. */
  readonly #found = new Map<string, Set<string>>();
  readonly #listeners = new Map<string, Set<TopicListener>>();

  get<K extends ObjectKind>(kind: K, key: string): ObjectsByKind[K] | undefined {
    return this.#objects[kind].get(key);
  }

  count(kind: ObjectKind): number {
    return this.#objects[kind].size;
  }

  /** The objects that have this index text, in the order of their keys. */
  find<K extends ObjectKind>(kind: K, text: string): ObjectsByKind[K][] {
    const objects: ObjectsByKind[K][] = [];
    for (const key of [...(this.#found.get(`${kind} ${text}`) ?? [])].sort()) {
      const object = this.get(kind, key);
      if (object !== undefined) objects.push(object);
    }
    return objects;
  }

  /** An object as it is now. */
  upsert<K extends ObjectKind>(kind: K, object: ObjectsByKind[K]): void {
    const key = keyOf(object);
    const old = this.#objects[kind].get(key);
    this.#objects[kind].set(key, object);
    this.#changed(kind, key, old, object);
  }

  /** An object is gone. */
  remove(kind: ObjectKind, object: AnyObject): void {
    const key = keyOf(object);
    const old = this.#objects[kind].get(key);
    if (old === undefined) return;
    this.#objects[kind].delete(key);
    this.#changed(kind, key, old, undefined);
  }

  /** All objects of a kind: those that are not among them are gone. */
  replace<K extends ObjectKind>(kind: K, objects: readonly ObjectsByKind[K][]): void {
    const keys = new Set(objects.map(keyOf));
    for (const [key, object] of this.#objects[kind]) if (!keys.has(key)) this.remove(kind, object);
    for (const object of objects) this.upsert(kind, object);
  }

  subscribe(topic: string, listener: TopicListener): void {
    const listeners = this.#listeners.get(topic);
    if (listeners === undefined) this.#listeners.set(topic, new Set([listener]));
    else listeners.add(listener);
  }

  unsubscribe(topic: string, listener: TopicListener): void {
    const listeners = this.#listeners.get(topic);
    if (listeners?.delete(listener) === true && listeners.size === 0) this.#listeners.delete(topic);
  }

  /** Topics that somebody has subscribed to. */
  get topics(): number {
    return this.#listeners.size;
  }

  #changed<K extends ObjectKind>(
    kind: K,
    key: string,
    old: ObjectsByKind[K] | undefined,
    now: ObjectsByKind[K] | undefined,
  ): void {
    const before = new Set(old === undefined ? [] : INDEX_TEXTS[kind](old));
    const after = new Set(now === undefined ? [] : INDEX_TEXTS[kind](now));
    for (const text of before) if (!after.has(text)) this.#unlink(`${kind} ${text}`, key);
    for (const text of after) if (!before.has(text)) this.#link(`${kind} ${text}`, key);
    // Nodes report to the API all the time, and what counts of them hardly ever changes.
    if (kind === "nodes" && zoneOf(old) === zoneOf(now)) return;
    this.#publish(`${kind}/${key}`, key);
    for (const text of new Set([...before, ...after])) this.#publish(text, key);
    this.#publishDependents(kind, key, old, now);
  }

  /** Pods are described by more than themselves. */
  #publishDependents(kind: ObjectKind, key: string, old: AnyObject | undefined, now: AnyObject | undefined): void {
    if (kind === "replicasets" || kind === "jobs") {
      const sameOwner = old?.metadata.ownerReferences?.[0]?.name === now?.metadata.ownerReferences?.[0]?.name;
      if (sameOwner && old !== undefined && now !== undefined) return;
      for (const pod of this.find("pods", ownerText(kind, key))) this.#publish(podTopic(keyOf(pod)), keyOf(pod));
    }
    if (kind === "servers") this.#publishSelected([old, now]);
  }

  #publishSelected(servers: readonly (Server | undefined)[]): void {
    for (const server of servers) {
      const text = namespaceText(server?.metadata.namespace ?? "");
      const { podSelector, externalWorkloadSelector } = server?.spec ?? {};
      for (const pod of podSelector === undefined ? [] : this.find("pods", text)) {
        if (matchesSelector(podSelector, pod.metadata.labels ?? {})) this.#publish(podTopic(keyOf(pod)), keyOf(pod));
      }
      for (const workload of externalWorkloadSelector === undefined ? [] : this.find("externalworkloads", text)) {
        if (!matchesSelector(externalWorkloadSelector, workload.metadata.labels ?? {})) continue;
        this.#publish(workloadTopic(keyOf(workload)), keyOf(workload));
      }
    }
  }

  #publish(topic: string, key: string): void {
    const listeners = this.#listeners.get(topic);
    if (listeners !== undefined) for (const listener of listeners) listener.onChange(topic, key);
  }

  #link(text: string, key: string): void {
    const keys = this.#found.get(text);
    if (keys === undefined) this.#found.set(text, new Set([key]));
    else keys.add(key);
  }

  #unlink(text: string, key: string): void {
    const keys = this.#found.get(text);
    if (keys?.delete(key) === true && keys.size === 0) this.#found.delete(text);
  }
}

// === topics: of an object, or an index text ===

export const serviceTopic = (key: string): string => `services/${key}`;
export const podTopic = (key: string): string => `pods/${key}`;
export const workloadTopic = (key: string): string => `externalworkloads/${key}`;
export const profileTopic = (key: string): string => `serviceprofiles/${key}`;
export const nodeTopic = (name: string): string => `nodes//${name}`;

// === index texts ===

/** EndpointSlices of a service. */
export const slicesText = (serviceKey: string): string => `slices-of/${serviceKey}`;
/** Services by cluster IP, pods by pod IP. In canonical form. */
export const ipText = (ip: string): string => `ip/${ip}`;
/** Pods by an address of their node, external workloads by their own. */
export const addressText = (ip: string, port: number): string => `address/${addressKey(ip, port)}`;
/** Whatever lives in a namespace. */
export const namespaceText = (namespace: string): string => `in/${namespace}`;
/** Pods by their ReplicaSet or Job. */
const ownerText = (kind: "replicasets" | "jobs", key: string): string => `owned-by/${kind}/${key}`;

const INDEX_TEXTS: { readonly [K in ObjectKind]: (object: ObjectsByKind[K]) => string[] } = {
  services: ({ spec }) => ipsOf(spec?.clusterIPs, spec?.clusterIP).map(ipText),
  endpointslices: (slice) => {
    const owner = serviceOf(slice);
    return owner === null ? [] : [slicesText(owner)];
  },
  pods: podTexts,
  serviceprofiles: () => [],
  nodes: () => [],
  replicasets: () => [],
  jobs: () => [],
  servers: ({ metadata }) => [namespaceText(metadata.namespace ?? "")],
  externalworkloads: (workload) => [
    namespaceText(workload.metadata.namespace ?? ""),
    ...workloadAddresses(workload).map(({ ip, port }) => addressText(ip, port)),
  ],
};

const OWNERS_OF_PODS: Readonly<Record<string, "replicasets" | "jobs">> = { ReplicaSet: "replicasets", Job: "jobs" };

const ZONE_LABEL = "topology.kubernetes.io/zone";

/** The zone of a node; "" when it has none. */
export function zoneOf(node: AnyObject | undefined): string {
  return node?.metadata.labels?.[ZONE_LABEL] ?? "";
}

/** The key of the service that a slice belongs to. */
export function serviceOf({ metadata }: AnyObject): string | null {
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === "Service")?.name;
  const name = metadata.labels?.["kubernetes.io/service-name"] ?? owner;
  return name === undefined ? null : `${metadata.namespace ?? ""}/${name}`;
}

function podTexts(pod: Pod): string[] {
  const { metadata, spec, status } = pod;
  const namespace = metadata.namespace ?? "";
  const texts = [namespaceText(namespace)];
  for (const { kind, name } of metadata.ownerReferences ?? []) {
    const owner = OWNERS_OF_PODS[kind];
    if (owner !== undefined) texts.push(ownerText(owner, `${namespace}/${name}`));
  }
  // A pod in its node's network is known by the ports that it says it takes there; the rest is the node's.
  if (spec?.hostNetwork !== true)
    texts.push(
      ...ipsOf(
        status?.podIPs?.map(({ ip }) => ip),
        status?.podIP,
      ).map(ipText),
    );
  for (const ip of hostIpsOf(pod)) for (const port of hostPortsOf(pod)) texts.push(addressText(ip, port));
  return texts;
}

function hostIpsOf({ status }: Pod): string[] {
  return ipsOf(
    status?.hostIPs?.map(({ ip }) => ip),
    status?.hostIP,
  );
}

function hostPortsOf({ spec }: Pod): number[] {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  return containers.flatMap(({ ports = [] }) => ports.flatMap(({ hostPort = 0 }) => (hostPort > 0 ? [hostPort] : [])));
}

function workloadAddresses({ spec }: ExternalWorkload): { ip: string; port: number }[] {
  const ips = ipsOf(
    spec?.workloadIPs?.map(({ ip }) => ip),
    undefined,
  );
  return ips.flatMap((ip) => (spec?.ports ?? []).map(({ port }) => ({ ip, port })));
}

/** Addresses in canonical form; `one` stands in where the list has none. */
function ipsOf(list: readonly (string | undefined)[] | undefined, one: string | undefined): string[] {
  const texts = (list ?? []).filter((text) => text !== undefined && text !== "");
  const used = texts.length === 0 ? [one ?? ""] : texts;
  return used.map((text) => canonicalIp(text ?? "")).filter((ip) => ip !== null);
}
