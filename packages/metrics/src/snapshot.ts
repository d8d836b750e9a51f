import type { Family } from "./family.ts";

/** Values of one moment as plain data: survives structuredClone, so a data thread can post it. */
export interface Snapshot {
  readonly families: readonly FamilySnapshot[];
}

export interface FamilySnapshot {
  readonly family: Family;
  readonly series: readonly SeriesSnapshot[];
}

export interface SeriesSnapshot {
  /** Label text without braces, as made by labels(). */
  readonly labels: string;
  /** A counter's or gauge's value, a histogram's sum. */
  readonly value: number;
  /** Histograms: observations per bucket, not cumulative, the last one above every bound. Otherwise null. */
  readonly buckets: readonly number[] | null;
}

/**
 * One snapshot in which series of the same family and labels are added up: counters, gauges and histograms alike
 * (open connections of two data threads are open connections of the process), but for families that say otherwise.
 * Families and series keep the order in which they first appear.
 */
export function mergeSnapshots(snapshots: readonly Snapshot[]): Snapshot {
  const merged = new Map<string, { family: Family; series: Map<string, SeriesSnapshot> }>();
  for (const { families } of snapshots) {
    for (const { family, series } of families) {
      let into = merged.get(family.name);
      if (into === undefined) {
        into = { family, series: new Map() };
        merged.set(family.name, into);
      }
      for (const one of series) {
        const other = into.series.get(one.labels);
        into.series.set(one.labels, other === undefined ? one : mergeSeries(family, other, one));
      }
    }
  }
  return { families: [...merged.values()].map(({ family, series }) => ({ family, series: [...series.values()] })) };
}

function mergeSeries({ merge }: Family, a: SeriesSnapshot, b: SeriesSnapshot): SeriesSnapshot {
  if (merge === "max") return a.value >= b.value ? a : b;
  return {
    labels: a.labels,
    value: a.value + b.value,
    buckets: a.buckets === null ? b.buckets : a.buckets.map((count, i) => count + (b.buckets?.[i] ?? 0)),
  };
}
