import {
  copyBytes,
  FIELD_LIST_STRIDE,
  FIELD_META,
  FIELD_NAME_AT,
  FIELD_OVERHEAD_BYTES,
  FIELD_VALUE_AT,
  FIELD_VALUE_END,
  type FieldList,
  META_DROPPED,
  META_NAME_ID,
  META_NEVER_INDEXED,
  META_STATIC_SHIFT,
} from "../fields.ts";
import type { NameId } from "../name-id.ts";
import { TABLE_BYTES_DEFAULT } from "./dynamic-table.ts";
import { EncodedBlocks } from "./encoded-blocks.ts";
import { EncoderTable } from "./encoder-table.ts";
import { huffmanEncode, huffmanEncodedBytes } from "./huffman.ts";
import { INDEXING, Indexing, SECRET_BYTES_MIN } from "./indexing.ts";
import { STATIC_NAME_INDEX, STATIC_VALUES, staticIndexOf } from "./static-table.ts";

/** Two size updates of at most five bytes each. */
const UPDATES_BYTES_MAX = 10;
const INDEXED = 0x80;
const WITH_INDEXING = 0x40;
const SIZE_UPDATE = 0x20;
const NEVER_INDEXED = 0x10;
const HUFFMAN = 0x80;

/** Encodes the header blocks of one connection's one direction (RFC 7541). */
export class HpackEncoder {
  readonly table: EncoderTable = new EncoderTable();
  private readonly tableBytesMax: number;
  private readonly blocks = new EncodedBlocks();
  /** The table's size from the next block on, and the smallest it was to be since the last (RFC 7541 §4.2). */
  private sizeNext: number = TABLE_BYTES_DEFAULT;
  private sizeLeast: number = TABLE_BYTES_DEFAULT;
  private updateDue = false;

