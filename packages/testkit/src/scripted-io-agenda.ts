import type { Random } from "./scripted-io-random.ts";

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

/** The simulated clock and what will happen when. What is due at the same moment happens in random order. */
export class Agenda {
  nowMs = 1000;
  readonly #random: Random;
  /** Latest first, so that the next one is popped off the end. */
  readonly #entries: Entry[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get nextMs(): number {
    return this.#entries.at(-1)?.atMs ?? Number.POSITIVE_INFINITY;
  }

  after(delayMs: number, act: () => void): void {
    const entry: Entry = { atMs: this.nowMs + delayMs, order: this.#random.fraction(), act };
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesAfter(this.#entries[middle]!, entry)) low = middle + 1;
      else high = middle;
    }
    this.#entries.splice(low, 0, entry);
  }

  /** Runs everything that is due, and what that makes due in turn. */
  runDue(): void {
    for (let next = this.#entries.at(-1); next !== undefined && next.atMs <= this.nowMs; next = this.#entries.at(-1)) {
      this.#entries.pop();
      next.act();
    }
  }
}

function comesAfter(a: Entry, b: Entry): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order);
}
