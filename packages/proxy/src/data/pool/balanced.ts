import { Timer, type TimerOwner } from "@bowline/loop";
import {
  Admission,
  Balancer,
  Breaker,
  type EndpointMeta,
  EndpointSet,
  type EndpointsUpdate,
  endpointKey,
  FailfastGate,
  type FailureAccrual,
  type LoadParams,
  type QueueParams,
} from "@bowline/model";
import type { Call } from "../call/call.ts";
import { CallQueue } from "../call/call-queue.ts";
import { Cause } from "../failures.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import type { BalancerSeries } from "../telemetry/balancer-series.ts";
import type { Backend, Seeker } from "./backend.ts";
import { Member, type MemberOwner } from "./member.ts";

export interface BalancedOptions {
  /** What the control plane resolves: `name:port`. */
  readonly path: string;
  readonly load: LoadParams;
  readonly queue: QueueParams;
  readonly accrual: FailureAccrual | null;
}

/** Who keeps balanced services for as long as they are needed. */
export interface BalancedOwner {
  /** No connection waits for an endpoint any more. */
  onUnsought(balanced: Balanced): void;
  onRetired(balanced: Balanced): void;
}

/** A service whose requests are balanced over its endpoints, each request for itself (proxy-facts §4.8). */
export class Balanced implements Backend, MemberOwner, TimerOwner {
  readonly path: string;
  /** How many routes lead here; none: it may go. */
  users = 0;
  readonly #side: Side;
  readonly #options: BalancedOptions;
  readonly #set: EndpointSet = new EndpointSet();
  readonly #balancer: Balancer<Member>;
  readonly #gate: FailfastGate;
  readonly #waiting: CallQueue = new CallQueue();
  readonly #seekers: Seeker[] = [];
  readonly #failfastTimer: Timer = new Timer(this, 0);
  readonly #series: BalancerSeries;
  readonly #owner: BalancedOwner;

  constructor(side: Side, options: BalancedOptions, series: BalancerSeries, owner: BalancedOwner) {
    this.#side = side;
    this.#options = options;
    this.path = options.path;
    this.#series = series;
    this.#owner = owner;
    this.#balancer = new Balancer<Member>(options.load, Math.random);
    this.#gate = new FailfastGate(options.queue);
  }

  /** Connections wait here for an endpoint. */
  get sought(): boolean {
    return this.#seekers.length > 0;
  }

  get available(): boolean {
    return this.#gate.available;
  }

  send(call: Call): void {
    const { nowMs } = this.#side.plane.reactor;
    const slot = this.#balancer.pick(nowMs);
    const admission = this.#gate.admit(slot !== null, this.#waiting.length + this.#seekers.length, nowMs);
    this.#series.requests.value += 1;
    if (admission === Admission.Dispatch) this.#give(call, slot!.endpoint);
    else if (admission !== Admission.Queue) call.refuse(refusalOf(admission), this.path);
    else {
      this.#waiting.append(call);
      this.#wait();
    }
  }

  seek(seeker: Seeker): void {
    const { nowMs } = this.#side.plane.reactor;
    const slot = this.#balancer.pick(nowMs);
    const admission = this.#gate.admit(slot !== null, this.#waiting.length + this.#seekers.length, nowMs);
    this.#series.requests.value += 1;
    if (admission === Admission.Dispatch) seeker.onTarget(slot!.endpoint.target);
    else if (admission !== Admission.Queue) seeker.onNoTarget(refusalOf(admission));
    else {
      this.#seekers.push(seeker);
      this.#wait();
    }
  }

