import { labels as labelText, type ParsedFamily, parseText, quantile } from "@bowline/metrics";
import type { ByteRates, GoldenQueries, Grouped, Latencies, Responses } from "../query/golden-queries.ts";
import { groupKey, groupOf, type Labels, type Selection, selects } from "../query/selection.ts";
import { STAT_KINDS } from "../stat/kinds.ts";
import { type SeriesHistory, TargetHistory } from "./history.ts";

const CONNECTIONS = "tcp_open_connections";
/** The families that golden metrics are made from; nothing else of a page is kept. */
const FAMILIES: ReadonlySet<string> = new Set([
  "response_total",
  "response_latency_ms",
  CONNECTIONS,
  "tcp_read_bytes_total",
  "tcp_write_bytes_total",
]);
/** The labels of a page that selections can name; series that differ in others only (status, TLS, route …) are added up. */
const KEPT_LABELS: ReadonlySet<string> = new Set([
  "direction",
  "peer",
  "classification",
  ...STAT_KINDS.map(({ label }) => `dst_${label}`),
]);
const PROCESS_START = "process_start_time_seconds";
const GOLDEN_LINE = new RegExp(`^(# TYPE )?(${[...FAMILIES, PROCESS_START].join("|")})(_bucket|_sum|_count)?[ {]`);
/** Distinct values of labels that are shared between series before they are gathered anew. */
const INTERNED_MAX = 50_000;
/** Targets that are gone are remembered for as long as a window may be. */
export const WINDOW_MAX_MS: number = 10 * 60_000;

export interface MetricsStoreOptions {
  /** Milliseconds of the epoch. */
  readonly now: () => number;
  /** Gauges of a target that was not scraped for this long, in ms, don't count any more. */
  readonly staleMs: number;
}

/**
 * The proxies' last minutes, in memory, and the golden metrics computed from them. 100 proxies with 600 busy series each, 100 of
 * them histograms, take about 100 MB.
 */
export class MetricsStore implements GoldenQueries {
  readonly #options: MetricsStoreOptions;
  readonly #targets = new Map<string, TargetHistory>();
  readonly #interned = new Map<string, string>();

  constructor(options: MetricsStoreOptions) {
    this.#options = options;
  }

  get targets(): number {
    return this.#targets.size;
  }

  get series(): number {
    let sum = 0;
    for (const target of this.#targets.values()) sum += target.seriesCount;
    return sum;
  }

  /**
   * Takes what a proxy's metrics page said.
   *
   * @param id stands for one run of one pod
   * @param labels the target's own: `namespace`, `pod`, its workload's kind
   * @returns what is wrong with the page, or null
   */
  add(id: string, labels: Labels, page: string): string | null {
    const parsed = parseText(goldenLines(page));
    if ("error" in parsed) return `${parsed.error}, in line ${parsed.line} of those that matter`;
    if (parsed.families.length === 0) return "a page without metrics of a proxy";
    let target = this.#targets.get(id);
    if (target === undefined) {
      target = new TargetHistory(labels);
      this.#targets.set(id, target);
    }
    target.begin(this.#options.now(), labels);
    const process = parsed.families.find(({ name }) => name === PROCESS_START);
    target.started((process?.series[0]?.value ?? Number.NaN) * 1000);
    for (const family of parsed.families) {
      if (FAMILIES.has(family.name)) this.#addFamily(target, family);
    }
    return null;
  }

  #addFamily(target: TargetHistory, family: ParsedFamily): void {
    for (const series of family.series) {
      const kept = series.labels.filter(([name]) => KEPT_LABELS.has(name));
      const asRecord = (): Labels => Object.fromEntries(kept.map(([name, value]) => [name, this.#intern(value)]));
      const common = {
        family: this.#intern(family.name),
        labelText: labelText(series.labels),
        keptText: labelText(kept),
        kept: asRecord,
      };
      if (family.name === CONNECTIONS) target.put({ ...common, kind: "gauge", value: series.value });
      else target.put({ ...common, kind: "counter", value: series.histogram ?? series.value });
    }
  }

  /** A copy of its own: a part of a page would keep the whole page in memory. */
  #intern(value: string): string {
    const known = this.#interned.get(value);
    if (known !== undefined) return known;
    if (this.#interned.size >= INTERNED_MAX) this.#interned.clear();
    const copy = Buffer.from(value).toString();
    this.#interned.set(copy, copy);
    return copy;
  }

  /** Lets go of targets and series that no window reaches any more. */
  forgetOld(): void {
    const before = this.#options.now() - WINDOW_MAX_MS;
    for (const [id, target] of this.#targets) {
      if (target.lastMs < before) this.#targets.delete(id);
      else target.forgetAbsent();
    }
  }

  responses(selection: Selection, windowMs: number): Promise<readonly Grouped<Responses>[]> {
    const since = this.#options.now() - windowMs;
    const groups = new Groups<{ success: number; failure: number; fromMs: number; toMs: number }>(selection, () => ({
      success: 0,
      failure: 0,
      fromMs: Number.POSITIVE_INFINITY,
      toMs: 0,
    }));
    this.#each("response_total", selection, (target, series) => {
      const value = groups.of(series.labels);
      const grown = target.increase(series, since)[0] ?? 0;
      if (series.labels["classification"] === "failure") value.failure += grown;
      else value.success += grown;
      value.fromMs = Math.min(value.fromMs, target.countedFromMs(since));
      value.toMs = Math.max(value.toMs, target.lastMs);
    });
    const seconds = (fromMs: number, toMs: number): number => Math.min(Math.max(toMs - fromMs, 1), windowMs) / 1000;
    return Promise.resolve(
      groups.list().map(({ group, value: { success, failure, fromMs, toMs } }) => ({
        group,
        value: { success, failure, seconds: seconds(fromMs, toMs) },
      })),
    );
  }

  latencies(selection: Selection, windowMs: number): Promise<readonly Grouped<Latencies>[]> {
    const since = this.#options.now() - windowMs;
    const groups = new Groups<{ bounds: readonly number[]; counts: number[] }>(selection, () => ({
      bounds: [],
      counts: [],
    }));
    this.#each("response_latency_ms", selection, (target, series) => {
      const value = groups.of(series.labels);
      value.bounds = series.bounds;
      for (const [bucket, grown] of target.increase(series, since).entries()) {
        value.counts[bucket] = (value.counts[bucket] ?? 0) + grown;
      }
    });
    return Promise.resolve(groups.list().map(({ group, value }) => ({ group, value: quantilesOf(value) })));
  }

