import type { ParsedHistogram } from "@bowline/metrics";
import type { Labels } from "../query/selection.ts";
import { GrowthRings, HISTORY_SCRAPES, NO_RING } from "./growth-rings.ts";

/** Series of one target's page; what a page has beyond them is not looked at. */
const HISTORY_SERIES_MAX = 10_000;

/** Some compute it from the uptime, and differ a little from page to page. */
const START_TOLERANCE_MS = 1_000;
const NO_BOUNDS: readonly number[] = [];

/** What series of one target with the same labels grew by: a counter has one column, a histogram one per bucket. */
export interface SeriesHistory {
  readonly family: string;
  /** The series' own that were asked to be kept, and the target's. */
  labels: Labels;
  /** Upper bounds of a histogram's buckets; empty for others. */
  readonly bounds: readonly number[];
  /** By column: its ring, or NO_RING while it rests. */
  readonly rings: Int32Array;
  /** What a gauge was at the last scrape: the sum of its page's series. */
  gauge: number;
  /** The last scrape that had it. */
  seenAt: number;
}

/** What a page says of one series. */
export type PutSeries = {
  readonly family: string;
  readonly labelText: string;
  readonly keptText: string;
  readonly kept: () => Labels;
} & (
  | { readonly kind: "counter"; readonly value: number | ParsedHistogram }
  | { readonly kind: "gauge"; readonly value: number }
);

/** One series of the page, of which several may go into one history. */
interface PageSeries {
  readonly history: SeriesHistory;
  readonly values: Float64Array;
  seenAt: number;
}

/** The last scrapes of one proxy. */
export class TargetHistory {
  #labels: Labels;
  /** By number of the family and the text of the kept labels. */
  readonly #histories = new Map<number, SeriesHistory>();
  /** By number of the family and the text of all labels. */
  readonly #page = new Map<number, PageSeries>();
  readonly #rings = new GrowthRings();
  /** Milliseconds of the epoch, by scrape number modulo HISTORY_SCRAPES. */
  readonly #times = new Float64Array(HISTORY_SCRAPES);
  #count = 0;
  #startedMs = Number.NaN;
  /** Of the process that the first scrape found, which is the only one whose counts from before it are of interest. */
  #firstStartedMs = Number.NaN;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  /** Histories of series that some remembered scrape has. */
  get series(): Iterable<SeriesHistory> {
    return this.#histories.values();
  }

  get seriesCount(): number {
    return this.#histories.size;
  }

  /** Time of the last scrape in ms of the epoch; NaN before the first. */
  get lastMs(): number {
    return this.#count === 0 ? Number.NaN : this.#timeOf(this.#count - 1);
  }

