import { BYTE_CLASS, equalsLower, TOKEN } from "../ascii.ts";
import {
  FIELD_DROP,
  FIELD_ID_MASK,
  FIELD_STRIDE,
  FieldId,
  FLAGS,
  type Head,
  LINE_END,
  NAME_END,
  NAME_START,
  VALUE_END,
  VALUE_START,
} from "./head.ts";

/** Marks the field `index` for removal by rewriteHead(); doing it again changes nothing. */
export function markIndex(head: Head, index: number): void {
  const fields = head.fields;
  const entry = index * FIELD_STRIDE;
  if ((fields[entry + FLAGS]! & FIELD_DROP) !== 0) return;
  fields[entry + FLAGS]! |= FIELD_DROP;
  head.dropCount++;
  head.dropBytes += fields[entry + LINE_END]! - fields[entry + NAME_START]!;
}

/** Marks every field of a name, given in lower case. */
export function markField(buf: Uint8Array, head: Head, nameLowerAscii: Uint8Array): void {
  const fields = head.fields;
  for (let index = 0; index < head.fieldCount; index++) {
    const start = fields[index * FIELD_STRIDE + NAME_START]!;
    const length = fields[index * FIELD_STRIDE + NAME_END]! - start;
    if (equalsLower(buf, start, length, nameLowerAscii)) markIndex(head, index);
  }
}

/** Marks Content-Length and Transfer-Encoding, which a 2xx answer to CONNECT must not carry (RFC 9110 §9.3.6). */
export function markFraming(head: Head): void {
  for (let index = 0; index < head.fieldCount; index++) {
    const id = head.fields[index * FIELD_STRIDE + FLAGS]! & FIELD_ID_MASK;
    if (id === FieldId.ContentLength || id === FieldId.TransferEncoding) markIndex(head, index);
  }
}

/**
 * Marks what belongs to this hop (RFC 9110 §7.6.1): Connection, the fields it names, Keep-Alive, Proxy-Connection and
 * Upgrade. Content-Length, Transfer-Encoding and Host are not removed by being named: that would let a sender change
 * how the next server frames or routes the message. Not for upgrades, nor for CONNECT's tunnel.
 */
export function markHopByHop(buf: Uint8Array, head: Head): void {
  if (!head.hopByHop) return;
  for (let index = 0; index < head.fieldCount; index++) {
    switch (head.fields[index * FIELD_STRIDE + FLAGS]! & FIELD_ID_MASK) {
      case FieldId.Connection:
        markIndex(head, index);
        if (head.connectionNames) markNamedBy(buf, head, index);
        break;
      case FieldId.KeepAlive:
      case FieldId.ProxyConnection:
      case FieldId.Upgrade:
        markIndex(head, index);
        break;
      default:
        break;
    }
  }
}

function markNamedBy(buf: Uint8Array, head: Head, connection: number): void {
  const end = head.fields[connection * FIELD_STRIDE + VALUE_END]!;
  let p = head.fields[connection * FIELD_STRIDE + VALUE_START]!;
  while (p < end) {
    const from = p;
    while (p < end && (BYTE_CLASS[buf[p]!]! & TOKEN) !== 0) p++;
    if (p > from) markNamed(buf, head, from, p);
    while (p < end && (BYTE_CLASS[buf[p]!]! & TOKEN) === 0) p++;
  }
}

function markNamed(buf: Uint8Array, head: Head, from: number, to: number): void {
  const fields = head.fields;
  for (let index = 0; index < head.fieldCount; index++) {
    const entry = index * FIELD_STRIDE;
    const start = fields[entry + NAME_START]!;
    if (fields[entry + NAME_END]! - start !== to - from || !sameName(buf, start, from, to - from)) continue;
    const id = fields[entry + FLAGS]! & FIELD_ID_MASK;
    if (id === FieldId.ContentLength || id === FieldId.TransferEncoding || id === FieldId.Host) continue;
    markIndex(head, index);
  }
}

function sameName(buf: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) {
    if (lower(buf[a + i]!) !== lower(buf[b + i]!)) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
