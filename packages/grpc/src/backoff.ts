/** How long to wait before trying again. */
export interface Backoff {
  /** The next delay in milliseconds; each is longer than the one before until the maximum. */
  nextMs(): number;
  /** After a success: the next delay is the first again. */
  reset(): void;
}

export interface GrpcBackoffOptions {
  readonly initialMs?: number;
  readonly factor?: number;
  readonly maxMs?: number;
  /** Share of the delay by which chance may lengthen or shorten it. */
  readonly jitter?: number;
}

/** gRPC's "Connection Backoff Protocol": 1 s, times 1.6 each, at most 120 s, each changed by up to a fifth. */
export function grpcBackoff(options: GrpcBackoffOptions = {}, random: () => number = Math.random): Backoff {
  const { initialMs = 1_000, factor = 1.6, maxMs = 120_000, jitter = 0.2 } = options;
  let baseMs = initialMs;
  return {
    nextMs() {
      const delayMs = baseMs * (1 + jitter * (2 * random() - 1));
      baseMs = Math.min(maxMs, baseMs * factor);
      return delayMs;
    },
    reset() {
      baseMs = initialMs;
    },
  };
}

export interface ExponentialBackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Share of the delay by which chance may lengthen it. */
  readonly jitter: number;
}

/** Linkerd's: `minMs`, doubled each time up to `maxMs`, plus up to `jitter` of it, never above `maxMs`. */
export function exponentialBackoff(options: ExponentialBackoffOptions, random: () => number = Math.random): Backoff {
  const { minMs, maxMs, jitter } = options;
  let baseMs = minMs;
  return {
    nextMs() {
      const delayMs = Math.min(maxMs, baseMs * (1 + jitter * random()));
      baseMs = Math.min(maxMs, baseMs * 2);
      return delayMs;
    },
    reset() {
      baseMs = minMs;
    },
  };
}
