import { ascii } from "../ascii.ts";
import { FIELD_LIST_STRIDE, FIELD_VALUE_AT, FIELD_VALUE_END, type FieldList } from "./fields.ts";
import { NameId } from "./name-id.ts";
import { StreamBit } from "./stream.ts";

const HEAD = ascii("HEAD");
const CONNECT = ascii("CONNECT");

/** What a request we send means for its response: a bit of StreamBit, or 0. */
export function requestKind(fields: FieldList): number {
  const index = fields.find(NameId.Method);
  if (index < 0) return 0;
  const entry = index * FIELD_LIST_STRIDE;
  const length = fields.entries[entry + FIELD_VALUE_END]! - fields.entries[entry + FIELD_VALUE_AT]!;
  if (length === HEAD.length) return fields.valueIs(index, HEAD) ? StreamBit.HeadRequest : 0;
  if (length === CONNECT.length) return fields.valueIs(index, CONNECT) ? StreamBit.ConnectRequest : 0;
  return 0;
}
