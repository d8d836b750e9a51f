// Environment variables of the proxy container, by Linkerd's names. Grouped as packages/proxy reads them.

/** Today's variables that concern the whole proxy. */
export const PROXY_ENV = {
  log: "LINKERD2_PROXY_LOG",
  logFormat: "LINKERD2_PROXY_LOG_FORMAT",
  accessLog: "LINKERD2_PROXY_ACCESS_LOG",
  cores: "LINKERD2_PROXY_CORES",
  coresMin: "LINKERD2_PROXY_CORES_MIN",
  coresMax: "LINKERD2_PROXY_CORES_MAX",
  coresMaxRatio: "LINKERD2_PROXY_CORES_MAX_RATIO",
  shutdownGracePeriod: "LINKERD2_PROXY_SHUTDOWN_GRACE_PERIOD",
  shutdownEndpointEnabled: "LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED",
  metricsRetainIdle: "LINKERD2_PROXY_METRICS_RETAIN_IDLE",
  dnsMinTtl: "LINKERD2_PROXY_DNS_MIN_TTL",
  dnsMaxTtl: "LINKERD2_PROXY_DNS_MAX_TTL",
  controlListenAddr: "LINKERD2_PROXY_CONTROL_LISTEN_ADDR",
  adminListenAddr: "LINKERD2_PROXY_ADMIN_LISTEN_ADDR",
  outboundListenAddrs: "LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS",
  outboundTcpQueueCapacity: "LINKERD2_PROXY_OUTBOUND_TCP_QUEUE_CAPACITY",
  outboundTcpFailfastTimeout: "LINKERD2_PROXY_OUTBOUND_TCP_FAILFAST_TIMEOUT",
  http2InitialStreamWindowSize: "LINKERD2_PROXY_HTTP2_INITIAL_STREAM_WINDOW_SIZE",
  http2InitialConnectionWindowSize: "LINKERD2_PROXY_HTTP2_INITIAL_CONNECTION_WINDOW_SIZE",
  controlStreamInitialTimeout: "LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT",
  controlStreamIdleTimeout: "LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT",
  controlStreamLifetime: "LINKERD2_PROXY_CONTROL_STREAM_LIFETIME",
  destinationContext: "LINKERD2_PROXY_DESTINATION_CONTEXT",
  destinationProfileSuffixes: "LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES",
  destinationProfileNetworks: "LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS",
  destinationProfileInitialTimeout: "LINKERD2_PROXY_DESTINATION_PROFILE_INITIAL_TIMEOUT",
  policyWorkload: "LINKERD2_PROXY_POLICY_WORKLOAD",
  policyClusterNetworks: "LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS",
  inboundDefaultPolicy: "LINKERD2_PROXY_INBOUND_DEFAULT_POLICY",
  inboundPorts: "LINKERD2_PROXY_INBOUND_PORTS",
  inboundIps: "LINKERD2_PROXY_INBOUND_IPS",
  inboundGatewaySuffixes: "LINKERD2_PROXY_INBOUND_GATEWAY_SUFFIXES",
  inboundMetricsAuthorityLabels: "LINKERD2_PROXY_INBOUND_METRICS_AUTHORITY_LABELS",
  outboundMetricsHostnameLabels: "LINKERD2_PROXY_OUTBOUND_METRICS_HOSTNAME_LABELS",
  outboundDisableInformationalHeaders: "LINKERD2_PROXY_OUTBOUND_DISABLE_INFORMATIONAL_HEADERS",
  ingressMode: "LINKERD2_PROXY_INGRESS_MODE",
  tapSvcName: "LINKERD2_PROXY_TAP_SVC_NAME",
  traceAttributesPath: "LINKERD2_PROXY_TRACE_ATTRIBUTES_PATH",
  traceServiceName: "LINKERD2_PROXY_TRACE_SERVICE_NAME",
  traceExtraAttributes: "LINKERD2_PROXY_TRACE_EXTRA_ATTRIBUTES",
  otelResourceAttributes: "OTEL_RESOURCE_ATTRIBUTES",
  hostname: "HOSTNAME",
} as const;

export type Direction = "inbound" | "outbound";

/** The variables each direction has its own of. */
export interface DirectionEnv {
  readonly listenAddr: string;
  readonly tcpListenBacklog: string;
  readonly acceptKeepalive: string;
  readonly acceptUserTimeout: string;
  readonly connectKeepalive: string;
  readonly connectUserTimeout: string;
  readonly detectTimeout: string;
  readonly connectTimeout: string;
  readonly connectBackoff: BackoffEnv;
  readonly httpQueueCapacity: string;
  readonly httpFailfastTimeout: string;
  readonly maxInFlight: string;
  readonly maxIdleConnsPerEndpoint: string;
  readonly http1PoolIdleTimeout: string;
  readonly discoveryIdleTimeout: string;
  readonly portsDisableProtocolDetection: string;
  readonly serverHttp2: ServerHttp2Env;
}

