import { FieldList } from "./fields.ts";

/** The fields that are not dropped, as text, for people: `!` stands before a field that is never to be indexed. */
export function fieldTexts(list: FieldList): string[] {
  const texts: string[] = [];
  for (let index = 0; index < list.count; index++) {
    if (list.dropped(index)) continue;
    texts.push(`${list.neverIndexed(index) ? "!" : ""}${list.nameText(index)}: ${list.valueText(index)}`);
  }
  return texts;
}

/** A list of these names and values, for cold paths. */
export function fieldListOf(fields: Iterable<readonly [string, string]>): FieldList {
  const list = new FieldList();
  for (const [name, value] of fields) list.addText(name, value);
  return list;
}
