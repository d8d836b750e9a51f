/** Milliseconds per unit of Go's durations. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const PART = /([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)/g;

/**
 * Reads a duration as Go writes it, which is how annotations and chart values are written: `500ms`, `1.5s`, `24h0m0s`.
 *
 * @returns milliseconds, or null when the text is no duration; negative ones are none here
 */
export function parseGoDurationMs(text: string): number | null {
  if (text === "0") return 0;
  let totalMs = 0;
  let end = 0;
  for (const part of text.matchAll(PART)) {
    if (part.index !== end) return null;
    totalMs += Number(part[1]) * (UNIT_MS[part[2] ?? ""] ?? Number.NaN);
    end += part[0].length;
  }
  return end === text.length && end > 0 && Number.isFinite(totalMs) ? totalMs : null;
}
