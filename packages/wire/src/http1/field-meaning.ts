import { ascii, BYTE_CLASS, COMMA, equalsWord, SP, TAB, TOKEN } from "../ascii.ts";
import { authorityError } from "./authority.ts";
import { markIndex } from "./drop.ts";
import { FIELD_ID_MASK, FIELD_STRIDE, FieldId, FLAGS, type Head, VALUE_END, VALUE_START } from "./head.ts";
import { HeadStep } from "./head-step.ts";

const CHUNKED = ascii("chunked");
/** The registered codings besides chunked (RFC 9112 §7.2); they never take parameters. */
const COMPRESSIONS: readonly Uint8Array[] = ["gzip", "deflate", "compress", "x-gzip", "x-compress"].map(ascii);
const CLOSE = ascii("close");
const KEEP_ALIVE = ascii("keep-alive");
const UPGRADE = ascii("upgrade");
const H2C = ascii("h2c");
const CONTINUE = ascii("100-continue");
const GRPC = ascii("application/grpc");
const LENGTH_MAX = Number.MAX_SAFE_INTEGER;

/** Takes in what the field added last (entry `index`, of a known id) means; requests and responses differ in strictness. */
export function noteField(buf: Uint8Array, index: number, id: FieldId, request: boolean, out: Head): HeadStep {
  const entry = index * FIELD_STRIDE;
  const start = out.fields[entry + VALUE_START]!;
  const end = out.fields[entry + VALUE_END]!;
  switch (id) {
    case FieldId.ContentLength:
      return noteContentLength(buf, start, end, index, request, out);
    case FieldId.TransferEncoding:
      return noteTransferEncoding(buf, start, end, request, out);
    case FieldId.Host:
      return request ? noteHost(buf, start, end, index, out) : HeadStep.Ok;
    case FieldId.Connection:
      out.hopByHop = true;
      noteConnection(buf, start, end, out);
      return HeadStep.Ok;
    case FieldId.Upgrade:
      out.hopByHop = true;
      out.upgradeField = true;
      if (listHas(buf, start, end, H2C)) out.offersH2c = true;
      return HeadStep.Ok;
    case FieldId.KeepAlive:
    case FieldId.ProxyConnection:
      out.hopByHop = true;
      return HeadStep.Ok;
    case FieldId.Expect:
      if (equalsWord(buf, start, end - start, CONTINUE)) out.expectContinue = true;
      return HeadStep.Ok;
    case FieldId.ContentType:
      if (end - start >= GRPC.length && equalsWord(buf, start, GRPC.length, GRPC)) out.grpc = true;
      return HeadStep.Ok;
    default:
      return HeadStep.Ok;
  }
}

/** What can be said only when all fields are known: framing as a whole, and whether the connection goes on. */
export function settleRequest(out: Head): HeadStep {
  if (out.transferEncoding) {
    if (out.minor === 0) return HeadStep.TransferEncodingInHttp10;
    if (!out.chunked) return HeadStep.BadTransferEncoding;
  }
  settleConnection(out);
  if (out.minor === 0) out.expectContinue = false;
  return HeadStep.Ok;
}

/** As settleRequest(). Transfer-Encoding overrides a length; that or HTTP/1.0 makes the message suspect (RFC 9112 §6.1). */
export function settleResponse(out: Head): HeadStep {
  if (out.transferEncoding) {
    if (out.contentLength >= 0) {
      markLengthFields(out);
      out.contentLength = -1;
      out.closeAfter = true;
    }
    if (out.minor === 0) out.closeAfter = true;
  }
  settleConnection(out);
  return HeadStep.Ok;
}

function settleConnection(out: Head): void {
  out.keepAlive = !out.close && (out.minor === 1 || out.namesKeepAlive);
  out.upgrade = out.minor === 1 && out.upgradeField && out.namesUpgrade;
  out.upgradeIsH2c = out.upgrade && out.offersH2c;
}

/**
 * RFC 9112 §6.3: one or more digits, nothing else; a list is refused even if its members agree. Lines that agree are
 * accepted and the repeats marked for removal, so that the next server sees one.
 */
