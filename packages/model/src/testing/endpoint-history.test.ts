/** Random histories against the set and the balancer by themselves. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Balancer } from "../balance/balancer.ts";
import { EndpointSet } from "../endpoints/endpoint-set.ts";
import { sameEndpoint } from "../endpoints/same-endpoint.ts";
import { type EndpointMeta, type EndpointsUpdate, endpointKey } from "../types/endpoint.ts";
import { type HistorySubject, type HistoryWorld, historySteps, runHistory } from "./endpoint-history.case.test.ts";

/** Set and balancer put together in the way the data path does it. */
class ModelSubject implements HistorySubject {
  #world: HistoryWorld;
  #set = new EndpointSet();
  #balancer: Balancer<EndpointMeta>;

  constructor(world: HistoryWorld, random: () => number) {
    this.#world = world;
    this.#balancer = new Balancer({ kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 }, random);
  }

  subscribed(): void {
    this.#set.beginResync();
  }

  update(update: EndpointsUpdate, nowMs: number): void {
    const before = new Map(Array.from(this.#balancer.slots(), (slot) => [slot.key, slot]));
    const changes = this.#set.apply(update, nowMs);
    for (const endpoint of changes.removed) this.#balancer.remove(endpointKey(endpoint));
    for (const endpoint of changes.added) this.#add(endpoint, nowMs);
    for (const { to } of changes.changed) this.#add(to, nowMs);
    for (const endpoint of changes.revived) this.#setReady(endpointKey(endpoint), true);
    this.#checkUntouched(before);
  }

  wait(nowMs: number): void {
    for (const slot of this.#balancer.slots()) {
      if (!this.#set.isStale(slot.key)) continue;
      if (this.#world.connect(slot.endpoint, nowMs)) this.#setReady(slot.key, this.#set.reached(slot.key));
      else this.#set.refused(slot.key, nowMs);
    }
  }

  request(nowMs: number): EndpointMeta | null {
    const slot = this.#balancer.pick(nowMs);
    if (slot === null) return null;
    slot.start();
    if (this.#world.connect(slot.endpoint, nowMs)) this.#set.reached(slot.key);
    else if (this.#set.refused(slot.key, nowMs)) this.whenStale(slot.key);
    slot.finish(nowMs, nowMs + 1);
    return slot.endpoint;
  }

  endpoints(): EndpointMeta[] {
    expect(Array.from(this.#balancer.slots(), (slot) => slot.key).toSorted()).toEqual(
      this.#set.endpoints().map(endpointKey).toSorted(),
    );
    return this.#set.endpoints();
  }

  whenStale(key: string): void {
    this.#setReady(key, false);
  }

  #add(endpoint: EndpointMeta, nowMs: number): void {
    this.#balancer.setReady(this.#balancer.add(endpointKey(endpoint), endpoint, nowMs), true);
  }

  #setReady(key: string, ready: boolean): void {
    const slot = this.#balancer.get(key);
    if (slot !== null) this.#balancer.setReady(slot, ready);
  }

  /** What is said again keeps its slot, and with it what is known of its load. */
  #checkUntouched(before: ReadonlyMap<string, { readonly endpoint: EndpointMeta }>): void {
    for (const slot of this.#balancer.slots()) {
      const former = before.get(slot.key);
      if (former !== undefined && sameEndpoint(former.endpoint, slot.endpoint))
        expect(slot.endpoint).toBe(former.endpoint);
    }
  }
}

test("no history makes set and balancer serve a stale endpoint", async () => {
  const random = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    minLength: 20,
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(historySteps(), random, async (steps, numbers) => {
      let drawn = 0;
      const next = (): number => numbers[drawn++ % numbers.length] ?? 0;
      await runHistory(steps, (world) => new ModelSubject(world, next));
    }),
    { numRuns: 300 },
  );
});

test("a subject that misses something is found out", async () => {
  class Deaf extends ModelSubject {
    override subscribed(): void {
      // Takes a new stream for the old one going on, so that what was lost stays.
    }
  }
  class Lazy extends ModelSubject {
    override update(update: EndpointsUpdate, nowMs: number): void {
      if (update.kind !== "delta" || update.remove.length === 0) super.update(update, nowMs);
    }
  }
  class Faithful extends ModelSubject {
    #kept: EndpointMeta | null = null;
    override request(nowMs: number): EndpointMeta | null {
      this.#kept = this.#kept ?? super.request(nowMs);
      return this.#kept;
    }
  }
  class Stubborn extends ModelSubject {
    override whenStale(): void {
      // Goes on with it.
    }
  }
  for (const Subject of [Deaf, Lazy, Faithful, Stubborn]) {
    const check = fc.asyncProperty(historySteps(), (steps) =>
      runHistory(steps, (world) => new Subject(world, () => 0.3)),
    );
    const result = await fc.check(check, { numRuns: 300, seed: 1, endOnFailure: true });
    expect([Subject.name, result.failed]).toEqual([Subject.name, true]);
  }
});
