export type MetricKind = "counter" | "gauge" | "histogram";

/** How a family's header lines are written; see exposition.ts. */
export type ExpositionStyle = "classic" | "openmetrics";

/**
 * A constant descriptor: one object per family, made once at module level. `name` is the full name a sample carries,
 * `_total` and unit suffix included, so that one search finds the code, the metric page and the dashboard.
 */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly style: ExpositionStyle;
  /** Ascending upper bounds without +Inf; histograms only. */
  readonly bounds?: readonly number[];
  /** For the `# UNIT` line of an openmetrics-style family: `seconds`, `bytes`. */
  readonly unit?: string;
  /**
   * How the values of several data threads become one; they are added up unless this says otherwise. The latest of points
   * in time, or a setting that all have, is their maximum.
   */
  readonly merge?: "max";
}

/** Linkerd's latency bounds in milliseconds, from request head to first body frame. +Inf is implied. */
export const LATENCY_BUCKETS_MS: readonly number[] = [
  1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000, 40000,
  50000,
];
