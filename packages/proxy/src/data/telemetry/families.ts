import { METRIC } from "@bowline/contracts";
import { type Family, LATENCY_BUCKETS_MS } from "@bowline/metrics";
import { type BalancerFamilies, balancerFamilies, balancerFamilyOrder } from "./balancer-series.ts";
import { INBOUND_HTTP_ROUTE, inboundRouteFamilyOrder } from "./inbound-route-series.ts";
import { OUTBOUND_GRPC_ROUTE, OUTBOUND_HTTP_ROUTE, routeFamilyOrder } from "./route-series.ts";
import { OUTBOUND_TCP_ROUTE, OUTBOUND_TLS_ROUTE } from "./transport-route-series.ts";

function counter(name: string, help: string): Family {
  return { name, help, kind: "counter", style: "classic" };
}

export const REQUESTS: Family = counter(METRIC.requestTotal, "Total count of HTTP requests.");
export const RESPONSES: Family = counter(METRIC.responseTotal, "Total count of HTTP responses.");
export const LATENCY: Family = {
  name: METRIC.responseLatencyMs,
  help: "Elapsed times between a request's headers being received and its response's headers",
  kind: "histogram",
  style: "classic",
  bounds: LATENCY_BUCKETS_MS,
};

export const ROUTE_REQUESTS: Family = counter(METRIC.routeRequestTotal, "Total count of HTTP requests.");
export const ROUTE_RESPONSES: Family = counter(METRIC.routeResponseTotal, "Total count of HTTP responses.");
export const ROUTE_LATENCY: Family = { ...LATENCY, name: METRIC.routeResponseLatencyMs };
export const ROUTE_ACTUAL_REQUESTS: Family = counter(
  METRIC.routeActualRequestTotal,
  "Total count of HTTP requests, each try counted.",
);
export const ROUTE_ACTUAL_RESPONSES: Family = counter(
  METRIC.routeActualResponseTotal,
  "Total count of HTTP responses, each try counted.",
);
export const ROUTE_RETRYABLE: Family = counter(
  METRIC.routeRetryableTotal,
  "Total count of HTTP responses that could be retried.",
);

export const TCP_OPEN: Family = counter(METRIC.tcpOpenTotal, "Total count of opened connections");
export const TCP_OPEN_CONNECTIONS: Family = {
  name: METRIC.tcpOpenConnections,
  help: "Number of currently-open connections",
  kind: "gauge",
  style: "classic",
};
export const TCP_READ: Family = counter(METRIC.tcpReadBytesTotal, "Total count of bytes read from peers");
export const TCP_WRITE: Family = counter(METRIC.tcpWriteBytesTotal, "Total count of bytes written to peers");
export const TCP_CLOSE: Family = counter(METRIC.tcpCloseTotal, "Total count of closed connections");

export const INBOUND_HTTP_ERRORS: Family = counter(
  METRIC.inboundHttpErrorsTotal,
  "The total number of inbound HTTP requests that could not be processed due to a proxy error.",
);
export const INBOUND_TCP_ERRORS: Family = counter(
  METRIC.inboundTcpErrorsTotal,
  "The total number of inbound TCP connections that could not be processed due to a proxy error.",
);
export const OUTBOUND_HTTP_ERRORS: Family = counter(
  METRIC.outboundHttpErrorsTotal,
  "The total number of outbound HTTP requests that could not be processed due to a proxy error.",
);
export const OUTBOUND_TCP_ERRORS: Family = counter(
  METRIC.outboundTcpErrorsTotal,
  "The total number of outbound TCP connections that could not be processed due to a proxy error.",
);

