import type { FieldList } from "../fields.ts";

/** The version of blocks that mean the same whatever the dynamic table holds. */
export const ANY_VERSION = -1;

const SLOTS = 32;
/** Larger blocks and lists are not kept: they are rare, and decoding is not what they cost. */
const BLOCK_BYTES_MAX = 512;
const LIST_BYTES_MAX = 4096;
/** All of one connection's lists together, as heldBytes() counts. */
const HELD_BYTES_MAX = 16 * 1024;
/** What a list costs beyond its arrays' contents: three objects. */
const LIST_OVERHEAD_BYTES = 256;
/** Keeping a list costs as much as decoding several blocks; so at most one block in eight is kept, 8 at once at most. */
const CREDIT_MAX = 64;
const KEEP_CREDIT = 8;

const NO_HASHES = new Int32Array(0);

/**
 * Header blocks that came before, with the lists they stand for: the same bytes at the same state of the dynamic table give
 * the same list object. A block is kept when it comes the second time, so a peer that never repeats itself costs one
 * hash a block and 128 bytes. A list that falls out stays valid for whoever holds it; it is never used again here.
 *
 * Two-way set associative: a block is in slot hash % 32 or its neighbour.
 */
export class DecodedBlocks {
  private lists: (FieldList | null)[] = [];
  private versions: number[] = [];
  private hashes = NO_HASHES;
  /** By slot: the hash of a block met once. */
  private seen = NO_HASHES;
  /** Of the block last looked for, which offer() is then about. */
  private hash = 0;
  private held = 0;
  private credit = CREDIT_MAX;
  private hand = 0;

  /** The list of the block [at, end), null when there is none. */
  find(bytes: Uint8Array, at: number, end: number, version: number): FieldList | null {
    const hash = blockHash(bytes, at, end);
    this.hash = hash;
    if (this.hashes.length === 0) return null;
    const slot = hash & (SLOTS - 1);
    return this.hit(slot, hash, bytes, at, end, version) ?? this.hit(slot ^ 1, hash, bytes, at, end, version);
  }

  /**
   * The block [at, end), for which find() was asked last, came to `list` and changed nothing. Returns a shared copy if it is
   * kept, else null.
   */
  offer(bytes: Uint8Array, at: number, end: number, version: number, list: FieldList): FieldList | null {
    if (this.credit < CREDIT_MAX) this.credit++;
    if (end - at > BLOCK_BYTES_MAX || list.listBytes > LIST_BYTES_MAX) return null;
    if (!this.secondSight() || this.credit < KEEP_CREDIT) return null;
    this.credit -= KEEP_CREDIT;
    return this.keep(bytes, at, end, version, list);
  }

  private hit(
    slot: number,
    hash: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    version: number,
  ): FieldList | null {
    if (this.hashes[slot] !== hash) return null;
    const list = this.lists[slot]!;
    const known = this.versions[slot]!;
    if (list === null || (known !== version && known !== ANY_VERSION)) return null;
    return isBlockOf(list, bytes, at, end) ? list : null;
  }

  private secondSight(): boolean {
    if (this.seen.length === 0) this.seen = new Int32Array(SLOTS);
    const slot = this.hash & (SLOTS - 1);
    if (this.seen[slot] === this.hash) return true;
    this.seen[slot] = this.hash;
    return false;
  }

  private keep(bytes: Uint8Array, at: number, end: number, version: number, list: FieldList): FieldList {
    if (this.hashes.length === 0) this.allocate();
    const copy = list.sharedCopy(end - at);
    for (let i = at, to = copy.end; i < end; i++, to++) copy.bytes[to] = bytes[i]!;
    const slot = this.slotFor(version);
    this.evict(slot);
    this.held += heldBytes(copy);
    while (this.held > HELD_BYTES_MAX) this.evict(this.hand++ & (SLOTS - 1));
    this.lists[slot] = copy;
    this.versions[slot] = version;
    this.hashes[slot] = this.hash;
    return copy;
  }

  /** One that is free or of no use any more if possible. */
  private slotFor(version: number): number {
    const slot = this.hash & (SLOTS - 1);
    if (this.isStale(slot, version)) return slot;
    if (this.isStale(slot ^ 1, version)) return slot ^ 1;
    return slot ^ (this.hand++ & 1);
  }

  private isStale(slot: number, version: number): boolean {
    const known = this.versions[slot]!;
    return this.lists[slot] === null || (known !== ANY_VERSION && known !== version && version !== ANY_VERSION);
  }

  private evict(slot: number): void {
    const list = this.lists[slot]!;
    if (list === null) return;
    this.held -= heldBytes(list);
    this.lists[slot] = null;
  }

  private allocate(): void {
    this.hashes = new Int32Array(SLOTS);
    this.lists = Array.from({ length: SLOTS }, () => null);
    this.versions = Array.from({ length: SLOTS }, () => 0);
  }
}

/** The block lies behind the fields in a kept list's arena. */
function isBlockOf(list: FieldList, bytes: Uint8Array, at: number, end: number): boolean {
  const kept = list.bytes;
  const from = list.end;
  const length = end - at;
  if (kept.length - from !== length) return false;
  for (let i = 0; i < length; i++) {
    if (kept[from + i] !== bytes[at + i]) return false;
  }
  return true;
}

function heldBytes(list: FieldList): number {
  return list.bytes.length + list.entries.length * 4 + LIST_OVERHEAD_BYTES;
}

/** Four bytes a turn: a multiplication for each byte would take most of a hit's time. Exported for the test only. */
export function blockHash(bytes: Uint8Array, at: number, end: number): number {
  let hash = end - at;
  let i = at;
  for (; i + 4 <= end; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash ^ (hash >>> 13);
}
