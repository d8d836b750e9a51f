/**
 * Random histories of a destination's endpoints, and the rule that no stale endpoint is served in any of them.
 *
 * A history is what happens to pods and to the control plane's stream: pods start, stop, crash and come back, an
 * address is taken over by another pod, updates are lost with the stream they were on, the control plane is away and
 * comes back with another picture. `runHistory` plays one against a subject: here the set and the balancer by
 * themselves, in the proxy's tests the whole data path.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Balancer } from "../balance/balancer.ts";
import { EndpointSet, STALE_AFTER_MS } from "../endpoints/endpoint-set.ts";
import { sameEndpoint } from "../endpoints/same-endpoint.ts";
import { type EndpointMeta, type EndpointsUpdate, endpointKey } from "../types/endpoint.ts";

export type HistoryStep =
  /** A pod starts at an address, in place of the one there. */
  | { kind: "start"; address: number; meshed: boolean }
  | { kind: "stop"; address: number }
  /** A pod's labels change. */
  | { kind: "relabel"; address: number }
  /** A pod refuses connections, or accepts them again, and the control plane does not notice. */
  | { kind: "crash"; address: number }
  | { kind: "recover"; address: number }
  /** The oldest updates under way arrive. */
  | { kind: "deliver"; count: number }
  /** The stream ends and the updates under way are lost. */
  | { kind: "break" }
  /** The destination is asked for anew, and the whole set is under way. */
  | { kind: "subscribe" }
  | { kind: "wait"; ms: number }
  | { kind: "request"; count: number };

/** What a history is played against. May be asynchronous, as real connections are. */
export interface HistorySubject {
  /** A stream began: its first endpoints replace all. */
  subscribed(): void | Promise<void>;
  update(update: EndpointsUpdate, nowMs: number): void | Promise<void>;
  /** Time has passed: timers run. */
  wait(nowMs: number): void | Promise<void>;
  /** Sends a request. The endpoint it was sent to, whether it answered or not; null when there was none to send it to. */
  request(nowMs: number): EndpointMeta | null | Promise<EndpointMeta | null>;
  /** All it takes for endpoints, ready or not. */
  endpoints(): EndpointMeta[] | Promise<EndpointMeta[]>;
}

/** The pods, as far as a subject may know: by trying to connect. */
export interface HistoryWorld {
  /** Whether the endpoint accepts the connection, which it does when its pod runs there and is well. */
  connect(endpoint: EndpointMeta, nowMs: number): boolean;
}

/** Few addresses, so that they are taken over often. */
const ADDRESSES = 6;

export function historySteps(): fc.Arbitrary<HistoryStep[]> {
  const address = fc.nat(ADDRESSES - 1);
  const step: fc.Arbitrary<HistoryStep> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("start"), address, meshed: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("stop"), address }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("relabel"), address }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash"), address }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("recover"), address }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("deliver"), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("break") }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("subscribe") }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.integer({ min: 1, max: 2 * STALE_AFTER_MS }) }),
    },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("request"), count: fc.integer({ min: 1, max: 5 }) }) },
  );
  return fc.array(step, { maxLength: 80, size: "max" });
}

/** Plays a history and checks every request and, at the end, that the subject has the control plane's picture. */
export async function runHistory(
  steps: readonly HistoryStep[],
  makeSubject: (world: HistoryWorld) => HistorySubject,
): Promise<void> {
  const history = new History(makeSubject);
  for (const step of steps) await history.play(step);
  await history.finish();
}

class History {
  #nowMs: number;
  #subject: HistorySubject;
  #pods: Pods;
  #underWay: EndpointsUpdate[] | null;
  #told: Told;

  constructor(makeSubject: (world: HistoryWorld) => HistorySubject) {
    this.#nowMs = 1000;
    this.#pods = new Pods();
    this.#told = new Told();
    this.#underWay = null;
    this.#subject = makeSubject({ connect: (endpoint, nowMs) => this.#connect(endpoint, nowMs) });
  }

  async play(step: HistoryStep): Promise<void> {
    switch (step.kind) {
      case "start":
      case "relabel": {
        const endpoint =
          step.kind === "start" ? this.#pods.start(step.address, step.meshed) : this.#pods.relabel(step.address);
        if (endpoint !== null) this.#underWay?.push({ kind: "delta", add: [endpoint], remove: [] });
        break;
      }
      case "stop": {
        const key = this.#pods.stop(step.address);
        if (key === null) break;
        const last = this.#pods.listed().length === 0;
        this.#underWay?.push(last ? { kind: "gone", exists: true } : { kind: "delta", add: [], remove: [key] });
        break;
      }
      case "crash":
      case "recover":
        this.#pods.setWell(step.address, step.kind === "recover");
        break;
      case "deliver":
        await this.#deliver(step.count);
        break;
      case "break":
        this.#underWay = null;
        break;
      case "subscribe":
        await this.#subscribe();
        break;
      case "wait":
        this.#nowMs += step.ms;
        await this.#subject.wait(this.#nowMs);
        break;
      case "request":
        for (let n = 0; n < step.count; n += 1) await this.#request();
        break;
      default:
        unreachable(step);
    }
  }

