/** What the policy controller says about an outbound target, as plain data. Contract: outbound.OutboundPolicy. */
import type { EndpointMeta, Meta } from "./endpoint.ts";
import type { Profile } from "./profile.ts";
import type { GrpcRoute, HttpRoute } from "./route.ts";

/** Everything known about one outbound target. */
export interface Outbound {
  profile: Profile | null;
  /** null: fall back to the profile's endpoint, or forward to the original destination. */
  policy: OutboundPolicy | null;
  /** Why the policy can't be used, in words for the log; every request then fails. null when it can. */
  invalid: string | null;
}

/** A target's policy: the protocol it speaks and the routes of that protocol. */
export interface OutboundPolicy {
  meta: Meta;
  protocol: OutboundProtocol;
}

export type OutboundProtocol =
  | { kind: "detect"; timeoutMs: number; opaque: OpaqueRoutes; http1: HttpProtocol; http2: HttpProtocol }
  | ({ kind: "opaque" } & OpaqueRoutes)
  | ({ kind: "http1" } & HttpProtocol)
  | ({ kind: "http2" } & HttpProtocol)
  | ({ kind: "grpc" } & GrpcProtocol)
  | ({ kind: "tls" } & TlsRoutes);

export interface HttpProtocol {
  routes: HttpRoute[];
  /** How an endpoint's failures eject it from its balancer; null never does. */
  accrual: FailureAccrual | null;
}

export interface GrpcProtocol {
  routes: GrpcRoute[];
  accrual: FailureAccrual | null;
}

/** At most one route: nothing of an opaque connection can be matched. */
export interface OpaqueRoutes {
  routes: OpaqueRoute[];
}

/** The route's one rule is laid out flat: more than one is invalid. */
export interface OpaqueRoute {
  meta: Meta;
  filters: OpaqueFilter[];
  backends: Distribution<OpaqueFilter>;
}

export interface TlsRoutes {
  routes: TlsRoute[];
}

/** The route's one rule is laid out flat: more than one is invalid. */
export interface TlsRoute {
  meta: Meta;
  /** Empty matches every name. */
  snis: HostMatch[];
  filters: OpaqueFilter[];
  backends: Distribution<OpaqueFilter>;
}

export type OpaqueFilter = { kind: "forbidden" } | { kind: "invalid"; message: string };

/** A host or server name to match: the whole of it, or its last labels (`*.example.com` is com, example). */
export type HostMatch = { kind: "exact"; host: string } | { kind: "suffix"; reverseLabels: string[] };

/** Which backends a rule sends to. `first` and `random` are never empty. */
export type Distribution<F> =
  | { kind: "empty" }
  | { kind: "first"; backends: RouteBackend<F>[] }
  | { kind: "random"; backends: WeightedRouteBackend<F>[] };

export interface RouteBackend<F> {
  backend: Backend;
  filters: F[];
}

export interface WeightedRouteBackend<F> extends RouteBackend<F> {
  weight: number;
}

/** Something requests can be sent to: one endpoint, a balancer over a destination, or a sure failure. */
export interface Backend {
  meta: Meta;
  queue: QueueParams;
  dispatcher: Dispatcher;
}

export type Dispatcher =
  | { kind: "forward"; endpoint: EndpointMeta }
  /** `path` is what Destination.Get is asked for, `name:port`. */
  | { kind: "balance"; path: string; load: LoadParams }
  | { kind: "fail"; message: string };

/** How many requests wait for a ready endpoint, and how long before waiting is given up. */
export interface QueueParams {
  capacity: number;
  failfastTimeoutMs: number;
}

export type LoadParams = PeakEwmaParams | PenaltyPeakEwmaParams;

export interface PeakEwmaParams {
  kind: "peak-ewma";
  defaultRttMs: number;
  decayMs: number;
}

/** As peak-ewma, and rate-limited or failing responses count as slow ones. */
export interface PenaltyPeakEwmaParams {
  kind: "penalty-peak-ewma";
  defaultRttMs: number;
  decayMs: number;
  penaltyMs: number;
  /** Not used, as in Linkerd: the penalty is recorded as a response's time, and fades as one. */
  penaltyDecayMs: number;
  /** The most a Retry-After of the endpoint may hold it back. */
  retryAfterMaxMs: number;
}

export type FailureAccrual = ConsecutiveAccrual | UnifiedAccrual;

export interface ConsecutiveAccrual {
  kind: "consecutive";
  failuresMax: number;
  backoff: BackoffParams;
  /** Nothing is ejected that would leave fewer endpoints than this unejected. 0 sets no floor. */
  readyEndpointsMin: number;
}

export interface UnifiedAccrual {
  kind: "unified";
  /** 0 to 1; 0 turns the rate off. */
  successRateMin: number;
  windowMs: number;
  requestsMin: number;
  /** 0 turns consecutive counting off. */
  consecutiveFailuresMax: number;
  backoff: BackoffParams;
  readyEndpointsMin: number;
}

/** Exponential back-off: minMs doubling up to maxMs, plus up to `jitter` of it at random. */
export interface BackoffParams {
  minMs: number;
  maxMs: number;
  /** A ratio, 0 and more. */
  jitter: number;
  respectRetryAfter: boolean;
}
