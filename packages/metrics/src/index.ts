export { renderText } from "./exposition.ts";
export { type ExpositionStyle, type Family, LATENCY_BUCKETS_MS, type MetricKind } from "./family.ts";
export { Counter, Gauge, Histogram } from "./instruments.ts";
export { joinLabels, type LabelPair, labels, parseLabels } from "./labels.ts";
export {
  labelValue,
  type ParsedFamily,
  type ParsedHistogram,
  type ParsedSeries,
  type ParsedText,
  parseText,
} from "./parse-text.ts";
export { addHistograms, quantile, subtractHistogram } from "./quantile.ts";
export { Registry, type SeriesGroup } from "./registry.ts";
export { type FamilySnapshot, mergeSnapshots, type SeriesSnapshot, type Snapshot } from "./snapshot.ts";
