import { expect, test } from "bun:test";
import type { Direction } from "@bowline/contracts";
import { Errno } from "@bowline/loop";
import { Registry } from "@bowline/metrics";
import { ErrorCode, ResetBy } from "@bowline/wire";
import { Cause } from "../failures.ts";
import { FAMILY_ORDER } from "./families.ts";
import { responseError, TIMEOUT } from "./http-series.ts";
import { TargetSeries } from "./target-series.ts";
import { page } from "./testing/page.ts";

/** Everything that can be counted of a target, once each. */
function countAll(direction: Direction): string[] {
  const registry = new Registry(FAMILY_ORDER);
  const series = new TargetSeries(registry, direction, "10.1.0.1", 8080, "all-unauthenticated", () => undefined);
  series.accept.opened();
  series.acceptOpaque().opened();
  series.acceptTls("a.test").opened();
  series.acceptTls("").opened();
  series.connect.opened();
  series.connect.received.value += 5;
  series.connect.closed(0);
  series.accept.closed(Errno.ECONNRESET);
  series.http.requests.value += 1;
  series.http.total(200, -1).value += 1;
  series.http.latencyMs(200).observe(3);
  series.http.total(503, -1).value += 1;
  series.http.failed().value += 1;
  series.http.broken(200).value += 1;
  series.http.broken(200, responseError(ErrorCode.Cancel, ResetBy.Peer)).value += 1;
  series.http.failed(responseError(ErrorCode.EnhanceYourCalm, ResetBy.Peer)).value += 1;
  series.http.failed(responseError(ErrorCode.Cancel, ResetBy.ConnectionLost)).value += 1;
  series.http.failed(TIMEOUT).value += 1;
  series.detect.detected("http/1", 0.01);
  series.detect.detected("read_timeout", 10);
  series.detect.protocol("opaq");
  series.failed(Cause.ConnectRefused, true);
  series.failed(Cause.ConnectRefused, true);
  series.failed(Cause.TlsDetectTimeout, false);
  series.replayed();
  const route = series.inboundRoute();
  if (route !== null) {
    route.requests.value += 1;
    route.requestFrames.observe(5);
    route.responseFrames.observe(2000);
    route.ended(200, 0, 10, 20);
    route.ended(0, 0, Number.POSITIVE_INFINITY, 20);
  }
  return page(registry);
}

