import type { Clock } from "@bowline/grpc";

/** A clock that stands still until it is told to go on. */
export class SimulatedClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; run: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How many timers are armed: none may be left when everything is stopped. */
  get armed(): number {
    return this.#timers.length;
  }

  /** Lets time pass, and everything that becomes due in it happen in order, promises included. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = due.atMs;
      due.run();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

/** Promises that are ready run out, and those they make ready; a macrotask is behind all of them. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
