import type { Direction } from "@bowline/contracts";
import type { TcpOptions } from "@bowline/loop";
import { Timer, type TimerOwner } from "@bowline/loop";
import { type BackoffParams, backoffMs, type EndpointMeta } from "@bowline/model";
import type { FieldList, Http2Settings } from "@bowline/wire";
import type { DirectionConfig, PortRange } from "../config/types.ts";
import { logTarget } from "../log/target.ts";
import { Call } from "./call/call.ts";
import type { CallQueue } from "./call/call-queue.ts";
import { RequestPlan } from "./call/request-plan.ts";
import { ResponsePlan } from "./call/response-plan.ts";
import { Connection } from "./connection.ts";
import { Cause, FAILURES } from "./failures.ts";
import { askHttp1, Http1Answer } from "./http1/answer.ts";
import { expireIdle } from "./http1/dial.ts";
import { HeadCache } from "./http1/head-cache.ts";
import { IdleList } from "./http1/host-pool.ts";
import { Http1Client } from "./http1/relay.ts";
import { Http1Server } from "./http1/serve.ts";
import { Http2Pool, type KeepAlive } from "./http2/dial.ts";
import { http2ServerSettings } from "./http2/settings.ts";
import { OpaqueRelay } from "./opaque/relay.ts";
import type { Plane } from "./plane.ts";
import type { Discovery } from "./pool/discovery.ts";
import type { Logical } from "./pool/logical.ts";
import { Recycler } from "./recycler.ts";
import { HeadFacts } from "./route/request-facts.ts";
import { RouteRun } from "./route/route-run.ts";
import type { Routing } from "./route/routing.ts";
import { Target, TargetTable } from "./target.ts";
import { type EndpointLabels, TargetSeries } from "./telemetry/target-series.ts";
import type { TcpSeries } from "./telemetry/tcp-series.ts";
import { zoneLocality } from "./telemetry/transfer-costs.ts";

/** How often idle connections are looked at; they live this much longer than configured at most. */
const IDLE_SWEEP_MS = 500;

/** Beyond this the wait is at its maximum anyway. */
const BACKOFF_STEPS_MAX = 30;

/** A client's connection that carries requests. */
export interface Serving {
  /** The place in the side's list. */
  index: number;
  readonly connection: Connection;
  /** Ends once what is in flight is over. */
  drain(): void;
  /** Ends once what is in flight is over, and takes no request that may be under way: it would not reach whom it is for. */
  abandon(): void;
  /** Called twice a second: for limits that only time can exceed. */
  check(nowMs: number): void;
}

/** What the inbound and the outbound half of the data plane have each for themselves. */
export class Side implements TimerOwner {
  readonly direction: Direction;
  readonly config: DirectionConfig;
  readonly plane: Plane;
  readonly targets: TargetTable;
  readonly connectOptions: TcpOptions;
  /** Requests are counted by the authority that they name. */
  readonly authorityLabels: boolean;
  readonly idle: IdleList = new IdleList();
  /** Synthesised responses may say what went wrong. */
  readonly informational: boolean;
  /** Serving HTTP connections, for draining; each knows its place. */
  readonly servers: Serving[] = [];
  readonly http2Pools: Set<Http2Pool> = new Set();
  readonly http2ServerSettings: Http2Settings;
  /** PINGs to clients; null for none. */
  readonly http2KeepAlive: KeepAlive | null;
  /** Calls that may wait for one endpoint's connection. */
  readonly httpQueueCapacity: number;
  readonly calls: Recycler<Call> = new Recycler(() => new Call(this));
  readonly requestPlan: RequestPlan;
  readonly responsePlan: ResponsePlan;
  readonly routeRuns: Recycler<RouteRun> = new Recycler(() => new RouteRun(this));
  readonly headFacts: HeadFacts = new HeadFacts();
  readonly connections: Recycler<Connection> = new Recycler(() => new Connection(this));
  readonly http1Servers: Recycler<Http1Server> = new Recycler(() => new Http1Server(this));
  readonly http1Clients: Recycler<Http1Client> = new Recycler(() => new Http1Client(this));
  /** Heads of HTTP/1 that come again, as calls want them. */
  readonly http1Requests: HeadCache<RequestPlan> = new HeadCache();
  readonly http1Responses: HeadCache<FieldList> = new HeadCache();
  readonly http1Answers: Recycler<Http1Answer> = new Recycler(() => new Http1Answer(this));
  readonly opaqueRelays: Recycler<OpaqueRelay> = new Recycler(() => new OpaqueRelay(this));
  /** Asks the control plane where connections lead; null where they go to their targets. */
  discovery: Discovery | null = null;
  requestsInFlight = 0;
  /** Accepted connections that are still open. */
  open = 0;
  draining = false;
  readonly #opaquePorts: Uint8Array;
  readonly #logTarget: string;
  readonly #connectBackoff: BackoffParams;
  readonly #sweep: Timer = new Timer(this, 0);

