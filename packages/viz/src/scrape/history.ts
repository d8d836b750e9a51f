import type { ParsedHistogram } from "@bowline/metrics";
import type { Labels } from "../query/selection.ts";

/** Scrapes that are remembered of each target. */
export const HISTORY_SCRAPES = 128;
/** Series of one target; what a target has beyond them is not looked at. */
const HISTORY_SERIES_MAX = 10_000;

/** One series of one target: a counter or gauge has one column, a histogram one per bucket. */
export interface SeriesHistory {
  readonly family: string;
  readonly labels: Labels;
  /** Upper bounds of a histogram's buckets; empty for others. */
  readonly bounds: readonly number[];
  /** Row by scrape number modulo HISTORY_SCRAPES; NaN where the series was absent. */
  readonly rows: Float64Array;
}

/** The last scrapes of one proxy. */
export class TargetHistory {
  readonly labels: Labels;
  readonly series: Map<string, SeriesHistory> = new Map();
  /** Milliseconds of the epoch, by scrape number modulo HISTORY_SCRAPES. */
  readonly #times = new Float64Array(HISTORY_SCRAPES);
  #count = 0;
  /** When the target's process began, ms of the epoch, NaN if it doesn't say: what it counted began then. */
  startedMs: number = Number.NaN;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  get scrapes(): number {
    return this.#count;
  }

  /** Time of the last scrape in ms of the epoch; NaN before the first. */
  get lastMs(): number {
    return this.#count === 0 ? Number.NaN : this.timeOf(this.#count - 1);
  }

  /** Of the oldest scrape that is remembered. */
  get first(): number {
    return Math.max(0, this.#count - HISTORY_SCRAPES);
  }

  timeOf(scrape: number): number {
    return this.#times[scrape % HISTORY_SCRAPES] ?? Number.NaN;
  }

  /** Begins a scrape: every series is absent from it until `put`. */
  begin(timeMs: number): void {
    const row = this.#count % HISTORY_SCRAPES;
    this.#times[row] = timeMs;
    this.#count++;
    for (const series of this.series.values()) {
      const width = widthOf(series);
      series.rows.fill(Number.NaN, row * width, (row + 1) * width);
    }
  }

  put(family: string, labelText: string, labels: () => Labels, value: number | ParsedHistogram): void {
    const key = `${family}{${labelText}}`;
    const bounds = typeof value === "number" ? [] : value.bounds;
    let series = this.series.get(key);
    if (series === undefined || series.bounds.length !== bounds.length) {
      if (this.series.size >= HISTORY_SERIES_MAX) return;
      const columns = typeof value === "number" ? 1 : bounds.length + 1;
      series = {
        family,
        labels: { ...labels(), ...this.labels },
        bounds,
        rows: new Float64Array(columns * HISTORY_SCRAPES).fill(Number.NaN),
      };
      this.series.set(key, series);
    }
    const width = widthOf(series);
    const at = ((this.#count - 1) % HISTORY_SCRAPES) * width;
    if (typeof value === "number") series.rows[at] = value;
    else series.rows.set(value.counts, at);
  }

  /** Lets go of series that no remembered scrape has. */
  forgetAbsent(): void {
    for (const [key, { rows }] of this.series) if (rows.every(Number.isNaN)) this.series.delete(key);
  }

  /**
   * What a counter, or each bucket of a histogram, grew by since `sinceMs`. A value that shrank began again from zero, and a series
   * that wasn't there before began at zero.
   */
  increase(series: SeriesHistory, sinceMs: number): Float64Array {
    const width = widthOf(series);
    const sum = new Float64Array(width);
    const base = this.#base(sinceMs);
    const earlier = new Float64Array(width);
    if (base >= 0) this.#read(series, base, earlier);
    for (let scrape = base + 1; scrape < this.#count; scrape++) {
      const at = (scrape % HISTORY_SCRAPES) * width;
      for (let column = 0; column < width; column++) {
        const value = series.rows[at + column] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        const before = earlier[column] ?? 0;
        sum[column] = (sum[column] ?? 0) + (value < before ? value : value - before);
        earlier[column] = value;
      }
    }
    return sum;
  }

  /** Where counting for the window since `sinceMs` begins, ms of the epoch. */
  countedFromMs(sinceMs: number): number {
    const base = this.#base(sinceMs);
    return base >= 0 ? this.timeOf(base) : Math.max(this.startedMs, sinceMs);
  }

  value(series: SeriesHistory): number {
    const value = series.rows[(this.#count - 1) % HISTORY_SCRAPES] ?? Number.NaN;
    return Number.isNaN(value) ? 0 : value;
  }

  /**
   * The scrape to subtract: the last one before the window, else the first. -1 when everything was counted within the window,
   * because the process began in it.
   */
  #base(sinceMs: number): number {
    for (let scrape = this.#count - 1; scrape >= this.first; scrape--)
      if (this.timeOf(scrape) <= sinceMs) return scrape;
    return this.first === 0 && this.startedMs >= sinceMs ? -1 : this.first;
  }

  #read(series: SeriesHistory, scrape: number, into: Float64Array): void {
    const at = (scrape % HISTORY_SCRAPES) * into.length;
    for (let column = 0; column < into.length; column++) {
      const value = series.rows[at + column] ?? Number.NaN;
      into[column] = Number.isNaN(value) ? 0 : value;
    }
  }
}

function widthOf(series: SeriesHistory): number {
  return series.bounds.length === 0 ? 1 : series.bounds.length + 1;
}
