import {
  copyBytes,
  FIELD_LIST_STRIDE,
  FIELD_META,
  FIELD_NAME_AT,
  FIELD_OVERHEAD_BYTES,
  FIELD_VALUE_AT,
  FIELD_VALUE_END,
  FieldList,
  META_NAME_ID,
  META_NEVER_INDEXED,
} from "../fields.ts";
import { nameIdOf } from "../name-id.ts";
import { ANY_VERSION, DecodedBlocks } from "./decoded-blocks.ts";
import { DynamicTable, TABLE_BYTES_DEFAULT } from "./dynamic-table.ts";
import { HpackStep } from "./hpack-step.ts";
import { huffmanDecode, huffmanDecodedBytes, huffmanDecodedMax } from "./huffman.ts";
import { STATIC_BYTES, STATIC_COUNT, STATIC_ENTRIES } from "./static-table.ts";

export interface HpackLimits {
  /** Our SETTINGS_HEADER_TABLE_SIZE. */
  readonly tableBytesMax: number;
  /** Our SETTINGS_MAX_HEADER_LIST_SIZE, counted as RFC 9113 §6.5.2 says. */
  readonly listBytesMax: number;
  readonly fieldsMax: number;
}

/** RFC 7541 §5.1 leaves a bound to us: larger numbers, and numbers written longer than this many bytes, are errors. */
const INTEGER_MAX = (1 << 28) - 1;
const INTEGER_SHIFT_MAX = 28;

/** A literal that may come to more than this is measured before anything is written. */
const LITERAL_TRUSTED_BYTES = 4096;
const NEVER_INDEXED = 0x10;
/** An arena larger than this and twice the table shrinks before the next block, when its list is of no use any more. */
const ARENA_BYTES_KEPT = 8 * 1024;
/** Room made for what a block has yet to bring, as far as it can be. */
const AHEAD_BYTES = 1024;
/** Free arena kept behind a block's fields, so that a few added by the list's user find room. */
const SPARE_BYTES = 256;

/** Decodes the header blocks of one connection's one direction (RFC 7541). */
export class HpackDecoder {
  /** What decode() came to: a scratch list, valid until the next decode(), or a shared one. */
  fields: FieldList;
  readonly table: DynamicTable = new DynamicTable(STATIC_BYTES);
  private readonly limits: HpackLimits;
  private readonly scratch = new FieldList();
  /** What size updates may ask for: the default until our SETTINGS are acknowledged, or ours where larger. */
  private tableBytesLimit: number;
  /** RFC 7541 §4.2: our acknowledged limit is below the table's size, so the next block must begin with an update. */
  private updateDue = false;
  private readonly blocks = new DecodedBlocks();
  private tooLarge = false;
  /** The present block left table and limits as they were and holds no secrets, so its list may be remembered. */
  private repeatable = false;
  /** The present block refers to the dynamic table. */
  private dynamic = false;

  /** Where the integer or string head read last ended: kept here because a method returns one number. */
  private next = 0;
  private readonly name = new StringHead();
  private readonly value = new StringHead();

  constructor(limits: HpackLimits) {
    this.limits = limits;
    this.fields = this.scratch;
    this.tableBytesLimit = Math.max(limits.tableBytesMax, TABLE_BYTES_DEFAULT);
  }

  /** The peer acknowledged our SETTINGS: from here on it must keep to our table size. */
  settingsAcknowledged(): void {
    this.tableBytesLimit = this.limits.tableBytesMax;
    this.updateDue = this.table.tableBytesMax > this.tableBytesLimit;
  }

  /** Decodes the complete block [at, end) and reads nothing else. The result is in `fields`. */
  decode(bytes: Uint8Array, at: number, end: number): HpackStep {
    if (!this.updateDue) {
      const known = this.blocks.find(bytes, at, end, this.table.version);
      if (known !== null) {
        this.fields = known;
        return HpackStep.Ok;
      }
    }
    return this.decodeNew(bytes, at, end);
  }

