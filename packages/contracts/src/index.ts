export { parseDurationMs } from "./duration.ts";
export {
  type BackoffEnv,
  BOWLINE_ENV,
  DIRECTION_ENV,
  type Direction,
  type DirectionEnv,
  IDENTITY_ENV,
  IGNORED_ENV,
  PROXY_ENV,
  PROXY_ENV_2018,
  SERVICE_ENV,
  type ServerHttp2Env,
  type ServiceEnv,
  SPIRE_BACKOFF_ENV,
} from "./env.ts";
export { GrpcStatus, grpcStatusName } from "./grpc-status.ts";
export { L5D_HEADERS } from "./headers.ts";
export {
  IGNORE_LOOPBACK_RULE,
  IGNORE_PORT_RULE_PREFIX,
  IGNORE_PROXY_GID_RULE,
  IGNORE_PROXY_UID_RULE,
  IGNORE_SUBNET_RULE_PREFIX,
  INSTALL_OUTPUT_RULE,
  INSTALL_PREROUTING_RULE,
  OUTPUT_CHAIN,
  REDIRECT_ALL_INCOMING_RULE,
  REDIRECT_ALL_OUTGOING_RULE,
  REDIRECT_CHAIN,
  RULE_COMMENT_PREFIX,
} from "./iptables.ts";
export {
  type BalancerMetricNames,
  balancerMetricNames,
  type InboundRouteMetricNames,
  inboundRouteMetricNames,
  METRIC,
  type RouteMetricNames,
  routeMetricNames,
  type TransportRouteMetricNames,
  transportRouteMetricNames,
} from "./metric-names.ts";
export { ADMIN_PORT, INBOUND_PROXY_PORT, OUTBOUND_PROXY_PORT, PROXY_UID, TAP_PORT } from "./ports.ts";
export { VERSION } from "./version.ts";
