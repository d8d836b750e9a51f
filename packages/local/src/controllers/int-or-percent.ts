/**
 * A count that is given as such or as a share ("25%") of a total.
 * @param round what a share that is no whole number becomes
 */
export function countOf(value: number | string | undefined, total: number, round: "up" | "down"): number {
  if (value === undefined) return 0;
  if (typeof value === "number") return value;
  const percent = Number.parseInt(value, 10);
  if (Number.isNaN(percent)) return 0;
  if (!value.endsWith("%")) return percent;
  const share = (percent * total) / 100;
  return round === "up" ? Math.ceil(share) : Math.floor(share);
}