  private decodeNew(bytes: Uint8Array, at: number, end: number): HpackStep {
    const scratch = this.scratch;
    const table = this.table;
    if (table.bytes.length > ARENA_BYTES_KEPT + 2 * table.tableBytesMax) this.trim();
    this.fields = scratch;
    this.tooLarge = false;
    this.repeatable = true;
    this.dynamic = false;
    scratch.count = 0;
    scratch.listBytes = 0;
    scratch.bytes = table.bytes;
    scratch.end = table.end;
    const p = this.sizeUpdates(bytes, at, end);
    if (p < 0 || !this.decodeFields(bytes, p, end)) return HpackStep.CompressionError;
    if (this.tooLarge) return HpackStep.ListTooLarge;
    if (this.repeatable) {
      const kept = this.blocks.offer(bytes, at, end, this.dynamic ? table.version : ANY_VERSION, scratch);
      if (kept !== null) this.fields = kept;
    }
    return HpackStep.Ok;
  }

  /** Frees what a large block left behind. For when nobody holds `fields`, as before a connection idles. */
  trim(): void {
    const table = this.table;
    if (table.bytes === STATIC_BYTES) return;
    table.makeRoom(0);
    this.scratch.count = 0;
    this.scratch.bytes = table.bytes;
    this.scratch.end = table.end;
  }

  /** RFC 7541 §4.2: only at a block's start. Returns the first field's offset, -1 for an error. */
  private sizeUpdates(bytes: Uint8Array, at: number, end: number): number {
    let p = at;
    while (p < end && (bytes[p]! & 0xe0) === 0x20) {
      const bytesMax = this.integer(bytes, p, end, 0x1f);
      if (bytesMax < 0 || bytesMax > this.tableBytesLimit) return -1;
      this.table.resize(bytesMax);
      this.updateDue = false;
      this.repeatable = false;
      p = this.next;
    }
    return this.updateDue ? -1 : p;
  }

  private decodeFields(bytes: Uint8Array, at: number, end: number): boolean {
    let p = at;
    while (p >= 0 && p < end) {
      if (!this.tooLarge) p = this.indexedRun(bytes, p, end);
      if (p < 0 || p === end) break;
      const first = bytes[p]!;
      if (first >= 0x80) {
        const index = this.integer(bytes, p, end, 0x7f);
        if (index <= 0 || !this.indexed(index)) return false;
        p = this.next;
      } else {
        p = this.literal(bytes, p, end, first);
      }
    }
    return p >= 0;
  }

  /**
   * Fields of one byte each, in a row, which most blocks consist of: all that indexed() does, in one loop over locals.
   * Returns where it stopped, be it at something else or for want of room, or -1 for an index beyond the tables.
   */
  private indexedRun(bytes: Uint8Array, at: number, end: number): number {
    const { scratch, table, limits } = this;
    const newest = table.inserted - 1;
    const to = scratch.entries;
    const stop = Math.min(to.length, limits.fieldsMax * FIELD_LIST_STRIDE);
    const listBytesMax = limits.listBytesMax;
    let listBytes = scratch.listBytes;
    let field = scratch.count * FIELD_LIST_STRIDE;
    let p = at;
    for (; p < end; p++) {
      const index = bytes[p]! - 0x80;
      if (index <= 0 || index === 0x7f || field === stop) break;
      let from = STATIC_ENTRIES;
      let entry = index * FIELD_LIST_STRIDE;
      if (index > STATIC_COUNT) {
        const dynamic = index - STATIC_COUNT - 1;
        if (dynamic >= table.count) return -1;
        this.dynamic = true;
        from = table.entries;
        entry = ((newest - dynamic) & table.mask) * FIELD_LIST_STRIDE;
      }
      const nameAt = from[entry + FIELD_NAME_AT]!;
      const valueEnd = from[entry + FIELD_VALUE_END]!;
      const listBytesThen = listBytes + valueEnd - nameAt + FIELD_OVERHEAD_BYTES;
      if (listBytesThen > listBytesMax) break;
      listBytes = listBytesThen;
      to[field + FIELD_NAME_AT] = nameAt;
      to[field + FIELD_VALUE_AT] = from[entry + FIELD_VALUE_AT]!;
      to[field + FIELD_VALUE_END] = valueEnd;
      to[field + FIELD_META] = from[entry + FIELD_META]!;
      field += FIELD_LIST_STRIDE;
    }
    scratch.listBytes = listBytes;
    scratch.count = field / FIELD_LIST_STRIDE;
    return p;
  }

