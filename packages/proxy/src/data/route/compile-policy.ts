import { joinLabels, labels } from "@bowline/metrics";
import {
  compileGrpcRoutes,
  compileHttpRoutes,
  type Distribution,
  type FailureAccrual,
  FilterChain,
  type GrpcFilter,
  type GrpcProtocol,
  type GrpcRouteMatch,
  grpcRetryPolicy,
  type HttpFilter,
  type HttpProtocol,
  type HttpRouteMatch,
  httpRetryPolicy,
  type Meta,
  type OpaqueFilter,
  type OpaqueRoute,
  type OpaqueRoutes,
  type OutboundPolicy,
  type RouteBackend,
  type TlsRoute,
  type TlsRoutes,
} from "@bowline/model";
import { Cause } from "../failures.ts";
import { DetectSeries } from "../telemetry/detect-series.ts";
import {
  backendLabels,
  OUTBOUND_GRPC_ROUTE,
  OUTBOUND_HTTP_ROUTE,
  parentLabels,
  RouteBackendSeries,
  type RouteFamilies,
  RouteSeries,
  RouteSeriesByHost,
  routeLabels,
} from "../telemetry/route-series.ts";
import { OUTBOUND_TCP_ROUTE, OUTBOUND_TLS_ROUTE, TransportRouteSeries } from "../telemetry/transport-route-series.ts";
import type { Backends } from "./backends.ts";
import { type HttpRouter, LateWay, PolicyRouter, Routing } from "./routing.ts";
import { HTTP_TRANSPORT, TCP_TRANSPORT, TLS_TRANSPORT, type Transport } from "./transport.ts";
import { type Choice, OnlyChoice, PolicyChoice, plainWay, type TcpWay, type Way, type WayBackend } from "./way.ts";

/** What an outbound policy makes of the traffic to its target. A fault names what of it cannot be followed. */
export function compilePolicy(policy: OutboundPolicy, backends: Backends): Routing | { readonly fault: string } {
  const { meta, protocol } = policy;
  const make = (
    opaque: boolean,
    http1: HttpRouter | Cause | string,
    http2: HttpRouter | Cause | string,
    tcp: () => TcpWay,
  ): Routing | { readonly fault: string } => {
    if (typeof http1 === "string") return { fault: http1 };
    if (typeof http2 === "string") return { fault: http2 };
    const detect = new DetectSeries(backends.group, "outbound", parentLabels(meta));
    return new Routing({ opaque, http1, http2, tcp, detect, held: backends.held });
  };
  const plain = (): TcpWay => ({ choice: new OnlyChoice(backends.forward()), series: null });
  switch (protocol.kind) {
    case "detect": {
      const http1 = httpRouter(protocol.http1, meta, backends);
      const http2 = httpRouter(protocol.http2, meta, backends);
      return make(false, http1, http2, () => opaqueWay(protocol.opaque, meta, backends));
    }
    case "http1":
    case "http2": {
      const router = httpRouter(protocol, meta, backends);
      return make(false, router, router, plain);
    }
    case "grpc": {
      const router = grpcRouter(protocol, meta, backends);
      return make(false, router, router, plain);
    }
    case "opaque": {
      const router = bytesRouter(protocol.routes[0], meta, backends);
      return make(true, router, router, () => opaqueWay(protocol, meta, backends));
    }
    case "tls": {
      // Every connection there is TLS that is passed on; the first route's backends take it.
      const router = bytesRouter(protocol.routes[0], meta, backends);
      return make(true, router, router, () => tlsWay(protocol, meta, backends));
    }
    default:
      return unreachable(protocol);
  }
}

function httpRouter(protocol: HttpProtocol, parent: Meta, backends: Backends): HttpRouter | string {
  const compiled = compileHttpRoutes(protocol.routes);
  if ("fault" in compiled) return compiled.fault;
  const makers = new Map<object, Way>();
  for (const route of protocol.routes) {
    for (const rule of route.rules) {
      const { series, hosts } = seriesOf(OUTBOUND_HTTP_ROUTE, parent, route.meta, backends);
      makers.set(rule, {
        filters: chain(rule.filters),
        prefixLength: null,
        retry: rule.retry === null ? null : httpRetryPolicy(rule.retry),
        budget: null,
        classes: [],
        timeouts: rule.timeouts,
        headTimeoutMs: null,
        allowL5dHeaders: rule.allowL5dHeaders,
        choice: choiceOf(rule.backends, OUTBOUND_HTTP_ROUTE, parent, route.meta, protocol.accrual, backends),
        series,
        hosts,
        profileSeries: null,
      });
    }
  }
  return new PolicyRouter<HttpRouteMatch>(compiled.table, ({ rule, prefixLength }) => ({
    ...makers.get(rule)!,
    prefixLength,
  }));
}

