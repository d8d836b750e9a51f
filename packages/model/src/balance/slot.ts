/**
 * One endpoint in a balancer and its load: a peak-sensitive moving average of its round-trip time, times the requests
 * it has in hand. Behaviour of Linkerd's peak EWMA and, with penalties, of its load biaser.
 *
 * A slower response replaces the average at once; faster ones pull it down over the decay time, and so does silence:
 * an endpoint that was slow and gets nothing becomes attractive again.
 */
import type { LoadParams } from "../types/policy.ts";

/** Linkerd's floor for an initial round-trip time. */
const DEFAULT_RTT_MIN_MS = 1;
/** Keeps a long idle endpoint's load above zero, where requests in hand would no longer count. */
const LOAD_RTT_MIN_MS = 0.001;
const DECAY_MIN_MS = 1;
const NOT_READY = -1;

/** Made by `Balancer.add`. Outlives its removal, so that requests under way can be finished. */
export class Slot<E> {
  readonly key: string;
  readonly endpoint: E;
  /** Requests started and not finished. */
  pending: number;
  /** Out of its balancer for good: never picked again. */
  removed: boolean;
  /** Position among the ready ones, -1 when not ready. The balancer's own. */
  readyAt: number;
  #rttMs: number;
  #measuredMs: number;
  #inverseDecay: number;
  #penaltyMs: number;
  #retryAfterMaxMs: number;

  constructor(key: string, endpoint: E, load: LoadParams, nowMs: number) {
    this.key = key;
    this.endpoint = endpoint;
    this.pending = 0;
    this.removed = false;
    this.readyAt = NOT_READY;
    this.#rttMs = Math.max(load.defaultRttMs, DEFAULT_RTT_MIN_MS);
    this.#measuredMs = nowMs;
    this.#inverseDecay = 1 / Math.max(load.decayMs, DECAY_MIN_MS);
    this.#penaltyMs = load.kind === "penalty-peak-ewma" ? load.penaltyMs : 0;
    this.#retryAfterMaxMs = load.kind === "penalty-peak-ewma" ? load.retryAfterMaxMs : 0;
  }

  get ready(): boolean {
    return this.readyAt !== NOT_READY;
  }

  /** Whether the balancer's load parameters make failures count as slow responses. */
  get penalizes(): boolean {
    return this.#penaltyMs > 0;
  }

  /** The average round-trip time in ms as of now. */
  rtt(nowMs: number): number {
    const elapsedMs = nowMs - this.#measuredMs;
    if (elapsedMs <= 0) return this.#rttMs;
    return this.#rttMs * Math.exp(-elapsedMs * this.#inverseDecay);
  }

  /** What P2C compares; lower is better. */
  load(nowMs: number): number {
    const rttMs = this.rtt(nowMs);
    return Math.max(rttMs, LOAD_RTT_MIN_MS) * (this.pending + 1);
  }

  /** A request goes to this endpoint. Every start is followed by one `finish` or `penalize`. */
  start(): void {
    this.pending += 1;
  }

  /**
   * The request got its first response data, ended, failed or was given up: its time is a measurement whichever it was.
   * The clock may be any as long as it is the same one everywhere, best with fractions of a millisecond.
   */
  finish(startMs: number, nowMs: number): void {
    this.pending -= 1;
    this.#measure(nowMs - startMs, nowMs);
  }

  /**
   * As `finish`, for a response that says the endpoint is failing or overloaded (429, 5xx, gRPC 8, 14, 2, 4, 13, 15).
   * With penalty parameters the penalty is recorded instead of the time it took, so that failing fast attracts nothing.
   *
   * @param hintMs what Retry-After or grpc-retry-pushback-ms asks for, 0 when nothing
   */
  penalize(startMs: number, nowMs: number, hintMs: number): void {
    if (this.#penaltyMs <= 0) {
      this.finish(startMs, nowMs);
      return;
    }
    this.pending -= 1;
    const hint = Math.min(hintMs, this.#retryAfterMaxMs);
    const penaltyMs = Math.max(hint, this.#penaltyMs);
    const rttMs = this.rtt(nowMs);
    // Never below what it has: a smaller penalty must not make a failing endpoint look better.
    this.#measure(Math.max(penaltyMs, rttMs), nowMs);
  }

  #measure(rttMs: number, nowMs: number): void {
    const elapsedMs = nowMs - this.#measuredMs;
    const kept = elapsedMs > 0 ? Math.exp(-elapsedMs * this.#inverseDecay) : 1;
    const decayedMs = this.#rttMs * kept;
    this.#rttMs = decayedMs < rttMs ? rttMs : decayedMs + rttMs * (1 - kept);
    if (elapsedMs > 0) this.#measuredMs = nowMs;
  }
}
