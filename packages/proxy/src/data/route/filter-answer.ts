import { GrpcStatus, L5D_HEADERS } from "@bowline/contracts";
import type { FilterAnswer } from "@bowline/model";
import { FieldList } from "@bowline/wire";

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

/** What a call gets in place of what the filter says in HTTP (proxy-facts §4.11). */
function grpcCode(answer: FilterAnswer): number {
  switch (answer.kind) {
    case "fail":
      return GrpcStatus.FailedPrecondition;
    case "grpc-fail":
      return answer.code;
    case "redirect":
      return GrpcStatus.NotFound;
    case "error":
      return GrpcStatus.Internal;
    default:
      return unreachable(answer);
  }
}

function unreachable(answer: never): never {
  throw new Error(`not an answer: ${JSON.stringify(answer)}`);
}
