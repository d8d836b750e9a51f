/** Why a policy can't be followed. It is asked once, where the policy comes in: a faulty one fails every request. */
import { ratioFault } from "../filter/filters.ts";
import { backoffFault } from "../retry/backoff.ts";
import type { Distribution, FailureAccrual, OutboundPolicy } from "../types/policy.ts";
import type { GrpcFilter, GrpcRoute, HttpFilter, HttpRoute } from "../types/route.ts";
import { compileGrpcRoutes } from "./grpc-routes.ts";
import { compileHttpRoutes } from "./http-routes.ts";

type Filter = HttpFilter | GrpcFilter;

/** In words for the log, naming the expression or value that is wrong; null when nothing is. */
export function policyFault(policy: OutboundPolicy): string | null {
  const { protocol } = policy;
  switch (protocol.kind) {
    case "detect":
      return (
        httpFault(protocol.http1.routes, protocol.http1.accrual) ??
        httpFault(protocol.http2.routes, protocol.http2.accrual) ??
        opaqueFault(protocol.opaque.routes)
      );
    case "http1":
    case "http2":
      return httpFault(protocol.routes, protocol.accrual);
    case "grpc": {
      const compiled = compileGrpcRoutes(protocol.routes);
      return "fault" in compiled ? compiled.fault : (rulesFault(protocol.routes) ?? accrualFault(protocol.accrual));
    }
    case "opaque":
      return opaqueFault(protocol.routes);
    case "tls":
      return firstFault(protocol.routes, (route) => distributionFault(route.backends));
    default:
      return unreachable(protocol);
  }
}

function httpFault(routes: readonly HttpRoute[], accrual: FailureAccrual | null): string | null {
  const compiled = compileHttpRoutes(routes);
  return "fault" in compiled ? compiled.fault : (rulesFault(routes) ?? accrualFault(accrual));
}

function opaqueFault(routes: readonly { readonly backends: Distribution<unknown> }[]): string | null {
  if (routes.length > 1) return `an opaque protocol has ${routes.length} routes and nothing to tell them apart by`;
  return firstFault(routes, (route) => distributionFault(route.backends));
}

function rulesFault(routes: readonly (HttpRoute | GrpcRoute)[]): string | null {
  return firstFault(routes, (route) =>
    firstFault<HttpRoute["rules"][number] | GrpcRoute["rules"][number]>(route.rules, (rule) => {
      const backoff = rule.retry?.backoff ?? null;
      return (
        firstFault<Filter>(rule.filters, filterFault) ??
        distributionFault(rule.backends) ??
        backendFiltersFault(rule.backends) ??
        (backoff === null ? null : backoffFault(backoff))
      );
    }),
  );
}

/** Backends that all weigh nothing are no fault of the policy: a rule may have been turned off so. */
function distributionFault(distribution: Distribution<unknown>): string | null {
  return distribution.kind !== "empty" && distribution.backends.length === 0
    ? "a distribution among no backends"
    : null;
}

function backendFiltersFault(distribution: Distribution<Filter>): string | null {
  if (distribution.kind === "empty") return null;
  return firstFault(distribution.backends, (backend) => firstFault(backend.filters, filterFault));
}

function filterFault(filter: Filter): string | null {
  if (filter.kind === "fail" || filter.kind === "grpc-fail") return ratioFault(filter.ratio);
  if (filter.kind !== "redirect" || filter.path === null || filter.path.path.startsWith("/")) return null;
  return `a redirect to the relative path ${JSON.stringify(filter.path.path)}`;
}

function accrualFault(accrual: FailureAccrual | null): string | null {
  if (accrual === null) return null;
  if (accrual.kind === "unified" && !(accrual.successRateMin >= 0 && accrual.successRateMin <= 1)) {
    return `a success rate of ${accrual.successRateMin} is not between 0 and 1`;
  }
  return backoffFault(accrual.backoff);
}

function firstFault<T>(items: readonly T[], faultOf: (item: T) => string | null): string | null {
  for (const item of items) {
    const fault = faultOf(item);
    if (fault !== null) return fault;
  }
  return null;
}

function unreachable(protocol: never): never {
  throw new Error(`not a protocol: ${JSON.stringify(protocol)}`);
}
