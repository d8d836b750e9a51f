import type { MetricKind } from "./family.ts";
import { type LabelPair, labels, parseLabels, unescapeText } from "./labels.ts";

/** A family as read from a page, Bowline's or anybody else's. */
export interface ParsedFamily {
  readonly name: string;
  /** "unknown" where the page does not say, and for kinds Bowline does not have (summary). */
  readonly kind: MetricKind | "unknown";
  readonly help: string;
  readonly unit: string | null;
  readonly series: readonly ParsedSeries[];
}

export interface ParsedSeries {
  /** In the page's order, a histogram's `le` left out. */
  readonly labels: readonly LabelPair[];
  /** A histogram's sum. */
  readonly value: number;
  readonly histogram: ParsedHistogram | null;
}

export interface ParsedHistogram {
  /** Ascending upper bounds without +Inf. */
  readonly bounds: readonly number[];
  /** Observations per bucket, not cumulative; one more than bounds. */
  readonly counts: readonly number[];
}

export type ParsedText =
  | { readonly families: readonly ParsedFamily[] }
  | { readonly error: string /** From 1. */; readonly line: number };

/**
 * Reads Prometheus text back, for the demo, `stat` and tests. Timestamps and exemplars are ignored. Families come in
 * the page's order; samples without a TYPE line form families of kind "unknown". The first bad line is an error.
 */
export function parseText(text: string): ParsedText {
  const families = new Map<string, FamilyDraft>();
  let line = 0;
  for (const row of text.split("\n")) {
    line++;
    const error = row.startsWith("#")
      ? readComment(families, row)
      : row.trim() === ""
        ? null
        : readSample(families, row);
    if (error !== null) return { error, line };
  }
  return { families: [...families.values()].filter((draft) => draft.series.size > 0).map(finishFamily) };
}

/** The value of a label of a parsed series; undefined if it has none of that name. */
export function labelValue(series: ParsedSeries, name: string): string | undefined {
  return series.labels.find(([key]) => key === name)?.[1];
}

interface FamilyDraft {
  readonly name: string;
  kind: ParsedFamily["kind"];
  help: string;
  unit: string | null;
  /** By label text without `le`. */
  readonly series: Map<string, SeriesDraft>;
}

interface SeriesDraft {
  readonly labels: readonly LabelPair[];
  value: number;
  /** [bound, cumulative count] as they come. */
  readonly buckets: [number, number][];
}

const COMMENT = /^#[ \t]+(HELP|TYPE|UNIT)[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t](.*))?$/s;
// name, optional {labels} (a brace may stand inside quotes), value, and whatever follows (timestamp, exemplar).
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:\{((?:"(?:\\.|[^"\\])*"|[^"}])*)\})?[ \t]+([^ \t]+)(?:[ \t].*)?$/s;
const KINDS = new Set<string>(["counter", "gauge", "histogram"]);

function readComment(families: Map<string, FamilyDraft>, row: string): string | null {
  const match = COMMENT.exec(row);
  if (match === null) return null;
  const [, keyword, name = "", rest = ""] = match;
  const draft = draftFor(families, name);
  if (keyword === "HELP") draft.help = unescapeText(rest);
  else if (keyword === "TYPE") draft.kind = KINDS.has(rest.trim()) ? (rest.trim() as MetricKind) : "unknown";
  else draft.unit = rest.trim();
  return null;
}

function readSample(families: Map<string, FamilyDraft>, row: string): string | null {
  const match = SAMPLE.exec(row);
  if (match === null) return `not a sample: ${row}`;
  const [, name = "", labelText = "", valueText = ""] = match;
  const pairs = parseLabels(labelText);
  if (pairs === null) return `bad labels: ${labelText}`;
  const value = parseNumber(valueText);
  if (value === null) return `bad value: ${valueText}`;
  const histogram = histogramOf(families, name);
  if (histogram === null) seriesFor(draftFor(families, name), pairs).value = value;
  else return readHistogramSample(histogram, name.slice(histogram.name.length), pairs, value);
  return null;
}

function readHistogramSample(draft: FamilyDraft, suffix: string, pairs: LabelPair[], value: number): string | null {
  if (suffix === "_bucket") {
    const le = parseNumber(pairs.find(([key]) => key === "le")?.[1] ?? "");
    if (le === null) return `bucket of ${draft.name} without a valid le`;
    seriesFor(
      draft,
      pairs.filter(([key]) => key !== "le"),
    ).buckets.push([le, value]);
    return null;
  }
  const series = seriesFor(draft, pairs);
  // The +Inf bucket says the same as _count, so _count is not kept.
  if (suffix === "_sum") series.value = value;
  return null;
}

function histogramOf(families: Map<string, FamilyDraft>, sampleName: string): FamilyDraft | null {
  const match = /^(.*)_(?:bucket|sum|count)$/.exec(sampleName);
  const draft = families.get(match?.[1] ?? "");
  return draft?.kind === "histogram" ? draft : null;
}

function draftFor(families: Map<string, FamilyDraft>, name: string): FamilyDraft {
  let draft = families.get(name);
  if (draft === undefined) {
    draft = { name, kind: "unknown", help: "", unit: null, series: new Map() };
    families.set(name, draft);
  }
  return draft;
}

function seriesFor(draft: FamilyDraft, pairs: readonly LabelPair[]): SeriesDraft {
  const key = labels(pairs);
  let series = draft.series.get(key);
  if (series === undefined) {
    series = { labels: pairs, value: 0, buckets: [] };
    draft.series.set(key, series);
  }
  return series;
}

function finishFamily({ name, kind, help, unit, series }: FamilyDraft): ParsedFamily {
  const finished = [...series.values()].map(({ labels: pairs, value, buckets }) => ({
    labels: pairs,
    value,
    histogram: kind === "histogram" ? finishHistogram(buckets) : null,
  }));
  return { name, kind, help, unit, series: finished };
}

function finishHistogram(buckets: [number, number][]): ParsedHistogram {
  const sorted = buckets.toSorted(([a], [b]) => a - b);
  const counts = sorted.map(([, cumulative], i) => cumulative - (sorted[i - 1]?.[1] ?? 0));
  return { bounds: sorted.map(([le]) => le).filter((le) => le !== Number.POSITIVE_INFINITY), counts };
}

function parseNumber(text: string): number | null {
  if (/^\+?Inf$/i.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-Inf$/i.test(text)) return Number.NEGATIVE_INFINITY;
  if (/^NaN$/i.test(text)) return Number.NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}
