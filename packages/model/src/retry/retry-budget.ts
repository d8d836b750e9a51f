/**
 * How many retries a service may have: so many for each request of the last `ttlMs`, and some per second besides.
 * The token bucket of tower, which got its numbers from Finagle: requests put tokens in, retries take some out, and
 * what is older than the ttl no longer counts, whether put or taken. Time passes in ten slots.
 */
import type { RetryBudgetParams } from "../types/profile.ts";

const SLOTS = 10;
/** What a request puts in when a retry costs less than a request brings. */
const DEPOSIT_OF_RATIO_ABOVE_ONE = 1000;
const TTL_MIN_MS = 1000;
const TTL_MAX_MS = 60_000;
const RATIO_MAX = 1000;
const MIN_PER_SECOND_MAX = 2 ** 31 - 1;

export class RetryBudget {
  #deposit: number;
  #withdrawal: number;
  #reserve: number;
  #slotMs: number;
  #slots: Float64Array;
  /** The sum of the slots. */
  #past: number;
  #slotAt: number;
  /** Not yet in a slot. */
  #current: number;
  #slotStartMs: number;

  constructor(params: RetryBudgetParams, nowMs: number) {
    // The ratio was a float on the wire: in double precision, a fifth of it would cost four tokens and not five.
    if (params.ratio <= 0) {
      this.#deposit = 0;
      this.#withdrawal = 1;
    } else if (params.ratio <= 1) {
      this.#deposit = 1;
      this.#withdrawal = Math.floor(Math.fround(1 / params.ratio));
    } else {
      this.#deposit = DEPOSIT_OF_RATIO_ABOVE_ONE;
      this.#withdrawal = Math.floor(Math.fround(DEPOSIT_OF_RATIO_ABOVE_ONE / params.ratio));
    }
    this.#reserve = params.minPerSecond * Math.floor(params.ttlMs / 1000) * this.#withdrawal;
    this.#slotMs = params.ttlMs / SLOTS;
    this.#slots = new Float64Array(SLOTS);
    this.#past = 0;
    this.#slotAt = 0;
    this.#current = 0;
    this.#slotStartMs = nowMs;
  }

  /** A request ended without wanting a retry. */
  deposit(nowMs: number): void {
    this.#expire(nowMs);
    this.#current += this.#deposit;
  }

  /** @returns whether the budget allows one more retry, which is then spent */
  withdraw(nowMs: number): boolean {
    this.#expire(nowMs);
    if (this.#reserve + this.#past + this.#current < this.#withdrawal) return false;
    this.#current -= this.#withdrawal;
    return true;
  }

  #expire(nowMs: number): void {
    const elapsedMs = nowMs - this.#slotStartMs;
    if (elapsedMs < this.#slotMs) return;
    this.#store(this.#slotAt, this.#current);
    this.#current = 0;
    const passed = Math.min(Math.ceil(elapsedMs / this.#slotMs), SLOTS + 1);
    for (let n = 1; n < passed; n += 1) this.#store((this.#slotAt + n) % SLOTS, 0);
    this.#slotAt = (this.#slotAt + passed) % SLOTS;
    this.#slotStartMs = nowMs;
  }

  #store(at: number, tokens: number): void {
    this.#past += tokens - (this.#slots[at] ?? 0);
    this.#slots[at] = tokens;
  }
}

/** What makes these parameters unusable, null when nothing does. A profile without a usable budget has no retries. */
export function retryBudgetFault(params: RetryBudgetParams): string | null {
  if (!(params.ttlMs >= TTL_MIN_MS && params.ttlMs <= TTL_MAX_MS)) return "the ttl is not between 1 and 60 seconds";
  if (!(params.ratio >= 0 && params.ratio <= RATIO_MAX)) return `the retry ratio is not between 0 and ${RATIO_MAX}`;
  if (!(params.minPerSecond >= 0 && params.minPerSecond <= MIN_PER_SECOND_MAX))
    return "min retries per second is too large";
  return null;
}
