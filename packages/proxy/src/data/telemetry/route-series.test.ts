import { expect, test } from "bun:test";
import { Registry } from "@bowline/metrics";
import type { Meta } from "@bowline/model";
import { ErrorCode, ResetBy } from "@bowline/wire";
import {
  backendLabels,
  OUTBOUND_GRPC_ROUTE,
  OUTBOUND_HTTP_ROUTE,
  parentLabels,
  RouteBackendSeries,
  RouteSeries,
  RouteSeriesByHost,
  resetError,
  routeLabels,
} from "./route-series.ts";
import { page } from "./testing/page.ts";

const service: Meta = { group: "core", kind: "Service", namespace: "ns", name: "web", port: 80, section: "" };
const route: Meta = { group: "g", kind: "HTTPRoute", namespace: "ns", name: "r", port: 0, section: "" };

test("the labels of parents, routes and backends are in Linkerd's order", () => {
  expect([parentLabels(service), routeLabels(route), backendLabels(service)]).toMatchInlineSnapshot(`
    [
      "parent_group="core",parent_kind="Service",parent_namespace="ns",parent_name="web",parent_port="80",parent_section_name=""",
      "route_group="g",route_kind="HTTPRoute",route_namespace="ns",route_name="r"",
      "backend_group="core",backend_kind="Service",backend_namespace="ns",backend_name="web",backend_port="80",backend_section_name=""",
    ]
  `);
});

test("the series of an HTTP route and its backend", () => {
  const registry = new Registry();
  const group = registry.group();
  const series = new RouteSeries(group, OUTBOUND_HTTP_ROUTE, 'r="1"');
  series.seconds.observe(0.1);
  series.statuses.count(200, "");
  series.statuses.count(200, "");
  series.statuses.count(503, "");
  series.statuses.count(-1, "FAIL_FAST");
  series.statuses.count(200, "RESPONSE_STREAM_TIMEOUT");
  series.requestFrames.observe(1);
  const backend = new RouteBackendSeries(group, OUTBOUND_HTTP_ROUTE, 'b="1"');
  backend.statuses.count(200, "");
  backend.frames.observe(1);
  expect(page(registry)).toMatchInlineSnapshot(`
    [
      "outbound_http_route_request_duration_seconds{r="1"} observed 1",
      "outbound_http_route_request_frame_size_bytes{r="1"} observed 1",
      "outbound_http_route_retry_requests_total{r="1"} 0",
      "outbound_http_route_retry_successes_total{r="1"} 0",
      "outbound_http_route_retry_limit_exceeded_total{r="1"} 0",
      "outbound_http_route_retry_overflow_total{r="1"} 0",
      "outbound_http_route_request_statuses_total{r="1",http_status="200",error=""} 2",
      "outbound_http_route_request_statuses_total{r="1",http_status="503",error=""} 1",
      "outbound_http_route_request_statuses_total{r="1",http_status="",error="FAIL_FAST"} 1",
      "outbound_http_route_request_statuses_total{r="1",http_status="200",error="RESPONSE_STREAM_TIMEOUT"} 1",
      "outbound_http_route_backend_requests_total{b="1"} 0",
      "outbound_http_route_backend_response_duration_seconds{b="1"} observed 0",
      "outbound_http_route_backend_response_frame_size_bytes{b="1"} observed 1",
      "outbound_http_route_backend_response_statuses_total{b="1",http_status="200",error=""} 1",
    ]
  `);
});

test("statuses of gRPC have names, and one that is missing is unknown", () => {
  const registry = new Registry();
  const { statuses } = new RouteSeries(registry.group(), OUTBOUND_GRPC_ROUTE, "");
  for (const status of [0, 5, 14, -1, 99]) statuses.count(status, "");
  statuses.count(-1, "IO");
  expect(page(registry).filter((line) => line.includes("statuses"))).toMatchInlineSnapshot(`
    [
      "outbound_grpc_route_request_statuses_total{grpc_status="OK",error=""} 1",
      "outbound_grpc_route_request_statuses_total{grpc_status="NOT_FOUND",error=""} 1",
      "outbound_grpc_route_request_statuses_total{grpc_status="UNAVAILABLE",error=""} 1",
      "outbound_grpc_route_request_statuses_total{grpc_status="UNKNOWN",error=""} 2",
      "outbound_grpc_route_request_statuses_total{grpc_status="UNKNOWN",error="IO"} 1",
    ]
  `);
});

test.each([
  [ErrorCode.Cancel, ResetBy.Peer, "CANCEL"],
  [ErrorCode.EnhanceYourCalm, ResetBy.Peer, "ENHANCE_YOUR_CALM"],
  [ErrorCode.RefusedStream, ResetBy.Unprocessed, "REFUSED"],
  [ErrorCode.ProtocolError, ResetBy.PeerFault, "RESET"],
  [ErrorCode.Cancel, ResetBy.ConnectionLost, "IO"],
] as const)("an exchange that ends by reset %p, by %p, is labelled %p", (code, by, want) => {
  expect(resetError(code, by)).toBe(want);
});

test("hostnames that clients make up get a bounded number of series, and addresses get none", () => {
  const made: string[] = [];
  const registry = new Registry();
  const byHost = new RouteSeriesByHost((hostname) => {
    made.push(hostname);
    return new RouteSeries(registry.group(), OUTBOUND_HTTP_ROUTE, `hostname="${hostname}"`);
  });
  const first = byHost.of("web.ns.svc.cluster.local");
  for (const host of ["10.0.0.1", "[fd00::1]", "", "no name"]) expect(byHost.of(host)).toBe(byHost.of(""));
  for (let i = 0; i < 1000; i++) byHost.of(`host-${i}.test`);
  expect(made.slice(0, 3)).toEqual(["web.ns.svc.cluster.local", "", "host-0.test"]);
  expect(made.length).toBe(100);
  expect(byHost.of("web.ns.svc.cluster.local")).toBe(first);
});

test("what ends after its series have expired is counted for nobody", () => {
  const registry = new Registry();
  const group = registry.group();
  const { statuses } = new RouteSeries(group, OUTBOUND_HTTP_ROUTE, "");
  registry.expire(0, 1000);
  registry.expire(5000, 1000);
  expect(group.dropped).toBeTrue();
  statuses.count(200, "");
  expect(page(registry)).toEqual([]);
});
