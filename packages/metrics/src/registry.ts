import type { Family, MetricKind } from "./family.ts";
import { Counter, Gauge, Histogram, type Instrument } from "./instruments.ts";
import type { FamilySnapshot, SeriesSnapshot, Snapshot } from "./snapshot.ts";

/** Where series are made and read. Making and removing are cold; the instruments handed out are what the hot path keeps. */
export class Registry {
  /** In the order they appear on the page. */
  readonly #families = new Map<string, FamilyEntry>();
  readonly #groups = new Set<SeriesGroup>();

  /** `order` fixes the place of families on the page before any has a series; others follow as they are first used. */
  constructor(order: readonly Family[] = []) {
    for (const family of order) this.#entry(family);
  }

  /** The counter of this family and label text, made at 0 on first use. Stays until removed. */
  counter(family: Family, labels = ""): Counter {
    return this.#permanent(family, "counter", labels).instrument as Counter;
  }

  gauge(family: Family, labels = ""): Gauge {
    return this.#permanent(family, "gauge", labels).instrument as Gauge;
  }

  histogram(family: Family, labels = ""): Histogram {
    return this.#permanent(family, "histogram", labels).instrument as Histogram;
  }

  /** Takes a series off the page whoever made it. Its instrument may still be bumped; nobody reads it any more. */
  remove(family: Family, labels = ""): void {
    this.#families.get(family.name)?.series.delete(labels);
  }

  /** A set of series that comes and goes together. `onDrop` runs when the set expires, for the owner to forget it too. */
  group(onDrop: () => void = () => {}): SeriesGroup {
    const group = new SeriesGroup({
      make: (family, kind, labels) => this.#series(family, kind, labels),
      onDrop,
      onRetired: () => {
        if (group.shared) this.#drop(group);
      },
    });
    this.#groups.add(group);
    return group;
  }

  /**
   * Drops every unpinned group whose values have not changed for longer than `retainMs`, and returns how many went.
   * To be called at each scrape: idleness is found by comparing with the values of the previous call, so counting
   * costs nothing extra. A group never seen before counts as used now.
   */
  expire(nowMs: number, retainMs: number): number {
    let dropped = 0;
    for (const group of this.#groups) {
      if (!group.idleSince(nowMs - retainMs, nowMs)) continue;
      this.#drop(group);
      dropped++;
    }
    return dropped;
  }

  snapshot(): Snapshot {
    const families: FamilySnapshot[] = [];
    for (const { family, series } of this.#families.values()) {
      if (series.size === 0) continue;
      families.push({ family, series: [...series.values()].map(snapshotSeries) });
    }
    return { families };
  }

  #permanent(family: Family, kind: MetricKind, labels: string): Series {
    const series = this.#series(family, kind, labels);
    series.owners = Number.POSITIVE_INFINITY;
    return series;
  }

  #series(family: Family, kind: MetricKind, labels: string): Series {
    const entry = this.#entry(family);
    if (entry.family.kind !== kind) throw new Error(`${family.name} is a ${entry.family.kind}, not a ${kind}`);
    let series = entry.series.get(labels);
    if (series === undefined) {
      series = { family, labels, instrument: makeInstrument(kind, entry.bounds), owners: 0 };
      entry.series.set(labels, series);
    }
    return series;
  }

  #entry(family: Family): FamilyEntry {
    let entry = this.#families.get(family.name);
    if (entry === undefined) {
      assertFamily(family);
      entry = { family, bounds: Float64Array.from(family.bounds ?? []), series: new Map() };
      this.#families.set(family.name, entry);
    }
    return entry;
  }

  #drop(group: SeriesGroup): void {
    this.#groups.delete(group);
    for (const series of group.close()) {
      series.owners -= 1;
      const of = this.#families.get(series.family.name)?.series;
      // Another series may stand under these labels since: this one was removed by hand and made anew.
      if (series.owners === 0 && of?.get(series.labels) === series) of.delete(series.labels);
    }
  }
}

/**
 * The series of one subject, such as one target address. Whoever is about to count keeps the group pinned; once nobody
 * does and its values stand still, Registry.expire() takes the whole set off the page. A series two groups ask for is
 * one series, and goes with the last of them.
 */
export class SeriesGroup {
  readonly #parts: SeriesGroupParts;
  readonly #series = new Set<Series>();
  #pins = 0;
  #dropped = false;
  /** The counts and the gauges of the last look. Apart, or a connection's close (+1) would hide behind its open gauge (-1). */
  #counts = Number.NaN;
  #gauges = Number.NaN;
  #usedMs = 0;
  #pinnedMs = 0;

