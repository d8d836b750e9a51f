/** The codes of a gRPC status; they are the contract's numbers. */
export const GrpcStatus = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus];

const NAMES: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** The code's name as gRPC's documents write it, e.g. `NOT_FOUND`; metrics label with it. */
export function grpcStatusName(code: GrpcStatus): string {
  return NAMES[code] ?? "UNKNOWN";
}

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
