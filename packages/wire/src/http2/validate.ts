import {
  ascii,
  BYTE_CLASS,
  COLON,
  equalsWord,
  FIELD_VALUE,
  SCHEME,
  SLASH,
  SP,
  skipClass,
  TAB,
  TARGET,
  TOKEN,
} from "../ascii.ts";
import { authorityError } from "../http1/authority.ts";
import { HeadStep } from "../http1/head-step.ts";
import {
  FIELD_LIST_STRIDE,
  FIELD_META,
  FIELD_NAME_AT,
  FIELD_VALUE_AT,
  FIELD_VALUE_END,
  type FieldList,
  META_NAME_ID,
  META_STATIC_SHIFT,
} from "./fields.ts";
import { NameId } from "./name-id.ts";
import { LENGTH_UNKNOWN } from "./stream.ts";

/**
 * What a header block is, by RFC 9113 §8.2, §8.3 and §8.5 alone; whether such a block may come at this point of a
 * stream is for the receiver to say. The low ten bits are a response's status. Never 0, so that 0 means not yet judged.
 */
export const Verdict = {
  StatusMask: 1023,
  /** RFC 9113 §8.1.1; no other bit is set then. */
  Malformed: 1024,
  Request: 2048,
  Response: 4096,
  Trailers: 8192,
  /** Of a request: CONNECT of either kind. */
  Connect: 16_384,
  /** Of a request: extended CONNECT (RFC 8441 §4). */
  Extended: 32_768,
  /** content-length is there and well-formed: contentLength() reads it. */
  Length: 65_536,
} as const;

/** Bits of the pseudo-fields seen, by NameId; `:protocol` besides. */
const SEEN_PROTOCOL = 1 << 6;
const SEEN_AUTHORITY: number = 1 << NameId.Authority;
const SEEN_METHOD: number = 1 << NameId.Method;
const SEEN_PATH: number = 1 << NameId.Path;
const SEEN_SCHEME: number = 1 << NameId.Scheme;
const SEEN_STATUS: number = 1 << NameId.Status;

const ZERO = 0x30;
const NINE = 0x39;
const CONNECT = ascii("CONNECT");
const OPTIONS = ascii("OPTIONS");
const ASTERISK = ascii("*");
const TRAILERS = ascii("trailers");
const HTTP_PORT = ascii(":80");
const HTTPS_PORT = ascii(":443");

/** No length beyond is exact as a number; nobody sends as much. */
const LENGTH_DIGITS_MAX = 15;

/** The verdict on a block; that on a shared list is reached once. */
export function judge(fields: FieldList): number {
  if (!fields.shared) return examine(fields);
  if (fields.verdict === 0) fields.verdict = examine(fields);
  return fields.verdict;
}

/** The value of content-length; for lists with Verdict.Length. */
export function contentLength(fields: FieldList): number {
  const index = fields.find(NameId.ContentLength);
  return index < 0 ? LENGTH_UNKNOWN : parseLength(fields, index);
}

function examine(fields: FieldList): number {
  const entries = fields.entries;
  let seen = 0;
  let pseudoOver = false;
  let bits = 0;
  for (let index = 0; index < fields.count; index++) {
    const meta = entries[index * FIELD_LIST_STRIDE + FIELD_META]!;
    const id = meta & META_NAME_ID;
    if ((id >= NameId.Authority && id <= NameId.Status) || id === NameId.Protocol) {
      const bit = id === NameId.Protocol ? SEEN_PROTOCOL : 1 << id;
      // RFC 9113 §8.3: before all other fields, and none twice.
      if (pseudoOver || (seen & bit) !== 0) return Verdict.Malformed;
      seen |= bit;
    } else {
      pseudoOver = true;
      if (!nameIsValid(fields, index, id) || !fieldIsAllowed(fields, index, id)) return Verdict.Malformed;
      if (meta >>> META_STATIC_SHIFT === 0 && !valueIsValid(fields, index)) return Verdict.Malformed;
      if (id === NameId.ContentLength) {
        if ((bits & Verdict.Length) !== 0 || parseLength(fields, index) < 0) return Verdict.Malformed;
        bits |= Verdict.Length;
      }
    }
  }
  // These look at the values of pseudo-fields, each by its own and stricter rule.
  const kind =
    seen === 0 ? Verdict.Trailers : (seen & SEEN_STATUS) !== 0 ? response(fields, seen) : request(fields, seen);
  return kind === Verdict.Malformed ? kind : kind | bits;
}

