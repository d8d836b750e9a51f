import { FIELD_NAME_AT, FIELD_VALUE_AT, FIELD_VALUE_END } from "../fields.ts";
import type { DynamicTable } from "./dynamic-table.ts";

/** The entries as text, the newest first, for people. */
export function tableTexts(table: DynamicTable): string[] {
  const texts: string[] = [];
  for (let index = 0; index < table.count; index++) {
    const entry = table.entryAt(index);
    const [nameAt, valueAt, valueEnd] = [FIELD_NAME_AT, FIELD_VALUE_AT, FIELD_VALUE_END].map(
      (offset) => table.entries[entry + offset]!,
    );
    const text = (at: number | undefined, end: number | undefined): string =>
      String.fromCharCode(...table.bytes.subarray(at, end));
    texts.push(`${text(nameAt, valueAt)}: ${text(valueAt, valueEnd)}`);
  }
  return texts;
}
