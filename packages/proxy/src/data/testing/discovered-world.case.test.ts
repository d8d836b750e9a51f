import type {
  Backend,
  Distribution,
  EndpointMeta,
  EndpointsUpdate,
  FailureAccrual,
  GrpcRule,
  HttpFilter,
  HttpRetry,
  HttpRule,
  Meta,
  Outbound,
  OutboundPolicy,
  Profile,
  ProfileRoute,
} from "@bowline/model";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { type Http2Settings, Role } from "@bowline/wire";
import type { FromData } from "../../boundary.ts";
import type { Env } from "../../config.ts";
import { type Fields, Http2Peer, PEER_SETTINGS, type PeerStream, serveHttp2 } from "./http2-peer.case.test.ts";
import { ScriptedPlane } from "./plane-world.case.test.ts";

/** Where clients connect to: a service's address. */
export const SERVICE = "10.96.0.1:8080";
/** What the control plane resolves for it. */
export const PATH = "web.test.svc.cluster.local:8080";

export const GET: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "web.test:8080"],
  [":path", "/"],
];
export const POST: Fields = [[":method", "POST"], ...GET.slice(1)];
export const GRPC: Fields = [...POST, ["content-type", "application/grpc"], ["te", "trailers"]];
export const OK: Fields = [[":status", "200"]];
export const GRPC_OK: Fields = [...OK, ["content-type", "application/grpc"]];

/** A data plane that asks the test where its outbound connections lead. */
export class DiscoveredWorld {
  readonly kernel: ScriptedIo = new ScriptedIo({ seed: 1, adversity: CALM });
  readonly proxy: ScriptedPlane;
  readonly asked: FromData[] = [];
  /** Names of the endpoints in the order in which they got requests. */
  readonly served: string[] = [];

  constructor(env: Env = {}) {
    this.proxy = new ScriptedPlane(this.kernel, { env });
    this.proxy.plane.discover((message) => this.asked.push(message));
  }

  get plane(): ScriptedPlane["plane"] {
    return this.proxy.plane;
  }

  /** The control plane's word about the service. */
  tell(outbound: Partial<Outbound>): void {
    const whole = { profile: null, policy: null, invalid: null, ...outbound };
    this.plane.outbound.discovery!.onOutbound(SERVICE, structuredClone(whole));
  }

  endpoints(update: EndpointsUpdate, path: string = PATH): void {
    this.plane.outbound.discovery!.onEndpoints(path, structuredClone(update));
  }

  /** These endpoints, and no others. */
  reset(ips: readonly string[], path: string = PATH, over: Partial<EndpointMeta> = {}): void {
    this.endpoints({ kind: "reset", endpoints: ips.map((ip) => endpoint(ip, over)) }, path);
  }

  /** Connects, waits until that has been asked about, and answers. */
  discovered(outbound: Partial<Outbound>, ips: readonly string[]): Http2Peer {
    const client = this.client();
    this.run(() => this.asked.length > 0);
    this.tell(outbound);
    this.reset(ips);
    this.run(() => client.engine.settingsSeen);
    return client;
  }

  client(settings: Http2Settings = PEER_SETTINGS): Http2Peer {
    return new Http2Peer(this.kernel, this.proxy.client("outbound", SERVICE), Role.Client, settings);
  }

  /** A client of bytes. */
  raw(): ScriptedPeer {
    return this.proxy.client("outbound", SERVICE);
  }

  serve(ip: string, onStream: (stream: PeerStream) => void, settings?: Http2Settings): Http2Peer[] {
    const serve = (stream: PeerStream): void => {
      this.served.push(ip);
      onStream(stream);
    };
    return serveHttp2(this.kernel, `${ip}:8080`, serve, settings);
  }

