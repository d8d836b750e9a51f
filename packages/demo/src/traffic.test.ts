import { describe, expect, test } from "bun:test";
import { readTotals, type Totals, type TrafficSource, trafficBetween } from "./traffic.ts";
import { tableHead, tableRow } from "./traffic-table.ts";

const SOURCE: TrafficSource = { label: "caller outbound → 10.0.0.2:80", direction: "outbound", target: "10.0.0.2:80" };

const OURS = 'direction="outbound",target_addr="10.0.0.2:80"';
const PAGE = `
# TYPE request_total counter
request_total{${OURS}} 100
# TYPE response_total counter
response_total{${OURS},status_code="200",classification="success"} 80
response_total{${OURS},status_code="404",classification="success"} 10
response_total{${OURS},status_code="500",classification="failure"} 8
response_total{${OURS},classification="failure",error="unclassified"} 2
response_total{direction="inbound",target_addr="10.0.0.2:80",classification="success"} 1000
response_total{direction="outbound",target_addr="10.0.0.3:80",classification="success"} 2000
# TYPE response_latency_ms histogram
response_latency_ms_bucket{${OURS},status_code="200",le="1"} 50
response_latency_ms_bucket{${OURS},status_code="200",le="10"} 90
response_latency_ms_bucket{${OURS},status_code="200",le="+Inf"} 90
response_latency_ms_sum{${OURS},status_code="200"} 300
response_latency_ms_bucket{${OURS},status_code="500",le="1"} 0
response_latency_ms_bucket{${OURS},status_code="500",le="10"} 8
response_latency_ms_bucket{${OURS},status_code="500",le="+Inf"} 8
response_latency_ms_sum{${OURS},status_code="500"} 60
# TYPE tcp_open_connections gauge
tcp_open_connections{direction="outbound",peer="src",target_addr="10.0.0.2:80",tls="no_identity"} 3
tcp_open_connections{direction="outbound",peer="src",target_addr="10.0.0.2:80",tls="opaque"} 1
tcp_open_connections{direction="outbound",peer="dst",target_addr="10.0.0.2:80"} 7
`;

describe("readTotals", () => {
  test("adds up the series of one direction and address, and only those", () => {
    expect(readTotals(PAGE, SOURCE)).toEqual({
      succeeded: 90,
      failed: 10,
      latencyMs: { bounds: [1, 10], counts: [50, 48, 0] },
      open: 4,
    });
  });

  test("has no totals for what the page does not name", () => {
    expect(readTotals(PAGE, { ...SOURCE, target: "10.0.0.9:80" })).toBeNull();
    expect(readTotals("", SOURCE)).toBeNull();
  });

  test("says which line is no metrics text", () => {
    expect(() => readTotals("request_total 1\n<html>\n", SOURCE)).toThrow("line 2 of /metrics");
  });
});

describe("trafficBetween", () => {
  const earlier: Totals = { succeeded: 10, failed: 0, latencyMs: { bounds: [1, 10], counts: [10, 0, 0] }, open: 9 };
  const later: Totals = { succeeded: 208, failed: 2, latencyMs: { bounds: [1, 10], counts: [110, 100, 0] }, open: 4 };

  test("counts what came between, over the time it took", () => {
    const traffic = trafficBetween(earlier, later, 2);
    expect(traffic).toMatchObject({ requestsPerSecond: 100, responses: 200, successRate: 0.99, p50Ms: 1, open: 4 });
    expect(traffic.p99Ms).toBeCloseTo(9.82);
  });

  test("takes all of a histogram that was not there before", () => {
    expect(trafficBetween({ ...earlier, latencyMs: null }, later, 2).p50Ms).toBeCloseTo(105 / 110);
  });

  test("a silent second has no rates to show", () => {
    const row = tableRow(SOURCE, trafficBetween(later, later, 1));
    expect(row.split(/\s{2,}/)).toEqual([SOURCE.label, "0.0", "-", "-", "-", "-", "4"]);
    expect(row).toHaveLength(tableHead().length);
  });
});
