const FIRST_MS = 10_000;
export const BACK_OFF_MAX_MS = 300_000;

/** How long a restart of a container waits: not at all at first, then 10 s doubling to 5 min, and from the start again after 10 good minutes. */
export class BackOff {
  #durationMs = 0;
  #lastRestartMs = 0;

  /** Of a container that has been restarted before this process knew it. */
  static after(restarts: number, lastRestartMs: number): BackOff {
    const backOff = new BackOff();
    backOff.#lastRestartMs = lastRestartMs;
    backOff.#durationMs = restarts === 0 ? 0 : Math.min(FIRST_MS * 2 ** (restarts - 1), BACK_OFF_MAX_MS);
    return backOff;
  }

  /** How long the delay is that counts now, for messages. */
  get durationMs(): number {
    return this.#durationMs;
  }

  /** When a container that ended at `finishedMs` may start again. */
  readyAtMs(finishedMs: number): number {
    if (finishedMs - this.#lastRestartMs > 2 * BACK_OFF_MAX_MS) this.#durationMs = 0;
    return finishedMs + this.#durationMs;
  }

  restarted(nowMs: number): void {
    this.#lastRestartMs = nowMs;
    this.#durationMs = this.#durationMs === 0 ? FIRST_MS : Math.min(2 * this.#durationMs, BACK_OFF_MAX_MS);
  }
}
