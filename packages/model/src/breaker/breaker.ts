/**
 * Takes an endpoint out of its balancer when its responses fail, and lets it back when a probe succeeds.
 *
 *              trip                      back-off over
 *   Serving ─────────► Ejected ─────────────────────────► Probing
 *      ▲                  ▲            probe failed          │
 *      │                  └──────────────────────────────────┤
 *      └─────────────────────────────────────────────────────┘
 *                         probe succeeded
 *
 * Two policies, as Linkerd has them. Consecutive: so many failures in a row trip it. Unified: failures in a row, or a
 * success rate over a window of time below a threshold once enough responses are counted; being rate limited (429,
 * gRPC 8) counts against the rate, not among the failures in a row, and is no success for a probe.
 *
 * Unlike Linkerd's, only the probe's own response decides a probe: one of a request from before says nothing new.
 */
import { Backoff } from "../retry/backoff.ts";
import type { FailureAccrual } from "../types/policy.ts";
import { SuccessRateWindow } from "./success-rate-window.ts";

/** What a response says about its endpoint. RateLimited: not a failure by its class, but 429 or gRPC 8. */
export const Verdict = { Success: 0, Failure: 1, RateLimited: 2 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

export const BreakerState = { Serving: 0, Ejected: 1, Probing: 2 } as const;
export type BreakerState = (typeof BreakerState)[keyof typeof BreakerState];

/** The success rate is compared in hundredths of a percent. */
const RATE_STEPS = 10_000;

export class Breaker {
  state: BreakerState;
  /** When Ejected ends; infinite in the other states. */
  probeMs: number;
  /** How often it was tripped. */
  trips: number;
  #failuresMax: number;
  #failures: number;
  #unified: boolean;
  #rateMin: number;
  #requestsMin: number;
  #window: SuccessRateWindow | null;
  #backoff: Backoff;
  #mayEject: () => boolean;
  /** Counts the states: a response counts in the state its request started in. */
  #epoch: number;
  #probeSent: boolean;

  /**
   * @param random uniform in [0, 1), for the back-off's jitter
   * @param mayEject asked when it is about to trip: whether enough other endpoints remain (`readyEndpointsMin`)
   */
  constructor(accrual: FailureAccrual, nowMs: number, random: () => number, mayEject: () => boolean) {
    const unified = accrual.kind === "unified";
    const rateMin = unified ? Math.round(Math.min(accrual.successRateMin, 1) * RATE_STEPS) / RATE_STEPS : 0;
    this.state = BreakerState.Serving;
    this.probeMs = Number.POSITIVE_INFINITY;
    this.trips = 0;
    this.#failuresMax = unified ? accrual.consecutiveFailuresMax : accrual.failuresMax;
    this.#failures = 0;
    this.#unified = unified;
    this.#rateMin = rateMin;
    this.#requestsMin = unified ? accrual.requestsMin : 0;
    this.#window = unified && rateMin > 0 ? new SuccessRateWindow(accrual.windowMs, nowMs) : null;
    this.#backoff = new Backoff(accrual.backoff, random);
    this.#mayEject = mayEject;
    this.#epoch = 0;
    this.#probeSent = false;
  }

  /** Whether the endpoint may be picked for a request. */
  get available(): boolean {
    return this.state === BreakerState.Serving || (this.state === BreakerState.Probing && !this.#probeSent);
  }

  /** A request goes to the endpoint; as a probe it makes the breaker unavailable. @returns what `finish` wants back */
  start(): number {
    if (this.state === BreakerState.Probing) this.#probeSent = true;
    return this.#epoch;
  }

  /**
   * The response's class is known, or there was none for the endpoint's fault.
   *
   * @param epoch what `start` returned
   * @param hintMs what Retry-After or grpc-retry-pushback-ms asks for, 0 when nothing
   * @returns whether `available` may have changed
   */
  finish(epoch: number, verdict: Verdict, nowMs: number, hintMs: number): boolean {
    if (epoch !== this.#epoch) return false;
    switch (this.state) {
      case BreakerState.Serving:
        return this.#count(verdict, nowMs) && this.#trip(nowMs, hintMs);
      case BreakerState.Probing:
        if (this.#probeSucceeded(verdict)) this.#serve(nowMs);
        else this.#eject(nowMs, hintMs);
        return true;
      case BreakerState.Ejected:
        return false;
      default:
        return unreachable(this.state);
    }
  }

  /** The request ended without telling anything about the endpoint, e.g. its client left: another may probe. */
  abandon(epoch: number): boolean {
    if (epoch !== this.#epoch || !this.#probeSent) return false;
    this.#probeSent = false;
    return true;
  }

  /** To be called when `probeMs` has come. @returns whether the endpoint is available for a probe by this call */
  expire(nowMs: number): boolean {
    if (nowMs < this.probeMs) return false;
    this.#enter(BreakerState.Probing);
    return true;
  }

  /** @returns whether the counts are such that it should trip */
  #count(verdict: Verdict, nowMs: number): boolean {
    this.#failures = verdict === Verdict.Failure ? this.#failures + 1 : 0;
    if (this.#window !== null) this.#window.record(verdict === Verdict.Success, nowMs);
    if (this.#failuresMax > 0 && this.#failures >= this.#failuresMax) return true;
    return this.#window?.below(this.#rateMin, this.#requestsMin) ?? false;
  }

  #probeSucceeded(verdict: Verdict): boolean {
    return this.#unified ? verdict === Verdict.Success : verdict !== Verdict.Failure;
  }

  #trip(nowMs: number, hintMs: number): boolean {
    if (!this.#mayEject()) return false;
    this.trips += 1;
    this.#backoff.reset();
    this.#eject(nowMs, hintMs);
    return true;
  }

  #eject(nowMs: number, hintMs: number): void {
    this.#enter(BreakerState.Ejected);
    this.probeMs = nowMs + this.#backoff.nextAfter(hintMs);
  }

  #serve(nowMs: number): void {
    this.#enter(BreakerState.Serving);
    this.#failures = 0;
    this.#window?.reset(nowMs);
  }

  #enter(state: BreakerState): void {
    this.state = state;
    this.probeMs = Number.POSITIVE_INFINITY;
    this.#epoch += 1;
    this.#probeSent = false;
  }
}

function unreachable(state: never): never {
  throw new Error(`not a breaker's state: ${String(state)}`);
}