function noteContentLength(
  buf: Uint8Array,
  start: number,
  end: number,
  index: number,
  request: boolean,
  out: Head,
): HeadStep {
  if (start === end) return HeadStep.BadContentLength;
  let value = 0;
  for (let p = start; p < end; p++) {
    const digit = buf[p]! - 0x30;
    if (digit < 0 || digit > 9) return HeadStep.BadContentLength;
    // Exact up to here, so the sum below is exact too or is refused.
    if (value > (LENGTH_MAX - digit) / 10) return HeadStep.BadContentLength;
    value = value * 10 + digit;
  }
  if (request && out.transferEncoding) return HeadStep.LengthWithTransferEncoding;
  if (out.contentLength < 0) out.contentLength = value;
  else if (out.contentLength !== value) return HeadStep.ContentLengthConflict;
  else markIndex(out, index);
  return HeadStep.Ok;
}

/**
 * RFC 9112 §6.1, §7. Lines add up to one list, in which chunked may stand once, and in requests last. In requests
 * every coding must be a registered one; in responses unknown ones mean a body that ends by close.
 */
function noteTransferEncoding(buf: Uint8Array, start: number, end: number, request: boolean, out: Head): HeadStep {
  if (request && out.contentLength >= 0) return HeadStep.LengthWithTransferEncoding;
  out.transferEncoding = true;
  let p = start;
  for (;;) {
    const from = p;
    while (p < end && (BYTE_CLASS[buf[p]!]! & TOKEN) !== 0) p++;
    if (p === from) return HeadStep.BadTransferEncoding;
    const step = noteCoding(buf, from, p, request, out);
    if (step !== HeadStep.Ok) return step;
    p = skipSpace(buf, p, end);
    if (p === end) return HeadStep.Ok;
    if (buf[p] !== COMMA) return HeadStep.BadTransferEncoding;
    p = skipSpace(buf, p + 1, end);
  }
}

function noteCoding(buf: Uint8Array, from: number, to: number, request: boolean, out: Head): HeadStep {
  // Applying chunked twice is forbidden outright, and nothing may follow it in a request.
  if (equalsWord(buf, from, to - from, CHUNKED)) {
    if (out.chunked) return HeadStep.BadTransferEncoding;
    out.chunked = true;
    return HeadStep.Ok;
  }
  if (out.chunked || (request && !isCompression(buf, from, to))) return HeadStep.BadTransferEncoding;
  return HeadStep.Ok;
}

function isCompression(buf: Uint8Array, from: number, to: number): boolean {
  for (let i = 0; i < COMPRESSIONS.length; i++) {
    if (equalsWord(buf, from, to - from, COMPRESSIONS[i]!)) return true;
  }
  return false;
}

function noteHost(buf: Uint8Array, start: number, end: number, index: number, out: Head): HeadStep {
  if (out.hostField >= 0) return HeadStep.MultipleHosts;
  out.hostField = index;
  if (!out.hostInTarget()) {
    out.hostStart = start;
    out.hostEnd = end;
  }
  return authorityError(buf, start, end);
}

function noteConnection(buf: Uint8Array, start: number, end: number, out: Head): void {
  let p = start;
  while (p < end) {
    const from = p;
    while (p < end && (BYTE_CLASS[buf[p]!]! & TOKEN) !== 0) p++;
    const length = p - from;
    if (equalsWord(buf, from, length, CLOSE)) out.close = true;
    else if (equalsWord(buf, from, length, KEEP_ALIVE)) out.namesKeepAlive = true;
    else if (equalsWord(buf, from, length, UPGRADE)) out.namesUpgrade = true;
    else if (length > 0) out.connectionNames = true;
    while (p < end && (BYTE_CLASS[buf[p]!]! & TOKEN) === 0) p++;
  }
}

/** Whether a comma-separated list has `lower` as a whole member. */
function listHas(buf: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  let p = start;
  while (p < end) {
    p = skipSpace(buf, p, end);
    const from = p;
    while (p < end && buf[p] !== COMMA) p++;
    let to = p;
    while (to > from && (buf[to - 1] === SP || buf[to - 1] === TAB)) to--;
    if (equalsWord(buf, from, to - from, lower)) return true;
    p++;
  }
  return false;
}

function markLengthFields(out: Head): void {
  for (let index = 0; index < out.fieldCount; index++) {
    if ((out.fields[index * FIELD_STRIDE + FLAGS]! & FIELD_ID_MASK) === FieldId.ContentLength) markIndex(out, index);
  }
}

function skipSpace(buf: Uint8Array, p: number, end: number): number {
  let at = p;
  while (at < end && (buf[at] === SP || buf[at] === TAB)) at++;
  return at;
}
