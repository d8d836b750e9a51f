const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** A length of time as kubectl writes it: two units where they matter, "5m30s", "3d4h", else one. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  if (seconds < 10 * MINUTE) return both(seconds, MINUTE, "m", 1, "s");
  if (seconds < 3 * HOUR) return one(seconds, MINUTE, "m");
  if (seconds < 8 * HOUR) return both(seconds, HOUR, "h", MINUTE, "m");
  if (seconds < 2 * DAY) return one(seconds, HOUR, "h");
  if (seconds < 8 * DAY) return both(seconds, DAY, "d", HOUR, "h");
  if (seconds < 2 * YEAR) return one(seconds, DAY, "d");
  if (seconds < 8 * YEAR) return both(seconds, YEAR, "y", DAY, "d");
  return one(seconds, YEAR, "y");
}

/** The time since a timestamp, RFC 3339. */
export function ageOf(timestamp: unknown, nowMs: number): string {
  const ms = typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
  return Number.isNaN(ms) ? "<unknown>" : humanDuration(nowMs - ms);
}

function one(seconds: number, unit: number, name: string): string {
  return `${Math.floor(seconds / unit)}${name}`;
}

function both(seconds: number, unit: number, name: string, below: number, belowName: string): string {
  const rest = Math.floor((seconds % unit) / below);
  return rest === 0 ? one(seconds, unit, name) : `${one(seconds, unit, name)}${rest}${belowName}`;
}
