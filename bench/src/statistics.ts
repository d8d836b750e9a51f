/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The smallest value that at least `percent` of the values do not exceed; NaN of nothing. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

/**
 * The median of the ratios taken within each round: what slows a whole round down (a busy neighbour, a warm core) hits
 * both sides of its ratio. Rounds that lack either side, or whose reference is not positive, are left out.
 */
export function pairedRatio(
  values: readonly (number | undefined)[],
  references: readonly (number | undefined)[],
): number {
  const ratios: number[] = [];
  for (const [round, value] of values.entries()) {
    const reference = references[round];
    if (value !== undefined && reference !== undefined && reference > 0) ratios.push(value / reference);
  }
  return median(ratios);
}

/** The same list starting at another place, so that nobody always goes first. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
