import { type FieldList, NameId } from "@bowline/wire";
import { GrpcError } from "./grpc-error.ts";
import { Metadata } from "./metadata.ts";
import { decodeGrpcMessage, encodeGrpcMessage } from "./percent-encoding.ts";
import { GrpcStatus, parseGrpcStatus } from "./status.ts";
import { decodeStatusDetails, encodeStatusDetails } from "./status-details.ts";

/** Adds status, message and details as trailers have them; null stands for OK. */
export function writeStatus(fields: FieldList, error: GrpcError | null): void {
  fields.addText("grpc-status", String(error?.code ?? GrpcStatus.Ok));
  if (error === null) return;
  if (error.statusMessage !== "") fields.addText("grpc-message", encodeGrpcMessage(error.statusMessage));
  if (error.details.length > 0) fields.addText("grpc-status-details-bin", encodeStatusDetails(error));
}

/** The status in trailers, or in the head of a response that is nothing but a status; null for OK. */
export function readStatus(fields: FieldList): GrpcError | null {
  const code = readStatusCode(fields);
  if (code === GrpcStatus.Ok) return null;
  if (code === null) return new GrpcError(GrpcStatus.Unknown, "the call ended without a status");
  const details = textOf(fields, NameId.GrpcStatusDetailsBin);
  return new GrpcError(code, decodeGrpcMessage(textOf(fields, NameId.GrpcMessage) ?? ""), {
    details: details === null ? [] : decodeStatusDetails(details),
    metadata: Metadata.readFrom(fields),
  });
}

/** The value of `grpc-status`, null when there is none. */
export function readStatusCode(fields: FieldList): GrpcStatus | null {
  const text = textOf(fields, NameId.GrpcStatus);
  return text === null ? null : parseGrpcStatus(text);
}

/** A field's first value, null when there is no such field. */
export function textOf(fields: FieldList, id: NameId): string | null {
  const index = fields.find(id);
  return index < 0 ? null : fields.valueText(index);
}

/** Whether a content-type is gRPC's with protobuf messages: nothing else than parameters may follow the name. */
export function isGrpcContentType(text: string | null): boolean {
  return text !== null && /^application\/grpc(\+proto)?\s*(;|$)/i.test(text);
}
