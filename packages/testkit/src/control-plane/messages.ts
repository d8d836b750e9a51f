import { destination, type meta, net, outbound } from "@bowline/contracts/proto";
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";

/** What a message is made from. */
type Init<D extends DescMessage> = Exclude<MessageInitShape<D>, MessageShape<D>>;

export type EndpointInit = Init<typeof destination.WeightedAddrSchema>;
type HttpRouteInit = Init<typeof outbound.HttpRouteSchema>;
type HttpRuleInit = Init<typeof outbound.HttpRoute_RuleSchema>;
export type HttpProtocolInit = Init<typeof outbound.ProxyProtocol_Http1Schema>;
export type RouteInit = Init<typeof destination.RouteSchema>;
export type ProfileInit = Init<typeof destination.DestinationProfileSchema>;
type BackendInit = Init<typeof outbound.BackendSchema>;

/** An endpoint at `ip:port` or `[ip]:port`, with the usual weight. */
export function endpoint(address: string, more: EndpointInit = {}): EndpointInit {
  return { addr: addressOf(address), weight: 10_000, ...more };
}

/** A profile; without routes and overrides the policy decides. */
export function profile(init: ProfileInit = {}): destination.DestinationProfile {
  return create(destination.DestinationProfileSchema, {
    retryBudget: { retryRatio: 0.2, minRetriesPerSecond: 10, ttl: duration(10_000) },
    ...init,
  });
}

/** Of a balancer; the defaults are what Linkerd's policy controller gives. */
export interface BalancerOptions {
  /** 3,000 */
  readonly failfastMs?: number;
  /** What an endpoint counts with that has not answered yet: 30. */
  readonly defaultRttMs?: number;
  /** How long a slow answer is remembered: 10,000. */
  readonly decayMs?: number;
}

/** The balancer over a name's endpoints. */
export function balancer(path: string, options: BalancerOptions = {}): BackendInit {
  const { failfastMs = 3_000, defaultRttMs = 30, decayMs = 10_000 } = options;
  return {
    metadata: serviceMeta(path),
    queue: { capacity: 100, failfastTimeout: duration(failfastMs) },
    kind: {
      case: "balancer",
      value: {
        discovery: { kind: { case: "dst", value: { path } } },
        load: { case: "peakEwma", value: { defaultRtt: duration(defaultRttMs), decay: duration(decayMs) } },
      },
    },
  };
}

/** The backend that is one endpoint. */
export function forward(one: EndpointInit): BackendInit {
  return {
    metadata: { kind: { case: "default", value: "forward" } },
    queue: { capacity: 100, failfastTimeout: duration(3_000) },
    kind: { case: "forward", value: one },
  };
}

/** A route that takes every request to one backend. */
export function httpRoute(backend: BackendInit, rule: HttpRuleInit = {}, more: HttpRouteInit = {}): HttpRouteInit {
  return {
    metadata: { kind: { case: "default", value: "http" } },
    rules: [
      {
        matches: [{ path: { kind: { case: "prefix", value: "/" } } }],
        backends: { kind: { case: "firstAvailable", value: { backends: [{ backend }] } } },
        ...rule,
      },
    ],
    ...more,
  };
}

/** The policy of a service whose protocol is to be found out, where HTTP and other connections go to its endpoints. */
export function servicePolicy(
  path: string,
  http: HttpProtocolInit = {},
  backend: BackendInit = balancer(path),
): outbound.OutboundPolicy {
  const protocol = { routes: [httpRoute(backend)], ...http };
  return create(outbound.OutboundPolicySchema, {
    metadata: serviceMeta(path),
    protocol: {
      kind: {
        case: "detect",
        value: {
          timeout: duration(10_000),
          opaque: { routes: [opaqueRoute(backend)] },
          http1: protocol,
          http2: protocol,
        },
      },
    },
  });
}

/** The policy of a service whose connections are passed on as they are. */
export function opaquePolicy(path: string): outbound.OutboundPolicy {
  return create(outbound.OutboundPolicySchema, {
    metadata: serviceMeta(path),
    protocol: { kind: { case: "opaque", value: { routes: [opaqueRoute(balancer(path))] } } },
  });
}

/** The name of the service behind `name.namespace.….:port`. */
export function serviceMeta(path: string): Init<typeof meta.MetadataSchema> {
  const [host = "", port = "80"] = path.split(":");
  const [name = "", namespace = ""] = host.split(".");
  return {
    kind: { case: "resource", value: { group: "core", kind: "Service", name, namespace, port: Number(port) } },
  };
}

/** @throws RangeError when it is no address with a port */
export function addressOf(text: string): net.TcpAddress {
  const colon = text.lastIndexOf(":");
  const port = Number(text.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port)) throw new RangeError(`no address with a port: ${text}`);
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const ip = host.includes(":")
    ? ({ case: "ipv6", value: ipv6Of(host) } as const)
    : ({ case: "ipv4", value: ipv4Of(host) } as const);
  return create(net.TcpAddressSchema, { ip: { ip }, port });
}

/** `ip:port` or `[ip]:port`, IPv6 with all its hextets. */
export function addressText(address: MessageInitShape<typeof net.TcpAddressSchema> | undefined): string {
  const ip = address?.ip?.ip;
  const port = address?.port ?? 0;
  if (ip?.case === "ipv6") {
    const digits = [ip.value.first, ip.value.last].map((half) => (half ?? 0n).toString(16).padStart(16, "0")).join("");
    const hextets = digits.match(/.{4}/g) ?? [];
    return `[${hextets.map((hextet) => hextet.replace(/^0{1,3}/, "")).join(":")}]:${port}`;
  }
  const number = ip?.case === "ipv4" ? ip.value : 0;
  return `${[24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join(".")}:${port}`;
}

/** What endpoints are told apart by. */
export function keyOf(init: EndpointInit): string {
  return addressText(init.addr);
}

export function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1_000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) });
}

function opaqueRoute(backend: BackendInit): Init<typeof outbound.OpaqueRouteSchema> {
  return {
    metadata: { kind: { case: "default", value: "opaque" } },
    rules: [{ backends: { kind: { case: "firstAvailable", value: { backends: [{ backend }] } } } }],
  };
}

function ipv4Of(text: string): number {
  const parts = text.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) {
    throw new RangeError(`no IPv4 address: ${text}`);
  }
  return parts.reduce((number, part) => number * 256 + part, 0);
}

function ipv6Of(text: string): { first: bigint; last: bigint } {
  const [head = "", tail] = text.split("::");
  const left = hextetsOf(head);
  const right = hextetsOf(tail ?? "");
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) throw new RangeError(`no IPv6 address: ${text}`);
  const all = [...left, ...Array<bigint>(tail === undefined ? 0 : missing).fill(0n), ...right];
  const half = (hextets: bigint[]): bigint => hextets.reduce((number, hextet) => (number << 16n) | hextet, 0n);
  return { first: half(all.slice(0, 4)), last: half(all.slice(4)) };
}

function hextetsOf(text: string): bigint[] {
  return text === "" ? [] : text.split(":").map((hextet) => BigInt(`0x${hextet}`));
}