export const INBOUND_DETECT_SECONDS: Family = {
  name: METRIC.inboundTcpDetectHttpDurationSeconds,
  help: "Time taken for protocol detection",
  kind: "histogram",
  style: "openmetrics",
  unit: "seconds",
  bounds: [0.001, 0.1],
};
export const INBOUND_DETECT_RESULTS: Family = {
  name: METRIC.inboundTcpDetectHttpResultsTotal,
  help: "Results of protocol detection",
  kind: "counter",
  style: "openmetrics",
};
export const OUTBOUND_DETECT_SECONDS: Family = {
  ...INBOUND_DETECT_SECONDS,
  name: METRIC.outboundTcpDetectHttpDurationSeconds,
};
export const OUTBOUND_DETECT_RESULTS: Family = {
  ...INBOUND_DETECT_RESULTS,
  name: METRIC.outboundTcpDetectHttpResultsTotal,
};
export const OUTBOUND_PROTOCOLS: Family = {
  name: METRIC.outboundTcpProtocolConnectionsTotal,
  help: "Outbound TCP connections by the protocol they turned out to speak",
  kind: "counter",
  style: "openmetrics",
};
export const OUTBOUND_TRANSFER_COST: Family = {
  name: METRIC.outboundTcpTransferCostBytesTotal,
  help: "Bytes sent to and received from endpoints, by whether they are in the zone of this proxy",
  kind: "counter",
  style: "openmetrics",
  unit: "bytes",
};
/** Bowline's own: the machine-readable cause of every synthesised response and refused connection. */
export const FAILED: Family = counter(
  METRIC.proxyFailuresTotal,
  "Total count of requests and connections that the proxy failed, by cause.",
);
/** Bowline's own: requests sent again because the pooled connection they went out on was already closing. */
export const REPLAYED: Family = counter(
  METRIC.http1ReplayedTotal,
  "Total count of HTTP/1 requests sent again on a new connection.",
);

export const OUTBOUND_HTTP_BALANCER: BalancerFamilies = balancerFamilies("outbound_http_balancer");
export const OUTBOUND_TCP_BALANCER: BalancerFamilies = balancerFamilies("outbound_tcp_balancer");
export const OUTBOUND_TLS_BALANCER: BalancerFamilies = balancerFamilies("outbound_tls_balancer");

/** The order of the families on the page: classic ones first (proxy-facts §5). */
export const FAMILY_ORDER: readonly Family[] = [
  INBOUND_HTTP_ERRORS,
  INBOUND_TCP_ERRORS,
  OUTBOUND_HTTP_ERRORS,
  OUTBOUND_TCP_ERRORS,
  REQUESTS,
  RESPONSES,
  LATENCY,
  ROUTE_REQUESTS,
  ROUTE_RESPONSES,
  ROUTE_LATENCY,
  ROUTE_ACTUAL_REQUESTS,
  ROUTE_ACTUAL_RESPONSES,
  ROUTE_RETRYABLE,
  TCP_OPEN,
  TCP_OPEN_CONNECTIONS,
  TCP_READ,
  TCP_WRITE,
  TCP_CLOSE,
  FAILED,
  REPLAYED,
  INBOUND_DETECT_RESULTS,
  INBOUND_DETECT_SECONDS,
  ...inboundRouteFamilyOrder(INBOUND_HTTP_ROUTE),
  OUTBOUND_DETECT_RESULTS,
  OUTBOUND_DETECT_SECONDS,
  OUTBOUND_PROTOCOLS,
  OUTBOUND_TRANSFER_COST,
  OUTBOUND_TCP_ROUTE.open,
  OUTBOUND_TCP_ROUTE.close,
  ...balancerFamilyOrder(OUTBOUND_TCP_BALANCER),
  OUTBOUND_TLS_ROUTE.open,
  OUTBOUND_TLS_ROUTE.close,
  ...balancerFamilyOrder(OUTBOUND_TLS_BALANCER),
  ...routeFamilyOrder(OUTBOUND_HTTP_ROUTE),
  ...routeFamilyOrder(OUTBOUND_GRPC_ROUTE),
  ...balancerFamilyOrder(OUTBOUND_HTTP_BALANCER),
];
