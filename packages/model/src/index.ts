export { Balancer } from "./balance/balancer.ts";
export type { Slot } from "./balance/slot.ts";
export { Breaker, BreakerState, Verdict } from "./breaker/breaker.ts";
export { type EndpointChange, type EndpointChanges, EndpointSet, STALE_AFTER_MS } from "./endpoints/endpoint-set.ts";
export { sameEndpoint, sameTransport } from "./endpoints/same-endpoint.ts";
export { Admission, FailfastGate, GateState } from "./queue/failfast-gate.ts";
export { Backoff, backoffFault, backoffMs } from "./retry/backoff.ts";
export { RetryBudget, retryBudgetFault } from "./retry/retry-budget.ts";
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
