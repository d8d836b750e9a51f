import { copyBytes, FIELD_META, FIELD_NAME_AT, FIELD_VALUE_AT, FIELD_VALUE_END, META_NAME_ID } from "../fields.ts";
import { NAME_IDS, type NameId } from "../name-id.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { STATIC_COUNT } from "./static-table.ts";

const NO_PREFIX = new Uint8Array(0);
const EMPTY = new Int32Array(0);
/** Chains of names that have no id, by a hash of the name. */
const NAME_CHAINS = 32;
/** How far a chain is followed: an older entry is soon evicted anyway, and a peer cannot make us search for long. */
const CHAIN_STEPS_MAX = 16;
/** An index below 127 is one byte (RFC 7541 §6.1). */
const ONE_BYTE_INDEXES = 0x7f - STATIC_COUNT - 1;
const SEEN_SLOTS = 64;
const SPARE_BYTES = 256;

/**
 * The dynamic table with an index by name. Entries of one name form a chain from the newest to the oldest, whose links
 * are values of `inserted` right after the insertion: what they point to is alive when it is less than `count` insertions
 * ago, so eviction needs no unlinking, and a link to the dead ends the chain.
 */
export class EncoderTable extends DynamicTable {
  /** After find(): the index of the newest entry with that name, 0 when there is none. */
  nameIndex = 0;
  /** By NameId, then by hash of other names. */
  private heads = EMPTY;
  /** The next older link, by ring slot. */
  private links = EMPTY;
  /** Hashes of fields met once. */
  private seen = EMPTY;

  constructor() {
    super(NO_PREFIX);
  }

  /**
   * The index of the newest entry of that interned name, if it has this value and the index fits one byte; 0 otherwise.
   * Finds most of what find() would, at half the cost.
   */
  newest(id: NameId, bytes: Uint8Array, valueAt: number, valueEnd: number): number {
    if (this.count === 0) return 0;
    const index = (this.inserted - this.heads[id]!) | 0;
    if (index < 0 || index >= this.count || index >= ONE_BYTE_INDEXES || id === 0) return 0;
    const entry = this.entryAt(index);
    const entries = this.entries;
    const at = entries[entry + FIELD_VALUE_AT]!;
    if ((entries[entry + FIELD_META]! & META_NAME_ID) !== id) return 0;
    return sameBytes(this.bytes, at, entries[entry + FIELD_VALUE_END]!, bytes, valueAt, valueEnd)
      ? STATIC_COUNT + 1 + index
      : 0;
  }

  /** The index of that very field, 0 when it is not in the table. */
  find(id: NameId, bytes: Uint8Array, nameAt: number, valueAt: number, valueEnd: number): number {
    this.nameIndex = 0;
    if (this.count === 0) return 0;
    const entries = this.entries;
    let index = (this.inserted - this.heads[chainOf(id, bytes, nameAt, valueAt)]!) | 0;
    for (let step = 0; step < CHAIN_STEPS_MAX && index >= 0 && index < this.count; step++) {
      const entry = this.entryAt(index);
      if (this.nameMatches(entry, id, bytes, nameAt, valueAt)) {
        if (this.nameIndex === 0) this.nameIndex = STATIC_COUNT + 1 + index;
        const at = entries[entry + FIELD_VALUE_AT]!;
        if (sameBytes(this.bytes, at, entries[entry + FIELD_VALUE_END]!, bytes, valueAt, valueEnd)) {
          return STATIC_COUNT + 1 + index;
        }
      }
      index = (this.inserted - this.links[(this.inserted - 1 - index) & this.mask]!) | 0;
    }
    return 0;
  }

  /** Inserts a field, which fits the table. */
  add(id: NameId, bytes: Uint8Array, nameAt: number, valueAt: number, valueEnd: number): void {
    const fieldBytes = valueEnd - nameAt;
    if (this.end + fieldBytes > this.bytes.length) this.makeRoom(fieldBytes + SPARE_BYTES);
    const at = this.end;
    copyBytes(bytes, nameAt, valueEnd, this.bytes, at);
    this.insert(at, at + valueAt - nameAt, at + fieldBytes, id);
    if (this.links.length !== this.mask + 1) this.growLinks();
    if (this.heads.length === 0) this.heads = new Int32Array(NAME_IDS + NAME_CHAINS);
    const chain = chainOf(id, bytes, nameAt, valueAt);
    this.links[(this.inserted - 1) & this.mask] = this.heads[chain]!;
    this.heads[chain] = this.inserted;
  }

  /** Whether that field was asked for lately; it is remembered if not. Rarely wrong, and then only wasteful. */
  seenBefore(bytes: Uint8Array, nameAt: number, valueEnd: number): boolean {
    if (this.seen.length === 0) this.seen = new Int32Array(SEEN_SLOTS);
    const hash = hashOf(bytes, nameAt, valueEnd);
    const slot = hash & (SEEN_SLOTS - 1);
    if (this.seen[slot] === hash) return true;
    this.seen[slot] = hash;
    return false;
  }

  private nameMatches(entry: number, id: NameId, bytes: Uint8Array, nameAt: number, valueAt: number): boolean {
    const entries = this.entries;
    if ((entries[entry + FIELD_META]! & META_NAME_ID) !== id) return false;
    return (
      id !== 0 ||
      sameBytes(this.bytes, entries[entry + FIELD_NAME_AT]!, entries[entry + FIELD_VALUE_AT]!, bytes, nameAt, valueAt)
    );
  }

  private growLinks(): void {
    const grown = new Int32Array(this.mask + 1);
    const maskBefore = this.links.length - 1;
    for (let index = 1; index < this.count; index++) {
      const number = this.inserted - 1 - index;
      grown[number & this.mask] = this.links[number & maskBefore]!;
    }
    this.links = grown;
  }
}

function chainOf(id: NameId, bytes: Uint8Array, nameAt: number, nameEnd: number): number {
  return id !== 0 ? id : NAME_IDS + (hashOf(bytes, nameAt, nameEnd) & (NAME_CHAINS - 1));
}

/** FNV-1a, folded so that low bits depend on all. */
function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = at; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The last byte goes first: there, values of one name differ more often than at their start. Then four a turn. */
function sameBytes(a: Uint8Array, aAt: number, aEnd: number, b: Uint8Array, bAt: number, bEnd: number): boolean {
  if (bEnd - bAt !== aEnd - aAt) return false;
  if (aAt === aEnd) return true;
  if (a[aEnd - 1] !== b[bEnd - 1]) return false;
  let p = aAt;
  let q = bAt;
  for (; p + 4 <= aEnd; p += 4, q += 4) {
    const unlike = (a[p]! ^ b[q]!) | (a[p + 1]! ^ b[q + 1]!) | (a[p + 2]! ^ b[q + 2]!) | (a[p + 3]! ^ b[q + 3]!);
    if (unlike !== 0) return false;
  }
  for (; p < aEnd; p++, q++) {
    if (a[p] !== b[q]) return false;
  }
  return true;
}
