import {
  FIELD_DROP,
  FIELD_ID_MASK,
  FIELD_STRIDE,
  FieldId,
  type FieldList,
  FLAGS,
  type Head,
  NAME_BYTES,
  NAME_END,
  NAME_START,
  NameId,
  nameIdOf,
  TargetForm,
  VALUE_END,
  VALUE_START,
} from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import { OrigProto, origProtoValue } from "../call/orig-proto.ts";
import type { Target } from "../target.ts";

const HTTP = asciiBytes("http");
const ROOT = asciiBytes("/");
const TRAILERS = asciiBytes("trailers");
const COLON = 0x3a;
const SLASH = 0x2f;
const ASTERISK = 0x2a;
const SPACE = 0x20;
const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const ZERO = 0x30;

const statusBytes = new Uint8Array(3);

/**
 * Makes the fields of a call of a request's head, without what `head` has marked and what HTTP/2 has no use for, and with
 * `l5d-orig-proto` last, so that a proxy on the way can restore the head. Names in `bytes` become lower-case on the way.
 * Returns the bits of OrigProto.
 */
export function readRequestFields(bytes: Uint8Array, head: Head, origin: Target, out: FieldList): number {
  out.clear();
  addPseudo(out, NameId.Method, bytes, head.methodStart, head.methodEnd);
  const absolute = head.targetForm === TargetForm.Absolute;
  // `scheme://authority`: the authority is the head's host then.
  if (absolute) addPseudo(out, NameId.Scheme, bytes, head.targetStart, head.hostStart - 3);
  else out.add(NameId.Scheme, null, HTTP);
  if (head.hostStart < head.hostEnd) addPseudo(out, NameId.Authority, bytes, head.hostStart, head.hostEnd);
  else out.add(NameId.Authority, null, asciiBytes(origin.name));
  addPath(out, bytes, absolute ? head.hostEnd : head.targetStart, head.targetEnd);
  addFields(bytes, head, out);
  const version = head.minor === 0 ? OrigProto.Http10 : OrigProto.Http11;
  const origProto = absolute ? version | OrigProto.AbsoluteForm : version;
  out.add(NameId.L5dOrigProto, null, origProtoValue(origProto));
  return origProto;
}

/** Makes fields of a response's head, as readRequestFields does; `l5d-orig-proto` says its version. */
export function readResponseFields(bytes: Uint8Array, head: Head, out: FieldList): void {
  out.clear();
  const { status } = head;
  statusBytes[0] = ZERO + Math.floor(status / 100);
  statusBytes[1] = ZERO + (Math.floor(status / 10) % 10);
  statusBytes[2] = ZERO + (status % 10);
  out.add(NameId.Status, null, statusBytes);
  addFields(bytes, head, out);
  out.add(NameId.L5dOrigProto, null, origProtoValue(head.minor === 0 ? OrigProto.Http10 : OrigProto.Http11));
}

/** Adds the trailer lines of [at, end), which the scanner of chunks has found good. */
export function readTrailerFields(bytes: Uint8Array, at: number, end: number, out: FieldList): void {
  let p = at;
  while (p < end) {
    const nameAt = p;
    while (bytes[p] !== COLON) p++;
    const nameEnd = p;
    p++;
    while (bytes[p] === SPACE || bytes[p] === TAB) p++;
    const valueAt = p;
    while (bytes[p] !== LF) p++;
    let valueEnd = p;
    while (valueEnd > valueAt && isSpace(bytes[valueEnd - 1]!)) valueEnd--;
    addField(bytes, nameAt, nameEnd, valueAt, valueEnd, out);
    p++;
  }
}

function addPseudo(out: FieldList, id: NameId, bytes: Uint8Array, at: number, end: number): void {
  const name = NAME_BYTES[id]!;
  out.addRange(id, name, 0, name.length, bytes, at, end, false);
}

/** An absolute-form target may have no path, only a query (RFC 9110 §4.2.3). */
function addPath(out: FieldList, bytes: Uint8Array, at: number, end: number): void {
  if (at === end) {
    out.add(NameId.Path, null, ROOT);
  } else if (bytes[at] === SLASH || bytes[at] === ASTERISK) {
    addPseudo(out, NameId.Path, bytes, at, end);
  } else {
    // The byte before, of the authority, has been copied already.
    bytes[at - 1] = SLASH;
    addPseudo(out, NameId.Path, bytes, at - 1, end);
  }
}

function addFields(bytes: Uint8Array, head: Head, out: FieldList): void {
  const { fields } = head;
  for (let entry = 0, i = 0; i < head.fieldCount; i++, entry += FIELD_STRIDE) {
    const flags = fields[entry + FLAGS]!;
    if ((flags & FIELD_DROP) !== 0 || (flags & FIELD_ID_MASK) === FieldId.TransferEncoding) continue;
    const nameAt = fields[entry + NAME_START]!;
    const nameEnd = fields[entry + NAME_END]!;
    addField(bytes, nameAt, nameEnd, fields[entry + VALUE_START]!, fields[entry + VALUE_END]!, out);
  }
}

function addField(
  bytes: Uint8Array,
  nameAt: number,
  nameEnd: number,
  valueAt: number,
  valueEnd: number,
  out: FieldList,
): void {
  for (let p = nameAt; p < nameEnd; p++) {
    const byte = bytes[p]!;
    if (byte >= 0x41 && byte <= 0x5a) bytes[p] = byte | 0x20;
  }
  const id = nameIdOf(bytes, nameAt, nameEnd);
  if (isForHop(id, bytes, valueAt, valueEnd)) return;
  out.addRange(id, bytes, nameAt, nameEnd, bytes, valueAt, valueEnd, false);
}

/** What means nothing beyond the connection it came on, or is the proxies' own: nobody else may say it. */
function isForHop(id: NameId, bytes: Uint8Array, valueAt: number, valueEnd: number): boolean {
  switch (id) {
    case NameId.Connection:
    case NameId.KeepAlive:
    case NameId.ProxyConnection:
    case NameId.Upgrade:
    case NameId.Http2Settings:
    case NameId.TransferEncoding:
    case NameId.L5dOrigProto:
      return true;
    case NameId.Te:
      // RFC 9113 §8.2.2.
      return !isTrailers(bytes, valueAt, valueEnd);
    default:
      return false;
  }
}

function isTrailers(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at !== TRAILERS.length) return false;
  for (let i = 0; i < TRAILERS.length; i++) {
    if ((bytes[at + i]! | 0x20) !== TRAILERS[i]) return false;
  }
  return true;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CR;
}
