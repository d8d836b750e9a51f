import type { CaseResult, Entry, Sample } from "./run-case.ts";
import { median, pairedRatio } from "./statistics.ts";

/** One number of a sample. */
export type Figure = (sample: Sample) => number | undefined;

export const cpu: Figure = ({ userUsPerUnit, systemUsPerUnit }) => userUsPerUnit + systemUsPerUnit;
export const rate: Figure = ({ unitsPerSecond }) => unitsPerSecond;
export const p50: Figure = ({ p50Us }) => p50Us;
export const p99: Figure = ({ p99Us }) => p99Us;

/** A figure by round; undefined where there was no sample. */
function series(entry: Entry, figure: Figure): (number | undefined)[] {
  return Array.from(entry.samples, (sample) => (sample === undefined ? undefined : figure(sample)));
}

/** The median over the rounds, NaN when never measured. */
export function medianOf(entry: Entry, figure: Figure): number {
  return median(present(entry, figure));
}

/** Lowest and highest over the rounds; null when never measured. */
export function rangeOf(entry: Entry, figure: Figure): { lowest: number; highest: number } | null {
  const values = present(entry, figure);
  return values.length === 0 ? null : { lowest: Math.min(...values), highest: Math.max(...values) };
}

/** The median of the per-round ratios to another proxy of the same case; NaN when there are none. */
export function ratioTo(result: CaseResult, entry: Entry, reference: string, figure: Figure): number {
  const other = entryOf(result, reference);
  // Figures of a proxy that then gave wrong answers are worth nothing, on either side.
  if (other === undefined || other.failure !== null || entry.failure !== null) return Number.NaN;
  return pairedRatio(series(entry, figure), series(other, figure));
}

/**
 * Like `ratioTo`, but to the better, that is lower, of two proxies round by round; NaN unless both were measured, as
 * nobody knows then which one it would have been.
 */
export function ratioToBetter(
  result: CaseResult,
  entry: Entry,
  [first, second]: readonly [string, string],
  figure: Figure,
): number {
  const others = [first, second].map((name) => entryOf(result, name));
  const [one, two] = others.map((other) =>
    other === undefined || other.failure !== null ? [] : series(other, figure),
  );
  if (one === undefined || two === undefined || entry.failure !== null) return Number.NaN;
  const lower = one.map((value, round) => {
    const twin = two[round];
    return value === undefined || twin === undefined ? undefined : Math.min(value, twin);
  });
  return pairedRatio(series(entry, figure), lower);
}

export function entryOf(result: CaseResult | undefined, competitor: string): Entry | undefined {
  return result?.entries.find((entry) => entry.competitor.name === competitor);
}

function present(entry: Entry, figure: Figure): number[] {
  return series(entry, figure).filter((value) => value !== undefined);
}
