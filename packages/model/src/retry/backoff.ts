/** Exponential back-off with jitter, as Linkerd computes it: never longer than the maximum, jitter included. */
import type { BackoffParams } from "../types/policy.ts";

const JITTER_MAX = 100;

export class Backoff {
  readonly params: BackoffParams;
  #random: () => number;
  #steps: number;

  /** @param random uniform in [0, 1) */
  constructor(params: BackoffParams, random: () => number) {
    this.params = params;
    this.#random = random;
    this.#steps = 0;
  }

  /** How long to wait before the next attempt, in ms; each call doubles the base. */
  next(): number {
    const waitMs = backoffMs(this.params, this.#steps, this.#random());
    this.#steps += 1;
    return waitMs;
  }

  /**
   * As `next`, where the peer may have asked for a time of its own (Retry-After, grpc-retry-pushback-ms). Where the
   * parameters say so it replaces the first wait and can lengthen later ones, always within the limits.
   *
   * @param hintMs 0 when it did not ask
   */
  nextAfter(hintMs: number): number {
    const first = this.#steps === 0;
    const waitMs = this.next();
    if (hintMs <= 0 || !this.params.respectRetryAfter) return waitMs;
    const askedMs = Math.min(Math.max(hintMs, this.params.minMs), this.params.maxMs);
    return first ? askedMs : Math.max(askedMs, waitMs);
  }

  reset(): void {
    this.#steps = 0;
  }
}

/**
 * @param step 0 for the first wait
 * @param fraction of the jitter, in [0, 1)
 */
export function backoffMs(params: BackoffParams, step: number, fraction: number): number {
  const baseMs = Math.min(params.minMs * 2 ** step, params.maxMs);
  return Math.min(baseMs * (1 + params.jitter * fraction), params.maxMs);
}

/** What makes these parameters unusable, null when nothing does. */
export function backoffFault(params: BackoffParams): string | null {
  if (params.minMs > params.maxMs) return "the maximum back-off is less than the minimum";
  if (!(params.maxMs > 0)) return "the maximum back-off is zero";
  if (!(params.jitter >= 0 && params.jitter <= JITTER_MAX)) return `the jitter is not between 0 and ${JITTER_MAX}`;
  return null;
}
