import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { Any } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "./gen/status_pb.ts";
import type { GrpcError } from "./grpc-error.ts";
import { tryBase64 } from "./metadata.ts";

/** The value of `grpc-status-details-bin` for an error that has details. */
export function encodeStatusDetails(error: GrpcError): string {
  const status = create(StatusSchema, {
    code: error.code,
    message: error.statusMessage,
    details: [...error.details],
  });
  return base64Encode(toBinary(StatusSchema, status), "std_raw");
}

/** The details in a value of `grpc-status-details-bin`; none when it doesn't decode, for the status counts without. */
export function decodeStatusDetails(text: string): readonly Any[] {
  const bytes = tryBase64(text);
  if (bytes === null) return [];
  try {
    return fromBinary(StatusSchema, bytes).details;
  } catch {
    // Not a google.rpc.Status: another implementation's mistake, which must not hide the status itself.
    return [];
  }
}
