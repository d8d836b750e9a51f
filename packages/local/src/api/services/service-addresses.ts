import { ApiError, type KubeObject, type Service } from "@bowline/kube";
import type { ServiceAllocator } from "../../schema/resource-type.ts";
import type { Store } from "../storage/store.ts";
import { type AddressRange, serviceRange } from "./address-range.ts";

/** Kubernetes' default range. */
const NODE_PORT_MIN = 30_000;
const NODE_PORT_MAX = 32_767;
/** Offsets below are left to those who ask for an address by name, as Kubernetes does: .1 is the API's, .10 the DNS'. */
const STATIC_OFFSETS = 256;

export type IpFamily = "IPv4" | "IPv6";

/** A write's way to addresses: what it took is kept from others until `end`, when it is either stored or given up. */
export interface AddressWrite extends ServiceAllocator {
  end(): void;
}

/** Which service has which address and node port. What is stored is the truth; it is counted from there. */
export class ServiceAddresses {
  readonly families: readonly IpFamily[];
  /** Address, or "node/PROTOCOL/PORT", → the services ("namespace/name") that are stored with it. */
  readonly #stored: Map<string, Set<string>> = new Map();
  /** The same of writes under way, by the write. */
  readonly #pending: Map<string, object> = new Map();

  constructor(store: Store, families: readonly IpFamily[]) {
    this.families = families;
    for (const service of store.list("services")) this.#count(service, undefined);
    store.listen("services", ({ kind, object, old }) => {
      if (kind === "DELETED") this.#count(undefined, old);
      else this.#count(object, old);
    });
  }

  begin(): AddressWrite {
    const write = {};
    return {
      families: this.families,
      clusterIp: (family, wanted, service) => this.#clusterIp(write, family, wanted, service),
      nodePort: (wanted, protocol, service) => this.#nodePort(write, wanted, protocol, service),
      end: () => {
        for (const [resource, holder] of this.#pending) if (holder === write) this.#pending.delete(resource);
      },
    };
  }

  #clusterIp(write: object, family: IpFamily, wanted: string | undefined, service: KubeObject): string {
    const range = serviceRange(family);
    if (wanted === undefined || wanted === "") return this.#freeAddress(write, range, service);
    const address = range.find(wanted);
    if (address === undefined) {
      const why = `failed to allocate IP ${wanted}: the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${range.cidr}`;
      throw invalid(service, "spec.clusterIPs", [wanted], why);
    }
    if (!this.#take(write, address, service)) {
      const why = `failed to allocate IP ${wanted}: provided IP is already allocated`;
      throw invalid(service, "spec.clusterIPs", [wanted], why);
    }
    return address;
  }

  #freeAddress(write: object, range: AddressRange, service: KubeObject): string {
    const span = range.size - STATIC_OFFSETS;
    const start = Math.floor(Math.random() * span);
    for (let i = 0; i < span; i++) {
      const address = range.at(STATIC_OFFSETS + ((start + i) % span));
      if (this.#isFree(address) && this.#take(write, address, service)) return address;
    }
    throw ApiError.internal(`failed to allocate a serviceIP: range is full: ${range.cidr}`);
  }

  #nodePort(write: object, wanted: number | undefined, protocol: string, service: KubeObject): number {
    if (wanted !== undefined && wanted !== 0) {
      if (wanted < NODE_PORT_MIN || wanted > NODE_PORT_MAX) {
        const why = `provided port is not in the valid range. The range of valid ports is ${NODE_PORT_MIN}-${NODE_PORT_MAX}`;
        throw invalid(service, "spec.ports[0].nodePort", wanted, why);
      }
      if (!this.#take(write, `node/${protocol}/${wanted}`, service)) {
        throw invalid(service, "spec.ports[0].nodePort", wanted, "provided port is already allocated");
      }
      return wanted;
    }
    const span = NODE_PORT_MAX - NODE_PORT_MIN + 1;
    const start = Math.floor(Math.random() * span);
    for (let i = 0; i < span; i++) {
      const port = NODE_PORT_MIN + ((start + i) % span);
      const resource = `node/${protocol}/${port}`;
      if (this.#isFree(resource) && this.#take(write, resource, service)) return port;
    }
    throw ApiError.internal("failed to allocate a nodePort: range is full");
  }

  /** Nobody's, not even the service's own: a service that asks for a new port wants a second one. */
  #isFree(resource: string): boolean {
    return !this.#stored.has(resource) && !this.#pending.has(resource);
  }

  #take(write: object, resource: string, service: KubeObject): boolean {
    const holder = this.#pending.get(resource);
    if (holder !== undefined && holder !== write) return false;
    const self = nameOf(service);
    for (const owner of this.#stored.get(resource) ?? []) if (owner !== self) return false;
    this.#pending.set(resource, write);
    return true;
  }

  #count(now: KubeObject | undefined, before: KubeObject | undefined): void {
    if (before !== undefined) {
      for (const resource of resourcesOf(before)) {
        const owners = this.#stored.get(resource);
        owners?.delete(nameOf(before));
        if (owners?.size === 0) this.#stored.delete(resource);
      }
    }
    if (now === undefined) return;
    for (const resource of resourcesOf(now)) {
      const owners = this.#stored.get(resource);
      if (owners === undefined) this.#stored.set(resource, new Set([nameOf(now)]));
      else owners.add(nameOf(now));
    }
  }
}

function resourcesOf(object: KubeObject): string[] {
  const spec = (object as Service).spec;
  const addresses = spec?.clusterIPs ?? (spec?.clusterIP === undefined ? [] : [spec.clusterIP]);
  const resources = addresses.filter((address) => address !== "" && address !== "None");
  for (const { nodePort, protocol = "TCP" } of spec?.ports ?? []) {
    if (nodePort !== undefined && nodePort !== 0) resources.push(`node/${protocol}/${nodePort}`);
  }
  return resources;
}

function nameOf(service: KubeObject): string {
  return `${service.metadata.namespace}/${service.metadata.name}`;
}

function invalid(service: KubeObject, field: string, value: unknown, why: string): ApiError {
  const message = `Invalid value: ${JSON.stringify(value)}: ${why}`;
  return ApiError.invalid("Service", service.metadata.name ?? "", [{ field, message }]);
}
