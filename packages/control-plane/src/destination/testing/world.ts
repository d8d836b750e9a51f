import { destination } from "@bowline/contracts/proto";
import { type GrpcError, GrpcStatus, grpcStatusName, toGrpcError } from "@bowline/grpc";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { Batch } from "../batch.ts";
import { ClusterIndex } from "../cluster-index.ts";
import { Discovery, SILENT_OBSERVER } from "../discovery.ts";
import { messageIp, shownIp } from "../ip.ts";
import type { ObjectKind, ObjectsByKind } from "../objects.ts";
import { parsePortList } from "../port-list.ts";
import type { DiscoverySettings } from "../settings.ts";

export const SETTINGS: DiscoverySettings = {
  clusterDomain: "cluster.local",
  controllerNamespace: "linkerd",
  identityTrustDomain: "trust.domain",
  h2Upgrade: true,
  ipv6: true,
  transportHeader: false,
  defaultOpaquePorts: parsePortList("25,587,3306,4444,5432,6379,9300,11211"),
  http2: null,
  zoneWeights: false,
};

export type ObjectEntry = { readonly [K in ObjectKind]: readonly [kind: K, object: ObjectsByKind[K]] }[ObjectKind];

const FRAME_HEAD_BYTES = 5;

/** Discovery over objects that a test puts and removes; changes take effect with `flush`. */
export class World {
  readonly index: ClusterIndex = new ClusterIndex();
  readonly batch: Batch = new Batch(() => undefined);
  readonly discovery: Discovery;
  readonly faults: string[] = [];

  constructor(objects: readonly ObjectEntry[] = [], settings: Partial<DiscoverySettings> = {}) {
    const observer = { ...SILENT_OBSERVER, onFault: (text: string) => void this.faults.push(text) };
    this.discovery = new Discovery({
      index: this.index,
      settings: { ...SETTINGS, ...settings },
      batch: this.batch,
      observer,
    });
    this.put(...objects);
  }

  put(...objects: readonly ObjectEntry[]): this {
    for (const [kind, object] of objects) this.index.upsert(kind, object as ObjectsByKind[typeof kind]);
    this.batch.flush();
    return this;
  }

  remove(...objects: readonly ObjectEntry[]): this {
    for (const [kind, object] of objects) this.index.remove(kind, object);
    this.batch.flush();
    return this;
  }

  endpoints(path: string, token = ""): EndpointsClient {
    return new EndpointsClient(this.discovery, path, token);
  }

  profile(path: string, token = ""): ProfileClient {
    return new ProfileClient(this.discovery, path, token);
  }
}

/** What a client has been told of endpoints: message by message in words, and what it knows by them. */
export class EndpointsClient {
  readonly log: string[] = [];
  readonly known: Map<string, Record<string, unknown>> = new Map();
  exists: boolean | null = null;
  readonly stop: () => void;

  constructor(discovery: Discovery, path: string, token: string) {
    this.stop = discovery.watchEndpoints(path, token, { send: (framed) => this.#take(framed) });
  }

  /** Addresses that are known, sorted. */
  get addresses(): string[] {
    return [...this.known.keys()].sort();
  }

  /** The log since this was last asked. */
  news(): string[] {
    return this.log.splice(0);
  }

  /** The endpoint of an address, in protobuf's JSON, with the labels of its set. */
  at(address: string): Record<string, unknown> {
    const endpoint = this.known.get(address);
    if (endpoint === undefined) throw new Error(`${address} is not among ${this.addresses.join(", ")}`);
    return endpoint;
  }

  labels(address: string): Record<string, string> {
    return this.at(address)["metricLabels"] as Record<string, string>;
  }

  #take(framed: Uint8Array): void {
    const { update } = fromBinary(destination.UpdateSchema, framed.subarray(FRAME_HEAD_BYTES));
    switch (update.case) {
      case "add": {
        this.exists = true;
        const { addrs, metricLabels } = update.value;
        this.log.push(`add ${addrs.map((one) => addressOf(one.addr)).join(" ")}`);
        for (const one of addrs) {
          const json = toJson(destination.WeightedAddrSchema, one) as Record<string, unknown>;
          this.known.set(addressOf(one.addr), { ...json, metricLabels: { ...metricLabels, ...one.metricLabels } });
        }
        return;
      }
      case "remove":
        this.log.push(`remove ${update.value.addrs.map(addressOf).join(" ")}`);
        for (const one of update.value.addrs) {
          if (!this.known.delete(addressOf(one))) throw new Error(`${addressOf(one)} was not known`);
        }
        return;
      case "noEndpoints":
        this.exists = update.value.exists;
        this.known.clear();
        this.log.push(`none ${update.value.exists ? "of a service" : "and no service"}`);
        return;
      case undefined:
        throw new Error("an empty update");
    }
  }
}

export class ProfileClient {
  readonly messages: Record<string, unknown>[] = [];
  failure: GrpcError | null = null;
  readonly stop: () => void;

  constructor(discovery: Discovery, path: string, token: string) {
    this.stop = discovery.watchProfile(path, token, {
      send: (framed) => {
        const profile = fromBinary(destination.DestinationProfileSchema, framed.subarray(FRAME_HEAD_BYTES));
        this.messages.push(toJson(destination.DestinationProfileSchema, profile) as Record<string, unknown>);
      },
      fail: (error) => {
        this.failure = error;
      },
    });
  }

  /** What was said last, in protobuf's JSON: fields that have their default are left out. */
  get last(): Record<string, unknown> {
    return this.messages.at(-1) ?? {};
  }

  get endpoint(): Record<string, unknown> {
    return (this.last["endpoint"] ?? {}) as Record<string, unknown>;
  }

  get labels(): Record<string, string> {
    return this.endpoint["metricLabels"] as Record<string, string>;
  }

  get opaque(): boolean {
    return this.last["opaqueProtocol"] === true;
  }
}

/** The status that a call fails with; "OK" when it does not. */
export function statusOf(call: () => unknown): string {
  try {
    call();
    return grpcStatusName(GrpcStatus.Ok);
  } catch (error) {
    return grpcStatusName(toGrpcError(error).code);
  }
}

function addressOf(address: destination.WeightedAddr["addr"]): string {
  const ip = shownIp(messageIp(address?.ip?.ip));
  return ip.includes(":") ? `[${ip}]:${address?.port}` : `${ip}:${address?.port}`;
}
