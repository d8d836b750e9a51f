import {
  addHistograms,
  labelValue,
  type ParsedFamily,
  type ParsedHistogram,
  type ParsedSeries,
  parseText,
  quantile,
  subtractHistogram,
} from "@bowline/metrics";

/** The requests that one proxy carries in one direction to one address. */
export interface TrafficSource {
  readonly label: string;
  readonly direction: "inbound" | "outbound";
  /** `ip:port`, as in the label `target_addr`. */
  readonly target: string;
}

/** What a proxy has counted since it started. */
export interface Totals {
  readonly succeeded: number;
  readonly failed: number;
  /** Null before the first response. */
  readonly latencyMs: ParsedHistogram | null;
  /** Connections that the proxy has accepted and that are still open. */
  readonly open: number;
}

/** What happened between two looks at a proxy's totals. */
export interface Traffic {
  readonly requestsPerSecond: number;
  readonly responses: number;
  /** 0..1; NaN without responses, and so are the latencies. */
  readonly successRate: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly open: number;
}

/**
 * The totals of one source from a page of /metrics; null when the page has no request of it.
 *
 * @throws Error when the page is not metrics text
 */
export function readTotals(page: string, { direction, target }: TrafficSource): Totals | null {
  const parsed = parseText(page);
  if ("error" in parsed) throw new Error(`line ${parsed.line} of /metrics: ${parsed.error}`);
  const series = (name: string): readonly ParsedSeries[] =>
    seriesOf(parsed.families, name).filter(
      (one) => labelValue(one, "direction") === direction && labelValue(one, "target_addr") === target,
    );
  if (series("request_total").length === 0) return null;
  const classified = (classification: string): number =>
    sum(series("response_total").filter((one) => labelValue(one, "classification") === classification));
  return {
    succeeded: classified("success"),
    failed: classified("failure"),
    latencyMs: addHistograms(series("response_latency_ms").flatMap(({ histogram }) => histogram ?? [])),
    open: sum(series("tcp_open_connections").filter((one) => labelValue(one, "peer") === "src")),
  };
}

/** @param seconds how far apart the two looks were */
export function trafficBetween(earlier: Totals, later: Totals, seconds: number): Traffic {
  const succeeded = later.succeeded - earlier.succeeded;
  const responses = succeeded + later.failed - earlier.failed;
  const latencyMs = observedBetween(earlier.latencyMs, later.latencyMs);
  const at = (q: number): number => (latencyMs === null ? Number.NaN : quantile(latencyMs, q));
  return {
    requestsPerSecond: responses / seconds,
    responses,
    successRate: succeeded / responses,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    open: later.open,
  };
}

function observedBetween(earlier: ParsedHistogram | null, later: ParsedHistogram | null): ParsedHistogram | null {
  return earlier === null || later === null ? later : subtractHistogram(later, earlier);
}

function seriesOf(families: readonly ParsedFamily[], name: string): readonly ParsedSeries[] {
  return families.find((family) => family.name === name)?.series ?? [];
}

function sum(series: readonly ParsedSeries[]): number {
  return series.reduce((total, { value }) => total + value, 0);
}