/** RFC 9113 §8.2.1: a token without upper-case letters. A name with an id is valid by itself. */
function nameIsValid(fields: FieldList, index: number, id: number): boolean {
  if (id !== NameId.Other) return true;
  const bytes = fields.bytes;
  const entry = index * FIELD_LIST_STRIDE;
  const start = fields.entries[entry + FIELD_NAME_AT]!;
  const end = fields.entries[entry + FIELD_VALUE_AT]!;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if ((BYTE_CLASS[byte]! & TOKEN) === 0 || (byte >= 0x41 && byte <= 0x5a)) return false;
  }
  return start < end;
}

/** RFC 9113 §8.2.1: no control bytes, and no whitespace at either end. */
function valueIsValid(fields: FieldList, index: number): boolean {
  const bytes = fields.bytes;
  const entry = index * FIELD_LIST_STRIDE;
  const start = fields.entries[entry + FIELD_VALUE_AT]!;
  const end = fields.entries[entry + FIELD_VALUE_END]!;
  if (start === end) return true;
  if (isSpace(bytes[start]!) || isSpace(bytes[end - 1]!)) return false;
  return skipClass(bytes, start, end, FIELD_VALUE) === end;
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === TAB;
}

/** RFC 9113 §8.2.2: nothing about the connection, and TE says "trailers" or is not there. */
function fieldIsAllowed(fields: FieldList, index: number, id: number): boolean {
  switch (id) {
    case NameId.Connection:
    case NameId.KeepAlive:
    case NameId.ProxyConnection:
    case NameId.TransferEncoding:
    case NameId.Upgrade:
      return false;
    case NameId.Te: {
      const entry = index * FIELD_LIST_STRIDE;
      const at = fields.entries[entry + FIELD_VALUE_AT]!;
      return equalsWord(fields.bytes, at, fields.entries[entry + FIELD_VALUE_END]! - at, TRAILERS);
    }
    default:
      return true;
  }
}

/** RFC 9113 §8.3.2, §8.6. */
function response(fields: FieldList, seen: number): number {
  const index = fields.find(NameId.Status);
  const entry = index * FIELD_LIST_STRIDE;
  const at = fields.entries[entry + FIELD_VALUE_AT]!;
  if (seen !== SEEN_STATUS || fields.entries[entry + FIELD_VALUE_END]! - at !== 3) return Verdict.Malformed;
  let status = 0;
  for (let i = at; i < at + 3; i++) {
    const byte = fields.bytes[i]!;
    if (byte < ZERO || byte > NINE) return Verdict.Malformed;
    status = status * 10 + byte - ZERO;
  }
  return status < 100 || status === 101 ? Verdict.Malformed : Verdict.Response | status;
}

/** RFC 9113 §8.3.1, §8.5; RFC 8441 §4. */
function request(fields: FieldList, seen: number): number {
  if ((seen & SEEN_METHOD) === 0) return Verdict.Malformed;
  const method = fields.find(NameId.Method);
  if (!valueIsOf(fields, method, TOKEN)) return Verdict.Malformed;
  if ((seen & SEEN_AUTHORITY) !== 0 && !authorityIsValid(fields)) return Verdict.Malformed;
  const connect = fields.valueIs(method, CONNECT);
  if (connect && (seen & SEEN_PROTOCOL) === 0) {
    const plain = seen === (SEEN_METHOD | SEEN_AUTHORITY) && !isEmpty(fields, fields.find(NameId.Authority));
    return plain ? Verdict.Request | Verdict.Connect : Verdict.Malformed;
  }
  const needed = SEEN_METHOD | SEEN_SCHEME | SEEN_PATH | (connect ? SEEN_PROTOCOL | SEEN_AUTHORITY : 0);
  if ((seen & needed) !== needed || (!connect && (seen & SEEN_PROTOCOL) !== 0)) return Verdict.Malformed;
  if (!schemeIsValid(fields) || !pathIsValid(fields, method)) return Verdict.Malformed;
  if (!connect) return Verdict.Request;
  const protocol = valueIsOf(fields, fields.find(NameId.Protocol), TOKEN);
  return protocol ? Verdict.Request | Verdict.Connect | Verdict.Extended : Verdict.Malformed;
}

