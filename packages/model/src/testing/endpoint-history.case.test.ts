/**
 * Random histories of a destination's endpoints, and the rule that no stale endpoint is served in any of them.
 *
 * A history is what happens to pods and to the control plane's stream: pods start, stop, crash and come back, an
 * address is taken over by another pod, updates are lost with the stream they were on, the control plane is away and
 * comes back with another picture. `runHistory` plays one against a subject: the set and the balancer by
 * themselves, in the proxy's tests the whole data path.
 */
import { expect } from "bun:test";
import fc from "fast-check";
import { STALE_AFTER_MS } from "../endpoints/endpoint-set.ts";
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
    const before = new Map(this.#endpoints);
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
    // What was learnt about an address stays true of the endpoint it was learnt about, however often that is named.
    for (const [key, endpoint] of this.#endpoints)
      if (JSON.stringify(before.get(key)) !== JSON.stringify(endpoint)) this.#refusals.delete(key);
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

function unreachable(step: never): never {
  throw new Error(`not a step: ${JSON.stringify(step)}`);
}
