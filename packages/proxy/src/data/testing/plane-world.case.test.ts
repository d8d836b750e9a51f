import { expect } from "bun:test";
import type { Direction } from "@bowline/contracts";
import type { Buf, Pipe } from "@bowline/loop";
import { parseLabels, type Snapshot } from "@bowline/metrics";
import { type Adversity, ScriptedIo, type ScriptedListener, type ScriptedPeer } from "@bowline/testkit";
import type { Parameters } from "fast-check";
import { type Config, type Env, readConfig } from "../../config.ts";
import type { LogRecord } from "../../log/format.ts";
import { Logger } from "../../log/logger.ts";
import { Plane } from "../plane.ts";
import type { Recycler } from "../recycler.ts";

/**
 * How a property is run: few times by default, PLANE_RUNS times as often for those who have time. A failure prints its
 * seed and path, which PLANE_SEED and PLANE_PATH run again; PLANE_SHRINK=1 looks for a smaller one, which may take
 * minutes.
 */
export function runs(usual: number): Parameters<unknown> {
  const { PLANE_RUNS: factor = "1", PLANE_SEED: seed, PLANE_PATH: path, PLANE_SHRINK: shrink } = process.env;
  const numRuns = Math.max(1, Math.round(usual * Number(factor)));
  const again = seed === undefined ? {} : { seed: Number(seed), path: path ?? "" };
  return { numRuns, includeErrorInReport: true, endOnFailure: shrink !== "1", ...again };
}

/** The configuration that these variables make. */
export function configOf(env: Env = {}): Config {
  const result = readConfig({ LINKERD2_PROXY_POD_NAMESPACE: "test", ...env }, 1);
  if ("errors" in result) throw new Error(result.errors.join("\n"));
  return result.config;
}

export interface PlaneOptions {
  readonly env?: Env;
  readonly outbound?: string;
  readonly inbound?: string;
}

/**
 * A data plane on a simulated kernel. Everything that it takes from a pool is watched: given back twice it throws at
 * once, not given back it fails `assertSettled`, and used after that it is found full of 0xdb.
 */
export class ScriptedPlane {
  readonly kernel: ScriptedIo;
  readonly plane: Plane;
  readonly outbound: ScriptedListener;
  readonly inbound: ScriptedListener;
  readonly logged: LogRecord[] = [];
  readonly #lentBufs: Ledger = new Ledger("buffers");
  readonly #lent: Ledger[] = [this.#lentBufs];
  readonly #freePipes = new Set<Pipe>();

  constructor(
    kernel: ScriptedIo,
    { env = {}, outbound = "10.0.0.1:4140", inbound = "10.0.0.1:4143" }: PlaneOptions = {},
  ) {
    this.kernel = kernel;
    const log = new Logger({ filter: "info", thread: 2, emit: (record) => this.logged.push(record), now: () => 0 });
    this.plane = new Plane(kernel, configOf(env), log);
    this.#watchPools();
    this.outbound = this.#listen("outbound", outbound);
    this.inbound = this.#listen("inbound", inbound);
  }

  /** What the buffers hold that are in use. */
  get lentBytes(): number {
    let bytes = 0;
    for (const buf of this.#lentBufs.lent.keys()) bytes += (buf as Buf).bytes.length;
    return bytes;
  }

  turn = (): void => this.plane.reactor.turn();

  client(direction: Direction, target: string): ScriptedPeer {
    return this.kernel.client(this[direction], { originalDestination: target });
  }

  /** Turns until the condition holds; ten simulated minutes without it are a hang. */
  run(until: () => boolean, forMsMax = 600_000): void {
    this.kernel.run(this.turn, until, { forMsMax });
  }

  /** Waits for accepted and then for idle connections to go, and checks that nothing at all is left. */
  settle(): void {
    this.run(() => this.plane.open === 0);
    const { inbound, outbound, discoveryIdleTimeoutMs: idle } = this.plane.config;
    const idleMs = Math.max(inbound.poolIdleTimeoutMs, outbound.poolIdleTimeoutMs);
    // Connections of HTTP/2 and what was discovered go one after the other.
    const http2IdleMs = this.#speaksHttp2 ? 2 * Math.max(idle.inbound, idle.outbound) : 0;
    this.kernel.runFor(this.turn, Math.max(idleMs, http2IdleMs) + 1500);
    this.assertSettled();
  }

  /** Anything has been carried by HTTP/2, or asked of the control plane, which stays known for longer than the rest. */
  get #speaksHttp2(): boolean {
    const { inbound, outbound } = this.plane;
    return inbound.http2Pools.size + outbound.http2Pools.size > 0 || outbound.discovery !== null;
  }