  /** RFC 7541 §6.1. The field points to where the entry's bytes are; nothing is copied. */
  private indexed(index: number): boolean {
    let entries = STATIC_ENTRIES;
    let entry = index * FIELD_LIST_STRIDE;
    if (index > STATIC_COUNT) {
      const dynamic = index - STATIC_COUNT - 1;
      if (dynamic >= this.table.count) return false;
      this.dynamic = true;
      entries = this.table.entries;
      entry = this.table.entryAt(dynamic);
    }
    const nameAt = entries[entry + FIELD_NAME_AT]!;
    this.keep(
      nameAt,
      entries[entry + FIELD_VALUE_AT]!,
      entries[entry + FIELD_VALUE_END]!,
      entries[entry + FIELD_META]!,
    );
    return true;
  }

  /**
   * RFC 7541 §6.2. Both strings' heads are read before any byte is written, so that room is made once. Returns the offset
   * behind the field, -1 for an error.
   */
  private literal(bytes: Uint8Array, at: number, end: number, first: number): number {
    const indexing = first >= 0x40;
    if (!indexing && first >= 0x20) return -1; // A size update behind a field.
    const nameIndex = this.integer(bytes, at, end, indexing ? 0x3f : 0x0f);
    if (nameIndex < 0 || nameIndex > STATIC_COUNT + this.table.count) return -1;
    if (nameIndex > STATIC_COUNT) this.dynamic = true;
    // What a never-indexed literal says is not to be kept either (RFC 7541 §7.1.3).
    if (indexing || first >= NEVER_INDEXED) this.repeatable = false;
    const name = this.name;
    if (nameIndex !== 0) name.empty(this.next);
    else if (!this.string(bytes, end, name)) return -1;
    if (!this.string(bytes, end, this.value)) return -1;
    const next = this.next;

    let need = this.nameBytesOf(nameIndex) + name.decodedMax + this.value.decodedMax;
    if (need > LITERAL_TRUSTED_BYTES) {
      const nameBytes = name.measure(bytes);
      const valueBytes = this.value.measure(bytes);
      if (nameBytes < 0 || valueBytes < 0) return -1;
      need = this.nameBytesOf(nameIndex) + nameBytes + valueBytes;
      if (this.fitsNowhere(need, indexing)) {
        this.tooLarge = true;
        if (indexing) this.table.insert(0, 0, need, 0);
        return next;
      }
    }
    // One byte more, which Huffman decoding may write to.
    if (this.scratch.end + need + 1 > this.table.bytes.length) this.makeRoom(need + 1, end - next);
    return this.store(bytes, first, nameIndex) ? next : -1;
  }

  /** Decodes the literal whose strings' heads were read, to the end of the arena, where there is room. */
  private store(bytes: Uint8Array, first: number, nameIndex: number): boolean {
    const scratch = this.scratch;
    const table = this.table;
    const arena = table.bytes;
    const nameAt = scratch.end;
    let meta = 0;
    let valueAt = nameAt;
    if (nameIndex === 0) {
      valueAt = decodeString(bytes, this.name, arena, nameAt);
      if (valueAt < 0) return false;
      meta = nameIdOf(arena, nameAt, valueAt);
    } else {
      const entries = nameIndex > STATIC_COUNT ? table.entries : STATIC_ENTRIES;
      const entry =
        nameIndex > STATIC_COUNT ? table.entryAt(nameIndex - STATIC_COUNT - 1) : nameIndex * FIELD_LIST_STRIDE;
      const from = entries[entry + FIELD_NAME_AT]!;
      const to = entries[entry + FIELD_VALUE_AT]!;
      copyBytes(arena, from, to, arena, nameAt);
      valueAt = nameAt + to - from;
      meta = entries[entry + FIELD_META]! & META_NAME_ID;
    }
    const valueEnd = decodeString(bytes, this.value, arena, valueAt);
    if (valueEnd < 0) return false;
    const inserted = first >= 0x40 && table.insert(nameAt, valueAt, valueEnd, meta);
    if (first < 0x40 && first >= NEVER_INDEXED) meta |= META_NEVER_INDEXED;
    const kept = this.keep(nameAt, valueAt, valueEnd, meta);
    if (inserted || kept) scratch.end = valueEnd;
    return true;
  }

  /** Adds a decoded field to the list unless that is full; false when it is not kept. */
  private keep(nameAt: number, valueAt: number, valueEnd: number, meta: number): boolean {
    const scratch = this.scratch;
    if (this.tooLarge) return false;
    if (
      scratch.count >= this.limits.fieldsMax ||
      scratch.listBytes + valueEnd - nameAt + FIELD_OVERHEAD_BYTES > this.limits.listBytesMax
    ) {
      this.tooLarge = true;
      return false;
    }
    scratch.push(nameAt, valueAt, valueEnd, meta);
    return true;
  }

