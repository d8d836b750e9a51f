import type { GrpcStatus } from "./status.ts";

/**
 * Told of every call, for metrics. Service and method are those of a descriptor, so their number is bounded; both are
 * empty for calls of methods that the server doesn't know.
 */
export interface GrpcObserver {
  onCallStart(service: string, method: string): void;
  /** @param ms from start to end */
  onCallEnd(service: string, method: string, code: GrpcStatus, ms: number): void;
}