// The order of labels is Linkerd's (proxy-facts §5.2).
test("the series of an inbound target", () => {
  expect(countAll("inbound")).toMatchInlineSnapshot(`
    [
      "inbound_http_errors_total{error="i/o",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 2",
      "inbound_tcp_errors_total{error="tls detection timeout",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080"} 1",
      "request_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated"} 1",
      "response_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",status_code="200",classification="success",grpc_status="",error=""} 1",
      "response_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",status_code="503",classification="failure",grpc_status="",error=""} 1",
      "response_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",classification="failure",grpc_status="",error="unclassified"} 2",
      "response_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",status_code="200",classification="failure",grpc_status="",error="unclassified"} 1",
      "response_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",status_code="200",classification="failure",grpc_status="",error="h2(CANCEL)"} 1",
      "response_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",classification="failure",grpc_status="",error="h2(ENHANCE_YOUR_CALM)"} 1",
      "response_total{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",classification="failure",grpc_status="",error="timeout"} 1",
      "response_latency_ms{direction="inbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",route_group="",route_kind="default",route_name="default",authz_group="",authz_kind="default",authz_name="all-unauthenticated",status_code="200"} observed 1",
      "tcp_open_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "tcp_open_total{direction="inbound",peer="dst",tls="no_identity",no_tls_reason="loopback"} 1",
      "tcp_open_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="port_skipped",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "tcp_open_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="a.test",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "tcp_open_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "tcp_open_connections{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_open_connections{direction="inbound",peer="dst",tls="no_identity",no_tls_reason="loopback"} 0",
      "tcp_open_connections{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="port_skipped",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "tcp_open_connections{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="a.test",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "tcp_open_connections{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "tcp_read_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_read_bytes_total{direction="inbound",peer="dst",tls="no_identity",no_tls_reason="loopback"} 5",
      "tcp_read_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="port_skipped",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_read_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="a.test",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_read_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_write_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_write_bytes_total{direction="inbound",peer="dst",tls="no_identity",no_tls_reason="loopback"} 0",
      "tcp_write_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="port_skipped",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_write_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="a.test",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_write_bytes_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="opaque",sni="",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 0",
      "tcp_close_total{direction="inbound",peer="dst",tls="no_identity",no_tls_reason="loopback",errno=""} 1",
      "tcp_close_total{direction="inbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="no_tls_from_remote",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080",errno="ECONNRESET"} 1",
      "proxy_failures_total{direction="inbound",cause="connect-refused"} 2",
      "proxy_failures_total{direction="inbound",cause="tls-detect-timeout"} 1",
      "http1_replayed_requests_total{direction="inbound"} 1",
      "inbound_tcp_detect_http_results_total{result="http/1",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "inbound_tcp_detect_http_results_total{result="read_timeout",srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} 1",
      "inbound_tcp_detect_http_duration_seconds{srv_group="",srv_kind="default",srv_name="all-unauthenticated",srv_port="8080"} observed 2",
      "inbound_http_requests_total{parent_group="",parent_kind="default",parent_name="all-unauthenticated",parent_port="8080",route_group="",route_kind="default",route_name="default"} 1",
      "inbound_http_request_frame_size_bytes{parent_group="",parent_kind="default",parent_name="all-unauthenticated",parent_port="8080",route_group="",route_kind="default",route_name="default"} observed 1",
      "inbound_http_request_duration_seconds{parent_group="",parent_kind="default",parent_name="all-unauthenticated",parent_port="8080",route_group="",route_kind="default",route_name="default"} observed 2",
      "inbound_http_response_frame_size_bytes{parent_group="",parent_kind="default",parent_name="all-unauthenticated",parent_port="8080",route_group="",route_kind="default",route_name="default"} observed 1",
      "inbound_http_response_duration_seconds{parent_group="",parent_kind="default",parent_name="all-unauthenticated",parent_port="8080",route_group="",route_kind="default",route_name="default"} observed 2",
      "inbound_http_statuses_total{parent_group="",parent_kind="default",parent_name="all-unauthenticated",parent_port="8080",route_group="",route_kind="default",route_name="default",status="200"} 1",
      "inbound_http_statuses_total{parent_group="",parent_kind="default",parent_name="all-unauthenticated",parent_port="8080",route_group="",route_kind="default",route_name="default",status=""} 1",
    ]
  `);
});