  forget(seeker: Seeker): void {
    const index = this.#seekers.indexOf(seeker);
    if (index < 0) return;
    this.#seekers.splice(index, 1);
    if (this.#waiting.length + this.#seekers.length === 0) this.#gate.deserted();
    this.#checkSought();
  }

  tryPick(): Target | null {
    if (this.#waiting.length + this.#seekers.length > 0) return null;
    return this.#balancer.pick(this.#side.plane.reactor.nowMs)?.endpoint.target ?? null;
  }

  /** Takes what the control plane says. From here on no request goes to an endpoint that it took away. */
  apply(update: EndpointsUpdate): void {
    const { nowMs } = this.#side.plane.reactor;
    const changes = this.#set.apply(update, nowMs);
    const left: CallQueue[] = [];
    for (const endpoint of changes.removed) this.#remove(endpointKey(endpoint), left);
    for (const { from } of changes.changed) this.#remove(endpointKey(from), left);
    for (const { to } of changes.changed) this.#add(to);
    for (const endpoint of changes.added) this.#add(endpoint);
    for (const endpoint of changes.revived) {
      const member = this.#balancer.get(endpointKey(endpoint))?.endpoint;
      if (member === undefined) continue;
      member.stale = false;
      this.onMemberChanged(member);
    }
    this.#series.updated(
      update.kind === "reset",
      changes.added.length + changes.changed.length,
      changes.removed.length,
    );
    this.#count();
    this.#dispatchWaiting();
    // Not before all is as it is now: they might go where nothing is to go any more.
    for (const calls of left) this.#moveOn(calls);
  }

  /** Nothing leads here any more. */
  retire(): void {
    this.#failfastTimer.cancel();
    const left: CallQueue[] = [];
    for (const key of Array.from(this.#balancer.slots(), (slot) => slot.key)) this.#remove(key, left);
    for (const calls of left) this.#moveOn(calls);
    for (let left = this.#waiting.length; left > 0; left--) this.#waiting.shift()?.refuse(Cause.Failfast, this.path);
    for (const seeker of this.#seekers.splice(0)) seeker.onNoTarget(Cause.Failfast);
    this.#failfastTimer.cancel();
    this.#count();
    this.#owner.onRetired(this);
  }

  onMemberChanged(member: Member): void {
    this.#balancer.setReady(member.slot, member.fit);
    this.#count();
    if (member.fit) this.#dispatchWaiting();
  }

  onMemberReachable(member: Member): void {
    this.#set.reached(member.key);
    if (member.fit) return;
    member.reachable = true;
    member.stale = false;
    this.onMemberChanged(member);
  }

  onMemberUnreachable(member: Member, calls: CallQueue | null): void {
    member.stale = this.#set.refused(member.key, this.#side.plane.reactor.nowMs);
    // An HTTP/2 connection is tried until it stands; HTTP/1 and TCP are tried with a request. The only endpoint there is
    // goes on being tried with each.
    if (calls !== null) member.reachable = false;
    else if (this.#balancer.readyCount > 1) member.suspend();
    this.onMemberChanged(member);
    if (calls !== null) this.#moveOn(calls);
  }

  /** Says nothing about its being an endpoint: to that, only connections to it are witness. */
  onMemberRefused(member: Member): void {
    const others = this.#balancer.readyCount - (member.slot.ready ? 1 : 0);
    // Of many requests that it refuses at once the first says it all.
    if (others === 0 || !member.reachable) return;
    member.suspend();
    this.onMemberChanged(member);
  }

  onTimer(_kind: number): void {
    // Those that waited have all been given up.
    if (this.#waiting.length + this.#seekers.length === 0) {
      this.#gate.deserted();
      this.#count();
      return;
    }
    if (!this.#gate.expire(this.#side.plane.reactor.nowMs)) {
      this.#wait();
      return;
    }
    this.#series.shut();
    for (let left = this.#waiting.length; left > 0; left--) this.#waiting.shift()?.refuse(Cause.Failfast, this.path);
    for (const seeker of this.#seekers.splice(0)) seeker.onNoTarget(Cause.Failfast);
    this.#count();
    this.#checkSought();
  }

  #give(call: Call, member: Member): void {
    this.#series.latencySeconds.observe((this.#side.plane.reactor.nowMs - call.startMs) / 1000);
    call.assigned(member.target, member);
    this.#side.ask(call, member.target);
  }

  #wait(): void {
    this.#count();
    const { reactor } = this.#side.plane;
    if (this.#failfastTimer.scheduled || !Number.isFinite(this.#gate.deadlineMs)) return;
    reactor.after(this.#failfastTimer, this.#gate.deadlineMs - reactor.nowMs);
  }

  #dispatchWaiting(): void {
    const { nowMs } = this.#side.plane.reactor;
    if (this.#balancer.readyCount > 0) {
      if (!this.#gate.available) this.#series.opened();
      this.#gate.ready();
      this.#failfastTimer.cancel();
    }
    while (this.#waiting.length > 0 || this.#seekers.length > 0) {
      const member = this.#balancer.pick(nowMs)?.endpoint;
      if (member === undefined) break;
      const call = this.#waiting.shift();
      if (call !== null) this.#give(call, member);
      else this.#seekers.shift()?.onTarget(member.target);
    }
    this.#series.queued(this.#waiting.length + this.#seekers.length);
    this.#checkSought();
  }

  #checkSought(): void {
    if (!this.sought) this.#owner.onUnsought(this);
  }

  #moveOn(calls: CallQueue): void {
    for (let left = calls.length; left > 0; left--) {
      const call = calls.shift();
      if (call === null) return;
      call.unassigned();
      this.send(call);
    }
  }

  #add(endpoint: EndpointMeta): void {
    const key = endpointKey(endpoint);
    const side = this.#side;
    const { nowMs } = side.plane.reactor;
    const { accrual } = this.#options;
    const target = side.endpointTarget(endpoint, this.path);
    const breaker =
      accrual === null
        ? null
        : new Breaker(accrual, nowMs, Math.random, () => this.#mayEject(accrual.readyEndpointsMin));
    const member = new Member(this, side.plane, key, target, breaker);
    target.member = member;
    target.series.pin();
    member.slot = this.#balancer.add(key, member, nowMs);
    this.#balancer.setReady(member.slot, true);
  }

  /** @param left gets the calls that waited for the endpoint's connection */
  #remove(key: string, left: CallQueue[]): void {
    const slot = this.#balancer.remove(key);
    if (slot === null) return;
    const member = slot.endpoint;
    member.retire();
    member.target.series.unpin();
    const waiting = this.#side.retireTarget(member.target);
    if (waiting !== null) left.push(waiting);
  }

  #mayEject(readyEndpointsMin: number): boolean {
    return this.#balancer.readyCount > readyEndpointsMin;
  }

  #count(): void {
    const { size, readyCount } = this.#balancer;
    this.#series.endpoints(readyCount, size - readyCount);
    this.#series.queued(this.#waiting.length + this.#seekers.length);
  }
}

function refusalOf(admission: Admission): Cause {
  return admission === Admission.Shed ? Cause.LoadShed : Cause.Failfast;
}
