/** Durations as people write them in headers and annotations: a whole number and ms, s, m, h or d; 0 needs no unit. */

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** In ms; null for what is no duration. */
export function parseDuration(text: string): number | null {
  const parts = /^([0-9]{1,15})(ms|s|m|h|d)?$/.exec(text.trim());
  if (parts === null) return null;
  const magnitude = Number(parts[1]);
  const unitMs = UNITS_MS.get(parts[2] ?? "");
  if (unitMs === undefined) return magnitude === 0 ? 0 : null;
  const durationMs = magnitude * unitMs;
  return Number.isSafeInteger(durationMs) ? durationMs : null;
}