  connections(selection: Selection): Promise<readonly Grouped<number>[]> {
    const groups = new Groups<{ sum: number }>(selection, () => ({ sum: 0 }));
    const fresh = this.#options.now() - this.#options.staleMs;
    this.#each(CONNECTIONS, selection, (target, series) => {
      if (target.lastMs >= fresh) groups.of(series.labels).sum += series.gauge;
    });
    return Promise.resolve(groups.list().map(({ group, value }) => ({ group, value: value.sum })));
  }

  bytes(selection: Selection, windowMs: number): Promise<readonly Grouped<ByteRates>[]> {
    const since = this.#options.now() - windowMs;
    const groups = new Groups<{ read: number; written: number }>(selection, () => ({ read: 0, written: 0 }));
    const add = (family: string, field: "read" | "written"): void =>
      this.#each(family, selection, (target, series) => {
        const seconds = Math.max(target.lastMs - target.countedFromMs(since), 1) / 1000;
        groups.of(series.labels)[field] += (target.increase(series, since)[0] ?? 0) / seconds;
      });
    add("tcp_read_bytes_total", "read");
    add("tcp_write_bytes_total", "written");
    return Promise.resolve(groups.list());
  }

  #each(family: string, selection: Selection, visit: (target: TargetHistory, series: SeriesHistory) => void): void {
    for (const target of this.#targets.values()) {
      for (const series of target.series) {
        if (series.family === family && selects(selection, series.labels)) visit(target, series);
      }
    }
  }
}

/** One value for each combination of the grouping labels. */
class Groups<T> {
  readonly #selection: Selection;
  readonly #make: () => T;
  readonly #groups = new Map<string, Grouped<T>>();

  constructor(selection: Selection, make: () => T) {
    this.#selection = selection;
    this.#make = make;
  }

  of(labels: Labels): T {
    const key = groupKey(this.#selection, labels);
    let entry = this.#groups.get(key);
    if (entry === undefined) {
      entry = { group: groupOf(this.#selection, labels), value: this.#make() };
      this.#groups.set(key, entry);
    }
    return entry.value;
  }

  list(): Grouped<T>[] {
    return [...this.#groups.values()];
  }
}

/** The lines of a page that golden metrics are made from: a fraction, and only they are worth parsing. */
function goldenLines(page: string): string {
  const lines: string[] = [];
  for (let at = 0; at < page.length; ) {
    const newline = page.indexOf("\n", at);
    const end = newline < 0 ? page.length : newline;
    if (GOLDEN_LINE.test(page.slice(at, Math.min(end, at + 64)))) lines.push(page.slice(at, end));
    at = end + 1;
  }
  return lines.join("\n");
}

function quantilesOf(histogram: { bounds: readonly number[]; counts: readonly number[] }): Latencies {
  const at = (q: number): number | null => {
    const value = quantile(histogram, q);
    return Number.isNaN(value) ? null : value;
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
