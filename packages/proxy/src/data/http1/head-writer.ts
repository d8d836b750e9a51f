import {
  FIELD_LIST_STRIDE,
  FIELD_META,
  FIELD_NAME_AT,
  FIELD_VALUE_AT,
  FIELD_VALUE_END,
  type FieldList,
  type FrameSink,
  META_DROPPED,
  META_NAME_ID,
  NameId,
} from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import { OrigProto } from "../call/orig-proto.ts";
import { statusLine } from "./reason-phrases.ts";

const CRLF = asciiBytes("\r\n");
const LAST_CHUNK = asciiBytes("0\r\n");
const CHUNKED_LINE = asciiBytes("transfer-encoding: chunked\r\n");
const NO_CONTENT_LINE = asciiBytes("content-length: 0\r\n");
const VERSION_11 = asciiBytes(" HTTP/1.1\r\n");
const VERSION_10 = asciiBytes(" HTTP/1.0\r\n");
const SCHEME_END = asciiBytes("://");
const COOKIE_SEPARATOR = asciiBytes("; ");
const HEX_DIGITS = asciiBytes("0123456789abcdef");
const COLON = 0x3a;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
/** The digits of the largest piece of a body there can be. */
const CHUNK_DIGITS_MAX = 8;
/** `: `, CRLF, and what joins cookies. */
const FIELD_SPARE_BYTES = 4;

/** How a message's body is framed. */
export const Framing = {
  /** There is none. */
  None: 0,
  /** By a content-length among the fields, or by the end of the connection. */
  Plain: 1,
  Chunked: 2,
  /** There is none where one could be: said by a length of 0. */
  Empty: 3,
} as const;
export type Framing = (typeof Framing)[keyof typeof Framing];

/** What was written of a shared list, which remembers it: heads that come again are written with one copy. */
class WrittenHead {
  readonly bytes: Uint8Array;
  /** Framing, version and form, and what is said of the connection. */
  readonly manner: number;

  constructor(bytes: Uint8Array, manner: number) {
    this.bytes = bytes;
    this.manner = manner;
  }
}

/** Longer heads are written anew each time. */
const WRITTEN_BYTES_MAX = 2048;

/** Writes a call's request head as HTTP/1, in the version and form that it once had. */
export function writeRequestHead(sink: FrameSink, fields: FieldList, origProto: number, framing: Framing): void {
  const manner = framing * 16 + origProto;
  if (writeAgain(sink, fields, manner)) return;
  const absolute = (origProto & OrigProto.AbsoluteForm) !== 0;
  const authority = fields.find(NameId.Authority);
  sink.reserve(headBytesMax(fields) + valueBytes(fields, authority));
  const at = sink.end;
  putValue(sink, fields, fields.find(NameId.Method));
  sink.bytes[sink.end++] = SPACE;
  if (absolute && authority >= 0) {
    putValue(sink, fields, fields.find(NameId.Scheme));
    put(sink, SCHEME_END);
    putValue(sink, fields, authority);
  }
  putValue(sink, fields, fields.find(NameId.Path));
  put(sink, (origProto & OrigProto.Http10) !== 0 ? VERSION_10 : VERSION_11);
  putFields(sink, fields, absolute ? -1 : authority);
  putEnd(sink, framing);
  remember(sink, at, fields, manner);
}

/** @param connectionLine what is said of the connection, or null */
export function writeResponseHead(
  sink: FrameSink,
  fields: FieldList,
  minor: number,
  status: number,
  framing: Framing,
  connectionLine: Uint8Array | null,
): void {
  // The lines there are differ in length.
  const manner = (framing * 2 + minor) * 64 + (connectionLine?.length ?? 0);
  if (writeAgain(sink, fields, manner)) return;
  sink.reserve(headBytesMax(fields));
  const at = sink.end;
  put(sink, statusLine(minor, status));
  if (connectionLine !== null) put(sink, connectionLine);
  putFields(sink, fields, -1);
  putEnd(sink, framing);
  remember(sink, at, fields, manner);
}

/** Writes bytes of a body as `framing` wants them; none, of the last piece, may be empty. */
export function writeBody(sink: FrameSink, bytes: Uint8Array, at: number, end: number, framing: Framing): void {
  if (at === end || framing === Framing.None || framing === Framing.Empty) return;
  sink.reserve(end - at + CHUNK_DIGITS_MAX + 2 * CRLF.length);
  if (framing === Framing.Chunked) putChunkSize(sink, end - at);
  sink.bytes.set(bytes.subarray(at, end), sink.end);
  sink.end += end - at;
  if (framing === Framing.Chunked) put(sink, CRLF);
}

/** Ends a body. Trailers go with chunks only. */
export function writeBodyEnd(sink: FrameSink, trailers: FieldList | null, framing: Framing): void {
  if (framing !== Framing.Chunked) return;
  sink.reserve(LAST_CHUNK.length + CRLF.length + (trailers === null ? 0 : headBytesMax(trailers)));
  put(sink, LAST_CHUNK);
  if (trailers !== null) putFields(sink, trailers, -1);
  put(sink, CRLF);
}

