import { type FieldList, NameId } from "@bowline/wire";

/** Whom a request's head names: `:authority`, or else `host`; "" for neither. */
export function authorityOf(head: FieldList): string {
  const authority = head.find(NameId.Authority);
  const index = authority >= 0 ? authority : head.find(NameId.Host);
  return index < 0 ? "" : head.valueText(index);
}
