import { ascii, BYTE_CLASS, CR, LF, SP, TARGET, TOKEN } from "../ascii.ts";
import { assert } from "../assert.ts";
import { Method } from "../http1/head.ts";
import { methodOf } from "../http1/start-line.ts";

export const Detected = { NeedMore: 0, Http1: 1, Http2: 2, Tls: 3, Opaque: 4 } as const;
export type Detected = (typeof Detected)[keyof typeof Detected];

/** RFC 9113 §3.4. */
const HTTP2_PREFACE = ascii("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const HTTP_1 = ascii("HTTP/1.");
/** ` HTTP/1.x` */
const VERSION_TAIL_BYTES = 9;
/** RFC 4253 §4.2: every SSH connection begins so; as a method it could only delay the answer. */
const SSH = ascii("SSH-");
const TLS_HANDSHAKE = 22;
const TLS_MAJOR = 3;
/** The longest registered methods have 17 bytes (UPDATEREDIRECTREF, BASELINE-CONTROL 16). */
const METHOD_BYTES_MAX = 32;
/** Empty lines tolerated before a request (RFC 9112 §2.2), in bytes. */
const EMPTY_LINES_BYTES_MAX = 8;
/** A longer first line cannot be a head that the parser would take. */
const LINE_BYTES_MAX = 65536;

/**
 * Says what protocol a client speaks from the first bytes [at, end) it sent; NeedMore while they may still become
 * HTTP or TLS. What cannot, is Opaque at once: waiting would hold up its owner.
 *
 * A line that begins with a registered method and ends in ` HTTP/1.x` is Http1 however malformed, so that its sender
 * gets a 400 instead of a tunnel. `scanned` (optional) is the `end` of the previous call that said NeedMore on the
 * same bytes: a long line that drips in is then not searched from its start each time.
 */
export function detectProtocol(buf: Uint8Array, at: number, end: number, scanned: number = at): Detected {
  assert(at <= end && end <= buf.length);
  if (at === end) return Detected.NeedMore;
  if (buf[at] === TLS_HANDSHAKE) {
    if (end - at < 2) return Detected.NeedMore;
    return buf[at + 1] === TLS_MAJOR ? Detected.Tls : Detected.Opaque;
  }
  const preface = commonBytes(buf, at, end, HTTP2_PREFACE);
  if (preface === HTTP2_PREFACE.length) return Detected.Http2;
  if (preface === end - at) return Detected.NeedMore;
  const emptyLinesEnd = Math.min(end, at + EMPTY_LINES_BYTES_MAX);
  let p = at;
  while (p < emptyLinesEnd) {
    if (buf[p] === CR && p + 1 === end) return Detected.NeedMore;
    if (buf[p] === CR && buf[p + 1] === LF) p += 2;
    else if (buf[p] === LF) p++;
    else break;
  }
  return p === end ? Detected.NeedMore : detectRequestLine(buf, p, end, scanned);
}

function detectRequestLine(buf: Uint8Array, start: number, end: number, scanned: number): Detected {
  if (commonBytes(buf, start, end, SSH) === SSH.length) return Detected.Opaque;
  const methodStop = Math.min(end, start + METHOD_BYTES_MAX + 1);
  let p = start;
  while (p < methodStop && (BYTE_CLASS[buf[p]!]! & TOKEN) !== 0) p++;
  if (p - start > METHOD_BYTES_MAX) return Detected.Opaque;
  if (p === end) return Detected.NeedMore;
  if (buf[p] !== SP || p === start) return Detected.Opaque;
  if (methodOf(buf, start, p) === Method.Other) return detectStrictly(buf, start, p + 1, end, scanned);
  return detectByLineEnd(buf, start, p + 1, end, scanned);
}

/** A method we do not know must be followed by a flawless `target SP HTTP/1.x`. */
function detectStrictly(buf: Uint8Array, line: number, target: number, end: number, scanned: number): Detected {
  const stop = Math.min(end, line + LINE_BYTES_MAX);
  // Bytes seen before were part of the target or of the short version; going back by the latter finds either.
  let p = Math.max(target, scanned - VERSION_TAIL_BYTES - 1);
  while (p < stop && (BYTE_CLASS[buf[p]!]! & TARGET) !== 0) p++;
  if (p === stop) return stop < line + LINE_BYTES_MAX ? Detected.NeedMore : Detected.Opaque;
  if (buf[p] !== SP || p === target) return Detected.Opaque;
  p++;
  const version = commonBytes(buf, p, end, HTTP_1);
  p += version;
  if (p === end) return Detected.NeedMore;
  if (version < HTTP_1.length || (buf[p] !== 0x30 && buf[p] !== 0x31)) return Detected.Opaque;
  p++;
  if (p < end && buf[p] === CR) p++;
  if (p === end) return Detected.NeedMore;
  return buf[p] === LF ? Detected.Http1 : Detected.Opaque;
}

function detectByLineEnd(buf: Uint8Array, line: number, target: number, end: number, scanned: number): Detected {
  const stop = Math.min(end, line + LINE_BYTES_MAX);
  let p = Math.max(target, scanned);
  while (p < stop && buf[p] !== LF) p++;
  // Too long a line: the parser answers 431.
  if (p === stop) return stop < line + LINE_BYTES_MAX ? Detected.NeedMore : Detected.Http1;
  if (buf[p - 1] === CR) p--;
  const tail = p - VERSION_TAIL_BYTES;
  if (tail < target - 1 || buf[tail] !== SP) return Detected.Opaque;
  const digit = buf[p - 1]! - 0x30;
  if (digit < 0 || digit > 9) return Detected.Opaque;
  return commonBytes(buf, tail + 1, p, HTTP_1) === HTTP_1.length ? Detected.Http1 : Detected.Opaque;
}

/** How many bytes of [at, end) agree with the beginning of `word`. */
function commonBytes(buf: Uint8Array, at: number, end: number, word: Uint8Array): number {
  const most = Math.min(word.length, end - at);
  let count = 0;
  while (count < most && buf[at + count] === word[count]) count++;
  return count;
}
