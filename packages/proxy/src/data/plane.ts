import type { Direction } from "@bowline/contracts";
import { Buf, BufPool, type Io, Reactor, Timer, type TimerOwner } from "@bowline/loop";
import { Registry, type Snapshot } from "@bowline/metrics";
import { Head, type HeadLimits, type Http2Settings } from "@bowline/wire";
import type { Config, SocketAddr } from "../config/types.ts";
import type { Logger } from "../log/logger.ts";
import { HEADROOM_BYTES, READ_BYTES_MAX } from "./http1/carry.ts";
import { http2ClientSettings } from "./http2/settings.ts";
import { Listener } from "./listener.ts";
import { Discovery } from "./pool/discovery.ts";
import type { Post } from "./pool/resolutions.ts";
import { Recycler } from "./recycler.ts";
import { Side } from "./side.ts";
import { Pipes } from "./splice/pipes.ts";
import { FAMILY_ORDER } from "./telemetry/families.ts";
import { TransferCosts } from "./telemetry/transfer-costs.ts";

/** A synthesised response fits in here. */
const SCRATCH_BYTES = 4096;
const LOG_LINES_PER_SECOND = 20;
/** How often series are looked at that nobody may use any more, for where nobody asks for the metrics. */
const SERIES_SWEEP_MS = 60_000;
/** What is kept besides a head of the largest size: one chunk-size line. */
const CARRY_SPARE_BYTES = 4096;

/** One data thread's share of the proxy: what both sides use together. Owned and turned by its thread. */
export class Plane implements TimerOwner {
  readonly config: Config;
  readonly log: Logger;
  readonly reactor: Reactor;
  readonly bufs: BufPool = new BufPool();
  readonly pipes: Pipes;
  readonly registry: Registry = new Registry(FAMILY_ORDER);
  readonly transferCosts: TransferCosts = new TransferCosts(this.registry);
  readonly heads: Recycler<Head> = new Recycler(() => new Head());
  readonly headLimits: HeadLimits;
  readonly carryBytesMax: number;
  readonly http2ClientSettings: Http2Settings;
  readonly defaultPolicy: string;
  /** Where every read goes first; what of it is not used at once is copied. */
  readonly rx: Buf = new Buf(HEADROOM_BYTES + READ_BYTES_MAX, 0);
  readonly scratch: Buf = new Buf(SCRATCH_BYTES, 0);
  readonly inbound: Side;
  readonly outbound: Side;
  readonly #listeners: Listener[] = [];
  readonly #seriesSweep: Timer = new Timer(this, 0);
  #logSecond = 0;
  #logLines = 0;
  readonly #inboundPorts: ReadonlySet<number>;
  readonly #inboundIps: ReadonlySet<string>;

  constructor(io: Io, config: Config, log: Logger) {
    this.config = config;
    this.log = log;
    this.reactor = new Reactor(io);
    this.pipes = new Pipes(io);
    this.headLimits = { headBytesMax: config.http1.headBytesMax, fieldsMax: config.http1.fieldsMax };
    this.carryBytesMax = config.http1.headBytesMax + CARRY_SPARE_BYTES;
    this.http2ClientSettings = http2ClientSettings(config.http2);
    this.defaultPolicy = config.policy.inboundDefault;
    this.#inboundPorts = new Set(config.inbound.listenAddrs.map(({ port }) => port));
    this.#inboundIps = new Set(config.inboundIps);
    // Inbound tells only mesh peers what went wrong (proxy-facts §4.11), and none has shown an identity here.
    this.inbound = new Side(this, "inbound", config.inbound, false);
    this.outbound = new Side(this, "outbound", config.outbound, config.informationalHeaders.outbound);
    this.reactor.after(this.#seriesSweep, SERIES_SWEEP_MS);
  }

  /** From now on the control plane is asked where outbound connections lead. */
  discover(post: Post): void {
    this.outbound.discovery = new Discovery(this.outbound, post);
  }

  /** Accepts from a listening socket that stays the caller's. */
  listen(direction: Direction, fd: number, address: SocketAddr): void {
    const forward = direction === "inbound" ? this.config.inboundForward : null;
    this.#listeners.push(new Listener(this[direction], fd, address, forward));
  }

  /** Whether one more line about a single connection or request may be logged in this second. */
  mayLog(): boolean {
    const second = Math.floor(this.reactor.nowMs / 1000);
    if (second !== this.#logSecond) {
      this.#logSecond = second;
      this.#logLines = 0;
    }
    this.#logLines += 1;
    return this.#logLines <= LOG_LINES_PER_SECOND;
  }

  /** A port that the inbound side listens on: connecting there would lead back here. */
  isInboundPort(port: number): boolean {
    return this.#inboundPorts.has(port);
  }

  /** Whether connections to `ip` may come in; an empty list allows every address. */
  isAllowed(direction: Direction, ip: string): boolean {
    return direction === "outbound" || this.#inboundIps.size === 0 || this.#inboundIps.has(ip);
  }

  /** Stops accepting and lets what is open end by itself. */
  drain(): void {
    for (const listener of this.#listeners) listener.stop();
    this.inbound.drain();
    this.outbound.drain();
  }

  /** Accepted connections still open. */
  get open(): number {
    return this.inbound.open + this.outbound.open;
  }

  /** The metrics of this thread as of now; series idle for longer than the retain time go. */
  snapshot(): Snapshot {
    this.transferCosts.collect();
    this.#expireSeries();
    return this.registry.snapshot();
  }

  onTimer(_kind: number): void {
    this.#expireSeries();
    this.reactor.after(this.#seriesSweep, SERIES_SWEEP_MS);
  }

  #expireSeries(): void {
    this.registry.expire(this.reactor.nowMs, this.config.admin.metricsRetainIdleMs);
  }
}
