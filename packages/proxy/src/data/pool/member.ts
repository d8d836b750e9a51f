import { Timer, type TimerOwner } from "@bowline/loop";
import type { Breaker, Slot, Verdict } from "@bowline/model";
import type { CallQueue } from "../call/call-queue.ts";
import type { Plane } from "../plane.ts";
import type { Target } from "../target.ts";

/** After a refused connection, and after many in a row. */
const SUSPEND_MIN_MS = 100;
const SUSPEND_MAX_MS = 10_000;

const PROBE_TIMER = 0;
const SUSPEND_TIMER = 1;

/** Who has members, and decides where else a call may go when one cannot be reached. */
export interface MemberOwner {
  /** It became fit for requests, or unfit. */
  onMemberChanged(member: Member): void;
  /** A connection stands. */
  onMemberReachable(member: Member): void;
  /** Connecting failed: calls that waited for it are the owner's now. */
  onMemberUnreachable(member: Member, calls: CallQueue | null): void;
  /** Its proxy is there, its application is not. */
  onMemberRefused(member: Member): void;
}

/**
 * One endpoint of a balanced service. Fit for requests while it can be reached, its breaker lets them through, and it is
 * not stale: refusing connections while the control plane is silent about it.
 */
export class Member implements TimerOwner {
  readonly key: string;
  readonly target: Target;
  /** Its place in the balancer; set once, by its owner. */
  slot!: Slot<Member>;
  reachable = true;
  stale = false;
  readonly #owner: MemberOwner;
  readonly #plane: Plane;
  readonly #breaker: Breaker | null;
  readonly #probeTimer: Timer = new Timer(this, PROBE_TIMER);
  readonly #suspendTimer: Timer = new Timer(this, SUSPEND_TIMER);
  #refusals = 0;

  constructor(owner: MemberOwner, plane: Plane, key: string, target: Target, breaker: Breaker | null) {
    this.#owner = owner;
    this.#plane = plane;
    this.key = key;
    this.target = target;
    this.#breaker = breaker;
  }

  get fit(): boolean {
    return this.reachable && !this.stale && (this.#breaker === null || this.#breaker.available);
  }

  onReachable(): void {
    this.#refusals = 0;
    this.#owner.onMemberReachable(this);
  }

  /** An application's answer: that of a proxy before it stands through all of its refusals. */
  onAnswered(): void {
    this.#refusals = 0;
  }

  /** Gets no requests for a while: it refused a connection, and there are others. */
  suspend(): void {
    this.reachable = false;
    this.#refusals += 1;
    const waitMs = Math.min(SUSPEND_MAX_MS, SUSPEND_MIN_MS * 2 ** Math.min(this.#refusals - 1, 10));
    this.#plane.reactor.after(this.#suspendTimer, waitMs);
  }

  onUnreachable(calls: CallQueue | null): void {
    this.#owner.onMemberUnreachable(this, calls);
  }

  onRefused(): void {
    this.#owner.onMemberRefused(this);
  }

  /** A request goes to it. Returns what `finished` and `abandoned` want back. */
  start(): number {
    this.slot.start();
    if (this.#breaker === null) return 0;
    const epoch = this.#breaker.start();
    if (!this.#breaker.available) this.#owner.onMemberChanged(this);
    return epoch;
  }

  /** The response's first data, its end or its failure is there: the request no longer counts as load. */
  measured(startMs: number): void {
    this.slot.finish(startMs, this.#plane.reactor.nowMs);
  }

  /** The response's head tells of trouble: it counts as an answer that took the balancer's penalty, or what it asks for. */
  penalized(startMs: number, hintMs: number): void {
    this.slot.penalize(startMs, this.#plane.reactor.nowMs, hintMs);
  }

  /** The response's class is known. */
  finished(epoch: number, verdict: Verdict, hintMs: number): void {
    const breaker = this.#breaker;
    if (breaker === null) return;
    const { reactor } = this.#plane;
    if (!breaker.finish(epoch, verdict, reactor.nowMs, hintMs)) return;
    if (Number.isFinite(breaker.probeMs)) reactor.after(this.#probeTimer, breaker.probeMs - reactor.nowMs);
    this.#owner.onMemberChanged(this);
  }

  /** The request ended without telling anything about the endpoint. */
  abandoned(epoch: number): void {
    if (this.#breaker?.abandon(epoch)) this.#owner.onMemberChanged(this);
  }

  onTimer(kind: number): void {
    if (kind === SUSPEND_TIMER) {
      this.reachable = true;
      this.#owner.onMemberChanged(this);
      return;
    }
    const { reactor } = this.#plane;
    const breaker = this.#breaker!;
    if (breaker.expire(reactor.nowMs)) this.#owner.onMemberChanged(this);
    else if (Number.isFinite(breaker.probeMs)) reactor.after(this.#probeTimer, breaker.probeMs - reactor.nowMs);
  }

  /** It is no endpoint any more. */
  retire(): void {
    this.#probeTimer.cancel();
    this.#suspendTimer.cancel();
  }
}