  /** `tableBytesMax` bounds our memory, whatever the peer allows. */
  constructor(tableBytesMax: number) {
    this.tableBytesMax = tableBytesMax;
    this.limitTable(TABLE_BYTES_DEFAULT);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. What it changes is said at the start of the next block. */
  limitTable(bytes: number): void {
    this.sizeNext = Math.min(bytes, this.tableBytesMax);
    this.sizeLeast = Math.min(this.sizeLeast, this.sizeNext);
    this.updateDue = this.sizeLeast < this.table.tableBytesMax || this.sizeNext !== this.table.tableBytesMax;
  }

  /** Room that encode() needs at most. A field's 32 bytes of overhead (RFC 9113 §6.5.2) cover its three numbers. */
  blockBytesMax(fields: FieldList): number {
    return fields.listBytes + UPDATES_BYTES_MAX;
  }

  /** Writes the block of what is not dropped in `fields` to `out` at `at`, and returns its end. */
  encode(fields: FieldList, out: Uint8Array, at: number): number {
    if (!fields.shared || this.updateDue) return this.encodeFields(fields, out, at);
    const version = this.table.version;
    const known = this.blocks.write(fields, version, out, at);
    if (known >= 0) return known;
    const end = this.encodeFields(fields, out, at);
    if (this.table.version === version) this.blocks.note(fields, version, out, at, end);
    return end;
  }

  private encodeFields(fields: FieldList, out: Uint8Array, at: number): number {
    const bytes = fields.bytes;
    const entries = fields.entries;
    const table = this.table;
    const end = fields.count * FIELD_LIST_STRIDE;
    let p = this.updateDue ? this.sizeUpdates(out, at) : at;
    for (let entry = 0; entry < end; entry += FIELD_LIST_STRIDE) {
      const meta = entries[entry + FIELD_META]!;
      if (meta >= 1 << META_STATIC_SHIFT) {
        if ((meta & META_DROPPED) === 0) out[p++] = INDEXED | (meta >>> META_STATIC_SHIFT);
        continue;
      }
      // An interned name, nothing special about the field: most often it is what that name's newest entry says.
      if (meta <= META_NAME_ID) {
        const index = table.newest(
          meta as NameId,
          bytes,
          entries[entry + FIELD_VALUE_AT]!,
          entries[entry + FIELD_VALUE_END]!,
        );
        if (index !== 0) {
          out[p++] = INDEXED | index;
          continue;
        }
      } else if ((meta & META_DROPPED) !== 0) continue;
      p = this.field(
        bytes,
        entries[entry + FIELD_NAME_AT]!,
        entries[entry + FIELD_VALUE_AT]!,
        entries[entry + FIELD_VALUE_END]!,
        meta,
        out,
        p,
      );
    }
    return p;
  }

  private field(
    bytes: Uint8Array,
    nameAt: number,
    valueAt: number,
    valueEnd: number,
    meta: number,
    out: Uint8Array,
    at: number,
  ): number {
    const id = (meta & META_NAME_ID) as NameId;
    if (STATIC_VALUES[id] !== 0 && (meta & META_NEVER_INDEXED) === 0) {
      const index = staticIndexOf(id, bytes, valueAt, valueEnd);
      if (index !== 0) return integer(INDEXED, 0x7f, index, out, at);
    }
    const table = this.table;
    const found = table.find(id, bytes, nameAt, valueAt, valueEnd);
    const nameIndex = this.nameIndex(id);
    if ((meta & META_NEVER_INDEXED) === 0) {
      if (found !== 0) return integer(INDEXED, 0x7f, found, out, at);
      if (this.indexes(id, bytes, nameAt, valueAt, valueEnd)) {
        let p = integer(WITH_INDEXING, 0x3f, nameIndex, out, at);
        if (nameIndex === 0) p = shorterString(bytes, nameAt, valueAt, out, p);
        p = shorterString(bytes, valueAt, valueEnd, out, p);
        table.add(id, bytes, nameAt, valueAt, valueEnd);
        return p;
      }
    }
    let p = integer((meta & META_NEVER_INDEXED) !== 0 ? NEVER_INDEXED : 0, 0x0f, nameIndex, out, at);
    if (nameIndex === 0) p = plainString(bytes, nameAt, valueAt, out, p);
    return plainString(bytes, valueAt, valueEnd, out, p);
  }

  /** The index to name a literal by, after find(); 0 when its name must be written. */
  private nameIndex(id: NameId): number {
    const index = STATIC_NAME_INDEX[id]!;
    return index !== 0 ? index : this.table.nameIndex;
  }

  private indexes(id: NameId, bytes: Uint8Array, nameAt: number, valueAt: number, valueEnd: number): boolean {
    const table = this.table;
    const indexing = INDEXING[id];
    if (indexing === Indexing.Never) return false;
    if (indexing === Indexing.Secret && valueEnd - valueAt < SECRET_BYTES_MIN) return false;
    const entryBytes = valueEnd - nameAt + FIELD_OVERHEAD_BYTES;
    // One that takes most of the table costs more in what it evicts than it saves.
    if (entryBytes * 2 > table.tableBytesMax) return false;
    if (indexing === Indexing.AtOnce && table.tableBytes + entryBytes <= table.tableBytesMax) return true;
    return table.seenBefore(bytes, nameAt, valueEnd);
  }

  private sizeUpdates(out: Uint8Array, at: number): number {
    const table = this.table;
    let p = at;
    if (this.sizeLeast < table.tableBytesMax && this.sizeLeast < this.sizeNext) {
      p = integer(SIZE_UPDATE, 0x1f, this.sizeLeast, out, p);
      table.resize(this.sizeLeast);
    }
    if (this.sizeNext !== table.tableBytesMax) {
      p = integer(SIZE_UPDATE, 0x1f, this.sizeNext, out, p);
      table.resize(this.sizeNext);
    }
    this.sizeLeast = this.sizeNext;
    this.updateDue = false;
    return p;
  }
}

/** RFC 7541 §5.1. */
function integer(flags: number, prefixMask: number, value: number, out: Uint8Array, at: number): number {
  let p = at;
  if (value < prefixMask) {
    out[p++] = flags | value;
    return p;
  }
  out[p++] = flags | prefixMask;
  let rest = value - prefixMask;
  while (rest >= 0x80) {
    out[p++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[p++] = rest;
  return p;
}

/**
 * RFC 7541 §5.2. For what is written as often as it is sent: Huffman coding would save a quarter of its bytes for several
 * nanoseconds a byte, here and at the peer, which on a cluster's network is the worse bargain.
 */
function plainString(bytes: Uint8Array, at: number, end: number, out: Uint8Array, outAt: number): number {
  const p = integer(0, 0x7f, end - at, out, outAt);
  copyBytes(bytes, at, end, out, p);
  return p + end - at;
}

/** For what is written once and then referred to: Huffman-coded when that is shorter. */
function shorterString(bytes: Uint8Array, at: number, end: number, out: Uint8Array, outAt: number): number {
  const coded = huffmanEncodedBytes(bytes, at, end);
  if (coded >= end - at) return plainString(bytes, at, end, out, outAt);
  return huffmanEncode(bytes, at, end, out, integer(HUFFMAN, 0x7f, coded, out, outAt));
}
