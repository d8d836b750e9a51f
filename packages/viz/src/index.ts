export { type MetricsApiOptions, runMetricsApi } from "./metrics-api.ts";
export type { GoldenQueries } from "./query/golden-queries.ts";
export { parseResource, type ResourceName, STAT_KINDS, type StatKind } from "./stat/kinds.ts";
export { type StatAnswer, type StatRequest, type StatRow, statQuery } from "./stat/stat-request.ts";
