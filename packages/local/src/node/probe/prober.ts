import type { Probe } from "@bowline/kube";
import type { ProbeResult } from "./probe-target.ts";

export type ProbeKind = "Startup" | "Readiness" | "Liveness";

/**
 * While a container has not been found good yet, it is asked this often instead of once a period (which is a second at least), for as
 * long as `EAGER_MS`: most are up within a fraction of a second, and pods and rollouts wait for that answer. A failure counts, and is
 * told, only when a period is over, so failureThreshold means what it says.
 */
const EAGER_INTERVAL_MS = 75;
/** Commands are costlier than requests. */
const EAGER_EXEC_INTERVAL_MS = 300;
const EAGER_MS = 5_000;

export interface ProberOptions {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  /** When the container started. */
  readonly startedMs: number;
  /** What was found before, by an earlier daemon. */
  readonly verdict?: boolean;
  readonly check: (probe: Probe) => Promise<ProbeResult>;
  /** The thresholds have been crossed: it is good from now on, or bad. Startup and liveness are told of bad once. */
  readonly onVerdict: (good: boolean, message: string) => void;
  /** One failure that counts. */
  readonly onFailure: (message: string) => void;
  readonly clock?: ProberClock;
}

export interface ProberClock {
  now(): number;
  /** @returns how to cancel it */
  after(delayMs: number, run: () => void): () => void;
}

const SYSTEM_CLOCK: ProberClock = {
  now: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Asks one probe of one run of a container again and again until stopped. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #clock: ProberClock;
  readonly #periodMs: number;
  #cancel: () => void = () => undefined;
  #stopped = false;
  #successes = 0;
  #failures = 0;
  /** Undefined until thresholds have been reached for the first time. */
  #verdict: boolean | undefined;
  #countFailuresFromMs: number;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#verdict = options.verdict;
    this.#periodMs = (options.probe.periodSeconds ?? 10) * 1000;
    const firstMs = options.startedMs + (options.probe.initialDelaySeconds ?? 0) * 1000;
    const begin = Math.max(firstMs, this.#clock.now());
    this.#countFailuresFromMs = this.#eager() ? begin + this.#periodMs : begin;
    this.#schedule(begin - this.#clock.now());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    const began = this.#clock.now();
    const result = await this.#options.check(this.#options.probe);
    if (this.#stopped) return;
    if (result.ok) this.#succeeded();
    else this.#failed(result.message, began);
    if (!this.#stopped) this.#schedule(Math.max(0, this.#nextMs(began) - this.#clock.now()));
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#successes += 1;
    if (this.#verdict === true || this.#successes < (this.#options.probe.successThreshold ?? 1)) return;
    this.#verdict = true;
    if (this.#options.kind === "Startup") this.stop();
    this.#options.onVerdict(true, "");
  }

  #failed(message: string, nowMs: number): void {
    this.#successes = 0;
    if (nowMs < this.#countFailuresFromMs) return;
    this.#countFailuresFromMs = nowMs + this.#periodMs;
    this.#failures += 1;
    this.#options.onFailure(message);
    if (this.#failures < (this.#options.probe.failureThreshold ?? 3)) return;
    if (this.#verdict === false) return;
    this.#verdict = false;
    if (this.#options.kind !== "Readiness") this.stop();
    this.#options.onVerdict(false, message);
  }

  /** Only what has never been good yet is in a hurry. Liveness has nothing to gain. */
  #eager(): boolean {
    const { kind, startedMs, probe } = this.#options;
    const eagerUntilMs = startedMs + (probe.initialDelaySeconds ?? 0) * 1000 + EAGER_MS;
    return kind !== "Liveness" && this.#verdict === undefined && this.#clock.now() < eagerUntilMs;
  }

  /** When to ask after having asked at `beganMs`. A failure that came too soon to count is due when the period is over. */
  #nextMs(beganMs: number): number {
    if (!this.#eager())
      return beganMs < this.#countFailuresFromMs ? this.#countFailuresFromMs : beganMs + this.#periodMs;
    const eagerMs = this.#options.probe.exec === undefined ? EAGER_INTERVAL_MS : EAGER_EXEC_INTERVAL_MS;
    return beganMs + Math.min(this.#periodMs, eagerMs);
  }
}
