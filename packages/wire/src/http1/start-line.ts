import { ascii, COLON, CR, FIELD_VALUE, LF, SLASH, SP, skipClass, TARGET, TOKEN } from "../ascii.ts";
import { authorityError, authorityOfTarget } from "./authority.ts";
import { type Head, Method, Phase, TargetForm } from "./head.ts";
import { HeadStep } from "./head-step.ts";

const HTTP_1 = ascii("HTTP/1.");
/** `HTTP/1.x` */
const VERSION_BYTES = 8;
/** `HTTP/1.x NNN` */
const STATUS_PREFIX_BYTES = 12;

/**
 * Reads `method SP target SP HTTP/1.x` and its line end (RFC 9112 §3), from where `out` stands. Empty lines before it
 * are skipped (§2.2). Ok leaves `out` at the first field line.
 */
export function readRequestLine(buf: Uint8Array, stop: number, out: Head): HeadStep {
  let p = out.position;
  if (out.phase === Phase.EmptyLines) {
    while (p < stop && (buf[p] === LF || buf[p] === CR)) {
      if (buf[p] === LF) {
        p++;
        continue;
      }
      if (p + 1 >= stop) return pause(out, Phase.EmptyLines, p);
      if (buf[p + 1] !== LF) return HeadStep.BareCr;
      p += 2;
    }
    if (p >= stop) return pause(out, Phase.EmptyLines, p);
    out.start = p;
    out.methodStart = p;
    out.phase = Phase.Method;
  }
  if (out.phase === Phase.Method) {
    p = skipClass(buf, p, stop, TOKEN);
    if (p >= stop) return pause(out, Phase.Method, p);
    if (buf[p] !== SP || p === out.methodStart) return HeadStep.BadMethod;
    out.methodEnd = p;
    out.method = methodOf(buf, out.methodStart, p);
    p++;
    out.targetStart = p;
    out.phase = Phase.Target;
  }
  if (out.phase === Phase.Target) {
    p = skipClass(buf, p, stop, TARGET);
    if (p >= stop) return pause(out, Phase.Target, p);
    if (buf[p] !== SP) return buf[p] === CR || buf[p] === LF ? HeadStep.BadStartLine : HeadStep.BadTarget;
    if (p === out.targetStart) return HeadStep.BadStartLine;
    out.targetEnd = p;
    const step = readTargetForm(buf, out);
    if (step !== HeadStep.Ok) return step;
    p++;
    out.phase = Phase.Version;
  }
  return readVersionAndLineEnd(buf, p, stop, out);
}

/** Reads `HTTP/1.x NNN[ SP [reason]]` and its line end (RFC 9112 §4). Ok leaves `out` at the first field line. */
export function readStatusLine(buf: Uint8Array, stop: number, out: Head): HeadStep {
  let p = out.position;
  if (out.phase === Phase.Status) {
    out.start = p;
    const step = readVersion(buf, p, stop, out);
    if (step !== HeadStep.Ok) return step === HeadStep.NeedMore ? pause(out, Phase.Status, p) : step;
    if (p + VERSION_BYTES < stop && buf[p + VERSION_BYTES] !== SP) return HeadStep.BadVersion;
    for (let i = VERSION_BYTES + 1; i < STATUS_PREFIX_BYTES && p + i < stop; i++) {
      const digit = buf[p + i]! - 0x30;
      const least = i === VERSION_BYTES + 1 ? 1 : 0;
      if (digit < least || digit > 9) return HeadStep.BadStartLine;
    }
    if (stop - p <= STATUS_PREFIX_BYTES) return pause(out, Phase.Status, p);
    out.status = (buf[p + 9]! - 0x30) * 100 + (buf[p + 10]! - 0x30) * 10 + (buf[p + 11]! - 0x30);
    p += STATUS_PREFIX_BYTES;
    if (buf[p] !== SP && buf[p] !== CR && buf[p] !== LF) return HeadStep.BadStartLine;
    out.phase = Phase.Reason;
  }
  p = skipClass(buf, p, stop, FIELD_VALUE);
  if (p >= stop) return pause(out, Phase.Reason, p);
  if (buf[p] !== CR && buf[p] !== LF) return HeadStep.BadStartLine;
  return readLineEnd(buf, p, stop, out, Phase.Reason);
}

function readVersionAndLineEnd(buf: Uint8Array, p: number, stop: number, out: Head): HeadStep {
  const step = readVersion(buf, p, stop, out);
  if (step === HeadStep.NeedMore) return pause(out, Phase.Version, p);
  if (step !== HeadStep.Ok) return buf[p] === SP ? HeadStep.BadStartLine : step;
  const after = p + VERSION_BYTES;
  if (after >= stop) return pause(out, Phase.Version, p);
  if (buf[after] !== CR && buf[after] !== LF) return HeadStep.BadVersion;
  const ended = readLineEnd(buf, after, stop, out, Phase.Version);
  // The version is short, so a pause goes back to its first byte.
  if (ended === HeadStep.NeedMore) out.position = p;
  else if (ended === HeadStep.Ok) return formAgrees(out);
  return ended;
}