  /** After a last re-sync, what the subject has is what the control plane has, and it serves whatever is well. */
  async finish(): Promise<void> {
    await this.#subscribe();
    await this.#deliver(Number.POSITIVE_INFINITY);
    const sorted = (endpoints: EndpointMeta[]): EndpointMeta[] =>
      endpoints.toSorted((a, b) => (endpointKey(a) < endpointKey(b) ? -1 : 1));
    expect(sorted(await this.#subject.endpoints())).toEqual(sorted(this.#pods.listed()));
    for (let n = 0; n < 10; n += 1) await this.#request();
  }

  async #subscribe(): Promise<void> {
    const endpoints = this.#pods.listed();
    this.#underWay = [
      endpoints.length === 0 ? { kind: "gone", exists: true } : { kind: "delta", add: endpoints, remove: [] },
    ];
    this.#told.replaceNext();
    await this.#subject.subscribed();
  }

  async #deliver(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const update = this.#underWay?.shift();
      if (update === undefined) return;
      this.#told.hear(update, this.#nowMs);
      // Posting between threads copies: identity of objects must not matter.
      await this.#subject.update(structuredClone(update), this.#nowMs);
    }
  }

  async #request(): Promise<void> {
    this.#nowMs += 1;
    const stale = this.#told.staleKeys();
    const sentTo = await this.#subject.request(this.#nowMs);
    const candidates = this.#told.endpoints().filter((endpoint) => !stale.has(endpointKey(endpoint)));
    if (sentTo === null) {
      expect(candidates).toEqual([]);
      return;
    }
    // As it was last told: the same address with what is true of another pod would be a stale endpoint.
    expect(candidates).toContainEqual(sentTo);
  }

  #connect(endpoint: EndpointMeta, nowMs: number): boolean {
    const accepted = this.#pods.accepts(endpoint);
    this.#told.tried(endpointKey(endpoint), accepted, nowMs);
    return accepted;
  }
}

/** What the subject was told, kept in the plainest way, and what it must have concluded about staleness. */
class Told {
  #endpoints = new Map<string, EndpointMeta>();
  #replace = false;
  #heardMs = 0;
  #refusals = new Map<string, { count: number; firstMs: number; stale: boolean }>();

  replaceNext(): void {
    this.#replace = true;
  }

  hear(update: EndpointsUpdate, nowMs: number): void {
    if (update.kind === "gone" || update.kind === "reset" || (this.#replace && update.add.length > 0)) {
      this.#endpoints = new Map();
      this.#replace = false;
    }
    if (update.kind === "reset")
      for (const endpoint of update.endpoints) this.#endpoints.set(endpointKey(endpoint), endpoint);
    if (update.kind === "delta") {
      for (const endpoint of update.add) this.#endpoints.set(endpointKey(endpoint), endpoint);
      for (const key of update.remove) this.#endpoints.delete(key);
    }
    this.#heardMs = nowMs;
    for (const [key, refusals] of this.#refusals)
      if (refusals.stale || !this.#endpoints.has(key)) this.#refusals.delete(key);
    if (update.kind === "delta") for (const endpoint of update.add) this.#refusals.delete(endpointKey(endpoint));
  }

  tried(key: string, accepted: boolean, nowMs: number): void {
    if (accepted) {
      this.#refusals.delete(key);
      return;
    }
    const refusals = this.#refusals.get(key) ?? { count: 0, firstMs: nowMs, stale: false };
    refusals.count += 1;
    if (refusals.count > 1 && nowMs - Math.max(refusals.firstMs, this.#heardMs) >= STALE_AFTER_MS)
      refusals.stale = true;
    this.#refusals.set(key, refusals);
  }

  staleKeys(): Set<string> {
    return new Set([...this.#refusals].filter(([, refusals]) => refusals.stale).map(([key]) => key));
  }

  endpoints(): EndpointMeta[] {
    return [...this.#endpoints.values()];
  }
}

/** The truth: what runs where. */
class Pods {
  #running = new Map<number, { endpoint: EndpointMeta; well: boolean }>();
  #started = 0;

  start(address: number, meshed: boolean): EndpointMeta {
    this.#started += 1;
    const name = `pod-${this.#started}`;
    const endpoint: EndpointMeta = {
      ip: `10.0.0.${address + 1}`,
      port: 8080,
      weight: 10_000,
      labels: { pod: name },
      tlsIdentity: meshed ? { id: `${name}.identity`, serverName: `${name}.identity` } : null,
      hint: meshed ? "h2" : null,
      opaqueTransportPort: null,
      authorityOverride: null,
      http2: null,
    };
    this.#running.set(address, { endpoint, well: true });
    return endpoint;
  }

  stop(address: number): string | null {
    const pod = this.#running.get(address);
    this.#running.delete(address);
    return pod === undefined ? null : endpointKey(pod.endpoint);
  }

  relabel(address: number): EndpointMeta | null {
    const pod = this.#running.get(address);
    if (pod === undefined) return null;
    this.#started += 1;
    pod.endpoint = { ...pod.endpoint, labels: { ...pod.endpoint.labels, revision: `${this.#started}` } };
    return pod.endpoint;
  }

  setWell(address: number, well: boolean): void {
    const pod = this.#running.get(address);
    if (pod !== undefined) pod.well = well;
  }

  listed(): EndpointMeta[] {
    return Array.from(this.#running.values(), (pod) => pod.endpoint);
  }

  /** A meshed endpoint is refused by the handshake when another pod runs there; nothing proves an unmeshed one. */
  accepts(endpoint: EndpointMeta): boolean {
    const key = endpointKey(endpoint);
    const pod = [...this.#running.values()].find((each) => endpointKey(each.endpoint) === key);
    if (pod === undefined || !pod.well) return false;
    return endpoint.tlsIdentity === null || endpoint.tlsIdentity.id === pod.endpoint.tlsIdentity?.id;
  }
}

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

function unreachable(step: never): never {
  throw new Error(`not a step: ${JSON.stringify(step)}`);
}
