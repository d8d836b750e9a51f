/** Thousands of endpoints behind one balancer, in simulated time. */
import { describe, expect, test } from "bun:test";
import { Breaker, Verdict } from "../breaker/breaker.ts";
import { seededRandom } from "../testing/seeded-random.case.test.ts";
import type { FailureAccrual, LoadParams } from "../types/policy.ts";
import { Balancer } from "./balancer.ts";
import type { Slot } from "./slot.ts";

const PEAK: LoadParams = { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 };
const PENALTY: LoadParams = {
  kind: "penalty-peak-ewma",
  defaultRttMs: 30,
  decayMs: 10_000,
  penaltyMs: 5000,
  penaltyDecayMs: 10_000,
  retryAfterMaxMs: 300_000,
};
const ACCRUAL: FailureAccrual = {
  kind: "consecutive",
  failuresMax: 7,
  backoff: { minMs: 1000, maxMs: 60_000, jitter: 0.5, respectRetryAfter: false },
  readyEndpointsMin: 0,
};

/** How a simulated endpoint behaves at a time. */
interface Behaviour {
  servesMs(nowMs: number): number;
  fails?(nowMs: number): boolean;
}

interface Endpoint {
  readonly behaviour: Behaviour;
  readonly breaker: Breaker | null;
  requests: number;
  pendingMax: number;
}

interface UnderWay {
  readonly slot: Slot<Endpoint>;
  readonly startMs: number;
  readonly endMs: number;
  readonly epoch: number;
}

describe("load", () => {
  test("is even among 2000 equal endpoints", () => {
    const simulation = new Simulation(PEAK, null);
    const endpoints = simulation.addMany(2000, (random) => ({ servesMs: () => 15 + 10 * random() }));
    simulation.run(100_000, 0.02);
    const counts = endpoints.map((endpoint) => endpoint.requests);
    // 50 each on average. Drawn at random, the spread of a uniform choice would already be 7.
    expect(Math.max(...counts)).toBeLessThan(85);
    expect(Math.min(...counts)).toBeGreaterThan(20);
    // A second choice keeps the queues short: at random, some of 2000 would have 6 and more in hand.
    expect(Math.max(...endpoints.map((endpoint) => endpoint.pendingMax))).toBeLessThanOrEqual(4);
  });

  test("is even among 3 endpoints", () => {
    const simulation = new Simulation(PEAK, null);
    const endpoints = simulation.addMany(3, () => ({ servesMs: () => 20 }));
    simulation.run(3000, 5);
    for (const endpoint of endpoints) {
      expect(endpoint.requests).toBeGreaterThan(850);
      expect(endpoint.requests).toBeLessThan(1150);
    }
  });
});

describe("a slow endpoint", () => {
  test("gets little", () => {
    const simulation = new Simulation(PEAK, null);
    const fast = simulation.addMany(950, () => ({ servesMs: () => 20 }));
    const slow = simulation.addMany(50, () => ({ servesMs: () => 400 }));
    simulation.run(50_000, 0.1);
    expect(mean(slow)).toBeLessThan(0.25 * mean(fast));
    expect(mean(slow)).toBeGreaterThan(0);
  });

  test("gets its share again when it has recovered", () => {
    const recovered = 20_000;
    const simulation = new Simulation(PEAK, null);
    const others = simulation.addMany(190, () => ({ servesMs: () => 20 }));
    const slow = simulation.addMany(10, () => ({ servesMs: (nowMs) => (nowMs < recovered ? 1000 : 20) }));
    simulation.run(20_000, 1);
    expect(mean(slow)).toBeLessThan(0.2 * mean(others));
    // Time for the memory of the peak to fade.
    simulation.run(60_000, 1);
    simulation.clear();
    simulation.run(20_000, 1);
    expect(mean(slow)).toBeGreaterThan(0.8 * mean(others));
  });
});

describe("an endpoint that fails fast", () => {
  const failing: Behaviour = { servesMs: () => 1, fails: () => true };

  test("attracts requests when only its time counts", () => {
    const simulation = new Simulation(PEAK, null);
    const others = simulation.addMany(99, () => ({ servesMs: () => 50 }));
    const bad = simulation.addMany(1, () => failing);
    simulation.run(20_000, 1);
    expect(mean(bad)).toBeGreaterThan(1.5 * mean(others));
  });

  test("attracts none when failures are penalised", () => {
    const simulation = new Simulation(PENALTY, null);
    const others = simulation.addMany(99, () => ({ servesMs: () => 50 }));
    const bad = simulation.addMany(1, () => failing);
    simulation.run(20_000, 1);
    expect(mean(bad)).toBeLessThan(0.2 * mean(others));
  });

  test("is ejected by a breaker but for probes, and is back when it has recovered", () => {
    const recovered = 30_000;
    const simulation = new Simulation(PEAK, ACCRUAL);
    const others = simulation.addMany(99, () => ({ servesMs: () => 50 }));
    const bad = simulation.addMany(1, () => ({ servesMs: () => 1, fails: (nowMs) => nowMs < recovered }));
    simulation.run(30_000, 1);
    // 7 to trip, and at most a probe at 1, 3, 7, 15 s, with requests that were under way.
    expect(mean(bad)).toBeLessThanOrEqual(15);
    expect(mean(others)).toBeGreaterThan(250);
    simulation.run(60_000, 1);
    simulation.clear();
    simulation.run(10_000, 1);
    expect(mean(bad)).toBeGreaterThan(0.8 * mean(others));
  });
});

