import { COLON, CR, FIELD_VALUE, LF, SP, skipClass, TAB, TOKEN } from "../ascii.ts";
import { assert } from "../assert.ts";
import { fieldId } from "./field-id.ts";
import { noteField, settleRequest, settleResponse } from "./field-meaning.ts";
import {
  FIELD_STRIDE,
  FIELDS_MAX,
  FieldId,
  FLAGS,
  type Head,
  type HeadLimits,
  LINE_END,
  NAME_END,
  NAME_START,
  Phase,
  VALUE_END,
  VALUE_START,
} from "./head.ts";
import { HeadStep } from "./head-step.ts";
import { readRequestLine, readStatusLine } from "./start-line.ts";

/**
 * Parses a request head from the bytes [at, end). NeedMore: call again with the same `at` and a larger `end`; parsing
 * goes on where it stopped, so dripping costs nothing extra. Any code above Ok ends the connection: an error is
 * reported at the first byte that proves it, whatever follows. `out` must be reset() before a new head; after Ok the
 * body begins at out.end.
 */
export function parseRequestHead(buf: Uint8Array, at: number, end: number, limits: HeadLimits, out: Head): HeadStep {
  assert(at <= end && end <= buf.length);
  assert(out.phase !== Phase.Done);
  const stop = Math.min(end, at + limits.headBytesMax);
  if (out.phase === Phase.Begin) begin(out, at, Phase.EmptyLines);
  let step: HeadStep = HeadStep.Ok;
  if (out.phase < Phase.LineStart) step = readRequestLine(buf, stop, out);
  if (step === HeadStep.Ok) step = readFields(buf, stop, limits.fieldsMax, true, out);
  if (step === HeadStep.Ok) return settleRequest(out);
  return step === HeadStep.NeedMore && end - at >= limits.headBytesMax ? HeadStep.TooLarge : step;
}

/** As parseRequestHead(), for responses, where no empty lines may come first. */
export function parseResponseHead(buf: Uint8Array, at: number, end: number, limits: HeadLimits, out: Head): HeadStep {
  assert(at <= end && end <= buf.length);
  assert(out.phase !== Phase.Done);
  const stop = Math.min(end, at + limits.headBytesMax);
  if (out.phase === Phase.Begin) begin(out, at, Phase.Status);
  let step: HeadStep = HeadStep.Ok;
  if (out.phase < Phase.LineStart) step = readStatusLine(buf, stop, out);
  if (step === HeadStep.Ok) step = readFields(buf, stop, limits.fieldsMax, false, out);
  if (step === HeadStep.Ok) return settleResponse(out);
  return step === HeadStep.NeedMore && end - at >= limits.headBytesMax ? HeadStep.TooLarge : step;
}

function begin(out: Head, at: number, phase: Phase): void {
  out.position = at;
  out.start = at;
  out.phase = phase;
}

/** Field lines up to and with the empty line (RFC 9112 §5), from where `out` stands. */
function readFields(buf: Uint8Array, stop: number, fieldsMax: number, request: boolean, out: Head): HeadStep {
  const most = Math.min(fieldsMax, FIELDS_MAX);
  let p = out.position;
  let phase: Phase = out.phase;
  for (;;) {
    if (phase === Phase.LineStart) {
      if (p >= stop) break;
      const byte = buf[p]!;
      if (byte === CR || byte === LF) {
        if (byte === CR && p + 1 >= stop) break;
        if (byte === CR && buf[p + 1] !== LF) return HeadStep.BareCr;
        out.end = byte === CR ? p + 2 : p + 1;
        out.position = out.end;
        out.phase = Phase.Done;
        return HeadStep.Ok;
      }
      if (byte === SP || byte === TAB) return HeadStep.ObsFold;
      if (out.fieldCount >= most) return HeadStep.TooManyFields;
      out.nameStart = p;
      phase = Phase.Name;
    }
    if (phase === Phase.Name) {
      p = skipClass(buf, p, stop, TOKEN);
      if (p >= stop) break;
      if (buf[p] !== COLON || p === out.nameStart) return badName(buf, p, out);
      out.nameEnd = p;
      p++;
      phase = Phase.Space;
    }
    if (phase === Phase.Space) {
      while (p < stop && (buf[p] === SP || buf[p] === TAB)) p++;
      if (p >= stop) break;
      out.valueStart = p;
      phase = Phase.Value;
    }
    p = skipClass(buf, p, stop, FIELD_VALUE);
    if (p >= stop) break;
    const valueEnd = p;
    if (buf[p] === CR) {
      if (p + 1 >= stop) break;
      if (buf[p + 1] !== LF) return HeadStep.BareCr;
      p++;
    } else if (buf[p] !== LF) {
      return HeadStep.BadFieldValue;
    }
    p++;
    const step = addField(buf, valueEnd, p, request, out);
    if (step !== HeadStep.Ok) return step;
    phase = Phase.LineStart;
  }
  out.position = p;
  out.phase = phase;
  return HeadStep.NeedMore;
}

/** RFC 9112 §5.1: whitespace before the colon once let requests through proxies unseen, so it has a name of its own. */
function badName(buf: Uint8Array, p: number, out: Head): HeadStep {
  const space = buf[p] === SP || buf[p] === TAB;
  return space && p > out.nameStart ? HeadStep.SpaceBeforeColon : HeadStep.BadFieldName;
}

function addField(buf: Uint8Array, paddedEnd: number, lineEnd: number, request: boolean, out: Head): HeadStep {
  let valueEnd = paddedEnd;
  while (valueEnd > out.valueStart && (buf[valueEnd - 1] === SP || buf[valueEnd - 1] === TAB)) valueEnd--;
  out.reserveField();
  const id = fieldId(buf, out.nameStart, out.nameEnd);
  const index = out.fieldCount++;
  const entry = index * FIELD_STRIDE;
  const fields = out.fields;
  fields[entry + NAME_START] = out.nameStart;
  fields[entry + NAME_END] = out.nameEnd;
  fields[entry + VALUE_START] = out.valueStart;
  fields[entry + VALUE_END] = valueEnd;
  fields[entry + LINE_END] = lineEnd;
  fields[entry + FLAGS] = id;
  if (id !== FieldId.Other) return noteField(buf, index, id, request, out);
  if (isL5d(buf, out.nameStart, out.nameEnd)) out.l5d = true;
  return HeadStep.Ok;
}

function isL5d(buf: Uint8Array, start: number, end: number): boolean {
  return (
    end - start > 4 && (buf[start]! | 0x20) === 0x6c && buf[start + 1] === 0x35 && (buf[start + 2]! | 0x20) === 0x64
  );
}
