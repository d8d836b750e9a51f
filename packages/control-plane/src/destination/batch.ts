/** Something that has noted changes and is to act on them. */
export interface Flushable {
  flush(): void;
}

/**
 * Lets changes gather for a moment, so that a burst of events about one thing is one step. Everything noted is done before
 * anybody is answered anew.
 */
export class Batch {
  readonly #schedule: (run: () => void) => void;
  readonly #waiting = new Set<Flushable>();
  #scheduled = false;

  /** @param schedule runs its argument once, soon; by default after the events that are there already */
  constructor(schedule: (run: () => void) => void = (run) => void setTimeout(run, 0)) {
    this.#schedule = schedule;
  }

  add(item: Flushable): void {
    this.#waiting.add(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  /** Does now what waits, and what comes of that. */
  flush(): void {
    for (const item of this.#waiting) {
      this.#waiting.delete(item);
      item.flush();
    }
  }
}