  /** For Registry.group(). */
  constructor(parts: SeriesGroupParts) {
    this.#parts = parts;
  }

  /** True once expired: the owner must make a new group. */
  get dropped(): boolean {
    return this.#dropped;
  }

  counter(family: Family, labels = ""): Counter {
    return this.#own(family, "counter", labels) as Counter;
  }

  gauge(family: Family, labels = ""): Gauge {
    return this.#own(family, "gauge", labels) as Gauge;
  }

  histogram(family: Family, labels = ""): Histogram {
    return this.#own(family, "histogram", labels) as Histogram;
  }

  /** Keeps the group from expiring until unpin() has been called as often: one pin per connection, for example. */
  pin(): void {
    if (this.#dropped) throw new Error("pinned a group of series that has expired");
    this.#pins += 1;
  }

  unpin(): void {
    if (this.#pins === 0) throw new Error("unpinned a group of series more often than it was pinned");
    this.#pins -= 1;
  }

  /** The last unpin() there will be: where others stand for all of its series the group goes at once, else it expires. */
  retire(): void {
    this.unpin();
    if (this.#pins === 0) this.#parts.onRetired();
  }

  /** Other groups have all of its series, too: without it none of them leaves the page. */
  get shared(): boolean {
    for (const { owners } of this.#series) if (owners < 2) return false;
    return true;
  }

  /** For Registry.expire(): looks at the values at nowMs, and says whether they have stood still since before sinceMs. */
  idleSince(sinceMs: number, nowMs: number): boolean {
    let counts = 0;
    let gauges = 0;
    for (const { instrument } of this.#series) {
      if (instrument instanceof Gauge) gauges += instrument.value;
      else counts += instrument instanceof Counter ? instrument.value : instrument.count;
    }
    if (this.#pins > 0 || Number.isNaN(this.#counts)) this.#pinnedMs = nowMs;
    if (this.#pins > 0 || counts !== this.#counts || gauges !== this.#gauges) this.#usedMs = nowMs;
    this.#counts = counts;
    this.#gauges = gauges;
    // Of series that others have, too, the values may be others' doing.
    return this.#usedMs < sinceMs || (this.#pinnedMs < sinceMs && this.shared);
  }

  /** For Registry.expire(): ends the group and hands back its series. */
  close(): Iterable<Series> {
    this.#dropped = true;
    this.#parts.onDrop();
    return this.#series;
  }

  #own(family: Family, kind: MetricKind, labels: string): Instrument {
    if (this.#dropped) throw new Error(`made ${family.name} in a group of series that has expired`);
    const series = this.#parts.make(family, kind, labels);
    if (!this.#series.has(series)) {
      this.#series.add(series);
      series.owners += 1;
    }
    return series.instrument;
  }
}

interface SeriesGroupParts {
  readonly make: (family: Family, kind: MetricKind, labels: string) => Series;
  readonly onDrop: () => void;
  readonly onRetired: () => void;
}

interface FamilyEntry {
  readonly family: Family;
  readonly bounds: Float64Array;
  readonly series: Map<string, Series>;
}

interface Series {
  readonly family: Family;
  readonly labels: string;
  readonly instrument: Instrument;
  /** Groups that hold it; infinite once asked for outside a group. */
  owners: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

function assertFamily({ name, kind, bounds }: Family): void {
  if (!NAME.test(name)) throw new Error(`"${name}" is not a metric name`);
  if ((kind === "histogram") !== (bounds !== undefined))
    throw new Error(`${name}: histograms, and only they, have bounds`);
  if (bounds?.some((bound, i) => !Number.isFinite(bound) || bound <= (bounds[i - 1] ?? Number.NEGATIVE_INFINITY))) {
    throw new Error(`${name}: bounds must be finite and ascend`);
  }
}

function makeInstrument(kind: MetricKind, bounds: Float64Array): Instrument {
  switch (kind) {
    case "counter":
      return new Counter();
    case "gauge":
      return new Gauge();
    case "histogram":
      return new Histogram(bounds);
  }
}

function snapshotSeries({ labels, instrument }: Series): SeriesSnapshot {
  if (instrument instanceof Histogram) return { labels, value: instrument.sum, buckets: [...instrument.counts] };
  return { labels, value: instrument.value, buckets: null };
}