test("the series of an outbound target", () => {
  expect(countAll("outbound")).toMatchInlineSnapshot(`
    [
      "outbound_http_errors_total{error="i/o"} 2",
      "outbound_tcp_errors_total{target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",error="tls detection timeout"} 1",
      "request_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery"} 1",
      "response_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",status_code="200",classification="success",grpc_status="",error=""} 1",
      "response_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",status_code="503",classification="failure",grpc_status="",error=""} 1",
      "response_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",classification="failure",grpc_status="",error="unclassified"} 2",
      "response_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",status_code="200",classification="failure",grpc_status="",error="unclassified"} 1",
      "response_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",status_code="200",classification="failure",grpc_status="",error="h2(CANCEL)"} 1",
      "response_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",classification="failure",grpc_status="",error="h2(ENHANCE_YOUR_CALM)"} 1",
      "response_total{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",classification="failure",grpc_status="",error="timeout"} 1",
      "response_latency_ms{direction="outbound",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",status_code="200"} observed 1",
      "tcp_open_total{direction="outbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="loopback"} 4",
      "tcp_open_total{direction="outbound",peer="dst",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery"} 1",
      "tcp_open_connections{direction="outbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="loopback"} 3",
      "tcp_open_connections{direction="outbound",peer="dst",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery"} 0",
      "tcp_read_bytes_total{direction="outbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="loopback"} 0",
      "tcp_read_bytes_total{direction="outbound",peer="dst",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery"} 5",
      "tcp_write_bytes_total{direction="outbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="loopback"} 0",
      "tcp_write_bytes_total{direction="outbound",peer="dst",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery"} 0",
      "tcp_close_total{direction="outbound",peer="dst",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="not_provided_by_service_discovery",errno=""} 1",
      "tcp_close_total{direction="outbound",peer="src",target_addr="10.1.0.1:8080",target_ip="10.1.0.1",target_port="8080",tls="no_identity",no_tls_reason="loopback",errno="ECONNRESET"} 1",
      "proxy_failures_total{direction="outbound",cause="connect-refused"} 2",
      "proxy_failures_total{direction="outbound",cause="tls-detect-timeout"} 1",
      "http1_replayed_requests_total{direction="outbound"} 1",
      "outbound_tcp_detect_http_results_total{result="http/1",parent_group="",parent_kind="default",parent_namespace="",parent_name="endpoint",parent_port="",parent_section_name=""} 1",
      "outbound_tcp_detect_http_results_total{result="read_timeout",parent_group="",parent_kind="default",parent_namespace="",parent_name="endpoint",parent_port="",parent_section_name=""} 1",
      "outbound_tcp_detect_http_duration_seconds{parent_group="",parent_kind="default",parent_namespace="",parent_name="endpoint",parent_port="",parent_section_name=""} observed 2",
      "outbound_tcp_protocol_connections_total{protocol="opaq",parent_group="",parent_kind="default",parent_namespace="",parent_name="endpoint",parent_port="",parent_section_name=""} 1",
    ]
  `);
});

test("an IPv6 target has brackets in its address and none in its ip", () => {
  const registry = new Registry();
  new TargetSeries(registry, "outbound", "fd00::1", 80, "deny", () => undefined);
  expect(page(registry).at(-1)).toContain('target_addr="[fd00::1]:80",target_ip="fd00::1",target_port="80"');
});

test("server names that peers make up get a bounded number of series, then share the unnamed one", () => {
  const registry = new Registry();
  const series = new TargetSeries(registry, "inbound", "10.1.0.1", 443, "deny", () => undefined);
  for (let i = 0; i < 1000; i++) series.acceptTls(`host-${i}.test`).opened();
  const opened = page(registry).filter((line) => line.startsWith("tcp_open_total{") && line.includes('tls="opaque"'));
  expect(opened.length).toBe(33);
  expect(opened.find((line) => line.includes('sni=""'))).toEndWith(" 968");
  // Who has a series keeps it.
  series.acceptTls("host-0.test").opened();
  expect(page(registry).find((line) => line.includes('sni="host-0.test"'))).toEndWith(" 2");
});

test("an authority is a label where it is to be one, for as many as there may be", () => {
  const registry = new Registry();
  const series = new TargetSeries(registry, "inbound", "10.1.0.1", 80, "deny", () => undefined);
  series.httpOf("a.test:80").requests.value += 1;
  for (let i = 0; i < 1000; i++) series.httpOf(`host-${i}.test`).requests.value += 1;
  series.httpOf("").requests.value += 1;
  series.httpOf("a.test:80").requests.value += 1;
  const requests = page(registry).filter((line) => line.startsWith("request_total{"));
  expect(requests.length).toBe(101);
  const named = requests.find((line) => line.includes("a.test:80"));
  expect(named).toStartWith('request_total{direction="inbound",authority="a.test:80",target_addr=');
  expect(named).toEndWith(" 2");
  expect(requests.find((line) => !line.includes("authority="))).toEndWith(" 902");
});
