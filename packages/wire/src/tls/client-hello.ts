import { assert } from "../assert.ts";

export const HelloStep = { NeedMore: 0, Ok: 1, NotTls: 2 } as const;
export type HelloStep = (typeof HelloStep)[keyof typeof HelloStep];

/**
 * The most bytes looked at, record heads included. Post-quantum hellos have about 1.7 KB; one that is not complete
 * within this bound is Ok without a name, since it may well be TLS and no name will be found in time.
 */
export const HELLO_BYTES_MAX = 16384;

/** RFC 1035 §3.1 bounds a name. */
const SNI_BYTES_MAX = 255;
const RECORD_HEAD_BYTES = 5;
const HANDSHAKE_HEAD_BYTES = 4;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** RFC 8446 §5.1: plaintext records hold at most 2^14 bytes. */
const RECORD_BYTES_MAX = 16384;
const VERSION_AND_RANDOM_BYTES = 34;
const SESSION_ID_BYTES_MAX = 32;

/** Reused: valid until the next readClientHello() with it. */
export class ClientHello {
  /** Length of the server name in sniBytes; -1 when the hello has none. */
  sniLength = -1;
  /** A copy, because a hello may be cut over several records, within the name too. */
  readonly sniBytes: Uint8Array = new Uint8Array(SNI_BYTES_MAX);
}

/** Where a hello cut over records is put together; in use only within one call. */
const joined = new Uint8Array(HELLO_BYTES_MAX);

/**
 * Reads the server name from the ClientHello at the start of [at, end) (RFC 8446 §4.1.2, §5.1; RFC 6066 §3). NeedMore
 * until the whole hello is there, NotTls as soon as the bytes cannot be one. A name that is no visible ASCII counts as
 * absent.
 */
export function readClientHello(buf: Uint8Array, at: number, end: number, out: ClientHello): HelloStep {
  assert(at <= end && end <= buf.length);
  out.sniLength = -1;
  const stop = Math.min(end, at + HELLO_BYTES_MAX);
  let p = at;
  let records = 0;
  let joinedBytes = 0;
  for (;;) {
    const payloadBytes = recordBytes(buf, p, stop);
    if (payloadBytes < 0) return HelloStep.NotTls;
    const payload = p + RECORD_HEAD_BYTES;
    if (payload >= stop) break;
    const recordEnd = payload + payloadBytes;
    const present = Math.min(recordEnd, stop);
    if (records === 0 && buf[payload] !== CLIENT_HELLO) return HelloStep.NotTls;
    if (records === 0 && wholeHello(buf, payload, present)) return readHello(buf, payload, present, out);
    records++;
    // A hello in one record needs no copy, however late its bytes come.
    if (records === 1 && present < recordEnd) break;
    for (let i = payload; i < present; i++) joined[joinedBytes++] = buf[i]!;
    if (wholeHello(joined, 0, joinedBytes)) return readHello(joined, 0, joinedBytes, out);
    if (present < recordEnd) break;
    p = recordEnd;
  }
  return end - at >= HELLO_BYTES_MAX ? HelloStep.Ok : HelloStep.NeedMore;
}

/** The payload length of the record at `p`; -1 if no handshake record is there; 1 if its head is not complete. */
function recordBytes(buf: Uint8Array, p: number, stop: number): number {
  if (p < stop && buf[p] !== HANDSHAKE_RECORD) return -1;
  if (p + 1 < stop && buf[p + 1] !== 3) return -1;
  if (p + 2 < stop && (buf[p + 2]! < 1 || buf[p + 2]! > 3)) return -1;
  if (p + 4 >= stop) return 1;
  const bytes = (buf[p + 3]! << 8) | buf[p + 4]!;
  return bytes === 0 || bytes > RECORD_BYTES_MAX ? -1 : bytes;
}

function wholeHello(buf: Uint8Array, start: number, end: number): boolean {
  if (end - start < HANDSHAKE_HEAD_BYTES) return false;
  return end - start >= HANDSHAKE_HEAD_BYTES + uint24(buf, start + 1);
}

/** Walks the fields of a complete ClientHello message whose first byte is at `start`. */
function readHello(buf: Uint8Array, start: number, present: number, out: ClientHello): HelloStep {
  let p = start + HANDSHAKE_HEAD_BYTES;
  const end = p + uint24(buf, start + 1);
  assert(end <= present);
  // legacy_version is 0x0303 since TLS 1.2, lower before.
  if (end - p < VERSION_AND_RANDOM_BYTES + 1 || buf[p] !== 3) return HelloStep.NotTls;
  p += VERSION_AND_RANDOM_BYTES;
  if (buf[p]! > SESSION_ID_BYTES_MAX) return HelloStep.NotTls;
  p += 1 + buf[p]!;
  if (p + 2 > end) return HelloStep.NotTls;
  const suitesBytes = uint16(buf, p);
  if (suitesBytes === 0 || suitesBytes % 2 === 1) return HelloStep.NotTls;
  p += 2 + suitesBytes;
  if (p >= end || buf[p] === 0) return HelloStep.NotTls;
  p += 1 + buf[p]!;
  if (p === end) return HelloStep.Ok;
  if (p + 2 > end || p + 2 + uint16(buf, p) !== end) return HelloStep.NotTls;
  return readExtensions(buf, p + 2, end, out);
}

function readExtensions(buf: Uint8Array, start: number, end: number, out: ClientHello): HelloStep {
  let p = start;
  while (p < end) {
    if (p + 4 > end) return HelloStep.NotTls;
    const type = uint16(buf, p);
    const bodyEnd = p + 4 + uint16(buf, p + 2);
    if (bodyEnd > end) return HelloStep.NotTls;
    if (type === SERVER_NAME && !readServerName(buf, p + 4, bodyEnd, out)) return HelloStep.NotTls;
    p = bodyEnd;
  }
  return HelloStep.Ok;
}

/** False when the list of names is malformed. */
function readServerName(buf: Uint8Array, start: number, end: number, out: ClientHello): boolean {
  if (start + 2 > end || start + 2 + uint16(buf, start) !== end) return false;
  let p = start + 2;
  while (p < end) {
    if (p + 3 > end) return false;
    const nameStart = p + 3;
    const nameEnd = nameStart + uint16(buf, p + 1);
    if (nameEnd > end) return false;
    if (buf[p] === HOST_NAME && out.sniLength < 0) copyName(buf, nameStart, nameEnd, out);
    p = nameEnd;
  }
  return true;
}

function copyName(buf: Uint8Array, start: number, end: number, out: ClientHello): void {
  const length = end - start;
  if (length === 0 || length > SNI_BYTES_MAX) return;
  for (let i = 0; i < length; i++) {
    const byte = buf[start + i]!;
    if (byte <= 0x20 || byte >= 0x7f) return;
    out.sniBytes[i] = byte;
  }
  out.sniLength = length;
}

function uint16(buf: Uint8Array, at: number): number {
  return (buf[at]! << 8) | buf[at + 1]!;
}

function uint24(buf: Uint8Array, at: number): number {
  return (buf[at]! << 16) | (buf[at + 1]! << 8) | buf[at + 2]!;
}
