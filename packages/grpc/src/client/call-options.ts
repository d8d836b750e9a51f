import type { Metadata } from "../metadata.ts";

export interface CallOptions {
  /** From now on, in milliseconds; the server is told. Without one a call may take forever. */
  readonly deadlineMs?: number;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  readonly metadata?: Metadata;
  /** Wait for a connection, instead of failing while the channel can't get one; the channel's default otherwise. */
  readonly waitForReady?: boolean;
  readonly onHeaders?: (metadata: Metadata) => void;
  readonly onTrailers?: (metadata: Metadata) => void;
}
