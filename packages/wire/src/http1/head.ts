import { assert } from "../assert.ts";

export const Method = {
  Other: 0,
  Get: 1,
  Head: 2,
  Post: 3,
  Put: 4,
  Delete: 5,
  Connect: 6,
  Options: 7,
  Trace: 8,
  Patch: 9,
} as const;
export type Method = (typeof Method)[keyof typeof Method];

/** RFC 9112 §3.2. */
export const TargetForm = { Origin: 0, Absolute: 1, Authority: 2, Asterisk: 3 } as const;
export type TargetForm = (typeof TargetForm)[keyof typeof TargetForm];

/** Field names that mean something to a proxy; all others are Other. */
export const FieldId = {
  Other: 0,
  Connection: 1,
  ContentLength: 2,
  TransferEncoding: 3,
  Host: 4,
  Upgrade: 5,
  KeepAlive: 6,
  ProxyConnection: 7,
  Expect: 8,
  ContentType: 9,
} as const;
export type FieldId = (typeof FieldId)[keyof typeof FieldId];

/**
 * One entry of Head.fields, FIELD_STRIDE numbers:
 *
 *     [ nameStart, nameEnd, valueStart, valueEnd, lineEnd, flags ]
 *
 * nameStart is the first byte of the line and lineEnd the byte after its LF, so lines are back to back. The value is
 * without surrounding whitespace. flags is a FieldId, plus FIELD_DROP once the line is marked for removal.
 */
export const FIELD_STRIDE = 6;
export const NAME_START = 0;
export const NAME_END = 1;
export const VALUE_START = 2;
export const VALUE_END = 3;
export const LINE_END = 4;
export const FLAGS = 5;
export const FIELD_DROP = 0x100;
export const FIELD_ID_MASK = 0xff;

/** The most fields any Head takes; a limit above it counts as this. */
export const FIELDS_MAX = 256;

export interface HeadLimits {
  /** Bytes from `at` to the end of the empty line, leading empty lines included. */
  readonly headBytesMax: number;
  readonly fieldsMax: number;
}

/** 64 KiB and 256 fields. */
export const DEFAULT_HEAD_LIMITS: HeadLimits = { headBytesMax: 65536, fieldsMax: FIELDS_MAX };