  constructor(plane: Plane, direction: Direction, config: DirectionConfig, informational: boolean) {
    this.plane = plane;
    this.#logTarget = logTarget(direction);
    this.direction = direction;
    this.config = config;
    this.informational = informational;
    this.authorityLabels = direction === "inbound" && plane.config.metricLabels.inboundAuthority;
    this.connectOptions = { keepaliveMs: config.connectKeepaliveMs, userTimeoutMs: config.connectUserTimeoutMs };
    this.targets = new TargetTable((ip, port, onDrop) => this.#makeSeries(ip, port, onDrop, null));
    this.#opaquePorts = portSet(config.opaquePorts);
    const { http2, queues, connectBackoff } = plane.config;
    const server = direction === "inbound" ? http2.inboundServer : http2.outboundServer;
    this.http2ServerSettings = http2ServerSettings(server);
    this.http2KeepAlive = server.keepAlive;
    this.httpQueueCapacity = direction === "inbound" ? queues.inboundHttpCapacity : queues.outboundHttpCapacity;
    this.#connectBackoff = { ...connectBackoff[direction], respectRetryAfter: false };
    this.requestPlan = new RequestPlan(direction);
    this.responsePlan = new ResponsePlan(direction);
    plane.reactor.after(this.#sweep, IDLE_SWEEP_MS);
  }

  isOpaquePort(port: number): boolean {
    return this.#opaquePorts[port] === 1;
  }

  /** Why a connection to the target must not be made, or null. */
  refusal(target: Target): Cause | null {
    // The contract: outbound never connects to loopback, inbound never to the inbound port (proxy-facts §4.1).
    if (this.direction === "outbound") return target.loopback ? Cause.OutboundLoop : null;
    return this.plane.isInboundPort(target.port) ? Cause.InboundLoop : null;
  }

  /** Sends a call to where its client was going, by what the control plane says about that. */
  dispatch(call: Call): void {
    const target = call.origin!;
    const routing = call.logical?.routing ?? null;
    if (routing !== null) {
      this.#route(call, routing);
      return;
    }
    const refusal = this.refusal(target);
    if (refusal !== null) {
      call.refuse(refusal, target.name);
      return;
    }
    call.assigned(target, null);
    this.ask(call, target);
  }

  #route(call: Call, routing: Routing): void {
    if (call.run !== null) {
      call.run.again();
      return;
    }
    const router = call.isHttp1 ? routing.http1 : routing.http2;
    if (typeof router === "number") {
      call.refuse(router, "");
      return;
    }
    const way = router.find(this.headFacts.of(call.head));
    if (way === null) call.refuse(Cause.RouteNotFound, "");
    else this.routeRuns.acquire().begin(call, routing, way);
  }

  /** Sends a call to an endpoint that has been picked for it. */
  ask(call: Call, target: Target): void {
    // Also where a route leads: the control plane may know no better than to name where the client was going.
    const refusal = call.run === null ? null : this.refusal(target);
    if (refusal !== null) {
      call.refuse(refusal, target.name);
      return;
    }
    // What was HTTP/1 stays it but between two proxies (proxy-facts §4.6).
    if (call.origProto !== 0 && target.meta?.hint !== "h2") {
      askHttp1(this, call, target);
      return;
    }
    target.http2 ??= new Http2Pool(this, target);
    target.http2.send(call);
  }

  /** The target for an endpoint of a balanced service, with counters and connections of its own. */
  endpointTarget(endpoint: EndpointMeta, authority: string): Target {
    const { ip, port } = endpoint;
    const labels = { authority: authority.replace(/:80$/, ""), labels: endpoint.labels };
    const series = this.#makeSeries(ip, port, () => {}, labels);
    return new Target(ip, port, series, endpoint);
  }

  /** Closes what is kept for an endpoint that is none any more, as far as it is not in use; returns waiting calls. */
  retireTarget(target: Target): CallQueue | null {
    target.retired = true;
    for (const { idle } of target.pools.values()) while (idle.length > 0) idle.at(-1)!.dropIdle();
    return target.http2?.retire() ?? null;
  }

  /** How long to wait before connecting again after so many failures in a row, ms. */
  connectBackoffMs(failures: number): number {
    return backoffMs(this.#connectBackoff, Math.min(failures, BACKOFF_STEPS_MAX), Math.random());
  }

  /** Counts and logs a failure of a request (`http`) or of a whole connection. */
  failed(target: Target, cause: Cause, http: boolean, detail: string): void {
    target.series.failed(cause, http);
    // A line per failure would let whoever causes them fill the log.
    if (!this.plane.mayLog()) return;
    const { name, message } = FAILURES[cause];
    this.plane.log.info(
      this.#logTarget,
      `${http ? "request" : "connection"} to ${target.name} failed: ${message}${detail === "" ? "" : ` (${detail})`}`,
      { cause: name, target: target.name },
    );
  }

  /** Stops keeping connections; each serving one ends after the response in flight. */
  drain(): void {
    this.draining = true;
    for (let client = this.idle.first; client !== null; client = this.idle.first) client.dropIdle();
    // Backwards: one that leaves the list has the last one put in its place, which has been asked already.
    for (let i = this.servers.length - 1; i >= 0; i--) this.servers[i]?.drain();
  }

  /** Its address is another pod's now: whoever is connected meant the one before. */
  abandon(logical: Logical): void {
    for (let i = this.servers.length - 1; i >= 0; i--) {
      const server = this.servers[i]!;
      if (server.connection.logical === logical) server.abandon();
    }
  }

  #makeSeries(ip: string, port: number, onDrop: () => void, endpoint: EndpointLabels | null): TargetSeries {
    const { registry, defaultPolicy, transferCosts } = this.plane;
    const outbound = this.direction === "outbound";
    let connect: TcpSeries | null = null;
    const onConnectMade = (made: TcpSeries): void => {
      if (!outbound) return;
      connect = made;
      transferCosts.add(zoneLocality(endpoint?.labels ?? {}), made);
    };
    const onDropped = (): void => {
      if (connect !== null) transferCosts.remove(connect);
      onDrop();
    };
    return new TargetSeries(registry, this.direction, ip, port, defaultPolicy, onDropped, endpoint, onConnectMade);
  }

  #check(): void {
    const { nowMs } = this.plane.reactor;
    for (let i = this.servers.length - 1; i >= 0; i--) this.servers[i]?.check(nowMs);
    const idleMs = this.plane.config.discoveryIdleTimeoutMs[this.direction];
    this.discovery?.expire(nowMs, idleMs);
    for (const pool of this.http2Pools) if (pool.expire(nowMs, idleMs)) this.http2Pools.delete(pool);
  }

  onTimer(_kind: number): void {
    expireIdle(this);
    this.#check();
    this.plane.reactor.after(this.#sweep, IDLE_SWEEP_MS);
  }
}

function portSet(ranges: readonly PortRange[]): Uint8Array {
  const ports = new Uint8Array(65536);
  for (const { lo, hi } of ranges) ports.fill(1, lo, hi + 1);
  return ports;
}
