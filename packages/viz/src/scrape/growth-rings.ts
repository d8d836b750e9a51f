/** Scrapes that are remembered of each target. */
export const HISTORY_SCRAPES = 128;

/** No ring. */
export const NO_RING = -1;

/**
 * Rings of what something grew by at each of the last scrapes, all in one piece of memory: thousands of small arrays take twice the
 * room. Growth, not values, so that half of a number's bits are precise enough, and so that what rests needs no ring.
 *
 *     ring 0                     ring 1
 *     | 0 | 3 | 0 | … 127 rows | 0 | 0 | 7 | …        row = scrape modulo HISTORY_SCRAPES
 */
export class GrowthRings {
  #cells = new Float32Array(0);
  /** By ring: the last scrape that it grew at. */
  #grewAt = new Int32Array(0);
  readonly #free: number[] = [];
  #used = 0;

  /** A ring of zeros. */
  take(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    if (this.#used === this.#grewAt.length) this.#enlarge();
    return this.#used++;
  }

  release(ring: number): void {
    this.#cells.fill(0, ring * HISTORY_SCRAPES, (ring + 1) * HISTORY_SCRAPES);
    this.#free.push(ring);
  }

  add(ring: number, scrape: number, by: number): void {
    const at = ring * HISTORY_SCRAPES + (scrape % HISTORY_SCRAPES);
    this.#cells[at] = (this.#cells[at] ?? 0) + by;
    this.#grewAt[ring] = scrape;
  }

  /** Begins a scrape: nothing has grown at it yet. False when the ring says nothing any more. */
  begin(ring: number, scrape: number): boolean {
    this.#cells[ring * HISTORY_SCRAPES + (scrape % HISTORY_SCRAPES)] = 0;
    return scrape - (this.#grewAt[ring] ?? 0) < HISTORY_SCRAPES;
  }

  /** From scrape `first` until before `end`. */
  sum(ring: number, first: number, end: number): number {
    const start = ring * HISTORY_SCRAPES;
    let sum = 0;
    for (let scrape = first; scrape < end; scrape++) sum += this.#cells[start + (scrape % HISTORY_SCRAPES)] ?? 0;
    return sum;
  }

  #enlarge(): void {
    const rings = Math.max(64, Math.ceil(this.#used * 1.25));
    const cells = new Float32Array(rings * HISTORY_SCRAPES);
    cells.set(this.#cells);
    this.#cells = cells;
    const grewAt = new Int32Array(rings);
    grewAt.set(this.#grewAt);
    this.#grewAt = grewAt;
  }
}