export interface BackoffEnv {
  readonly min: string;
  readonly max: string;
  readonly jitter: string;
}

export interface ServerHttp2Env {
  readonly initialStreamWindowSize: string;
  readonly initialConnectionWindowSize: string;
  readonly adaptiveFlowControl: string;
  readonly keepAliveInterval: string;
  readonly keepAliveTimeout: string;
  readonly maxConcurrentStreams: string;
  readonly maxFrameSize: string;
  readonly maxHeaderListSize: string;
  readonly maxPendingAcceptResetStreams: string;
  readonly maxSendBufSize: string;
}

export const DIRECTION_ENV: Readonly<Record<Direction, DirectionEnv>> = {
  // The one variable of the inbound side without INBOUND in its name.
  inbound: directionEnv("INBOUND", "LINKERD2_PROXY_MAX_IDLE_CONNS_PER_ENDPOINT"),
  outbound: directionEnv("OUTBOUND", "LINKERD2_PROXY_OUTBOUND_MAX_IDLE_CONNS_PER_ENDPOINT"),
};

/** A control-plane service is an address and, unless that is loopback, the TLS name of who answers there. */
export interface ServiceEnv {
  readonly addr: string;
  readonly name: string;
}

export const SERVICE_ENV: Readonly<Record<"destination" | "policy" | "identity" | "traceCollector", ServiceEnv>> = {
  destination: serviceEnv("LINKERD2_PROXY_DESTINATION_SVC"),
  policy: serviceEnv("LINKERD2_PROXY_POLICY_SVC"),
  identity: serviceEnv("LINKERD2_PROXY_IDENTITY_SVC"),
  traceCollector: serviceEnv("LINKERD2_PROXY_TRACE_COLLECTOR_SVC"),
};

export const IDENTITY_ENV = {
  disabled: "LINKERD2_PROXY_IDENTITY_DISABLED",
  trustAnchors: "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",
  localName: "LINKERD2_PROXY_IDENTITY_LOCAL_NAME",
  serverId: "LINKERD2_PROXY_IDENTITY_SERVER_ID",
  serverName: "LINKERD2_PROXY_IDENTITY_SERVER_NAME",
  dir: "LINKERD2_PROXY_IDENTITY_DIR",
  tokenFile: "LINKERD2_PROXY_IDENTITY_TOKEN_FILE",
  minRefresh: "LINKERD2_PROXY_IDENTITY_MIN_REFRESH",
  maxRefresh: "LINKERD2_PROXY_IDENTITY_MAX_REFRESH",
  spireWorkloadApiAddress: "LINKERD2_PROXY_IDENTITY_SPIRE_WORKLOAD_API_ADDRESS",
  /** The older name of spireWorkloadApiAddress. */
  spireSocket: "LINKERD2_PROXY_IDENTITY_SPIRE_SOCKET",
} as const;

/** The prefix really is doubled in Linkerd. */
export const SPIRE_BACKOFF_ENV: BackoffEnv = backoffEnv("LINKERD2_PROXY_LINKERD2_PROXY_IDENTITY_SPIRE");

/** Set by Linkerd's charts, read by nothing: accepted and ignored. */
export const IGNORED_ENV: readonly string[] = [
  "LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_IDENTITY",
  "LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_TLS",
  "LINKERD2_PROXY_TRACE_PROTOCOL",
  "LINKERD2_PROXY_TRACE_ANNOTATIONS_PATH",
];

/** Names of 2018 (edge-18.10) that have another name, or none, today. Addresses are URLs: `tcp://host:port`. */
export const PROXY_ENV_2018 = {
  podNamespace: "LINKERD2_PROXY_POD_NAMESPACE",
  bindTimeout: "LINKERD2_PROXY_BIND_TIMEOUT",
  controlUrl: "LINKERD2_PROXY_CONTROL_URL",
  controlListener: "LINKERD2_PROXY_CONTROL_LISTENER",
  metricsListener: "LINKERD2_PROXY_METRICS_LISTENER",
  outboundListener: "LINKERD2_PROXY_OUTBOUND_LISTENER",
  inboundListener: "LINKERD2_PROXY_INBOUND_LISTENER",
  inboundForward: "LINKERD2_PROXY_INBOUND_FORWARD",
  /** Still older names of outboundListener, inboundListener and inboundForward. */
  privateListener: "LINKERD2_PROXY_PRIVATE_LISTENER",
  publicListener: "LINKERD2_PROXY_PUBLIC_LISTENER",
  privateForward: "LINKERD2_PROXY_PRIVATE_FORWARD",
  inboundRouterCapacity: "LINKERD2_PROXY_INBOUND_ROUTER_CAPACITY",
  outboundRouterCapacity: "LINKERD2_PROXY_OUTBOUND_ROUTER_CAPACITY",
  inboundRouterMaxIdleAge: "LINKERD2_PROXY_INBOUND_ROUTER_MAX_IDLE_AGE",
  outboundRouterMaxIdleAge: "LINKERD2_PROXY_OUTBOUND_ROUTER_MAX_IDLE_AGE",
  tlsTrustAnchors: "LINKERD2_PROXY_TLS_TRUST_ANCHORS",
  tlsCert: "LINKERD2_PROXY_TLS_CERT",
  tlsPrivateKey: "LINKERD2_PROXY_TLS_PRIVATE_KEY",
  tlsPodIdentity: "LINKERD2_PROXY_TLS_POD_IDENTITY",
  tlsControllerIdentity: "LINKERD2_PROXY_TLS_CONTROLLER_IDENTITY",
  controllerNamespace: "LINKERD2_PROXY_CONTROLLER_NAMESPACE",
  destinationClientConcurrencyLimit: "LINKERD2_PROXY_DESTINATION_CLIENT_CONCURRENCY_LIMIT",
  controlBackoffDelay: "LINKERD2_PROXY_CONTROL_BACKOFF_DELAY",
  controlConnectTimeout: "LINKERD2_PROXY_CONTROL_CONNECT_TIMEOUT",
  resolvConf: "LINKERD2_PROXY_RESOLV_CONF",
} as const;