  /**
   * Takes when the target's process began, ms of the epoch, NaN if it doesn't say: what it counted began then, so that a restart
   * shows even where counters have grown beyond what they were.
   */
  started(ms: number): void {
    if (Math.abs(ms - this.#startedMs) > START_TOLERANCE_MS)
      for (const { values } of this.#page.values()) values.fill(0);
    this.#startedMs = ms;
    if (this.#count <= 1) this.#firstStartedMs = ms;
  }

  /** Begins a scrape: nothing has grown at it until `put`. The target's labels may have become known better. */
  begin(timeMs: number, labels: Labels): void {
    if (!sameLabels(labels, this.#labels)) this.#relabel(labels);
    const row = this.#count % HISTORY_SCRAPES;
    this.#times[row] = timeMs;
    for (const history of this.#histories.values()) {
      history.gauge = 0;
      for (const [column, ring] of history.rings.entries()) {
        if (ring === NO_RING || this.#rings.begin(ring, this.#count)) continue;
        this.#rings.release(ring);
        history.rings[column] = NO_RING;
      }
    }
    this.#count++;
  }

  /**
   * Takes one series of the page. A counter that shrank began again from zero, and one that wasn't there before began at zero.
   *
   * @param keptText text of the labels to keep, equal for equal ones; series that differ in others only are added up
   */
  put(series: PutSeries): void {
    const { value } = series;
    const page = this.#pageSeries(series);
    if (page === null) return;
    const scrape = this.#count - 1;
    page.seenAt = scrape;
    page.history.seenAt = scrape;
    if (series.kind === "gauge") {
      page.history.gauge += series.value;
      return;
    }
    for (const [column, before] of page.values.entries()) {
      const now = typeof value === "number" ? value : (value.counts[column] ?? 0);
      page.values[column] = now;
      if (now !== before) this.#grow(page.history, column, now < before ? now : now - before);
    }
  }

  /** Lets go of series that no remembered scrape has. */
  forgetAbsent(): void {
    const oldest = this.#count - HISTORY_SCRAPES;
    for (const [id, { seenAt }] of this.#page) if (seenAt < oldest) this.#page.delete(id);
    for (const [id, history] of this.#histories) {
      if (history.seenAt >= oldest) continue;
      this.#forget(history);
      this.#histories.delete(id);
    }
  }

  /** What a counter, or each bucket of a histogram, grew by since `sinceMs`. */
  increase({ rings }: SeriesHistory, sinceMs: number): Float64Array {
    const first = this.#base(sinceMs) + 1;
    return Float64Array.from(rings, (ring) => (ring === NO_RING ? 0 : this.#rings.sum(ring, first, this.#count)));
  }

  /** Where counting for the window since `sinceMs` begins, ms of the epoch. */
  countedFromMs(sinceMs: number): number {
    const base = this.#base(sinceMs);
    return base >= 0 ? this.#timeOf(base) : Math.max(this.#firstStartedMs, sinceMs);
  }

  #grow({ rings }: SeriesHistory, column: number, by: number): void {
    if (rings[column] === NO_RING) rings[column] = this.#rings.take();
    this.#rings.add(rings[column] ?? NO_RING, this.#count - 1, by);
  }

  #forget(history: SeriesHistory | undefined): void {
    for (const ring of history?.rings ?? []) if (ring !== NO_RING) this.#rings.release(ring);
  }

  /** Null for one too many. */
  #pageSeries(series: PutSeries): PageSeries | null {
    const id = numberOf(`${series.family}{${series.labelText}`);
    const width = typeof series.value === "number" ? 1 : series.value.counts.length;
    const known = this.#page.get(id);
    if (known?.values.length === width) return known;
    if (this.#page.size >= HISTORY_SERIES_MAX) return null;
    const page = { history: this.#history(series, width), values: new Float64Array(width), seenAt: 0 };
    this.#page.set(id, page);
    return page;
  }

  #history({ family, keptText, kept, value }: PutSeries, width: number): SeriesHistory {
    const id = numberOf(`${family}{${keptText}`);
    const known = this.#histories.get(id);
    if (known?.rings.length === width) return known;
    const history: SeriesHistory = {
      family,
      labels: { ...kept(), ...this.#labels },
      bounds: typeof value === "number" ? NO_BOUNDS : this.#shared(value.bounds),
      rings: new Int32Array(width).fill(NO_RING),
      gauge: 0,
      seenAt: 0,
    };
    this.#forget(known);
    this.#histories.set(id, history);
    return history;
  }

  /** Histograms of one family have the same bounds. */
  #shared(bounds: readonly number[]): readonly number[] {
    const isSame = (known: readonly number[]): boolean => known.every((bound, index) => bound === bounds[index]);
    for (const { bounds: known } of this.#histories.values())
      if (known.length === bounds.length && isSame(known)) return known;
    return bounds;
  }

  #relabel(labels: Labels): void {
    const gone = new Set(Object.keys(this.#labels));
    for (const history of this.#histories.values()) {
      const own = Object.entries(history.labels).filter(([name]) => !gone.has(name));
      history.labels = { ...Object.fromEntries(own), ...labels };
    }
    this.#labels = labels;
  }

  #timeOf(scrape: number): number {
    return this.#times[scrape % HISTORY_SCRAPES] ?? Number.NaN;
  }

  /**
   * The scrape that counting begins behind: the last one before the window, else the first. -1 when everything was counted
   * within the window, because the process began in it.
   */
  #base(sinceMs: number): number {
    const first = Math.max(0, this.#count - HISTORY_SCRAPES);
    for (let scrape = this.#count - 1; scrape >= first; scrape--) if (this.#timeOf(scrape) <= sinceMs) return scrape;
    return first === 0 && this.#firstStartedMs >= sinceMs ? -1 : first;
  }
}

/** 53 bits in place of a text of hundreds of bytes; two of 10,000 are the same once in 10^8 pages. */
function numberOf(text: string): number {
  return Bun.hash.xxHash32(text, 1) * 2 ** 21 + (Bun.hash.xxHash32(text, 2) >>> 11);
}

function sameLabels(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
