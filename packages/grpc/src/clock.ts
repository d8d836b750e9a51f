/** Time as calls and channels see it; tests bring their own. */
export interface Clock {
  /** Milliseconds from some fixed moment, never backwards. */
  nowMs(): number;
  /** Calls back once, after `delayMs` at the earliest; the function returned takes it back. */
  after(delayMs: number, callback: () => void): () => void;
}

/** setTimeout takes no more (24.8 days); what is due later is waited for in steps. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    let timer: ReturnType<typeof setTimeout>;
    const arm = (leftMs: number) => {
      const stepMs = Math.min(leftMs, TIMER_MS_MAX);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};