test("endpoints that come soon get their share, and those that go get nothing more", () => {
  const simulation = new Simulation(PEAK, null);
  const early = simulation.addMany(500, () => ({ servesMs: () => 20 }));
  simulation.run(20_000, 0.1);
  simulation.clear();
  const gone = simulation.removeFirst(250);
  const late = simulation.addMany(250, () => ({ servesMs: () => 20 }));
  simulation.run(20_000, 0.1);
  expect(gone.map((endpoint) => endpoint.requests)).toEqual(gone.map(() => 0));
  const stayed = early.filter((endpoint) => !gone.includes(endpoint));
  // At first they count with the initial round-trip time, which is longer than theirs.
  expect(mean(late)).toBeGreaterThan(0.5 * mean(stayed));
  simulation.run(40_000, 0.5);
  simulation.clear();
  simulation.run(20_000, 0.1);
  expect(mean(late)).toBeGreaterThan(0.9 * mean(stayed));
  expect(mean(late)).toBeLessThan(1.1 * mean(stayed));
});

class Simulation {
  #random: () => number;
  #load: LoadParams;
  #accrual: FailureAccrual | null;
  #balancer: Balancer<Endpoint>;
  /** A heap with the earliest end first. */
  #underWay: UnderWay[];
  #ejected: Slot<Endpoint>[];
  #nowMs: number;
  #added: number;

  constructor(load: LoadParams, accrual: FailureAccrual | null) {
    this.#random = seededRandom(42);
    this.#load = load;
    this.#accrual = accrual;
    this.#balancer = new Balancer(load, this.#random);
    this.#underWay = [];
    this.#ejected = [];
    this.#nowMs = 0;
    this.#added = 0;
  }

  addMany(count: number, behaviour: (random: () => number) => Behaviour): Endpoint[] {
    return Array.from({ length: count }, () => {
      const breaker = this.#accrual === null ? null : new Breaker(this.#accrual, this.#nowMs, this.#random, () => true);
      const endpoint = { behaviour: behaviour(this.#random), breaker, requests: 0, pendingMax: 0 };
      this.#added += 1;
      const slot = this.#balancer.add(`${this.#added}`, endpoint, this.#nowMs);
      this.#balancer.setReady(slot, true);
      return endpoint;
    });
  }

  removeFirst(count: number): Endpoint[] {
    const slots = [...this.#balancer.slots()].slice(0, count);
    for (const slot of slots) this.#balancer.remove(slot.key);
    return slots.map((slot) => slot.endpoint);
  }

  clear(): void {
    for (const slot of this.#balancer.slots()) slot.endpoint.requests = 0;
    for (const { slot } of this.#underWay) slot.endpoint.requests = 0;
  }

  /** So many requests, one after the other at random times of this mean distance. */
  run(requests: number, betweenMs: number): void {
    for (let n = 0; n < requests; n += 1) {
      this.#nowMs += -Math.log(1 - this.#random()) * betweenMs;
      this.#finishDue();
      this.#probeDue();
      this.#send();
    }
  }

  #send(): void {
    const slot = this.#balancer.pick(this.#nowMs);
    if (slot === null) throw new Error("nothing is ready");
    const endpoint = slot.endpoint;
    slot.start();
    endpoint.requests += 1;
    endpoint.pendingMax = Math.max(endpoint.pendingMax, slot.pending);
    const epoch = endpoint.breaker?.start() ?? 0;
    this.#followBreaker(slot);
    const endMs = this.#nowMs + endpoint.behaviour.servesMs(this.#nowMs);
    this.#push({ slot, startMs: this.#nowMs, endMs, epoch });
  }

  #finishDue(): void {
    for (let next = this.#underWay[0]; next !== undefined && next.endMs <= this.#nowMs; next = this.#underWay[0]) {
      this.#pop();
      const { slot, startMs, endMs, epoch } = next;
      const failed = slot.endpoint.behaviour.fails?.(startMs) ?? false;
      if (failed && this.#load.kind === "penalty-peak-ewma") slot.penalize(startMs, endMs, 0);
      else slot.finish(startMs, endMs);
      slot.endpoint.breaker?.finish(epoch, failed ? Verdict.Failure : Verdict.Success, endMs, 0);
      this.#followBreaker(slot);
    }
  }

  #probeDue(): void {
    this.#ejected = this.#ejected.filter((slot) => {
      if (slot.endpoint.breaker?.expire(this.#nowMs) !== true) return true;
      this.#balancer.setReady(slot, true);
      return false;
    });
  }

  #followBreaker(slot: Slot<Endpoint>): void {
    const breaker = slot.endpoint.breaker;
    if (breaker === null) return;
    this.#balancer.setReady(slot, breaker.available);
    if (Number.isFinite(breaker.probeMs) && !this.#ejected.includes(slot)) this.#ejected.push(slot);
  }

  #push(request: UnderWay): void {
    const heap = this.#underWay;
    let at = heap.push(request) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.endMs <= request.endMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = request;
  }

  #pop(): void {
    const heap = this.#underWay;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.endMs < heap[child]!.endMs) child += 1;
      if (heap[child]!.endMs >= last.endMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function mean(endpoints: readonly Endpoint[]): number {
  return endpoints.reduce((sum, endpoint) => sum + endpoint.requests, 0) / endpoints.length;
}
