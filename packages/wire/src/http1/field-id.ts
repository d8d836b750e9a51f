import { ascii, equalsWord } from "../ascii.ts";
import { FieldId } from "./head.ts";

const TABLE: readonly [string, FieldId][] = [
  ["connection", FieldId.Connection],
  ["content-length", FieldId.ContentLength],
  ["transfer-encoding", FieldId.TransferEncoding],
  ["host", FieldId.Host],
  ["upgrade", FieldId.Upgrade],
  ["keep-alive", FieldId.KeepAlive],
  ["proxy-connection", FieldId.ProxyConnection],
  ["expect", FieldId.Expect],
  ["content-type", FieldId.ContentType],
];

/**
 * Slot: name length and the low four bits of the first letter, which are the same in either case, so that at most one
 * known name is compared with a field's name. Loading fails when two known names fall into one slot.
 */
const LENGTH_MAX = 31;
const EMPTY = new Uint8Array(0);
const NAMES: Uint8Array[] = Array.from({ length: (LENGTH_MAX + 1) * 16 }, () => EMPTY);
const IDS = new Uint8Array(NAMES.length);
for (const [text, id] of TABLE) {
  const slot = text.length * 16 + (text.charCodeAt(0) & 15);
  if (IDS[slot] !== 0) throw new Error(`field names share slot ${slot}: ${text}`);
  NAMES[slot] = ascii(text);
  IDS[slot] = id;
}

/** The FieldId of the name at [start, end), which is not empty and holds token bytes only. */
export function fieldId(buf: Uint8Array, start: number, end: number): FieldId {
  const length = end - start;
  if (length > LENGTH_MAX) return FieldId.Other;
  const slot = length * 16 + (buf[start]! & 15);
  return equalsWord(buf, start, length, NAMES[slot]!) ? (IDS[slot] as FieldId) : FieldId.Other;
}