/**
 * Bowline's own. Linkerd has fixed limits (or none) where these stand; a proxy that buffers heads for strangers needs
 * a bound, and somebody's cookies will not fit the default.
 */
export const BOWLINE_ENV = {
  /** Largest request or response head in bytes; beyond it 431. */
  http1HeadBytesMax: "LINKERD2_PROXY_HTTP1_HEAD_BYTES_MAX",
  /** Most header fields in one head; beyond it 431. */
  http1HeadFieldsMax: "LINKERD2_PROXY_HTTP1_HEAD_FIELDS_MAX",
  /** A head that has begun must be complete within this, or slow senders could hold connections for ever. */
  http1HeadTimeout: "LINKERD2_PROXY_HTTP1_HEAD_TIMEOUT",
} as const;

function directionEnv(direction: "INBOUND" | "OUTBOUND", maxIdleConnsPerEndpoint: string): DirectionEnv {
  const name = (suffix: string): string => `LINKERD2_PROXY_${direction}_${suffix}`;
  return {
    listenAddr: name("LISTEN_ADDR"),
    tcpListenBacklog: name("TCP_LISTEN_BACKLOG"),
    acceptKeepalive: name("ACCEPT_KEEPALIVE"),
    acceptUserTimeout: name("ACCEPT_USER_TIMEOUT"),
    connectKeepalive: name("CONNECT_KEEPALIVE"),
    connectUserTimeout: name("CONNECT_USER_TIMEOUT"),
    detectTimeout: name("DETECT_TIMEOUT"),
    connectTimeout: name("CONNECT_TIMEOUT"),
    connectBackoff: backoffEnv(name("CONNECT")),
    httpQueueCapacity: name("HTTP_QUEUE_CAPACITY"),
    httpFailfastTimeout: name("HTTP_FAILFAST_TIMEOUT"),
    maxInFlight: name("MAX_IN_FLIGHT"),
    maxIdleConnsPerEndpoint,
    http1PoolIdleTimeout: name("HTTP1_CONNECTION_POOL_IDLE_TIMEOUT"),
    discoveryIdleTimeout: name("DISCOVERY_IDLE_TIMEOUT"),
    portsDisableProtocolDetection: name("PORTS_DISABLE_PROTOCOL_DETECTION"),
    serverHttp2: serverHttp2Env(name("SERVER_HTTP2")),
  };
}

function backoffEnv(base: string): BackoffEnv {
  return { min: `${base}_EXP_BACKOFF_MIN`, max: `${base}_EXP_BACKOFF_MAX`, jitter: `${base}_EXP_BACKOFF_JITTER` };
}

function serverHttp2Env(base: string): ServerHttp2Env {
  return {
    initialStreamWindowSize: `${base}_INITIAL_STREAM_WINDOW_SIZE`,
    initialConnectionWindowSize: `${base}_INITIAL_CONNECTION_WINDOW_SIZE`,
    adaptiveFlowControl: `${base}_ADAPTIVE_FLOW_CONTROL`,
    keepAliveInterval: `${base}_KEEP_ALIVE_INTERVAL`,
    keepAliveTimeout: `${base}_KEEP_ALIVE_TIMEOUT`,
    maxConcurrentStreams: `${base}_MAX_CONCURRENT_STREAMS`,
    maxFrameSize: `${base}_MAX_FRAME_SIZE`,
    maxHeaderListSize: `${base}_MAX_HEADER_LIST_SIZE`,
    maxPendingAcceptResetStreams: `${base}_MAX_PENDING_ACCEPT_RESET_STREAMS`,
    maxSendBufSize: `${base}_MAX_SEND_BUF_SIZE`,
  };
}

function serviceEnv(base: string): ServiceEnv {
  return { addr: `${base}_ADDR`, name: `${base}_NAME` };
}