function readVersion(buf: Uint8Array, p: number, stop: number, out: Head): HeadStep {
  for (let i = 0; i < HTTP_1.length; i++) {
    if (p + i >= stop) return HeadStep.NeedMore;
    if (buf[p + i] !== HTTP_1[i]) return HeadStep.BadVersion;
  }
  if (p + HTTP_1.length >= stop) return HeadStep.NeedMore;
  const minor = buf[p + HTTP_1.length]! - 0x30;
  if (minor !== 0 && minor !== 1) return HeadStep.BadVersion;
  out.minor = minor;
  return HeadStep.Ok;
}

function readLineEnd(buf: Uint8Array, p: number, stop: number, out: Head, phase: Phase): HeadStep {
  let after = p + 1;
  if (buf[p] === CR) {
    if (after >= stop) return pause(out, phase, p);
    if (buf[after] !== LF) return HeadStep.BareCr;
    after++;
  }
  out.lineEnd = after;
  out.position = after;
  out.phase = Phase.LineStart;
  return HeadStep.Ok;
}

/** Remembers where to go on. */
function pause(out: Head, phase: Phase, position: number): typeof HeadStep.NeedMore {
  out.phase = phase;
  out.position = position;
  return HeadStep.NeedMore;
}

/** RFC 9112 §3.2; sets the form, and the host where the target holds one. */
function readTargetForm(buf: Uint8Array, out: Head): HeadStep {
  const start = out.targetStart;
  const end = out.targetEnd;
  if (buf[start] === SLASH) {
    out.targetForm = TargetForm.Origin;
  } else if (end - start === 1 && buf[start] === 0x2a) {
    out.targetForm = TargetForm.Asterisk;
    return out.method === Method.Options ? HeadStep.Ok : HeadStep.BadTarget;
  } else if (out.method === Method.Connect) {
    out.targetForm = TargetForm.Authority;
    out.hostStart = start;
    out.hostEnd = end;
    // RFC 9110 §9.3.6: host and port, both of them.
    return endsInPort(buf, start, end) ? authorityError(buf, start, end) : HeadStep.BadTarget;
  } else {
    return authorityOfTarget(buf, out);
  }
  return out.method === Method.Connect ? HeadStep.BadTarget : HeadStep.Ok;
}

function endsInPort(buf: Uint8Array, start: number, end: number): boolean {
  let p = end;
  while (p > start && buf[p - 1]! >= 0x30 && buf[p - 1]! <= 0x39) p--;
  return p < end && p - 1 > start && buf[p - 1] === COLON;
}

/** CONNECT came with HTTP/1.1: before it there are no tunnels a client could count on. */
function formAgrees(out: Head): HeadStep {
  return out.method === Method.Connect && out.minor === 0 ? HeadStep.BadVersion : HeadStep.Ok;
}

/** Methods are case-sensitive (RFC 9110 §9.1). */
export function methodOf(buf: Uint8Array, start: number, end: number): Method {
  switch (end - start) {
    case 3:
      if (is3(buf, start, 0x47, 0x45, 0x54)) return Method.Get;
      return is3(buf, start, 0x50, 0x55, 0x54) ? Method.Put : Method.Other;
    case 4:
      if (is(buf, start, POST)) return Method.Post;
      return is(buf, start, HEAD) ? Method.Head : Method.Other;
    case 5:
      if (is(buf, start, PATCH)) return Method.Patch;
      return is(buf, start, TRACE) ? Method.Trace : Method.Other;
    case 6:
      return is(buf, start, DELETE) ? Method.Delete : Method.Other;
    case 7:
      if (is(buf, start, OPTIONS)) return Method.Options;
      return is(buf, start, CONNECT) ? Method.Connect : Method.Other;
    default:
      return Method.Other;
  }
}

const POST = ascii("POST");
const HEAD = ascii("HEAD");
const PATCH = ascii("PATCH");
const TRACE = ascii("TRACE");
const DELETE = ascii("DELETE");
const OPTIONS = ascii("OPTIONS");
const CONNECT = ascii("CONNECT");

function is3(buf: Uint8Array, at: number, a: number, b: number, c: number): boolean {
  return buf[at] === a && buf[at + 1] === b && buf[at + 2] === c;
}

function is(buf: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) {
    if (buf[at + i] !== word[i]) return false;
  }
  return true;
}