/** Whether a value is not empty and of one class of bytes. */
function valueIsOf(fields: FieldList, index: number, byteClass: number): boolean {
  const entry = index * FIELD_LIST_STRIDE;
  const at = fields.entries[entry + FIELD_VALUE_AT]!;
  const end = fields.entries[entry + FIELD_VALUE_END]!;
  return at < end && skipClass(fields.bytes, at, end, byteClass) === end;
}

function isEmpty(fields: FieldList, index: number): boolean {
  const entry = index * FIELD_LIST_STRIDE;
  return fields.entries[entry + FIELD_VALUE_AT]! === fields.entries[entry + FIELD_VALUE_END]!;
}

/** RFC 3986 §3.1. */
function schemeIsValid(fields: FieldList): boolean {
  const index = fields.find(NameId.Scheme);
  if (!valueIsOf(fields, index, SCHEME)) return false;
  const first = fields.bytes[fields.entries[index * FIELD_LIST_STRIDE + FIELD_VALUE_AT]!]! | 0x20;
  return first >= 0x61 && first <= 0x7a;
}

/** An absolute path, or `*` with OPTIONS. */
function pathIsValid(fields: FieldList, method: number): boolean {
  const index = fields.find(NameId.Path);
  if (!valueIsOf(fields, index, TARGET)) return false;
  if (fields.bytes[fields.entries[index * FIELD_LIST_STRIDE + FIELD_VALUE_AT]!] === SLASH) return true;
  return fields.valueIs(index, ASTERISK) && fields.valueIs(method, OPTIONS);
}

/**
 * uri-host and port without user information; and `host`, where it is there too, names the same. Requests that were HTTP/1
 * may have both an absolute target and another host, or an empty one: those that carry `l5d-orig-proto` are to arrive so.
 */
function authorityIsValid(fields: FieldList): boolean {
  const entry = fields.find(NameId.Authority) * FIELD_LIST_STRIDE;
  const at = fields.entries[entry + FIELD_VALUE_AT]!;
  const end = fields.entries[entry + FIELD_VALUE_END]!;
  if (authorityError(fields.bytes, at, end) !== HeadStep.Ok) return false;
  const host = fields.find(NameId.Host);
  if (host < 0 || fields.find(NameId.L5dOrigProto) >= 0) return true;
  return sameHost(fields, at, end, host * FIELD_LIST_STRIDE);
}

/** Letters count without case, and a scheme's own port as none: a client that writes both may write them differently. */
function sameHost(fields: FieldList, at: number, end: number, entry: number): boolean {
  const bytes = fields.bytes;
  const hostAt = fields.entries[entry + FIELD_VALUE_AT]!;
  const length = withoutPort(bytes, at, end) - at;
  const hostEnd = withoutPort(bytes, hostAt, fields.entries[entry + FIELD_VALUE_END]!);
  if (hostEnd - hostAt !== length) return false;
  for (let i = 0; i < length; i++) {
    if (lower(bytes[at + i]!) !== lower(bytes[hostAt + i]!)) return false;
  }
  return true;
}

function withoutPort(bytes: Uint8Array, at: number, end: number): number {
  if (endsWith(bytes, at, end, HTTP_PORT)) return end - HTTP_PORT.length;
  return endsWith(bytes, at, end, HTTPS_PORT) ? end - HTTPS_PORT.length : end;
}

function endsWith(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  const from = end - text.length;
  if (from < at || bytes[from] !== COLON) return false;
  for (let i = 1; i < text.length; i++) {
    if (bytes[from + i] !== text[i]) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** -1 for anything but digits. */
function parseLength(fields: FieldList, index: number): number {
  const entry = index * FIELD_LIST_STRIDE;
  const at = fields.entries[entry + FIELD_VALUE_AT]!;
  const end = fields.entries[entry + FIELD_VALUE_END]!;
  if (at === end || end - at > LENGTH_DIGITS_MAX) return -1;
  let length = 0;
  for (let i = at; i < end; i++) {
    const byte = fields.bytes[i]!;
    if (byte < ZERO || byte > NINE) return -1;
    length = length * 10 + byte - ZERO;
  }
  return length;
}
