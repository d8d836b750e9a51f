/**
 * What happens to requests while no endpoint is ready: they wait in a bounded queue, for at most the failfast timeout
 * as a whole; then all of them fail and new ones fail at once, until an endpoint is ready again.
 *
 * The time runs from the first request that found nothing ready, so a destination nobody asks for is never in failfast.
 *
 *          a request finds nothing ready            timeout
 *   Open ────────────────────────────────► Waiting ─────────► Failfast
 *     ▲             an endpoint is ready      │                   │
 *     └───────────────────────────────────────┴───────────────────┘
 */
import type { QueueParams } from "../types/policy.ts";

export const GateState = { Open: 0, Waiting: 1, Failfast: 2 } as const;
export type GateState = (typeof GateState)[keyof typeof GateState];

/** What to do with a request: send it, let it wait, fail it for failfast, or shed it because too many wait. */
export const Admission = { Dispatch: 0, Queue: 1, Failfast: 2, Shed: 3 } as const;
export type Admission = (typeof Admission)[keyof typeof Admission];

export class FailfastGate {
  state: GateState;
  /** When Waiting turns into Failfast; infinite in the other states. */
  deadlineMs: number;
  /** How often the gate opened from, and shut into, Failfast. The first opening counts. */
  openings: number;
  shuttings: number;
  #capacity: number;
  #timeoutMs: number;

  constructor(queue: QueueParams) {
    this.state = GateState.Open;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.openings = 1;
    this.shuttings = 0;
    this.#capacity = queue.capacity;
    this.#timeoutMs = queue.failfastTimeoutMs;
  }

  /** Whether a route that can choose may choose this backend. */
  get available(): boolean {
    return this.state !== GateState.Failfast;
  }

  /** @param queued how many requests wait already: they go first */
  admit(ready: boolean, queued: number, nowMs: number): Admission {
    if (ready) {
      this.ready();
      if (queued === 0) return Admission.Dispatch;
    } else if (this.state === GateState.Failfast) {
      return Admission.Failfast;
    }
    if (queued >= this.#capacity) return Admission.Shed;
    if (!ready && this.state === GateState.Open) {
      this.state = GateState.Waiting;
      this.deadlineMs = nowMs + this.#timeoutMs;
    }
    return Admission.Queue;
  }

  /** An endpoint is ready: whoever waits can be sent. */
  ready(): void {
    if (this.state === GateState.Failfast) this.openings += 1;
    this.state = GateState.Open;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Nobody waits any more although nothing got ready: all were given up. The time starts anew with the next request. */
  deserted(): void {
    if (this.state !== GateState.Waiting) return;
    this.state = GateState.Open;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /**
   * To be called when the deadline has come.
   *
   * @returns whether failfast begins by this call: every waiting request fails now
   */
  expire(nowMs: number): boolean {
    if (nowMs < this.deadlineMs) return false;
    this.state = GateState.Failfast;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.shuttings += 1;
    return true;
  }
}
