import { fieldListOf } from "../field-texts.ts";
import type { FieldList } from "../fields.ts";
import {
  ErrorCode,
  Flag,
  FRAME_HEAD_BYTES,
  FrameType,
  PREFACE,
  readUint31,
  readUint32,
  writeFrameHead,
  writeUint32,
} from "../frame.ts";

/** Frames written by hand, without the code under test, and frames read as one line of text each. */
export type Fields = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

const TYPE_NAMES = Object.fromEntries(Object.entries(FrameType).map(([name, type]) => [type, name]));
const CODE_NAMES = Object.fromEntries(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

export const GET: Readonly<Record<string, string>> = {
  ":method": "GET",
  ":scheme": "http",
  ":path": "/",
  ":authority": "a",
};
export const POST: Readonly<Record<string, string>> = {
  ":method": "POST",
  ":scheme": "http",
  ":path": "/",
  ":authority": "a",
};
export const OK: Readonly<Record<string, string>> = { ":status": "200" };

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEAD_BYTES + payload.length);
  writeFrameHead(bytes, 0, payload.length, type as FrameType, flags, id);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

export function text(value: string): Uint8Array {
  return Uint8Array.from(value, (c) => c.charCodeAt(0));
}

export function uint32(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  for (const [i, value] of values.entries()) writeUint32(bytes, i * 4, value);
  return bytes;
}

export function settings(...entries: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const parts = entries.map(([id, value]) => joined(Uint8Array.of(id >>> 8, id), uint32(value)));
  return frame(FrameType.Settings, 0, 0, joined(...parts));
}

export const SETTINGS_ACK: Uint8Array = frame(FrameType.Settings, Flag.Ack, 0);

/** What a client that wants nothing special sends first, with its acknowledgement of the server's SETTINGS. */
export const CLIENT_START: Uint8Array = joined(PREFACE, settings(), SETTINGS_ACK);
export const SERVER_START: Uint8Array = joined(settings(), SETTINGS_ACK);

/** Literals without indexing and without Huffman codes (RFC 7541 §6.2.2). */
export function block(fields: Fields): Uint8Array {
  const parts = entriesOf(fields).flatMap(([name, value]) => [Uint8Array.of(0), hpackText(name), hpackText(value)]);
  return joined(...parts);
}

function hpackText(value: string): Uint8Array {
  const length = value.length;
  if (length < 127) return joined(Uint8Array.of(length), text(value));
  const head = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>>= 7) head.push((rest & 127) | 128);
  return joined(Uint8Array.from([...head, rest]), text(value));
}

export function headers(id: number, fields: Fields, last = false): Uint8Array {
  return frame(FrameType.Headers, Flag.EndHeaders | (last ? Flag.EndStream : 0), id, block(fields));
}

export function data(id: number, payload: string | Uint8Array, last = false): Uint8Array {
  return frame(FrameType.Data, last ? Flag.EndStream : 0, id, typeof payload === "string" ? text(payload) : payload);
}

export function rst(id: number, code: ErrorCode): Uint8Array {
  return frame(FrameType.RstStream, 0, id, uint32(code));
}

export function windowUpdate(id: number, increment: number): Uint8Array {
  return frame(FrameType.WindowUpdate, 0, id, uint32(increment));
}

export function ping(payload = "pingpong"): Uint8Array {
  return frame(FrameType.Ping, 0, 0, text(payload));
}

export function goAway(lastId: number, code: ErrorCode): Uint8Array {
  return frame(FrameType.GoAway, 0, 0, uint32(lastId, code));
}

export function listOf(fields: Fields): FieldList {
  return fieldListOf(entriesOf(fields));
}

function entriesOf(fields: Fields): readonly (readonly [string, string])[] {
  return Array.isArray(fields) ? (fields as readonly (readonly [string, string])[]) : Object.entries(fields);
}

export interface ReadFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** The complete frames of a sink's bytes; a client's preface in front is passed over. */
export function framesOf(bytes: Uint8Array): ReadFrame[] {
  const frames: ReadFrame[] = [];
  let at = bytes[0] === PREFACE[0] && bytes[1] === PREFACE[1] ? PREFACE.length : 0;
  while (at + FRAME_HEAD_BYTES <= bytes.length) {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const end = at + FRAME_HEAD_BYTES + length;
    const payload = bytes.slice(at + FRAME_HEAD_BYTES, end);
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, id: readUint31(bytes, at + 5), payload });
    at = end;
  }
  return frames;
}

export function codeName(code: ErrorCode): string {
  return CODE_NAMES[code] ?? String(code);
}

/** A frame in a few words: what tests compare. Header blocks and payloads are told by their sizes only. */
export function frameText({ type, flags, id, payload }: ReadFrame): string {
  const name = TYPE_NAMES[type] ?? `type ${type}`;
  const on = id === 0 ? "" : ` ${id}`;
  const ack = (flags & Flag.Ack) === 0 ? "" : " ack";
  const end = (flags & Flag.EndStream) === 0 ? "" : " end";
  switch (type) {
    case FrameType.RstStream:
      return `${name}${on} ${codeName(readUint32(payload, 0))}`;
    case FrameType.GoAway:
      return `${name} ${codeName(readUint32(payload, 4))} last ${readUint32(payload, 0)}`;
    case FrameType.WindowUpdate:
      return `${name}${on} ${readUint32(payload, 0)}`;
    case FrameType.Settings:
    case FrameType.Ping:
      return `${name}${ack}`;
    case FrameType.Data:
      return `${name}${on} ${payload.length}${end}`;
    default:
      return `${name}${on}${end}`;
  }
}
