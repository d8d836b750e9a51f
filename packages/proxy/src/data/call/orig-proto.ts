import { FIELD_LIST_STRIDE, FIELD_VALUE_AT, FIELD_VALUE_END, type FieldList } from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";

/**
 * What a request was before it became a call, as bits: HTTP/1 of which version, and whether its target was absolute.
 * Between proxies `l5d-orig-proto` says so (proxy-facts §4.6). No bits: it was HTTP/2.
 */
export const OrigProto = { Http11: 1, Http10: 2, AbsoluteForm: 4 } as const;

const VERSION_11 = asciiBytes("HTTP/1.1");
const VERSION_10 = asciiBytes("HTTP/1.0");
const TEXTS: readonly string[] = [
  "",
  "HTTP/1.1",
  "HTTP/1.0",
  "",
  "",
  "HTTP/1.1; absolute-form",
  "HTTP/1.0; absolute-form",
];
const VALUES: readonly Uint8Array[] = TEXTS.map(asciiBytes);
const ABSOLUTE_FORM = asciiBytes("absolute-form");
/** Where the word stands in a value: behind the version, `;` and a space. */
const ABSOLUTE_FORM_AT = 10;

/** The header's value for the bits, as others read it. */
export function origProtoValue(bits: number): Uint8Array {
  return VALUES[bits]!;
}

/** The bits for the value of the field `index`; 0 for a value that says no version of HTTP/1. */
export function readOrigProto(fields: FieldList, index: number): number {
  const { bytes, entries } = fields;
  const at = entries[index * FIELD_LIST_STRIDE + FIELD_VALUE_AT]!;
  const end = entries[index * FIELD_LIST_STRIDE + FIELD_VALUE_END]!;
  let bits = 0;
  if (hasAt(bytes, at, end, VERSION_11)) bits = OrigProto.Http11;
  else if (hasAt(bytes, at, end, VERSION_10)) bits = OrigProto.Http10;
  else return 0;
  return hasAt(bytes, at + ABSOLUTE_FORM_AT, end, ABSOLUTE_FORM) ? bits | OrigProto.AbsoluteForm : bits;
}

function hasAt(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (end - at < text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text[i]) return false;
  }
  return true;
}
