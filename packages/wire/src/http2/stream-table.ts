import { assert } from "../assert.ts";
import type { Http2Stream } from "./stream.ts";

const CAPACITY_MIN = 8;

/**
 * Spreads ids of different blocks over the table so that a peer cannot choose ids that collide. Ids of one block, which
 * is what an honest peer's concurrent streams are, never collide with each other.
 */
const SECRET: number = Math.floor(Math.random() * 0x4000_0000) * 2 + 1;

/** Streams by id: open addressing with linear probing, at most half full. A look-up is one load for an honest peer. */
export class StreamTable<U> {
  private slots: (Http2Stream<U> | null)[];
  private bits: number;
  count: number;

  constructor() {
    this.slots = emptySlots(CAPACITY_MIN);
    this.bits = Math.log2(CAPACITY_MIN);
    this.count = 0;
  }

  get(id: number): Http2Stream<U> | null {
    const slots = this.slots;
    const mask = slots.length - 1;
    let slot = home(id, this.bits);
    for (;;) {
      const stream = slots[slot]!;
      if (stream === null || stream.id === id) return stream;
      slot = (slot + 1) & mask;
    }
  }

  put(stream: Http2Stream<U>): void {
    if (++this.count * 2 > this.slots.length) this.resize(this.slots.length * 2);
    place(this.slots, this.bits, stream);
  }

  remove(stream: Http2Stream<U>): void {
    const slots = this.slots;
    const mask = slots.length - 1;
    let hole = home(stream.id, this.bits);
    while (slots[hole] !== stream) {
      assert(slots[hole] !== null);
      hole = (hole + 1) & mask;
    }
    slots[hole] = null;
    this.count--;
    // Whoever probed past the hole moves into it, so that no search ends there too early.
    for (let slot = (hole + 1) & mask; ; slot = (slot + 1) & mask) {
      const next = slots[slot]!;
      if (next === null) break;
      if (((slot - home(next.id, this.bits)) & mask) < ((slot - hole) & mask)) continue;
      slots[hole] = next;
      slots[slot] = null;
      hole = slot;
    }
    if (slots.length > 256 && this.count * 16 < slots.length) this.resize(slots.length >> 2);
  }

  /** The streams of this moment, for walks during which streams may come and go. */
  list(): Http2Stream<U>[] {
    const streams: Http2Stream<U>[] = [];
    for (const stream of this.slots) {
      if (stream !== null) streams.push(stream);
    }
    return streams;
  }

  private resize(capacity: number): void {
    const old = this.slots;
    this.slots = emptySlots(capacity);
    this.bits = Math.log2(capacity);
    for (const stream of old) {
      if (stream !== null) place(this.slots, this.bits, stream);
    }
  }
}

function place<U>(slots: (Http2Stream<U> | null)[], bits: number, stream: Http2Stream<U>): void {
  const mask = slots.length - 1;
  let slot = home(stream.id, bits);
  while (slots[slot] !== null) slot = (slot + 1) & mask;
  slots[slot] = stream;
}

function home(id: number, bits: number): number {
  const key = id >>> 1;
  return (key ^ (Math.imul(key >>> bits, SECRET) >>> (32 - bits))) & ((1 << bits) - 1);
}

function emptySlots<U>(capacity: number): (Http2Stream<U> | null)[] {
  return Array.from<Http2Stream<U> | null>({ length: capacity }).fill(null);
}
