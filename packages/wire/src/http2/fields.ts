import { assert } from "../assert.ts";
import { NAME_BYTES, type NameId, nameIdOf } from "./name-id.ts";

/** Layout of one field in `entries`. */
export const FIELD_LIST_STRIDE = 4;
export const FIELD_NAME_AT = 0;
/** The name ends where the value starts. */
export const FIELD_VALUE_AT = 1;
export const FIELD_VALUE_END = 2;
/** NameId, flags, and the index of the static table's entry that is this very field (name and value), 0 for none. */
export const FIELD_META = 3;

export const META_NAME_ID = 0xff;
export const META_NEVER_INDEXED = 0x100;
export const META_DROPPED = 0x200;
export const META_STATIC_SHIFT = 16;

/** RFC 9113 §6.5.2: what a field counts beyond its bytes. */
export const FIELD_OVERHEAD_BYTES = 32;

const ENTRIES_MIN = 16 * FIELD_LIST_STRIDE;
const BYTES_MIN = 256;
const EMPTY_BYTES = new Uint8Array(0);
const EMPTY_ENTRIES = new Int32Array(0);

let serials = 0;

/**
 * Header fields in order, names and values in one arena. Reading a field is reading three offsets; nothing becomes a
 * string unless asked for.
 *
 * A list that a decoder hands out is one of two kinds. A scratch list is valid until the decoder's next block; its
 * arena is the decoder's own memory, so it may be marked and added to, but its bytes may not be written. A shared list
 * belongs to a cache, stays valid for as long as someone holds it, and never changes.
 */
export class FieldList {
  bytes: Uint8Array = EMPTY_BYTES;
  entries: Int32Array = EMPTY_ENTRIES;
  count = 0;
  /** RFC 9113 §6.5.2: names, values and 32 for each field that is not dropped. */
  listBytes = 0;
  /** The arena's fill: where the next field added goes. */
  end = 0;
  /** Immutable from now on: the same object stands for the same fields wherever it is met. */
  shared = false;
  /** Of shared lists: tells them apart in the encoders' small tables. */
  serial = 0;
  /** What the user of a shared list wants to remember about it. */
  plan: object | null = null;
  /** Of shared lists: what message validation found, a Verdict; 0 before it has looked. */
  verdict = 0;

  clear(): void {
    assert(!this.shared);
    this.count = 0;
    this.listBytes = 0;
    this.end = 0;
  }

  nameId(index: number): NameId {
    return (this.entries[index * FIELD_LIST_STRIDE + FIELD_META]! & META_NAME_ID) as NameId;
  }

  neverIndexed(index: number): boolean {
    return (this.entries[index * FIELD_LIST_STRIDE + FIELD_META]! & META_NEVER_INDEXED) !== 0;
  }

  dropped(index: number): boolean {
    return (this.entries[index * FIELD_LIST_STRIDE + FIELD_META]! & META_DROPPED) !== 0;
  }

  /** Takes a field out without moving the others: encoders and find() pass over it. */
  drop(index: number): void {
    assert(!this.shared);
    const entry = index * FIELD_LIST_STRIDE;
    const meta = this.entries[entry + FIELD_META]!;
    if ((meta & META_DROPPED) !== 0) return;
    this.entries[entry + FIELD_META] = meta | META_DROPPED;
    this.listBytes -=
      this.entries[entry + FIELD_VALUE_END]! - this.entries[entry + FIELD_NAME_AT]! + FIELD_OVERHEAD_BYTES;
  }

  /** The first field of that name which is not dropped, -1 when there is none. */
  find(id: NameId): number {
    const entries = this.entries;
    const count = this.count;
    for (let index = 0, at = FIELD_META; index < count; index++, at += FIELD_LIST_STRIDE) {
      if ((entries[at]! & (META_NAME_ID | META_DROPPED)) === id) return index;
    }
    return -1;
  }

  nameText(index: number): string {
    const entry = index * FIELD_LIST_STRIDE;
    return textOf(this.bytes, this.entries[entry + FIELD_NAME_AT]!, this.entries[entry + FIELD_VALUE_AT]!);
  }

  valueText(index: number): string {
    const entry = index * FIELD_LIST_STRIDE;
    return textOf(this.bytes, this.entries[entry + FIELD_VALUE_AT]!, this.entries[entry + FIELD_VALUE_END]!);
  }

  valueIs(index: number, value: Uint8Array): boolean {
    const entry = index * FIELD_LIST_STRIDE;
    const length = this.entries[entry + FIELD_VALUE_END]! - this.entries[entry + FIELD_VALUE_AT]!;
    return length === value.length && this.valueStartsWith(index, value);
  }

