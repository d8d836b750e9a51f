import type { ParsedHistogram } from "./parse-text.ts";

/**
 * The q-quantile (0..1) of bucketed observations as Prometheus' histogram_quantile() gives it: linear within the bucket
 * it falls into, whose lower end is 0 for the first bucket; the highest bound if it lies above all of them. NaN without
 * observations; q below 0 or above 1 give the infinities.
 */
export function quantile({ bounds, counts }: ParsedHistogram, q: number): number {
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0 || Number.isNaN(q)) return Number.NaN;
  const rank = q * total;
  let below = 0;
  for (const [i, upper] of bounds.entries()) {
    const count = counts[i] ?? 0;
    if (below + count >= rank) return interpolate(bounds[i - 1], upper, count === 0 ? 0 : (rank - below) / count);
    below += count;
  }
  return bounds.at(-1) ?? Number.NaN;
}

/** Adds histograms of the same bounds, such as all series of one family; null if there are none or bounds differ. */
export function addHistograms(list: readonly ParsedHistogram[]): ParsedHistogram | null {
  return list.slice(1).reduce<ParsedHistogram | null>((sum, one) => combine(sum, one, 1), list[0] ?? null);
}

/** What was observed between two scrapes. A bucket that shrank (the process restarted) counts from zero again. */
export function subtractHistogram(later: ParsedHistogram, earlier: ParsedHistogram): ParsedHistogram | null {
  const difference = combine(later, earlier, -1);
  return difference?.counts.some((count) => count < 0) ? later : difference;
}

function interpolate(lower: number | undefined, upper: number, fraction: number): number {
  if (lower === undefined) return upper <= 0 ? upper : upper * fraction;
  return lower + (upper - lower) * fraction;
}

function combine(a: ParsedHistogram | null, b: ParsedHistogram, sign: 1 | -1): ParsedHistogram | null {
  if (a === null || a.bounds.length !== b.bounds.length || a.bounds.some((bound, i) => bound !== b.bounds[i]))
    return null;
  return { bounds: a.bounds, counts: a.counts.map((count, i) => count + sign * (b.counts[i] ?? 0)) };
}
