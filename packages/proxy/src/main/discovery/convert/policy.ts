import type { outbound } from "@bowline/contracts/proto";
import type {
  GrpcProtocol,
  HttpProtocol,
  OpaqueRoute,
  OpaqueRoutes,
  OutboundPolicy,
  OutboundProtocol,
  TlsRoute,
  TlsRoutes,
} from "@bowline/model";
import { convertDistribution } from "./backend.ts";
import { requiredDurationMs } from "./duration.ts";
import { convertAccrual } from "./failure-accrual.ts";
import { convertGrpcRoute, convertHttpRoute } from "./http-route.ts";
import { InvalidMessage, required, within } from "./invalid-message.ts";
import { convertMeta } from "./meta.ts";
import { convertOpaqueFilter } from "./route-filter.ts";
import { convertHostMatch } from "./route-match.ts";

type Note = (text: string) => void;

/**
 * The policy for a target. Throws InvalidMessage when it cannot be followed to the letter: no part of a policy may be
 * left out, since that part may be what forbids something. Only what describes an endpoint is taken leniently, and
 * goes to `note`.
 */
export function convertPolicy(policy: outbound.OutboundPolicy, note: Note): OutboundPolicy {
  return within("policy", () => ({
    meta: convertMeta(policy.metadata),
    protocol: convertProtocol(required(policy.protocol, "protocol"), note),
  }));
}

function convertProtocol({ kind }: outbound.ProxyProtocol, note: Note): OutboundProtocol {
  switch (kind.case) {
    case "detect":
      return convertDetect(kind.value, note);
    case "http1":
    case "http2":
      return { kind: kind.case, ...convertHttp(kind.value, note) };
    case "grpc":
      return { kind: "grpc", ...convertGrpc(kind.value, note) };
    case "opaque":
      return { kind: "opaque", ...convertOpaque(kind.value, note) };
    case "tls":
      return { kind: "tls", ...convertTls(kind.value, note) };
    case undefined:
      throw new InvalidMessage("invalid ProxyProtocol: missing kind");
  }
}

function convertDetect(detect: outbound.ProxyProtocol_Detect, note: Note): OutboundProtocol {
  return within("ProxyProtocol", () => ({
    kind: "detect",
    timeoutMs: requiredDurationMs(detect.timeout, "protocol detection timeout"),
    http1: convertHttp(required(detect.http1, "HTTP/1 configuration"), note),
    http2: convertHttp(required(detect.http2, "HTTP/2 configuration"), note),
    opaque: convertOpaque(required(detect.opaque, "opaque configuration"), note),
  }));
}

function convertHttp(http: outbound.ProxyProtocol_Http1 | outbound.ProxyProtocol_Http2, note: Note): HttpProtocol {
  return within("HTTP route", () => ({
    routes: http.routes.map((route) => convertHttpRoute(route, note)),
    accrual: convertAccrual(http.failureAccrual),
  }));
}

function convertGrpc(grpc: outbound.ProxyProtocol_Grpc, note: Note): GrpcProtocol {
  return within("gRPC route", () => ({
    routes: grpc.routes.map((route) => convertGrpcRoute(route, note)),
    accrual: convertAccrual(grpc.failureAccrual),
  }));
}

function convertOpaque({ routes }: outbound.ProxyProtocol_Opaque, note: Note): OpaqueRoutes {
  return within("opaque route", () => {
    if (routes.length > 1)
      throw new InvalidMessage(`at most one route can be used, but ${routes.length} were provided`);
    return { routes: routes.map((route) => convertOpaqueRoute(route, note)) };
  });
}

function convertTls({ routes }: outbound.ProxyProtocol_Tls, note: Note): TlsRoutes {
  return within("TLS route", () => ({ routes: routes.map((route) => convertTlsRoute(route, note)) }));
}

function convertTlsRoute(route: outbound.TlsRoute, note: Note): TlsRoute {
  return { ...convertOpaqueRoute(route, note), snis: route.snis.map(convertHostMatch) };
}

/** The one rule of a route of connections: nothing says which of several would be used. */
function convertOpaqueRoute({ metadata, rules }: outbound.OpaqueRoute | outbound.TlsRoute, note: Note): OpaqueRoute {
  const meta = convertMeta(metadata);
  const [rule] = rules;
  if (rule === undefined || rules.length > 1) {
    throw new InvalidMessage(`a route must have exactly one rule, but ${rules.length} were provided`);
  }
  return {
    meta,
    filters: [...rule.filters].map(convertOpaqueFilter),
    backends: convertDistribution(rule.backends, convertOpaqueFilter, note),
  };
}
