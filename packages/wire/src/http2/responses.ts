import { ascii } from "../ascii.ts";
import { FieldList } from "./fields.ts";
import { NameId } from "./name-id.ts";

/** RFC 6585 §5: the head of a request is larger than we take. */
export const TOO_LARGE_RESPONSE: FieldList = response("431");

function response(status: string): FieldList {
  const fields = new FieldList();
  fields.add(NameId.Status, null, ascii(status));
  fields.add(NameId.ContentLength, null, ascii("0"));
  fields.share();
  return fields;
}
