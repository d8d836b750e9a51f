/** A moment that can come sooner than first said. A delay of 0 is more than a short one: it says to be gentle with nobody. */
export class Deadline {
  readonly reached: Promise<void>;
  readonly forced: Promise<void>;
  readonly #reach: () => void;
  readonly #force: () => void;
  #isForced = false;
  #atMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number) {
    const reached = Promise.withResolvers<void>();
    const forced = Promise.withResolvers<void>();
    [this.reached, this.#reach] = [reached.promise, reached.resolve];
    [this.forced, this.#force] = [forced.promise, forced.resolve];
    this.#atMs = Number.POSITIVE_INFINITY;
    this.shorten(delayMs);
  }

  get remainingMs(): number {
    return Math.max(0, this.#atMs - Date.now());
  }

  get isForced(): boolean {
    return this.#isForced;
  }

  /** Later moments than the present one are of no effect. */
  shorten(delayMs: number): void {
    if (delayMs === 0) {
      this.#isForced = true;
      this.#force();
      this.#reach();
    }
    this.#atMs = Math.min(this.#atMs, Date.now() + delayMs);
    clearTimeout(this.#timer);
    // Longer than a timer can be is as good as never.
    this.#timer = setTimeout(this.#reach, Math.min(this.remainingMs, 2 ** 31 - 1));
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
