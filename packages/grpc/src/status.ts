import { GrpcStatus } from "@bowline/contracts";

export { GrpcStatus, grpcStatusName } from "@bowline/contracts";

/**
 * Reads the value of `grpc-status`.
 *
 * @returns the code; UNKNOWN for a number that is no code and for text that is no number, as gRPC's
 *   "Status codes and their use" asks of a client that can't parse a status
 */
export function parseGrpcStatus(text: string): GrpcStatus {
  const code = /^[0-9]{1,2}$/.test(text) ? Number(text) : GrpcStatus.Unknown;
  return isGrpcStatus(code) ? code : GrpcStatus.Unknown;
}

function isGrpcStatus(code: number): code is GrpcStatus {
  return code <= GrpcStatus.Unauthenticated;
}
