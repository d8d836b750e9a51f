import type { HeaderEdits } from "@bowline/model";
import { FieldList } from "@bowline/wire";

/** A copy of the head with the edits made one after the other: add, set, remove. Pseudo-fields stay as they are. */
export function editFields(fields: FieldList, edits: readonly HeaderEdits[]): FieldList {
  if (edits.length === 0) return fields;
  const copy = new FieldList();
  copy.copyFrom(fields);
  for (const { add, set, remove } of edits) {
    for (const [name, value] of add) copy.addText(name, value);
    for (const [name, value] of set) {
      dropNamed(copy, name);
      copy.addText(name, value);
    }
    for (const name of remove) dropNamed(copy, name);
  }
  return copy;
}

function dropNamed(fields: FieldList, name: string): void {
  for (let i = 0; i < fields.count; i++) {
    if (!fields.dropped(i) && fields.nameText(i) === name) fields.drop(i);
  }
}

/** An edited head that is remembered with the one it was made from. */
class EditedHead {
  readonly edits: readonly HeaderEdits[];
  readonly fields: FieldList;

  constructor(edits: readonly HeaderEdits[], fields: FieldList) {
    this.edits = edits;
    this.fields = fields;
  }
}

/** As editFields. A head that comes again is edited once, and its result shared, so that its encoding is remembered. */
export function editHead(fields: FieldList, edits: readonly HeaderEdits[]): FieldList {
  if (!fields.shared || edits.length === 0) return editFields(fields, edits);
  if (fields.plan instanceof EditedHead && fields.plan.edits === edits) return fields.plan.fields;
  const edited = editFields(fields, edits);
  edited.share();
  fields.plan = new EditedHead(edits, edited);
  return edited;
}
