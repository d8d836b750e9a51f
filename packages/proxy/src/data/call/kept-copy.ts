import { FieldList } from "@bowline/wire";

/** The fields for as long as one likes: themselves where they never change, a copy otherwise. */
export function keptCopy(fields: FieldList): FieldList {
  if (fields.shared) return fields;
  const copy = new FieldList();
  copy.copyFrom(fields);
  return copy;
}
