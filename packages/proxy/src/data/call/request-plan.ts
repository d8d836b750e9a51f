import type { Direction } from "@bowline/contracts";
import { FieldList, NameId } from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import { readOrigProto } from "./orig-proto.ts";

const GRPC = asciiBytes("application/grpc");
const HEAD = asciiBytes("HEAD");
const CONNECT = asciiBytes("CONNECT");

/** What the proxy has to know of a request's head, and the head as it goes on. */
export class RequestPlan {
  /** Without the fields that are the proxy's own. */
  fields: FieldList = new FieldList();
  grpc = false;
  head = false;
  connect = false;
  /** The request was HTTP/1 before another proxy carried it here: bits of OrigProto. */
  origProto = 0;
  readonly direction: Direction;

  constructor(direction: Direction) {
    this.direction = direction;
  }

  /** Reads `fields` and drops from them what goes no further. */
  read(fields: FieldList): void {
    this.fields = fields;
    this.grpc = false;
    this.head = false;
    this.connect = false;
    this.origProto = 0;
    for (let i = 0; i < fields.count; i++) {
      switch (fields.nameId(i)) {
        case NameId.Method:
          this.head = fields.valueIs(i, HEAD);
          this.connect = fields.valueIs(i, CONNECT);
          break;
        case NameId.ContentType:
          this.grpc = fields.valueStartsWith(i, GRPC);
          break;
        case NameId.L5dOrigProto:
          // From an application, outbound, it would only make the other proxy misread the request.
          this.origProto = this.direction === "inbound" ? readOrigProto(fields, i) : 0;
          fields.drop(i);
          break;
        case NameId.L5dClientId:
          if (this.direction === "inbound") fields.drop(i);
          break;
        default:
          break;
      }
    }
    // No tunnel is carried this way, and gRPC's errors are for those who speak HTTP/2.
    if (this.connect) this.origProto = 0;
    else if (this.origProto !== 0) this.grpc = false;
  }
}

/** The plan of a request head. Heads that come again are read once; the plan of another is valid until the next call. */
export function planRequest(fields: FieldList, scratch: RequestPlan): RequestPlan {
  if (!fields.shared) {
    scratch.read(fields);
    return scratch;
  }
  if (fields.plan instanceof RequestPlan) return fields.plan;
  const plan = new RequestPlan(scratch.direction);
  plan.read(mutableCopy(fields));
  plan.fields.share();
  fields.plan = plan;
  return plan;
}

/** A copy that the caller may change, and afterwards share. */
export function mutableCopy(fields: FieldList): FieldList {
  const copy = new FieldList();
  copy.copyFrom(fields);
  return copy;
}
