/** Names of one kind of balancer's families. */
export interface BalancerMetricNames {
  readonly endpoints: string;
  readonly p2cEndpoints: string;
  readonly p2cUpdatesTotal: string;
  readonly queueLength: string;
  readonly queueRequestsTotal: string;
  readonly queueLatencySeconds: string;
  readonly queueGateOpenTotal: string;
  readonly queueGateShutTotal: string;
  readonly queueGateOpenTimeSeconds: string;
  readonly queueGateShutTimeSeconds: string;
  readonly queueGateTimeoutSeconds: string;
}

/**
 * The names of a balancer's families.
 * @param prefix `outbound_http_balancer`, `outbound_tcp_balancer`, `control_destination_balancer`, …
 */
export function balancerMetricNames(prefix: string): BalancerMetricNames {
  return {
    endpoints: `${prefix}_endpoints`,
    p2cEndpoints: `${prefix}_p2c_endpoints`,
    p2cUpdatesTotal: `${prefix}_p2c_updates_total`,
    queueLength: `${prefix}_queue_length`,
    queueRequestsTotal: `${prefix}_queue_requests_total`,
    queueLatencySeconds: `${prefix}_queue_latency_seconds`,
    queueGateOpenTotal: `${prefix}_queue_gate_open_total`,
    queueGateShutTotal: `${prefix}_queue_gate_shut_total`,
    queueGateOpenTimeSeconds: `${prefix}_queue_gate_open_time_seconds`,
    queueGateShutTimeSeconds: `${prefix}_queue_gate_shut_time_seconds`,
    queueGateTimeoutSeconds: `${prefix}_queue_gate_timeout_seconds`,
  };
}

/** Names of the families of outbound routes and their backends. */
export interface RouteMetricNames {
  readonly requestDurationSeconds: string;
  readonly requestStatusesTotal: string;
  readonly requestFrameSizeBytes: string;
  readonly retryRequestsTotal: string;
  readonly retrySuccessesTotal: string;
  readonly retryLimitExceededTotal: string;
  readonly retryOverflowTotal: string;
  readonly backendRequestsTotal: string;
  readonly backendResponseDurationSeconds: string;
  readonly backendResponseStatusesTotal: string;
  readonly backendResponseFrameSizeBytes: string;
}

/** @param prefix `outbound_http_route` or `outbound_grpc_route` */
export function routeMetricNames(prefix: string): RouteMetricNames {
  return {
    requestDurationSeconds: `${prefix}_request_duration_seconds`,
    requestStatusesTotal: `${prefix}_request_statuses_total`,
    requestFrameSizeBytes: `${prefix}_request_frame_size_bytes`,
    retryRequestsTotal: `${prefix}_retry_requests_total`,
    retrySuccessesTotal: `${prefix}_retry_successes_total`,
    retryLimitExceededTotal: `${prefix}_retry_limit_exceeded_total`,
    retryOverflowTotal: `${prefix}_retry_overflow_total`,
    backendRequestsTotal: `${prefix}_backend_requests_total`,
    backendResponseDurationSeconds: `${prefix}_backend_response_duration_seconds`,
    backendResponseStatusesTotal: `${prefix}_backend_response_statuses_total`,
    backendResponseFrameSizeBytes: `${prefix}_backend_response_frame_size_bytes`,
  };
}

/** Names of the families of inbound routes. */
export interface InboundRouteMetricNames {
  readonly requestsTotal: string;
  readonly statusesTotal: string;
  readonly requestDurationSeconds: string;
  readonly responseDurationSeconds: string;
  readonly requestFrameSizeBytes: string;
  readonly responseFrameSizeBytes: string;
}

/** @param prefix `inbound_http` or `inbound_grpc` */
export function inboundRouteMetricNames(prefix: string): InboundRouteMetricNames {
  return {
    requestsTotal: `${prefix}_requests_total`,
    statusesTotal: `${prefix}_statuses_total`,
    requestDurationSeconds: `${prefix}_request_duration_seconds`,
    responseDurationSeconds: `${prefix}_response_duration_seconds`,
    requestFrameSizeBytes: `${prefix}_request_frame_size_bytes`,
    responseFrameSizeBytes: `${prefix}_response_frame_size_bytes`,
  };
}

