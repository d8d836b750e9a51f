import { BYTE_CLASS, COLON, HEX_VALUE, REG_NAME, SCHEME, SLASH } from "../ascii.ts";
import { type Head, TargetForm } from "./head.ts";
import { HeadStep } from "./head-step.ts";

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const DOT = 0x2e;
const QUESTION_MARK = 0x3f;

/**
 * Finds the authority of an absolute-form target (`scheme://authority[/…]`, RFC 9112 §3.2.2). Anything that is not
 * one is BadTarget: with no `/` in front it can only have been authority-form, which CONNECT alone may use.
 */
export function authorityOfTarget(buf: Uint8Array, out: Head): HeadStep {
  const end = out.targetEnd;
  let p = out.targetStart;
  const first = buf[p]! | 0x20;
  if (first < 0x61 || first > 0x7a) return HeadStep.BadTarget;
  while (p < end && (BYTE_CLASS[buf[p]!]! & SCHEME) !== 0) p++;
  if (p + 3 >= end || buf[p] !== COLON || buf[p + 1] !== SLASH || buf[p + 2] !== SLASH) return HeadStep.BadTarget;
  p += 3;
  out.hostStart = p;
  while (p < end && buf[p] !== SLASH && buf[p] !== QUESTION_MARK) p++;
  if (p === out.hostStart) return HeadStep.BadHost;
  out.hostEnd = p;
  out.targetForm = TargetForm.Absolute;
  return authorityError(buf, out.hostStart, p);
}

/**
 * Ok or BadHost for `uri-host [":" port]` (RFC 9110 §7.2). User information is refused (§4.2.4): what stands before
 * an `@` is a host to one reader and a name to another. An empty value is Ok: it says that there is no host.
 */
export function authorityError(buf: Uint8Array, start: number, end: number): HeadStep {
  let p = start;
  if (p < end && buf[p] === OPEN_BRACKET) {
    p++;
    while (p < end && isAddressByte(buf[p]!)) p++;
    if (p >= end || buf[p] !== CLOSE_BRACKET || p - start < 3) return HeadStep.BadHost;
    p++;
  } else {
    while (p < end && (BYTE_CLASS[buf[p]!]! & REG_NAME) !== 0) p++;
    if (p === start && p < end) return HeadStep.BadHost;
  }
  if (p === end) return HeadStep.Ok;
  if (buf[p] !== COLON) return HeadStep.BadHost;
  p++;
  while (p < end && buf[p]! >= 0x30 && buf[p]! <= 0x39) p++;
  return p === end ? HeadStep.Ok : HeadStep.BadHost;
}

/** IPv6address with an embedded IPv4 address. No zone: it means nothing to another machine. */
function isAddressByte(byte: number): boolean {
  return HEX_VALUE[byte] !== 255 || byte === COLON || byte === DOT;
}