  assertSettled(): void {
    const { plane } = this;
    expect([plane.open, plane.inbound.requestsInFlight, plane.outbound.requestsInFlight]).toEqual([0, 0, 0]);
    expect([plane.inbound.idle.first, plane.outbound.idle.first]).toEqual([null, null]);
    expect([plane.inbound.servers.length, plane.outbound.servers.length]).toEqual([0, 0]);
    expect(this.#lent.map((ledger) => ledger.leaks()).filter((leaks) => leaks !== "")).toEqual([]);
    for (const pipe of this.#freePipes) this.kernel.closePipe(pipe);
    this.#freePipes.clear();
    this.assertCounted();
  }

  /** What must hold of the metrics once nothing is open. */
  assertCounted(): void {
    const { plane } = this;
    for (const direction of ["inbound", "outbound"] as const) {
      for (const peer of ["src", "dst"]) {
        const where = { direction, peer };
        expect(sumOf(plane, "tcp_open_connections", where)).toBe(0);
        expect(sumOf(plane, "tcp_close_total", where)).toBe(sumOf(plane, "tcp_open_total", where));
      }
    }
  }

  #listen(direction: Direction, address: string): ScriptedListener {
    const listener = this.kernel.listener(address, 4096);
    const [ip = "", port] = address.split(":");
    this.plane.listen(direction, listener.fd, { ip, port: Number(port) });
    return listener;
  }

  #watchPools(): void {
    const { bufs, pipes, heads } = this.plane;
    watch(bufs, this.#lentBufs, (buf: Buf) => buf.bytes.fill(0xdb));
    watch(heads, this.#ledger("heads"));
    const lentPipes = this.#ledger("pipes");
    watch(
      pipes,
      lentPipes,
      (pipe: Pipe) => this.#freePipes.add(pipe),
      (pipe: Pipe) => this.#freePipes.delete(pipe),
    );
    const discard = pipes.discard.bind(pipes);
    pipes.discard = (pipe) => {
      lentPipes.giveBack(pipe);
      discard(pipe);
    };
    for (const side of [this.plane.inbound, this.plane.outbound]) {
      watch(side.connections as Recycler<object>, this.#ledger(`${side.direction} connections`));
      watch(side.http1Servers as Recycler<object>, this.#ledger(`${side.direction} HTTP/1 servers`));
      watch(side.http1Clients as Recycler<object>, this.#ledger(`${side.direction} HTTP/1 clients`));
      watch(side.http1Answers as Recycler<object>, this.#ledger(`${side.direction} HTTP/1 answers`));
      watch(side.calls as Recycler<object>, this.#ledger(`${side.direction} calls`));
      watch(side.http1Answers as Recycler<object>, this.#ledger(`${side.direction} HTTP/1 answers`));
      watch(side.calls as Recycler<object>, this.#ledger(`${side.direction} calls`));
      watch(side.routeRuns as Recycler<object>, this.#ledger(`${side.direction} route runs`));
      watch(side.opaqueRelays as Recycler<object>, this.#ledger(`${side.direction} relays`));
    }
  }

  #ledger(name: string): Ledger {
    const ledger = new Ledger(name);
    this.#lent.push(ledger);
    return ledger;
  }
}

/** What a pool has lent. */
class Ledger {
  readonly name: string;
  /** With where each was lent, when PLANE_TRACE is set. */
  readonly lent = new Map<unknown, string>();

  constructor(name: string) {
    this.name = name;
  }

  lend(object: unknown): void {
    if (this.lent.has(object)) throw new Error(`${this.name}: lent twice`);
    const { PLANE_TRACE: trace } = process.env;
    this.lent.set(object, trace === undefined ? "" : (new Error("lent").stack ?? ""));
  }

  leaks(): string {
    if (this.lent.size === 0) return "";
    return `${this.name}: ${this.lent.size} not given back ${[...this.lent.values()].join("\n")}`;
  }

  giveBack(object: unknown): void {
    if (!this.lent.delete(object)) throw new Error(`${this.name}: given back twice`);
  }
}

interface Pool<T> {
  acquire(...args: never[]): T | null;
  release(object: T): void;
}

function watch<T>(pool: Pool<T>, ledger: Ledger, onReleased?: (object: T) => void, onLent?: (object: T) => void): void {
  const acquire = pool.acquire.bind(pool);
  const release = pool.release.bind(pool);
  pool.acquire = (...args) => {
    const object = acquire(...args);
    if (object === null) return null;
    ledger.lend(object);
    onLent?.(object);
    return object;
  };
  pool.release = (object) => {
    ledger.giveBack(object);
    onReleased?.(object);
    release(object);
  };
}

/** A kernel for a property: hostile as its seed says. */
export function kernelOf(seed: number, adversity: Partial<Adversity> = {}): ScriptedIo {
  return new ScriptedIo({ seed, adversity });
}

/**
 * How many bytes this kernel moves in reasonable simulated time: with buffers of a few bytes and latency of
 * milliseconds a megabyte takes hours.
 */
export function affordableBytes({ socketBufferBytes, latencyMsMax, shortMove }: Adversity): number {
  const smallest = Math.min(...socketBufferBytes);
  if (smallest < 16) return 3000;
  if (smallest < 4096) return latencyMsMax > 2 ? 8000 : 40_000;
  return shortMove > 0.5 || latencyMsMax > 2 ? 300_000 : 2_000_000;
}

/** The sum of a metric over the series that have all of these labels. */
export function sumOf(plane: Plane, name: string, where: Readonly<Record<string, string>> = {}): number {
  return sumIn(plane.registry.snapshot(), name, where);
}

function sumIn({ families }: Snapshot, name: string, where: Readonly<Record<string, string>>): number {
  const series = families.find(({ family }) => family.name === name)?.series ?? [];
  let sum = 0;
  for (const { labels, value } of series) {
    const pairs = new Map(parseLabels(labels) ?? []);
    if (Object.entries(where).every(([key, wanted]) => pairs.get(key) === wanted)) sum += value;
  }
  return sum;
}

/** Bytes of which no two places look alike for long. */
export function streamBytes(id: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 17 + (i >> 16) * 7 + id * 101) & 0xff;
  return bytes;
}

/** Whether `part` is how `whole` begins. */
export function isPrefix(part: Uint8Array, whole: Uint8Array): boolean {
  return part.length <= whole.length && Buffer.compare(part, whole.subarray(0, part.length)) === 0;
}