  run(until: () => boolean, forMsMax: number = 600_000): void {
    this.kernel.run(this.#turn, until, { forMsMax });
  }

  runFor(ms: number): void {
    this.kernel.runFor(this.#turn, ms);
  }

  /** A turn by itself may sleep longer than the test has in mind. */
  readonly #turn = (): void => this.plane.reactor.turn(2);

  /** Asks and waits for the answer's end. */
  fetch(client: Http2Peer, head: Fields = GET, body: Uint8Array | null = null): PeerStream {
    const stream = client.open(head, body === null)!;
    if (body !== null) stream.sendBody(body, true);
    this.run(() => stream.over);
    return stream;
  }

  settle(): void {
    this.proxy.settle();
    this.kernel.assertNothingOpen();
  }
}

/** Answers with nothing but this head. */
export function answer(head: Fields): (stream: PeerStream) => void {
  return (stream) => {
    if (stream.complete) stream.sendHead(head, true);
    else stream.onEnd = () => stream.sendHead(head, true);
  };
}

export const ok: (stream: PeerStream) => void = answer(OK);

export function endpoint(ip: string, over: Partial<EndpointMeta> = {}): EndpointMeta {
  return {
    ip,
    port: 8080,
    weight: 10_000,
    labels: { pod: `pod-${ip}` },
    tlsIdentity: null,
    hint: null,
    opaqueTransportPort: null,
    authorityOverride: null,
    http2: null,
    ...over,
  };
}

export function meta(kind: string, name: string): Meta {
  return { group: "core", kind, namespace: "test", name, port: 8080, section: "" };
}

export function balance(path: string = PATH): Backend {
  return {
    meta: meta("Service", path.split(".")[0]!),
    queue: { capacity: 100, failfastTimeoutMs: 3000 },
    dispatcher: { kind: "balance", path, load: { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 } },
  };
}

export function to(backend: Backend, filters: HttpFilter[] = []): Distribution<HttpFilter> {
  return { kind: "first", backends: [{ backend, filters }] };
}

export function httpRule(over: Partial<HttpRule> = {}): HttpRule {
  return {
    matches: [],
    filters: [],
    backends: to(balance()),
    timeouts: { requestMs: null, responseMs: null, idleMs: null },
    retry: null,
    allowL5dHeaders: false,
    ...over,
  };
}

/** Twice at most, of what the server has failed at. */
export function httpRetry(over: Partial<HttpRetry> = {}): HttpRetry {
  return {
    retriesMax: 2,
    requestBytesMax: 64 * 1024,
    statuses: [{ min: 500, max: 599 }],
    timeoutMs: null,
    backoff: null,
    ...over,
  };
}

/** A policy of these rules for HTTP, and for anything else a balancer. */
export function httpPolicy(rules: HttpRule[], accrual: FailureAccrual | null = null): OutboundPolicy {
  const http = { routes: [{ meta: meta("HTTPRoute", "route"), hosts: [], rules }], accrual };
  const opaque = {
    routes: [
      {
        meta: meta("TCPRoute", "opaque"),
        filters: [],
        backends: { kind: "first" as const, backends: [{ backend: balance(), filters: [] }] },
      },
    ],
  };
  const protocol = { kind: "detect" as const, timeoutMs: 10_000, opaque, http1: http, http2: http };
  return { meta: meta("Service", "web"), protocol };
}

export function grpcRule(over: Partial<GrpcRule> = {}): GrpcRule {
  return {
    matches: [],
    filters: [],
    backends: { kind: "first", backends: [{ backend: balance(), filters: [] }] },
    timeouts: { requestMs: null, responseMs: null, idleMs: null },
    retry: null,
    allowL5dHeaders: false,
    ...over,
  };
}

export function grpcPolicy(rules: GrpcRule[], accrual: FailureAccrual | null = null): OutboundPolicy {
  const routes = [{ meta: meta("GRPCRoute", "route"), hosts: [], rules }];
  return { meta: meta("Service", "web"), protocol: { kind: "grpc", routes, accrual } };
}

export function profile(over: Partial<Profile> = {}): Profile {
  return {
    name: "web.test.svc.cluster.local",
    opaque: false,
    routes: [],
    retryBudget: null,
    overrides: [],
    endpoint: null,
    parent: meta("Service", "web"),
    profileRef: null,
    ...over,
  };
}

export function profileRoute(over: Partial<ProfileRoute> = {}): ProfileRoute {
  return {
    condition: { kind: "method", method: "GET" },
    responseClasses: [],
    labels: { route: "all" },
    retryable: false,
    timeoutMs: null,
    ...over,
  };
}
