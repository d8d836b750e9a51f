import { ascii } from "../../ascii.ts";
import { FIELD_LIST_STRIDE, META_STATIC_SHIFT } from "../fields.ts";
import { NAME_BYTES, NAME_IDS, type NameId, nameIdOf } from "../name-id.ts";

/** RFC 7541 appendix A, as name and value; entries 1 to 61. */
const TABLE: readonly string[] = [
  ":authority",
  ":method=GET",
  ":method=POST",
  ":path=/",
  ":path=/index.html",
  ":scheme=http",
  ":scheme=https",
  ":status=200",
  ":status=204",
  ":status=206",
  ":status=304",
  ":status=400",
  ":status=404",
  ":status=500",
  "accept-charset",
  "accept-encoding=gzip, deflate",
  ...NAME_BYTES.slice(8, 53).map((name) => String.fromCharCode(...name)),
];

export const STATIC_COUNT = 61;

/** Fields by index, laid out as in a FieldList over STATIC_BYTES; entry 0 is empty. */
export const STATIC_ENTRIES: Int32Array = new Int32Array((STATIC_COUNT + 1) * FIELD_LIST_STRIDE);

/** The first static index of a name, 0 when it has none. */
export const STATIC_NAME_INDEX: Uint8Array = new Uint8Array(NAME_IDS);

/** How many entries of a name carry a value; they stand in a row from STATIC_NAME_INDEX on. */
export const STATIC_VALUES: Uint8Array = new Uint8Array(NAME_IDS);

/** All names and values on end. Every decoder's arena starts with these bytes. Nobody writes to them. */
export const STATIC_BYTES: Uint8Array = layOut();

/** The static index of this name with this value, 0 when there is none. */
export function staticIndexOf(id: NameId, bytes: Uint8Array, valueAt: number, valueEnd: number): number {
  const values = STATIC_VALUES[id]!;
  const first = STATIC_NAME_INDEX[id]!;
  for (let index = first; index < first + values; index++) {
    const at = STATIC_ENTRIES[index * FIELD_LIST_STRIDE + 1]!;
    const length = STATIC_ENTRIES[index * FIELD_LIST_STRIDE + 2]! - at;
    if (length !== valueEnd - valueAt) continue;
    let i = 0;
    while (i < length && STATIC_BYTES[at + i] === bytes[valueAt + i]) i++;
    if (i === length) return index;
  }
  return 0;
}

function layOut(): Uint8Array {
  const all = ascii(TABLE.map((row) => row.replace("=", "")).join(""));
  let at = 0;
  TABLE.forEach((row, place) => {
    const [name, value] = row.split("=") as [string, string | undefined];
    const index = place + 1;
    const valueAt = at + name.length;
    const end = valueAt + (value ?? "").length;
    const id = nameIdOf(all, at, valueAt);
    STATIC_ENTRIES.set([at, valueAt, end, id | (index << META_STATIC_SHIFT)], index * FIELD_LIST_STRIDE);
    if (STATIC_NAME_INDEX[id] === 0) STATIC_NAME_INDEX[id] = index;
    if (value !== undefined) STATIC_VALUES[id]!++;
    at = end;
  });
  return all;
}
