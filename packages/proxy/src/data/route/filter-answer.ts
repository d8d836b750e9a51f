import { L5D_HEADERS } from "@bowline/contracts";
import type { FilterAnswer } from "@bowline/model";
import { FieldList } from "@bowline/wire";

/** What a filter of HTTP answers to a gRPC call (proxy-facts §4.11). */
const GRPC_FAILED_PRECONDITION = 9;
const GRPC_NOT_FOUND = 5;
const GRPC_INTERNAL = 13;

/** The response that a filter gives in place of a backend. */
export function filterAnswerFields(answer: FilterAnswer, grpc: boolean, informational: boolean): FieldList {
  const fields = new FieldList();
  const message = answer.kind === "redirect" ? "" : answer.message;
  if (grpc) {
    fields.addText(":status", "200");
    fields.addText("content-type", "application/grpc");
    fields.addText("grpc-status", String(grpcCode(answer)));
    if (message !== "") fields.addText("grpc-message", encodeURIComponent(message));
  } else {
    fields.addText(":status", String(httpStatus(answer)));
  }
  fields.addText("content-length", "0");
  if (answer.kind === "redirect") fields.addText("location", answer.location);
  if (informational && message !== "") fields.addText(L5D_HEADERS.proxyError, message.replace(/[^ -~]/g, "?"));
  return fields;
}

function httpStatus(answer: FilterAnswer): number {
  switch (answer.kind) {
    case "fail":
    case "redirect":
      return answer.status;
    case "grpc-fail":
    case "error":
      return 500;
    default:
      return unreachable(answer);
  }
}

function grpcCode(answer: FilterAnswer): number {
  switch (answer.kind) {
    case "fail":
      return GRPC_FAILED_PRECONDITION;
    case "grpc-fail":
      return answer.code;
    case "redirect":
      return GRPC_NOT_FOUND;
    case "error":
      return GRPC_INTERNAL;
    default:
      return unreachable(answer);
  }
}

function unreachable(answer: never): never {
  throw new Error(`not an answer: ${JSON.stringify(answer)}`);
}
