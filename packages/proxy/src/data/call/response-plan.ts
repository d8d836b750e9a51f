import type { Direction } from "@bowline/contracts";
import { NO_GRPC_STATUS, parseRetryAfter, parseRetryPushback } from "@bowline/model";
import { FIELD_LIST_STRIDE, FIELD_VALUE_AT, FIELD_VALUE_END, FieldList, NameId } from "@bowline/wire";
import { mutableCopy } from "./request-plan.ts";

const GRPC_STATUS_MAX = 16;
const UNKNOWN_GRPC_STATUS = 2;

/** What the proxy has to know of a response's head or trailers, and those as they go on. */
export class ResponsePlan {
  fields: FieldList = new FieldList();
  /** 0 in trailers. */
  status = 0;
  /** NO_GRPC_STATUS, or the code; unknown where it is none of those there are. */
  grpcStatus: number = NO_GRPC_STATUS;
  /** How long the server asks to be left alone, ms; 0 when it does not. */
  hintMs = 0;
  readonly direction: Direction;

  constructor(direction: Direction) {
    this.direction = direction;
  }

  read(fields: FieldList): void {
    this.fields = fields;
    this.status = 0;
    this.grpcStatus = NO_GRPC_STATUS;
    this.hintMs = 0;
    for (let i = 0; i < fields.count; i++) {
      switch (fields.nameId(i)) {
        case NameId.Status:
          this.status = decimal(fields, i);
          break;
        case NameId.GrpcStatus: {
          const status = decimal(fields, i);
          this.grpcStatus = status < 0 || status > GRPC_STATUS_MAX ? UNKNOWN_GRPC_STATUS : status;
          break;
        }
        case NameId.RetryAfter:
          this.hintMs = parseRetryAfter(fields.valueText(i), Date.now());
          break;
        case NameId.GrpcRetryPushbackMs:
          this.hintMs = parseRetryPushback(fields.valueText(i));
          break;
        case NameId.L5dOrigProto:
        case NameId.L5dProxyError:
        case NameId.L5dProxyErrorCause:
        case NameId.L5dProxyConnection:
          // What the next proxy says about itself is not for the application.
          if (this.direction === "outbound") fields.drop(i);
          break;
        default:
          break;
      }
    }
  }
}

/** The plan of a response head or of trailers; as planRequest. */
export function planResponse(fields: FieldList, scratch: ResponsePlan): ResponsePlan {
  if (!fields.shared) {
    scratch.read(fields);
    return scratch;
  }
  if (fields.plan instanceof ResponsePlan) return fields.plan;
  const plan = new ResponsePlan(scratch.direction);
  const copy = mutableCopy(fields);
  plan.read(copy);
  copy.share();
  fields.plan = plan;
  return plan;
}

/** The value as a number of at most four digits, or -1. */
function decimal(fields: FieldList, index: number): number {
  const { bytes, entries } = fields;
  const at = entries[index * FIELD_LIST_STRIDE + FIELD_VALUE_AT]!;
  const end = entries[index * FIELD_LIST_STRIDE + FIELD_VALUE_END]!;
  if (end === at || end - at > 4) return -1;
  let number = 0;
  for (let i = at; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
