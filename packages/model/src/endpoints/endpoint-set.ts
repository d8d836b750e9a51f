/**
 * The endpoints of one destination, kept by the control plane's updates.
 *
 * An update is a word of the control plane about the whole set: in order on one stream, it means that everything not
 * mentioned is still as it was. A broken stream may have lost updates, so after it the first addition replaces the
 * set. Until then the set stays as last known, for a control plane that is away must not stop traffic.
 *
 * The staleness rule limits what such a set can do wrong: an endpoint that has refused every connection for a while,
 * with no word of the control plane in all that time, is out until it is reached again or the control plane speaks.
 */
import { type EndpointMeta, type EndpointsUpdate, endpointKey } from "../types/endpoint.ts";
import { sameEndpoint } from "./same-endpoint.ts";

/** Refusing for this long with no word of the control plane makes an endpoint stale. */
export const STALE_AFTER_MS = 10_000;
const NEVER = Number.NEGATIVE_INFINITY;

/** What an update did. Requests must not go to `removed` or to the former metadata of `changed` once it is applied. */
export interface EndpointChanges {
  readonly added: EndpointMeta[];
  readonly changed: EndpointChange[];
  readonly removed: EndpointMeta[];
  /** Were stale, and have another chance now that the control plane stands by them. In none of the other lists. */
  readonly revived: EndpointMeta[];
}

export interface EndpointChange {
  readonly from: EndpointMeta;
  readonly to: EndpointMeta;
}

export class EndpointSet {
  /** False once the control plane said the destination does not exist; null before it said anything. */
  exists: boolean | null;
  #entries: Map<string, Entry>;
  #resyncing: boolean;
  #confirmedMs: number;
  #staleAfterMs: number;

  constructor(staleAfterMs: number = STALE_AFTER_MS) {
    this.exists = null;
    this.#entries = new Map();
    this.#resyncing = false;
    this.#confirmedMs = NEVER;
    this.#staleAfterMs = staleAfterMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): EndpointMeta | null {
    return this.#entries.get(key)?.endpoint ?? null;
  }

  /** A copy, in the order of first arrival. */
  endpoints(): EndpointMeta[] {
    return Array.from(this.#entries.values(), (entry) => entry.endpoint);
  }

  /** The stream ended and the destination is asked for anew: the next addition replaces the set. */
  beginResync(): void {
    this.#resyncing = true;
  }

  /** Applies an update of a stream that is in order. An empty delta changes nothing and confirms the set. */
  apply(update: EndpointsUpdate, nowMs: number): EndpointChanges {
    const changes: EndpointChanges = { added: [], changed: [], removed: [], revived: [] };
    switch (update.kind) {
      case "reset":
        this.#replace(update.endpoints, changes);
        break;
      case "delta":
        if (this.#resyncing && update.add.length > 0) this.#replace(update.add, changes);
        else this.#add(update.add, changes);
        this.#remove(update.remove, changes);
        break;
      case "gone":
        this.#replace([], changes);
        this.exists = update.exists;
        break;
      default:
        unreachable(update);
    }
    // While a re-sync is due, a removal alone says nothing about the rest.
    if (!this.#resyncing) this.#confirm(changes, nowMs);
    return changes;
  }

  /**
   * A connection to the endpoint was refused, reset or timed out before it was established.
   *
   * @returns whether the endpoint is stale now: no request should go to it, trying to connect now and then should go on
   */
  refused(key: string, nowMs: number): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return true;
    if (entry.refusedMs === NEVER) entry.refusedMs = nowMs;
    const sinceMs = Math.max(entry.refusedMs, this.#confirmedMs);
    if (nowMs - sinceMs >= this.#staleAfterMs) entry.stale = true;
    return entry.stale;
  }

  /**
   * A connection to the endpoint was established.
   *
   * @returns whether it may have requests, which is so unless it was removed meanwhile
   */
  reached(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    entry.refusedMs = NEVER;
    entry.stale = false;
    return true;
  }

  isStale(key: string): boolean {
    return this.#entries.get(key)?.stale ?? true;
  }

  #replace(endpoints: readonly EndpointMeta[], changes: EndpointChanges): void {
    this.#resyncing = false;
    const kept = new Set(endpoints.map(endpointKey));
    for (const [key, entry] of this.#entries) {
      if (kept.has(key)) continue;
      this.#entries.delete(key);
      changes.removed.push(entry.endpoint);
    }
    this.#add(endpoints, changes);
    this.exists = true;
  }

  #add(endpoints: readonly EndpointMeta[], changes: EndpointChanges): void {
    if (endpoints.length > 0) this.exists = true;
    // Said twice in one update, the last word counts, and is the only one reported.
    for (const [key, endpoint] of new Map(endpoints.map((each) => [endpointKey(each), each]))) {
      const entry = this.#entries.get(key);
      if (entry === undefined) {
        this.#entries.set(key, new Entry(endpoint));
        changes.added.push(endpoint);
      } else if (!sameEndpoint(entry.endpoint, endpoint)) {
        changes.changed.push({ from: entry.endpoint, to: endpoint });
        // What was learnt about the address was learnt about what ran there before.
        this.#entries.set(key, new Entry(endpoint));
      }
    }
  }

  /** Additions of the same update apply first: what is in both is gone. */
  #remove(keys: readonly string[], changes: EndpointChanges): void {
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      this.#entries.delete(key);
      const addedAt = changes.added.indexOf(entry.endpoint);
      if (addedAt >= 0) {
        changes.added.splice(addedAt, 1);
        continue;
      }
      const changedAt = changes.changed.findIndex((change) => change.to === entry.endpoint);
      changes.removed.push(changes.changed[changedAt]?.from ?? entry.endpoint);
      if (changedAt >= 0) changes.changed.splice(changedAt, 1);
    }
  }

  #confirm(changes: EndpointChanges, nowMs: number): void {
    this.#confirmedMs = nowMs;
    for (const entry of this.#entries.values()) {
      if (!entry.stale) continue;
      entry.stale = false;
      entry.refusedMs = NEVER;
      changes.revived.push(entry.endpoint);
    }
  }
}

class Entry {
  readonly endpoint: EndpointMeta;
  /** The first refusal since a connection was established, NEVER when there was none. */
  refusedMs: number;
  stale: boolean;

  constructor(endpoint: EndpointMeta) {
    this.endpoint = endpoint;
    this.refusedMs = NEVER;
    this.stale = false;
  }
}

function unreachable(update: never): never {
  throw new Error(`not an endpoints update: ${JSON.stringify(update)}`);
}
