import type { EndpointSlice, KubeObject, Pod, Service } from "@bowline/kube";
import type { ClusterApi, ClusterEvent } from "../../api/cluster-api.ts";

type Handler = (event: ClusterEvent<KubeObject>) => void;

/** As much of the cluster as the network watches: objects that a test puts and takes away. */
export class WatchedObjects implements Pick<ClusterApi, "watch" | "get"> {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #handlers = new Map<string, Set<Handler>>();

  watch<T extends KubeObject>(type: string, handler: (event: ClusterEvent<T>) => void): () => void {
    const known = handler as unknown as Handler;
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(known));
    for (const object of this.#objects.get(type)?.values() ?? []) {
      queueMicrotask(() => handlers.has(known) && known({ type: "ADDED", object }));
    }
    return () => handlers.delete(known);
  }

  get<T extends KubeObject>(type: string, namespace: string, name: string): T | undefined {
    return this.#objects.get(type)?.get(`${namespace}/${name}`) as T | undefined;
  }

  put(type: string, object: KubeObject): void {
    const objects = this.#objects.get(type) ?? new Map<string, KubeObject>();
    const key = keyOf(object);
    const old = objects.get(key);
    this.#objects.set(type, objects.set(key, object));
    this.#tell(type, old === undefined ? { type: "ADDED", object } : { type: "MODIFIED", object, old });
  }

  remove(type: string, object: KubeObject): void {
    if (this.#objects.get(type)?.delete(keyOf(object))) this.#tell(type, { type: "DELETED", object });
  }

  #tell(type: string, event: ClusterEvent<KubeObject>): void {
    for (const handler of this.#handlers.get(type) ?? []) queueMicrotask(() => handler(event));
  }
}

export const SLICES = "endpointslices.discovery.k8s.io";

export function service(name: string, spec: NonNullable<Service["spec"]>, namespace = "default"): Service {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec };
}

type Endpoints = Pick<EndpointSlice, "ports" | "endpoints"> & { addressType?: "IPv4" | "IPv6" };

export function slice(of: string, { ports, endpoints, addressType = "IPv4" }: Endpoints): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${of}-${addressType.toLowerCase()}`,
      namespace: "default",
      labels: { "kubernetes.io/service-name": of },
    },
    addressType,
    endpoints,
    ports,
  } as EndpointSlice;
}

export function podWithHostPort(name: string, ip: string, containerPort: number, hostPort: number): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: name },
    spec: { containers: [{ name: "c", ports: [{ containerPort, hostPort }] }] },
    status: { phase: "Running", podIP: ip, podIPs: [{ ip }] },
  };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
