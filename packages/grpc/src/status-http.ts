import { ErrorCode } from "@bowline/wire";
import { GrpcStatus } from "./status.ts";

/**
 * The status of a call whose response is not gRPC's (no `grpc-status`): gRPC's "HTTP to gRPC Status Code Mapping".
 * 200 is among the others: a 200 without a status says nothing about success.
 */
export function grpcStatusOfHttp(httpStatus: number): GrpcStatus {
  switch (httpStatus) {
    case 400:
      return GrpcStatus.Internal;
    case 401:
      return GrpcStatus.Unauthenticated;
    case 403:
      return GrpcStatus.PermissionDenied;
    case 404:
      return GrpcStatus.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.Unavailable;
    default:
      return GrpcStatus.Unknown;
  }
}

/** The HTTP status that a code stands for where an HTTP API shows it (google.rpc.Code's comments). */
export function httpStatusOfGrpc(code: GrpcStatus): number {
  return HTTP_STATUS[code] ?? 500;
}

const HTTP_STATUS: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** The status of a call that the peer ended with RST_STREAM ("gRPC over HTTP2", Errors). */
export function grpcStatusOfReset(code: ErrorCode): GrpcStatus {
  switch (code) {
    case ErrorCode.RefusedStream:
      return GrpcStatus.Unavailable;
    case ErrorCode.Cancel:
      return GrpcStatus.Cancelled;
    case ErrorCode.EnhanceYourCalm:
      return GrpcStatus.ResourceExhausted;
    case ErrorCode.InadequateSecurity:
      return GrpcStatus.PermissionDenied;
    default:
      return GrpcStatus.Internal;
  }
}
