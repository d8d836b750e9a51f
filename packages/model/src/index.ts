export { chooseBackend, chooseOverride, liveOverrides, NO_BACKEND, profileDecides } from "./backend/choose-backend.ts";
export { Balancer } from "./balance/balancer.ts";
export type { Slot } from "./balance/slot.ts";
export { Breaker, BreakerState, Verdict } from "./breaker/breaker.ts";
export {
  Classification,
  isFailure,
  isPenalized,
  NO_GRPC_STATUS,
  parseGrpcStatus,
  verdictOf,
} from "./classify/classify.ts";
export { parseRetryAfter, parseRetryPushback } from "./classify/retry-after.ts";
export { type EndpointChange, type EndpointChanges, EndpointSet, STALE_AFTER_MS } from "./endpoints/endpoint-set.ts";
export { sameEndpoint, sameTransport } from "./endpoints/same-endpoint.ts";
export { type FilterAnswer, FilterChain, ratioFault } from "./filter/filters.ts";
export type { RedirectTarget } from "./filter/redirect.ts";
export { Admission, FailfastGate, GateState } from "./queue/failfast-gate.ts";
export { compilePattern, type Pattern } from "./regex/pattern.ts";
export { Backoff, backoffFault, backoffMs } from "./retry/backoff.ts";
export { parseDuration } from "./retry/duration.ts";
export { overrideRetry, overrideTimeouts, REQUEST_OVERRIDE_HEADERS } from "./retry/request-overrides.ts";
export { RetryBudget, retryBudgetFault } from "./retry/retry-budget.ts";
export {
  decideProfileRetry,
  decideRetry,
  grpcRetryPolicy,
  headTimeout,
  httpRetryPolicy,
  PROFILE_RETRY_BYTES_MAX,
  RetryDecision,
  type RetryPolicy,
  SentBody,
  TryEnd,
} from "./retry/retry-policy.ts";
export { compileGrpcRoutes, type GrpcRouteMatch, type GrpcRouteTable } from "./route/grpc-routes.ts";
export { compileHttpRoutes, type HttpRouteMatch, type HttpRouteTable } from "./route/http-routes.ts";
export { policyFault } from "./route/policy-fault.ts";
export { type ProfileRequest, ProfileRouteTable } from "./route/profile-routes.ts";
export { TlsRouteTable } from "./route/tls-routes.ts";
export {
  type EndpointMeta,
  type EndpointsUpdate,
  endpointKey,
  type Http2Params,
  type Meta,
  type TlsIdentity,
} from "./types/endpoint.ts";
export type {
  Backend,
  BackoffParams,
  ConsecutiveAccrual,
  Dispatcher,
  Distribution,
  FailureAccrual,
  GrpcProtocol,
  HostMatch,
  HttpProtocol,
  LoadParams,
  OpaqueFilter,
  OpaqueRoute,
  OpaqueRoutes,
  Outbound,
  OutboundPolicy,
  OutboundProtocol,
  PeakEwmaParams,
  PenaltyPeakEwmaParams,
  QueueParams,
  RouteBackend,
  TlsRoute,
  TlsRoutes,
  UnifiedAccrual,
  WeightedRouteBackend,
} from "./types/policy.ts";
export type {
  Profile,
  ProfileOverride,
  ProfileRoute,
  RequestMatch,
  ResponseClass,
  ResponseMatch,
  RetryBudgetParams,
} from "./types/profile.ts";
export type { RequestFacts } from "./types/request.ts";
export type {
  GrpcFilter,
  GrpcMatch,
  GrpcRetry,
  GrpcRoute,
  GrpcRule,
  HeaderEdits,
  HeaderMatch,
  HttpFilter,
  HttpMatch,
  HttpRetry,
  HttpRoute,
  HttpRule,
  PathMatch,
  QueryMatch,
  Ratio,
  Redirect,
  RequestHeaders,
  ResponseHeaders,
  StatusRange,
  Timeouts,
} from "./types/route.ts";
