import { getServers } from "node:dns";
import type { Answer } from "dns-packet";
import { askServer, type NameServer, parseNameServer } from "./exchange.ts";

/** What some other name server knows. */
export interface Resolution {
  readonly rcode: "NOERROR" | "NXDOMAIN" | "SERVFAIL";
  readonly answers: readonly Answer[];
}

/** Resolves names outside of the cluster. Never rejects. */
export interface Upstream {
  resolve(name: string, type: string): Promise<Resolution>;
}

export interface MachineResolverOptions {
  /** `IP` or `IP:PORT`. Default: the machine's, by its resolv.conf. */
  readonly servers?: readonly string[];
  /** Of one question to one server. */
  readonly timeoutMs?: number;
  /** How long a failure is remembered. */
  readonly failureMs?: number;
  readonly now?: () => number;
}

const TIMEOUT_MS = 1_000;
const ROUNDS = 2;
const FAILURE_MS = 3_000;
/** Beyond these, clients are told to come back; the machine's resolver is not ours to flood. */
const RUNNING_MAX = 128;
const FAILURES_MAX = 1_024;
const RCODE_MASK = 0xf;
/** What is an answer (RFC 1035 §4.1.1); the rest is worth asking another server. */
const RCODES: Readonly<Record<number, "NOERROR" | "NXDOMAIN">> = { 0: "NOERROR", 3: "NXDOMAIN" };

const SERVFAIL: Resolution = { rcode: "SERVFAIL", answers: [] };

/**
 * The machine's own name servers, asked directly: node's resolver does not tell a name without records of a type from one
 * that does not exist, and some clients give up on the latter. Names that don't exist, and servers that don't answer, are remembered for a moment: with
 * search lists every lookup asks for a handful of names that nobody has.
 */
export class MachineResolver implements Upstream {
  readonly #servers: readonly NameServer[];
  readonly #timeoutMs: number;
  readonly #failureMs: number;
  readonly #now: () => number;
  readonly #running = new Map<string, Promise<Resolution>>();
  /** By name and type, the oldest first. */
  readonly #failures = new Map<string, { readonly until: number; readonly resolution: Resolution }>();
  /** Until then nobody is asked, since the servers have just let a question time out. */
  #silentUntil = Number.NEGATIVE_INFINITY;

  constructor({
    servers,
    timeoutMs = TIMEOUT_MS,
    failureMs = FAILURE_MS,
    now = Date.now,
  }: MachineResolverOptions = {}) {
    this.#servers = (servers ?? getServers()).map(parseNameServer);
    this.#timeoutMs = timeoutMs;
    this.#failureMs = failureMs;
    this.#now = now;
  }

  resolve(name: string, type: string): Promise<Resolution> {
    const key = `${type} ${name}`;
    const failure = this.#failures.get(key);
    if (failure !== undefined && failure.until > this.#now()) return Promise.resolve(failure.resolution);
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    if (this.#running.size >= RUNNING_MAX || this.#silentUntil > this.#now()) return Promise.resolve(SERVFAIL);
    const asked = this.#ask(name, type).then((resolution) => {
      this.#running.delete(key);
      if (resolution.rcode !== "NOERROR") this.#remember(key, resolution);
      return resolution;
    });
    this.#running.set(key, asked);
    return asked;
  }

  async #ask(name: string, type: string): Promise<Resolution> {
    let answered = false;
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of this.#servers) {
        try {
          const packet = await askServer(server, name, type, this.#timeoutMs);
          answered = true;
          const rcode = RCODES[(packet.flags ?? 0) & RCODE_MASK];
          if (rcode !== undefined) return { rcode, answers: packet.answers ?? [] };
        } catch {
          // The next one may know; that none did is what SERVFAIL says.
        }
      }
    }
    if (!answered) this.#silentUntil = this.#now() + this.#failureMs;
    return SERVFAIL;
  }

  #remember(key: string, resolution: Resolution): void {
    this.#failures.delete(key);
    this.#failures.set(key, { until: this.#now() + this.#failureMs, resolution });
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= FAILURES_MAX) break;
      this.#failures.delete(oldest);
    }
  }
}
