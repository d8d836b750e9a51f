import type { Direction } from "@bowline/contracts";
import type { TcpOptions } from "@bowline/loop";
import { Timer, type TimerOwner } from "@bowline/loop";
import type { DirectionConfig, PortRange } from "../config/types.ts";
import { logTarget } from "../log/target.ts";
import { Connection } from "./connection.ts";
import { Cause, FAILURES } from "./failures.ts";
import { expireIdle } from "./http1/dial.ts";
import { IdleList } from "./http1/host-pool.ts";
import { Http1Client } from "./http1/relay.ts";
import { Http1Server } from "./http1/serve.ts";
import { OpaqueRelay } from "./opaque/relay.ts";
import type { Plane } from "./plane.ts";
import { Recycler } from "./recycler.ts";
import { type Target, TargetTable } from "./target.ts";
import { TargetSeries } from "./telemetry/target-series.ts";

/** How often idle connections are looked at; they live this much longer than configured at most. */
const IDLE_SWEEP_MS = 500;

/** What the inbound and the outbound half of the data plane have each for themselves. */
export class Side implements TimerOwner {
  readonly direction: Direction;
  readonly config: DirectionConfig;
  readonly plane: Plane;
  readonly targets: TargetTable;
  readonly connectOptions: TcpOptions;
  readonly idle: IdleList = new IdleList();
  /** Synthesised responses may say what went wrong. */
  readonly informational: boolean;
  /** Serving HTTP/1 connections, for draining; each knows its place. */
  readonly servers: Http1Server[] = [];
  readonly connections: Recycler<Connection> = new Recycler(() => new Connection(this));
  readonly http1Servers: Recycler<Http1Server> = new Recycler(() => new Http1Server(this));
  readonly http1Clients: Recycler<Http1Client> = new Recycler(() => new Http1Client(this));
  readonly opaqueRelays: Recycler<OpaqueRelay> = new Recycler(() => new OpaqueRelay(this));
  requestsInFlight = 0;
  /** Accepted connections that are still open. */
  open = 0;
  draining = false;
  readonly #opaquePorts: Uint8Array;
  readonly #logTarget: string;
  readonly #sweep: Timer = new Timer(this, 0);

  constructor(plane: Plane, direction: Direction, config: DirectionConfig, informational: boolean) {
    this.plane = plane;
    this.#logTarget = logTarget(direction);
    this.direction = direction;
    this.config = config;
    this.informational = informational;
    this.connectOptions = { keepaliveMs: config.connectKeepaliveMs, userTimeoutMs: config.connectUserTimeoutMs };
    this.targets = new TargetTable(
      (ip, port, onDrop) => new TargetSeries(plane.registry, direction, ip, port, plane.defaultPolicy, onDrop),
    );
    this.#opaquePorts = portSet(config.opaquePorts);
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

  onTimer(_kind: number): void {
    expireIdle(this);
    this.plane.reactor.after(this.#sweep, IDLE_SWEEP_MS);
  }
}

function portSet(ranges: readonly PortRange[]): Uint8Array {
  const ports = new Uint8Array(65536);
  for (const { lo, hi } of ranges) ports.fill(1, lo, hi + 1);
  return ports;
}
