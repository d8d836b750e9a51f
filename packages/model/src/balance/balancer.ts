/**
 * Power of two choices: of two endpoints drawn at random the one with the lower load takes the request. Close to the
 * best choice among all at a cost that does not grow with their number, and no herd runs to the one best endpoint.
 *
 * Ready slots lie side by side in an array. Becoming ready appends; leaving moves the last one into the gap.
 */
import type { LoadParams } from "../types/policy.ts";
import { Slot } from "./slot.ts";

export class Balancer<E> {
  #load: LoadParams;
  #random: () => number;
  #slots: Map<string, Slot<E>>;
  #ready: Slot<E>[];

  /** @param random uniform in [0, 1) */
  constructor(load: LoadParams, random: () => number) {
    this.#load = load;
    this.#random = random;
    this.#slots = new Map();
    this.#ready = [];
  }

  get size(): number {
    return this.#slots.size;
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  get(key: string): Slot<E> | null {
    return this.#slots.get(key) ?? null;
  }

  slots(): IterableIterator<Slot<E>> {
    return this.#slots.values();
  }

  /** Adds an endpoint, not ready yet. One with the same key is removed first: what was said before holds no longer. */
  add(key: string, endpoint: E, nowMs: number): Slot<E> {
    this.remove(key);
    const slot = new Slot(key, endpoint, this.#load, nowMs);
    this.#slots.set(key, slot);
    return slot;
  }

  /** The removed slot, null when there was none. No later pick returns it. */
  remove(key: string): Slot<E> | null {
    const slot = this.#slots.get(key);
    if (slot === undefined) return null;
    this.setReady(slot, false);
    slot.removed = true;
    this.#slots.delete(key);
    return slot;
  }

  /** A removed slot stays out whatever is said about it. */
  setReady(slot: Slot<E>, ready: boolean): void {
    if (slot.ready === ready || slot.removed) return;
    if (ready) {
      slot.readyAt = this.#ready.length;
      this.#ready.push(slot);
      return;
    }
    const last = this.#ready.pop();
    if (last !== undefined && last !== slot) {
      this.#ready[slot.readyAt] = last;
      last.readyAt = slot.readyAt;
    }
    slot.readyAt = -1;
  }

  /** The slot the next request goes to, null when none is ready. Call its `start` with the request. */
  pick(nowMs: number): Slot<E> | null {
    const count = this.#ready.length;
    if (count < 2) return this.#ready[0] ?? null;
    // One draw of count × (count − 1) ordered pairs gives two distinct places.
    const pair = Math.floor(this.#random() * (count * (count - 1)));
    const firstAt = Math.floor(pair / (count - 1));
    const rest = pair - firstAt * (count - 1);
    const first = this.#ready[firstAt] as Slot<E>;
    const second = this.#ready[rest < firstAt ? rest : rest + 1] as Slot<E>;
    return first.load(nowMs) <= second.load(nowMs) ? first : second;
  }
}