function grpcRouter(protocol: GrpcProtocol, parent: Meta, backends: Backends): HttpRouter | string {
  const compiled = compileGrpcRoutes(protocol.routes);
  if ("fault" in compiled) return compiled.fault;
  const ways = new Map<object, Way>();
  for (const route of protocol.routes) {
    for (const rule of route.rules) {
      const { series, hosts } = seriesOf(OUTBOUND_GRPC_ROUTE, parent, route.meta, backends);
      ways.set(rule, {
        filters: chain(rule.filters),
        prefixLength: null,
        retry: rule.retry === null ? null : grpcRetryPolicy(rule.retry),
        budget: null,
        classes: [],
        timeouts: rule.timeouts,
        headTimeoutMs: null,
        allowL5dHeaders: rule.allowL5dHeaders,
        choice: choiceOf(rule.backends, OUTBOUND_GRPC_ROUTE, parent, route.meta, protocol.accrual, backends),
        series,
        hosts,
        profileSeries: null,
      });
    }
  }
  return new PolicyRouter<GrpcRouteMatch>(compiled.table, ({ rule }) => ways.get(rule)!);
}

/**
 * For connections that were found to speak HTTP before their service came to be passed on as bytes: they are served on,
 * by the backends that there are (proxy-facts §4.3).
 */
function bytesRouter(route: OpaqueRoute | TlsRoute | undefined, parent: Meta, backends: Backends): HttpRouter | Cause {
  if (route === undefined) return Cause.RouteNotFound;
  const filter = filterCause(route);
  if (filter !== null) return filter;
  return new LateWay(() => plainWay(choiceOf(route.backends, null, parent, route.meta, null, backends)));
}

/** Opaque routes: at most one counts, and of it one rule (proxy-facts §4.17). */
function opaqueWay(protocol: OpaqueRoutes, parent: Meta, backends: Backends): TcpWay {
  const route = protocol.routes[0];
  if (route === undefined) return { choice: Cause.RouteNotFound, series: null };
  const { ip, port } = backends.target;
  const target = labels([
    ["target_ip", ip],
    ["target_port", String(port)],
  ]);
  const labelText = joinLabels(parentLabels(parent), routeLabels(route.meta), target);
  const series = new TransportRouteSeries(backends.group, OUTBOUND_TCP_ROUTE, labelText);
  return { choice: connectionChoice(route, parent, backends, TCP_TRANSPORT), series };
}

/** The first route's backends take every connection. */
function tlsWay(protocol: TlsRoutes, parent: Meta, backends: Backends): TcpWay {
  const route = protocol.routes[0];
  if (route === undefined) return { choice: Cause.RouteNotFound, series: null };
  const series = new TransportRouteSeries(backends.group, OUTBOUND_TLS_ROUTE, labelsOf(parent, route.meta, ""));
  return { choice: connectionChoice(route, parent, backends, TLS_TRANSPORT), series };
}

function connectionChoice(
  route: OpaqueRoute | TlsRoute,
  parent: Meta,
  backends: Backends,
  transport: Transport,
): Choice | Cause {
  return filterCause(route) ?? choiceOf(route.backends, null, parent, route.meta, null, backends, transport);
}

/** Why nothing may take the route; null when it may. */
function filterCause({ filters }: OpaqueRoute | TlsRoute): Cause | null {
  const filter = filters[0];
  if (filter === undefined) return null;
  return filter.kind === "forbidden" ? Cause.Forbidden : Cause.InvalidPolicy;
}

function seriesOf(
  families: RouteFamilies,
  parent: Meta,
  route: Meta,
  backends: Backends,
): Pick<Way, "series" | "hosts"> {
  const make = (hostname: string): RouteSeries =>
    new RouteSeries(backends.group, families, labelsOf(parent, route, hostname));
  const { outboundHostname } = backends.side.plane.config.metricLabels;
  return outboundHostname ? { series: null, hosts: new RouteSeriesByHost(make) } : { series: make(""), hosts: null };
}

function choiceOf<F extends HttpFilter | GrpcFilter | OpaqueFilter>(
  distribution: Distribution<F>,
  families: RouteFamilies | null,
  parent: Meta,
  route: Meta,
  accrual: FailureAccrual | null,
  backends: Backends,
  transport: Transport = HTTP_TRANSPORT,
): Choice {
  const all: readonly RouteBackend<F>[] = distribution.kind === "empty" ? [] : distribution.backends;
  const made = all.map(({ backend, filters }): WayBackend => {
    const labelText = joinLabels(parentLabels(parent), routeLabels(route), backendLabels(backend.meta));
    return {
      backend: backends.of(backend, parent, accrual, transport),
      filters: families === null ? null : chain(filters as readonly (HttpFilter | GrpcFilter)[]),
      series: families === null ? null : new RouteBackendSeries(backends.group, families, labelText),
    };
  });
  return new PolicyChoice(distribution, made);
}

function chain(filters: readonly (HttpFilter | GrpcFilter)[]): FilterChain | null {
  return filters.length === 0 ? null : new FilterChain(filters);
}

function labelsOf(parent: Meta, route: Meta, hostname: string): string {
  return joinLabels(parentLabels(parent), routeLabels(route), labels([["hostname", hostname]]));
}

function unreachable(protocol: never): never {
  throw new Error(`not a protocol: ${JSON.stringify(protocol)}`);
}
