import { L5D_HEADERS } from "@bowline/contracts";
import { FieldList } from "@bowline/wire";
import { type Cause, FAILURES } from "../failures.ts";

/**
 * The head of the response that stands for a failure: no body, what went wrong where the client may know, and for gRPC
 * a status that its libraries understand (proxy-facts §4.11).
 * @param detail adds to the failure's message, such as the address that refused; "" for none
 */
export function writeErrorFields(cause: Cause, detail: string, grpc: boolean, informational: boolean): FieldList {
  const { status, grpcStatus, name, message, clientFault } = FAILURES[cause];
  const text = detail === "" ? message : `${message} (${detail})`;
  const told = informational || clientFault;
  const fields = new FieldList();
  fields.addText(":status", grpc ? "200" : String(status));
  if (grpc) {
    fields.addText("content-type", "application/grpc");
    fields.addText("grpc-status", String(grpcStatus));
    if (told) fields.addText("grpc-message", percentEncode(text));
  }
  fields.addText("content-length", "0");
  if (told) {
    fields.addText(L5D_HEADERS.proxyError, text);
    fields.addText(L5D_HEADERS.proxyErrorCause, name);
  }
  return fields;
}

/** As the gRPC protocol encodes messages: everything but printable ASCII, and `%`, in hex. */
function percentEncode(text: string): string {
  return text.replace(/[^ -$&-~]/g, (char) => encodeURIComponent(char));
}

/** Trailers for a gRPC response that began and cannot be completed. */
export function errorTrailers(cause: Cause): FieldList {
  const { grpcStatus, message } = FAILURES[cause];
  const fields = new FieldList();
  fields.addText("grpc-status", String(grpcStatus));
  fields.addText("grpc-message", percentEncode(message));
  return fields;
}
