/**
 * The share of successes among the responses of the last so many milliseconds, counted in ten slots of time. Exact
 * counts, so that a burst of failures weighs the same however fast it came.
 */

const SLOTS = 10;
const SLOT_MIN_MS = 1;

export class SuccessRateWindow {
  #slotMs: number;
  #successes: Uint32Array;
  #totals: Uint32Array;
  #at: number;
  #startMs: number;

  constructor(windowMs: number, nowMs: number) {
    this.#slotMs = Math.max(windowMs / SLOTS, SLOT_MIN_MS);
    this.#successes = new Uint32Array(SLOTS);
    this.#totals = new Uint32Array(SLOTS);
    this.#at = 0;
    this.#startMs = nowMs;
  }

  record(success: boolean, nowMs: number): void {
    this.#roll(nowMs);
    this.#totals[this.#at] = (this.#totals[this.#at] ?? 0) + 1;
    if (success) this.#successes[this.#at] = (this.#successes[this.#at] ?? 0) + 1;
  }

  /** Whether the share is below `rateMin` and rests on at least `requestsMin` responses, as of the last one recorded. */
  below(rateMin: number, requestsMin: number): boolean {
    let successes = 0;
    let total = 0;
    for (let at = 0; at < SLOTS; at += 1) {
      successes += this.#successes[at] ?? 0;
      total += this.#totals[at] ?? 0;
    }
    return total > 0 && total >= requestsMin && successes / total < rateMin;
  }

  reset(nowMs: number): void {
    this.#successes.fill(0);
    this.#totals.fill(0);
    this.#at = 0;
    this.#startMs = nowMs;
  }

  #roll(nowMs: number): void {
    const passed = Math.floor((nowMs - this.#startMs) / this.#slotMs);
    if (passed <= 0) return;
    for (let n = Math.min(passed, SLOTS); n > 0; n -= 1) {
      this.#at = (this.#at + 1) % SLOTS;
      this.#successes[this.#at] = 0;
      this.#totals[this.#at] = 0;
    }
    this.#startMs += passed * this.#slotMs;
  }
}
