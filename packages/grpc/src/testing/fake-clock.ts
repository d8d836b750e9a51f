import type { Clock } from "../clock.ts";

interface Due {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time that passes when told to. */
export class FakeClock implements Clock {
  #nowMs = 1_000;
  readonly #due = new Set<Due>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const due = { atMs: this.#nowMs + delayMs, callback };
    this.#due.add(due);
    return () => this.#due.delete(due);
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#due.size;
  }

  /** Lets time pass, and what falls due happen in order, each at its time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#due].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#due.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
    this.#nowMs = untilMs;
  }
}
