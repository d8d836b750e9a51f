import type { EndpointSlice, KubeObject, Service } from "@bowline/kube";
import type { ClusterApi, ClusterEvent } from "../../api/cluster-api.ts";

const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

/** Services and their EndpointSlices, kept up to date, found by name and by address. */
export class ServiceIndex {
  readonly #services = new Map<string, Service>();
  /** By their own names, and by their service's. */
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #slicesOf = new Map<string, Map<string, EndpointSlice>>();
  readonly #keysByAddress = new Map<string, Set<string>>();
  readonly #handlers = new Set<() => void>();
  readonly #stops: readonly (() => void)[];

  constructor(api: Pick<ClusterApi, "watch">) {
    this.#stops = [
      api.watch<Service>("services", (event) => this.#onService(event)),
      api.watch<EndpointSlice>("endpointslices.discovery.k8s.io", (event) => this.#onSlice(event)),
    ];
  }

  services(): Iterable<Service> {
    return this.#services.values();
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  slices(namespace: string, name: string): EndpointSlice[] {
    return [...(this.#slicesOf.get(`${namespace}/${name}`)?.values() ?? [])];
  }

  /** The services that have this address as their own or as an endpoint's. */
  servicesWith(ip: string): Service[] {
    return [...(this.#keysByAddress.get(ip) ?? [])].flatMap((key) => this.#services.get(key) ?? []);
  }

  /** @returns the unsubscriber */
  onChange(handler: () => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#handlers.clear();
  }

  #onService({ type, object }: ClusterEvent<Service>): void {
    const key = keyOf(object, object.metadata.name);
    this.#forgetAddresses(key, this.#services.get(key)?.spec?.clusterIPs);
    if (type === "DELETED") {
      this.#services.delete(key);
    } else {
      this.#services.set(key, object);
      this.#rememberAddresses(key, object.spec?.clusterIPs);
    }
    this.#changed();
  }

  #onSlice({ type, object }: ClusterEvent<EndpointSlice>): void {
    const key = keyOf(object, object.metadata.name);
    const old = this.#slices.get(key);
    if (old !== undefined) this.#dropSlice(old);
    this.#slices.delete(key);
    if (type !== "DELETED") {
      this.#slices.set(key, object);
      this.#addSlice(object);
    }
    this.#changed();
  }

  #addSlice(slice: EndpointSlice): void {
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (service === undefined) return;
    const key = keyOf(slice, service);
    const slices = this.#slicesOf.get(key) ?? new Map<string, EndpointSlice>();
    this.#slicesOf.set(key, slices.set(slice.metadata.name, slice));
    this.#rememberAddresses(key, addressesOf(slice));
  }

  #dropSlice(slice: EndpointSlice): void {
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (service === undefined) return;
    const key = keyOf(slice, service);
    const slices = this.#slicesOf.get(key);
    if (slices?.delete(slice.metadata.name) && slices.size === 0) this.#slicesOf.delete(key);
    this.#forgetAddresses(key, addressesOf(slice));
    // An address may be in two slices for a moment, while it moves from one to the other.
    for (const other of slices?.values() ?? []) this.#rememberAddresses(key, addressesOf(other));
  }

  #rememberAddresses(key: string, ips: readonly string[] | undefined): void {
    for (const ip of ips ?? []) {
      const keys = this.#keysByAddress.get(ip) ?? new Set();
      this.#keysByAddress.set(ip, keys.add(key));
    }
  }

  #forgetAddresses(key: string, ips: readonly string[] | undefined): void {
    for (const ip of ips ?? []) {
      const keys = this.#keysByAddress.get(ip);
      if (keys?.delete(key) && keys.size === 0) this.#keysByAddress.delete(ip);
    }
  }

  #changed(): void {
    for (const handler of this.#handlers) handler();
  }
}

function keyOf({ metadata }: KubeObject, name: string): string {
  return `${metadata.namespace ?? ""}/${name}`;
}

function addressesOf(slice: EndpointSlice): string[] {
  return slice.endpoints.flatMap(({ addresses }) => addresses);
}