  valueStartsWith(index: number, prefix: Uint8Array): boolean {
    const entry = index * FIELD_LIST_STRIDE;
    const at = this.entries[entry + FIELD_VALUE_AT]!;
    const length = prefix.length;
    if (this.entries[entry + FIELD_VALUE_END]! - at < length) return false;
    const bytes = this.bytes;
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] !== prefix[i]) return false;
    }
    return true;
  }

  /** Adds a field of prepared bytes; `name` is null when `id` is not `Other`, and says the name otherwise. */
  add(id: NameId, name: Uint8Array | null, value: Uint8Array): void {
    const nameBytes = name ?? NAME_BYTES[id]!;
    this.addRange(id, nameBytes, 0, nameBytes.length, value, 0, value.length, false);
  }

  addRange(
    id: NameId,
    nameBytes: Uint8Array,
    nameAt: number,
    nameEnd: number,
    valueBytes: Uint8Array,
    valueAt: number,
    valueEnd: number,
    neverIndexed: boolean,
  ): void {
    const at = this.end;
    const middle = at + nameEnd - nameAt;
    const end = middle + valueEnd - valueAt;
    this.reserve(end);
    copyBytes(nameBytes, nameAt, nameEnd, this.bytes, at);
    copyBytes(valueBytes, valueAt, valueEnd, this.bytes, middle);
    this.end = end;
    this.push(at, middle, end, neverIndexed ? id | META_NEVER_INDEXED : id);
  }

  /** For cold paths. Texts are latin-1, names in lower case already. */
  addText(name: string, value: string): void {
    const nameBytes = latin1(name);
    const valueBytes = latin1(value);
    const id = nameIdOf(nameBytes, 0, nameBytes.length);
    this.addRange(id, nameBytes, 0, nameBytes.length, valueBytes, 0, valueBytes.length, false);
  }

  /** Becomes a copy of what is not dropped in `other`, with an arena of its own. */
  copyFrom(other: FieldList): void {
    this.clear();
    const entries = other.entries;
    for (let index = 0; index < other.count; index++) {
      const entry = index * FIELD_LIST_STRIDE;
      if ((entries[entry + FIELD_META]! & META_DROPPED) !== 0) continue;
      this.addEntry(other.bytes, entries[entry]!, entries[entry + 1]!, entries[entry + 2]!, entries[entry + 3]!);
    }
  }

  /** Makes the list immutable, so that its encodings can be remembered. There is no way back. */
  share(): void {
    assert(!this.shared);
    this.shared = true;
    this.serial = serials;
    serials = (serials + 1) | 0;
  }

  /** A shared copy with memory of exactly its size, and `spare` bytes behind the arena's fill. */
  sharedCopy(spare: number): FieldList {
    const copy = new FieldList();
    let bytes = spare;
    for (let index = 0; index < this.count; index++) {
      const entry = index * FIELD_LIST_STRIDE;
      bytes += this.entries[entry + FIELD_VALUE_END]! - this.entries[entry + FIELD_NAME_AT]!;
    }
    copy.bytes = new Uint8Array(bytes);
    copy.entries = new Int32Array(this.count * FIELD_LIST_STRIDE);
    copy.copyFrom(this);
    copy.share();
    return copy;
  }

  /** A field whose bytes are in the arena already. */
  push(nameAt: number, valueAt: number, valueEnd: number, meta: number): void {
    const entry = this.count * FIELD_LIST_STRIDE;
    if (entry === this.entries.length) this.growEntries();
    const entries = this.entries;
    entries[entry + FIELD_NAME_AT] = nameAt;
    entries[entry + FIELD_VALUE_AT] = valueAt;
    entries[entry + FIELD_VALUE_END] = valueEnd;
    entries[entry + FIELD_META] = meta;
    this.count++;
    this.listBytes += valueEnd - nameAt + FIELD_OVERHEAD_BYTES;
  }

  private addEntry(from: Uint8Array, nameAt: number, valueAt: number, valueEnd: number, meta: number): void {
    const at = this.end;
    const end = at + valueEnd - nameAt;
    this.reserve(end);
    copyBytes(from, nameAt, valueEnd, this.bytes, at);
    this.end = end;
    this.push(at, at + valueAt - nameAt, end, meta);
  }

  private reserve(end: number): void {
    assert(!this.shared);
    if (end <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(BYTES_MIN, this.end * 2, end));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
  }

  private growEntries(): void {
    assert(!this.shared);
    const grown = new Int32Array(Math.max(ENTRIES_MIN, this.entries.length * 2));
    grown.set(this.entries);
    this.entries = grown;
  }
}

/** From so many bytes on the engine's copy, which costs a call, beats a loop; between two arrays it costs an object too. */
const COPY_WITHIN_BYTES_MIN = 24;
const SET_BYTES_MIN = 128;

/** Copies [at, end) of `from` to `to` at `toAt`. Ranges of one array may overlap when `toAt` is the lower. */
export function copyBytes(from: Uint8Array, at: number, end: number, to: Uint8Array, toAt: number): void {
  const length = end - at;
  if (length >= COPY_WITHIN_BYTES_MIN && from === to) {
    to.copyWithin(toAt, at, end);
  } else if (length >= SET_BYTES_MIN) {
    to.set(from.subarray(at, end), toAt);
  } else {
    copyByLoop(from, at, end, to, toAt);
  }
}

function copyByLoop(from: Uint8Array, at: number, end: number, to: Uint8Array, toAt: number): void {
  let p = at;
  let q = toAt;
  for (; p + 4 <= end; p += 4, q += 4) {
    to[q] = from[p]!;
    to[q + 1] = from[p + 1]!;
    to[q + 2] = from[p + 2]!;
    to[q + 3] = from[p + 3]!;
  }
  for (; p < end; p++, q++) to[q] = from[p]!;
}

function textOf(bytes: Uint8Array, at: number, end: number): string {
  let text = "";
  for (let i = at; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
