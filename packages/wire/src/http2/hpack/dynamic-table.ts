import {
  copyBytes,
  FIELD_LIST_STRIDE,
  FIELD_META,
  FIELD_NAME_AT,
  FIELD_OVERHEAD_BYTES,
  FIELD_VALUE_AT,
  FIELD_VALUE_END,
} from "../fields.ts";

/** RFC 9113 §6.5.2: what SETTINGS_HEADER_TABLE_SIZE is before any SETTINGS. */
export const TABLE_BYTES_DEFAULT = 4096;

const ENTRIES_MIN = 8;
const ARENA_STEP_BYTES = 512;
const EMPTY = new Int32Array(0);

/**
 * RFC 7541 §2.3.2. The entries' bytes lie in a log: a new one goes behind the last, and when the arena is full the living
 * ones move to its front. So an entry is one range, and stays where it is while a block is decoded, even when it is evicted
 * meanwhile: decoded fields point into the log and nothing is copied for an indexed field.
 *
 *   bytes    [ prefix | evicted … | living entries, oldest first | free, from `end` on ]
 *
 * `entries` is a ring of FieldList entries, numbered by `inserted`; the newest is number inserted - 1 and has index 62.
 */
export class DynamicTable {
  bytes: Uint8Array;
  end: number;
  entries: Int32Array = EMPTY;
  /** Ring slots - 1; a power of two less one. */
  mask = -1;
  /** Entries ever inserted, as an int32 that wraps. */
  inserted = 0;
  count = 0;
  /** RFC 7541 §4.1. */
  tableBytes = 0;
  tableBytesMax: number = TABLE_BYTES_DEFAULT;
  /** Changes whenever an index may mean something else than before. */
  version = 0;
  private readonly prefix: Uint8Array;

  /** `prefix` stays at the front of the arena; it is not copied before there is something to put behind it. */
  constructor(prefix: Uint8Array) {
    this.prefix = prefix;
    this.bytes = prefix;
    this.end = prefix.length;
  }

  /** The offset in `entries` of the entry with dynamic index `index` (0 the newest), which exists. */
  entryAt(index: number): number {
    return ((this.inserted - 1 - index) & this.mask) * FIELD_LIST_STRIDE;
  }

  /**
   * RFC 7541 §4.4. The bytes are in the log at `nameAt`, at or behind `end`. An entry larger than the table empties it and
   * is not kept: false then.
   */
  insert(nameAt: number, valueAt: number, valueEnd: number, meta: number): boolean {
    const entryBytes = valueEnd - nameAt + FIELD_OVERHEAD_BYTES;
    this.version++;
    this.evictTo(this.tableBytesMax - entryBytes);
    if (entryBytes > this.tableBytesMax) return false;
    if (this.count > this.mask) this.growRing();
    const entry = (this.inserted & this.mask) * FIELD_LIST_STRIDE;
    const entries = this.entries;
    entries[entry + FIELD_NAME_AT] = nameAt;
    entries[entry + FIELD_VALUE_AT] = valueAt;
    entries[entry + FIELD_VALUE_END] = valueEnd;
    entries[entry + FIELD_META] = meta;
    this.inserted = (this.inserted + 1) | 0;
    this.count++;
    this.tableBytes += entryBytes;
    this.end = valueEnd;
    return true;
  }

  /** RFC 7541 §4.3. */
  resize(bytesMax: number): void {
    if (bytesMax < this.tableBytes) {
      this.evictTo(bytesMax);
      this.version++;
    }
    this.tableBytesMax = bytesMax;
  }

  /**
   * Makes room for `bytes` behind `end`, moving the living entries to the front, into a new arena where the present one is
   * too small or needlessly large.
   */
  makeRoom(bytes: number): void {
    const live = this.tableBytes - this.count * FIELD_OVERHEAD_BYTES;
    const fixed = this.prefix.length;
    const needed = fixed + live + bytes;
    // Half of what lives as a reserve: each byte inserted then costs at most three copied later.
    const wanted = roundUp(needed + (live >> 1), ARENA_STEP_BYTES);
    const from = this.bytes;
    let to = from;
    if (from.length < needed || from.length > wanted * 2 || from === this.prefix) {
      to = new Uint8Array(wanted);
      to.set(this.prefix);
    }
    this.bytes = to;
    this.end = this.moveEntries(from, to, fixed);
  }

  private moveEntries(from: Uint8Array, to: Uint8Array, at: number): number {
    const entries = this.entries;
    let end = at;
    for (let index = this.count - 1; index >= 0; index--) {
      const entry = this.entryAt(index);
      const nameAt = entries[entry + FIELD_NAME_AT]!;
      const shift = end - nameAt;
      copyBytes(from, nameAt, entries[entry + FIELD_VALUE_END]!, to, end);
      entries[entry + FIELD_NAME_AT] = end;
      entries[entry + FIELD_VALUE_AT] = entries[entry + FIELD_VALUE_AT]! + shift;
      end = entries[entry + FIELD_VALUE_END]! + shift;
      entries[entry + FIELD_VALUE_END] = end;
    }
    return end;
  }

  private evictTo(bytesMax: number): void {
    const entries = this.entries;
    while (this.tableBytes > bytesMax && this.count > 0) {
      const entry = this.entryAt(this.count - 1);
      this.tableBytes -= entries[entry + FIELD_VALUE_END]! - entries[entry + FIELD_NAME_AT]! + FIELD_OVERHEAD_BYTES;
      this.count--;
    }
  }

  private growRing(): void {
    const mask = this.entries.length === 0 ? ENTRIES_MIN - 1 : this.mask * 2 + 1;
    const grown = new Int32Array((mask + 1) * FIELD_LIST_STRIDE);
    for (let index = 0; index < this.count; index++) {
      const from = this.entryAt(index);
      const to = ((this.inserted - 1 - index) & mask) * FIELD_LIST_STRIDE;
      for (let i = 0; i < FIELD_LIST_STRIDE; i++) grown[to + i] = this.entries[from + i]!;
    }
    this.entries = grown;
    this.mask = mask;
  }
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