  private fitsNowhere(fieldBytes: number, indexing: boolean): boolean {
    if (indexing && fieldBytes + FIELD_OVERHEAD_BYTES <= this.table.tableBytesMax) return false;
    return this.tooLarge || this.scratch.listBytes + fieldBytes + FIELD_OVERHEAD_BYTES > this.limits.listBytesMax;
  }

  private nameBytesOf(index: number): number {
    if (index === 0) return 0;
    const entries = index > STATIC_COUNT ? this.table.entries : STATIC_ENTRIES;
    const entry = index > STATIC_COUNT ? this.table.entryAt(index - STATIC_COUNT - 1) : index * FIELD_LIST_STRIDE;
    return entries[entry + FIELD_VALUE_AT]! - entries[entry + FIELD_NAME_AT]!;
  }

  /**
   * Room for `bytes` behind the list in the midst of a block; the fields decoded so far move with the table's entries. What
   * is left of the block may need more, which is believed as far as it does not multiply what there is.
   */
  private makeRoom(bytes: number, blockBytesLeft: number): void {
    const scratch = this.scratch;
    const table = this.table;
    const saved = new FieldList();
    saved.copyFrom(scratch);
    const ahead = Math.min(blockBytesLeft * 2, Math.max(AHEAD_BYTES, saved.end));
    table.makeRoom(saved.end + bytes + ahead + SPARE_BYTES);
    copyBytes(saved.bytes, 0, saved.end, table.bytes, table.end);
    for (let at = 0; at < scratch.count * FIELD_LIST_STRIDE; at += FIELD_LIST_STRIDE) {
      scratch.entries[at + FIELD_NAME_AT] = saved.entries[at + FIELD_NAME_AT]! + table.end;
      scratch.entries[at + FIELD_VALUE_AT] = saved.entries[at + FIELD_VALUE_AT]! + table.end;
      scratch.entries[at + FIELD_VALUE_END] = saved.entries[at + FIELD_VALUE_END]! + table.end;
    }
    scratch.bytes = table.bytes;
    scratch.end = table.end + saved.end;
  }

  /** RFC 7541 §5.2, its head only, at `next`; `next` is then behind the string. */
  private string(bytes: Uint8Array, end: number, out: StringHead): boolean {
    const at = this.next;
    if (at >= end) return false;
    let length = bytes[at]! & 0x7f;
    let from = at + 1;
    if (length === 0x7f) {
      length = this.integer(bytes, at, end, 0x7f);
      from = this.next;
    }
    if (length < 0 || length > end - from) return false;
    out.at = from;
    out.end = from + length;
    out.huffman = bytes[at]! >= 0x80;
    out.decodedMax = out.huffman ? huffmanDecodedMax(length) : length;
    this.next = out.end;
    return true;
  }

  /** RFC 7541 §5.1, at `at`, which is below `end`. Returns the number and sets `next`, or returns -1. */
  private integer(bytes: Uint8Array, at: number, end: number, prefixMask: number): number {
    let value = bytes[at]! & prefixMask;
    let p = at + 1;
    if (value === prefixMask) {
      for (let shift = 0; ; shift += 7) {
        if (p >= end || shift > INTEGER_SHIFT_MAX) return -1;
        const byte = bytes[p++]!;
        value += (byte & 0x7f) * 2 ** shift;
        if (value > INTEGER_MAX) return -1;
        if (byte < 0x80) break;
      }
    }
    this.next = p;
    return value;
  }
}

/** Where a string lies in the block, and the most bytes it may decode to. */
class StringHead {
  at = 0;
  end = 0;
  huffman = false;
  decodedMax = 0;

  empty(at: number): void {
    this.at = at;
    this.end = at;
    this.huffman = false;
    this.decodedMax = 0;
  }

  /** The bytes it does decode to, -1 for a coding error. */
  measure(bytes: Uint8Array): number {
    return this.huffman ? huffmanDecodedBytes(bytes, this.at, this.end) : this.end - this.at;
  }
}

function decodeString(bytes: Uint8Array, string: StringHead, out: Uint8Array, outAt: number): number {
  if (string.huffman) return huffmanDecode(bytes, string.at, string.end, out, outAt);
  copyBytes(bytes, string.at, string.end, out, outAt);
  return outAt + string.end - string.at;
}
