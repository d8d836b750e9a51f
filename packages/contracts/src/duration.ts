/** Milliseconds per unit of Linkerd's duration grammar; there is no microsecond and no fraction. */
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const DURATION = /^\s*([0-9]+)(ms|s|m|h|d)?\s*$/;

/**
 * Reads a duration as Linkerd's environment variables and flags write it: a whole number directly followed by
 * `ms`, `s`, `m`, `h` or `d`, with white space around it allowed. A bare `0` needs no unit.
 *
 * @returns milliseconds, or null when the text is no duration or too large to count exactly
 */
export function parseDurationMs(text: string): number | null {
  const [, digits, unit] = DURATION.exec(text) ?? [];
  if (digits === undefined) return null;
  const count = Number(digits);
  if (unit === undefined) return count === 0 ? 0 : null;
  const ms = count * (UNIT_MS[unit] ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : null;
}