/** Where in a head the parser stands between two calls. */
export const Phase = {
  Begin: 0,
  EmptyLines: 1,
  Method: 2,
  Target: 3,
  Version: 4,
  Status: 5,
  Reason: 6,
  LineStart: 7,
  Name: 8,
  Space: 9,
  Value: 10,
  Done: 11,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

const FIELDS_AT_FIRST = 24;

/**
 * One parsed request or response head, reused: reset() begins a new one. All offsets are into the buffer given to the
 * parser and stay valid as long as the bytes do. An absent offset is -1.
 *
 * While a head is incomplete this also holds where parsing stands, so each byte is looked at once however the head is
 * cut. Between calls the bytes must stay where they are; when they move, say so with shift().
 */
export class Head {
  /** First byte of the start line, after any empty lines that came before it. */
  start = 0;
  /** Just after the start line's LF. */
  lineEnd = 0;
  /** Just after the LF of the empty line. */
  end = 0;
  method: Method = 0;
  methodStart = -1;
  methodEnd = -1;
  targetStart = -1;
  targetEnd = -1;
  targetForm: TargetForm = 0;
  /** HTTP/1.minor. */
  minor = 0;
  /** Responses only; 100 to 999. */
  status = 0;

  fieldCount = 0;
  /** fieldCount entries of FIELD_STRIDE numbers. Grows, so do not keep a reference across parse calls. */
  fields: Int32Array = new Int32Array(FIELDS_AT_FIRST * FIELD_STRIDE);
  /** Lines marked for removal, and their bytes. */
  dropCount = 0;
  dropBytes = 0;

  /** -1 when absent; in a response also when Transfer-Encoding overrides it. */
  contentLength = -1;
  /** Transfer-Encoding is present. */
  transferEncoding = false;
  /** The last transfer coding is chunked. */
  chunked = false;
  /** The Host value, or the authority of an absolute-form or authority-form target, which wins (RFC 9112 §3.2.2). */
  hostStart = -1;
  hostEnd = -1;
  /** The index of the Host field, -1 when absent. */
  hostField = -1;
  /** The connection may carry another message afterwards, by version and Connection (RFC 9112 §9.3). */
  keepAlive = false;
  /** Connection names close. */
  close = false;
  /** A response whose framing is doubtful though readable: take it, then do not reuse the connection (RFC 9112 §6.1). */
  closeAfter = false;
  /** HTTP/1.1, and Connection names an Upgrade field that is there. */
  upgrade = false;
  /** That Upgrade field offers h2c. */
  upgradeIsH2c = false;
  /** HTTP/1.1 and `Expect: 100-continue`. */
  expectContinue = false;
  /** Content-Type begins with application/grpc. */
  grpc = false;
  /** Some field name begins with `l5d-`. */
  l5d = false;
  /** There is a Connection field, or another that goes with the hop: markHopByHop() has something to do. */
  hopByHop = false;
  /** Connection names something other than close, keep-alive and upgrade. */
  connectionNames = false;

  // Parsing state; no one else's business.
  phase: Phase = 0;
  position = 0;
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  namesKeepAlive = false;
  namesUpgrade = false;
  upgradeField = false;
  offersH2c = false;

  /** Begins a new head. */
  reset(): void {
    this.start = 0;
    this.lineEnd = 0;
    this.end = 0;
    this.method = 0;
    this.methodStart = -1;
    this.methodEnd = -1;
    this.targetStart = -1;
    this.targetEnd = -1;
    this.targetForm = 0;
    this.minor = 0;
    this.status = 0;
    this.fieldCount = 0;
    this.dropCount = 0;
    this.dropBytes = 0;
    this.contentLength = -1;
    this.transferEncoding = false;
    this.chunked = false;
    this.hostStart = -1;
    this.hostEnd = -1;
    this.hostField = -1;
    this.keepAlive = false;
    this.close = false;
    this.closeAfter = false;
    this.upgrade = false;
    this.upgradeIsH2c = false;
    this.expectContinue = false;
    this.grpc = false;
    this.l5d = false;
    this.hopByHop = false;
    this.connectionNames = false;
    this.phase = 0;
    this.namesKeepAlive = false;
    this.namesUpgrade = false;
    this.upgradeField = false;
    this.offersH2c = false;
  }

  /** The head's bytes, parsed or half parsed, have moved by `delta` within the buffer (or into another). */
  shift(delta: number): void {
    this.position += delta;
    this.nameStart += delta;
    this.nameEnd += delta;
    this.valueStart += delta;
    this.end += delta;
    this.shiftStartLine(delta);
    if (!this.hostInTarget()) this.shiftHost(delta);
    const fields = this.fields;
    for (let at = 0; at < this.fieldCount * FIELD_STRIDE; at += FIELD_STRIDE) {
      for (let i = NAME_START; i <= LINE_END; i++) fields[at + i]! += delta;
    }
  }

  /** Only the start line has moved, and with it a host that stands in the target. */
  shiftStartLine(delta: number): void {
    this.start += delta;
    this.lineEnd += delta;
    if (this.methodStart >= 0) this.methodStart += delta;
    if (this.methodEnd >= 0) this.methodEnd += delta;
    if (this.targetStart >= 0) this.targetStart += delta;
    if (this.targetEnd >= 0) this.targetEnd += delta;
    if (this.hostInTarget()) this.shiftHost(delta);
  }

  hostInTarget(): boolean {
    return this.targetForm === TargetForm.Absolute || this.targetForm === TargetForm.Authority;
  }

  shiftHost(delta: number): void {
    if (this.hostStart < 0) return;
    this.hostStart += delta;
    this.hostEnd += delta;
  }

  /** Room for one more entry; called before a field is added. */
  reserveField(): void {
    if ((this.fieldCount + 1) * FIELD_STRIDE <= this.fields.length) return;
    assert(this.fieldCount < FIELDS_MAX);
    const larger = new Int32Array(Math.min(this.fields.length * 2, FIELDS_MAX * FIELD_STRIDE));
    larger.set(this.fields);
    this.fields = larger;
  }
}