function writeAgain(sink: FrameSink, fields: FieldList, manner: number): boolean {
  const { plan } = fields;
  if (!(plan instanceof WrittenHead) || plan.manner !== manner) return false;
  sink.reserve(plan.bytes.length);
  sink.bytes.set(plan.bytes, sink.end);
  sink.end += plan.bytes.length;
  return true;
}

function remember(sink: FrameSink, at: number, fields: FieldList, manner: number): void {
  if (!fields.shared || sink.end - at > WRITTEN_BYTES_MAX) return;
  fields.plan = new WrittenHead(sink.bytes.slice(at, sink.end), manner);
}

/** More than a head of these fields takes, whatever its start line. */
function headBytesMax(fields: FieldList): number {
  // listBytes counts 32 for each field, 28 of them more than is needed; a response's start line has one field.
  return fields.listBytes + FIELD_SPARE_BYTES * fields.count + 256;
}

/** @param authority the field whose value a host must have, unless that is empty; -1 when it keeps its own */
function putFields(sink: FrameSink, fields: FieldList, authority: number): void {
  const { entries, bytes } = fields;
  let cookieSeen = false;
  let hostSeen = false;
  for (let i = 0, entry = 0; i < fields.count; i++, entry += FIELD_LIST_STRIDE) {
    const meta = entries[entry + FIELD_META]!;
    if ((meta & META_DROPPED) !== 0) continue;
    const id = meta & META_NAME_ID;
    const nameAt = entries[entry + FIELD_NAME_AT]!;
    if (bytes[nameAt] === COLON || id === NameId.L5dOrigProto) continue;
    if (id === NameId.Cookie) {
      // RFC 9113 §8.2.3: what may have been cut up for compression is one field again.
      if (!cookieSeen) putCookies(sink, fields, i);
      cookieSeen = true;
      continue;
    }
    let from = i;
    if (id === NameId.Host) {
      if (hostSeen) continue;
      hostSeen = true;
      // Whoever routed the request went by its authority: the server must not go by another name.
      if (authority >= 0 && valueBytes(fields, i) > 0) from = authority;
    }
    putRange(sink, bytes, nameAt, entries[entry + FIELD_VALUE_AT]!);
    sink.bytes[sink.end++] = COLON;
    sink.bytes[sink.end++] = SPACE;
    putValue(sink, fields, from);
    sink.bytes[sink.end++] = CR;
    sink.bytes[sink.end++] = LF;
  }
}

function putCookies(sink: FrameSink, fields: FieldList, first: number): void {
  const entry = first * FIELD_LIST_STRIDE;
  putRange(sink, fields.bytes, fields.entries[entry + FIELD_NAME_AT]!, fields.entries[entry + FIELD_VALUE_AT]!);
  sink.bytes[sink.end++] = COLON;
  sink.bytes[sink.end++] = SPACE;
  for (let i = first; i < fields.count; i++) {
    if (fields.nameId(i) !== NameId.Cookie || fields.dropped(i)) continue;
    if (i > first) put(sink, COOKIE_SEPARATOR);
    putValue(sink, fields, i);
  }
  put(sink, CRLF);
}

function putEnd(sink: FrameSink, framing: Framing): void {
  if (framing === Framing.Chunked) put(sink, CHUNKED_LINE);
  else if (framing === Framing.Empty) put(sink, NO_CONTENT_LINE);
  put(sink, CRLF);
}

function putChunkSize(sink: FrameSink, size: number): void {
  let digits = 1;
  while (digits < CHUNK_DIGITS_MAX && size >>> (4 * digits) > 0) digits++;
  for (let i = digits - 1; i >= 0; i--) sink.bytes[sink.end++] = HEX_DIGITS[(size >>> (4 * i)) & 15]!;
  put(sink, CRLF);
}

/** 0 for the index -1, too. */
function valueBytes(fields: FieldList, index: number): number {
  if (index < 0) return 0;
  const entry = index * FIELD_LIST_STRIDE;
  return fields.entries[entry + FIELD_VALUE_END]! - fields.entries[entry + FIELD_VALUE_AT]!;
}

function putValue(sink: FrameSink, fields: FieldList, index: number): void {
  if (index < 0) return;
  const entry = index * FIELD_LIST_STRIDE;
  putRange(sink, fields.bytes, fields.entries[entry + FIELD_VALUE_AT]!, fields.entries[entry + FIELD_VALUE_END]!);
}

function put(sink: FrameSink, bytes: Uint8Array): void {
  putRange(sink, bytes, 0, bytes.length);
}

function putRange(sink: FrameSink, bytes: Uint8Array, at: number, end: number): void {
  const to = sink.bytes;
  let p = sink.end;
  for (let i = at; i < end; i++) to[p++] = bytes[i]!;
  sink.end = p;
}