/** Names of the families of routes whose connections are passed on as bytes. */
export interface TransportRouteMetricNames {
  readonly openTotal: string;
  readonly closeTotal: string;
}

/** @param prefix `outbound_tcp_route` or `outbound_tls_route` */
export function transportRouteMetricNames(prefix: string): TransportRouteMetricNames {
  return { openTotal: `${prefix}_open_total`, closeTotal: `${prefix}_close_total` };
}

/** Names of the proxy's metric families as Linkerd's dashboards, alerts and CLI query them. */
export const METRIC = {
  requestTotal: "request_total",
  responseTotal: "response_total",
  responseLatencyMs: "response_latency_ms",
  routeRequestTotal: "route_request_total",
  routeResponseTotal: "route_response_total",
  routeResponseLatencyMs: "route_response_latency_ms",
  tcpOpenTotal: "tcp_open_total",
  tcpOpenConnections: "tcp_open_connections",
  tcpReadBytesTotal: "tcp_read_bytes_total",
  tcpWriteBytesTotal: "tcp_write_bytes_total",
  tcpCloseTotal: "tcp_close_total",
  inboundHttpErrorsTotal: "inbound_http_errors_total",
  inboundTcpErrorsTotal: "inbound_tcp_errors_total",
  outboundHttpErrorsTotal: "outbound_http_errors_total",
  outboundTcpErrorsTotal: "outbound_tcp_errors_total",
  inboundHttpAuthzAllowTotal: "inbound_http_authz_allow_total",
  inboundHttpAuthzDenyTotal: "inbound_http_authz_deny_total",
  inboundHttpRouteNotFoundTotal: "inbound_http_route_not_found_total",
  inboundHttpLocalRatelimitTotal: "inbound_http_local_ratelimit_total",
  inboundTcpAuthzAllowTotal: "inbound_tcp_authz_allow_total",
  inboundTcpAuthzDenyTotal: "inbound_tcp_authz_deny_total",
  inboundTcpAuthzTerminateTotal: "inbound_tcp_authz_terminate_total",
  inboundTcpDetectHttpDurationSeconds: "inbound_tcp_detect_http_duration_seconds",
  inboundTcpDetectHttpResultsTotal: "inbound_tcp_detect_http_results_total",
  outboundTcpDetectHttpDurationSeconds: "outbound_tcp_detect_http_duration_seconds",
  outboundTcpDetectHttpResultsTotal: "outbound_tcp_detect_http_results_total",
  routeActualRequestTotal: "route_actual_request_total",
  routeActualResponseTotal: "route_actual_response_total",
  routeRetryableTotal: "route_retryable_total",
  outboundTcpProtocolConnectionsTotal: "outbound_tcp_protocol_connections_total",
  outboundTcpTransferCostBytesTotal: "outbound_tcp_transfer_cost_bytes_total",
  /** Bowline's own: failures by machine-readable cause. */
  proxyFailuresTotal: "proxy_failures_total",
  /** Bowline's own: HTTP/1 requests sent again on a new connection. */
  http1ReplayedTotal: "http1_replayed_requests_total",
  /** Bowline's own: data threads that died or stalled. */
  dataThreadRestartsTotal: "proxy_data_thread_restarts_total",
  proxyBuildInfo: "proxy_build_info",
  controlRequestTotal: "control_request_total",
  controlResponseTotal: "control_response_total",
  controlResponseLatencyMs: "control_response_latency_ms",
  controlDnsResolutionsTotal: "control_dns_resolutions_total",
  processStartTimeSeconds: "process_start_time_seconds",
  processClockTimeSeconds: "process_clock_time_seconds",
  processUptimeSecondsTotal: "process_uptime_seconds_total",
  processCpuSecondsTotal: "process_cpu_seconds_total",
  processVirtualMemoryBytes: "process_virtual_memory_bytes",
  processResidentMemoryBytes: "process_resident_memory_bytes",
  processOpenFds: "process_open_fds",
  processMaxFds: "process_max_fds",
  processThreads: "process_threads",
  processNetworkReceiveBytesTotal: "process_network_receive_bytes_total",
  processNetworkTransmitBytesTotal: "process_network_transmit_bytes_total",
} as const;
