import type { ErrorCode, FieldList } from "@bowline/wire";
import type { Cause } from "../failures.ts";
import type { Call } from "./call.ts";

/** Who made a call, and gets its response: the serving side of an HTTP/2 or HTTP/1 connection. */
export interface Asker {
  /** An interim or the final response head; `fields` is the caller's again afterwards. */
  sendHead(call: Call, fields: FieldList, last: boolean): void;
  /** Takes bytes of the response body and says how many; `last` counts only when it takes all. Call.onAskerWritable follows. */
  sendData(call: Call, bytes: Uint8Array, at: number, end: number, last: boolean): number;
  /** Ends the response; all body bytes have been taken. */
  sendTrailers(call: Call, fields: FieldList): void;
  /** Body bytes of the request have been passed on: as many more may come. */
  consumed(call: Call, count: number): void;
  /** Answers with a synthesised response; none has begun. */
  refuse(call: Call, cause: Cause, detail: string): void;
  /** Breaks off a response that cannot be completed. */
  breakOff(call: Call, code: ErrorCode): void;
}

/** Who answers a call: one exchange on a connection to a server. */
export interface Answerer {
  /** Takes bytes of the request body and says how many; `last` counts only when it takes all. Call.onAnswererWritable follows. */
  sendData(call: Call, bytes: Uint8Array, at: number, end: number, last: boolean): number;
  sendTrailers(call: Call, fields: FieldList): void;
  /** Body bytes of the response have been passed on. */
  consumed(call: Call, count: number): void;
  /** Nobody waits for the response any more. */
  cancel(call: Call, code: ErrorCode): void;
}
