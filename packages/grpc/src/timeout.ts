/** Milliseconds per unit of `grpc-timeout`: hours, minutes, seconds, milli-, micro- and nanoseconds. */
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

const TIMEOUT = /^([0-9]{1,8})([HMSmun])$/;

/** "gRPC over HTTP2": TimeoutValue has at most eight digits. */
const VALUE_MAX = 99_999_999;

/**
 * Reads the value of `grpc-timeout`.
 *
 * @returns milliseconds, with a fraction for the finer units; null when the text is no timeout
 */
export function parseGrpcTimeoutMs(text: string): number | null {
  const [, digits, unit] = TIMEOUT.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return null;
  return Number(digits) * (UNIT_MS[unit] ?? 0);
}

/**
 * Writes a timeout for `grpc-timeout` in the finest unit, not below milliseconds, that its eight digits allow. Rounds
 * up: a server that gives up before its client does would turn answers on their way into errors.
 *
 * @param ms zero or more
 */
export function formatGrpcTimeout(ms: number): string {
  for (const unit of ["m", "S", "M"]) {
    const value = Math.ceil(ms / (UNIT_MS[unit] ?? 1));
    if (value <= VALUE_MAX) return `${value}${unit}`;
  }
  return `${Math.min(VALUE_MAX, Math.ceil(ms / 3_600_000))}H`;
}
