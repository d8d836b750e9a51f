/**
 * Finds the gRPC route and rule for a call: the more specific host first, then service, method and the number of
 * headers; the first one listed wins ties.
 */
import type { RequestFacts } from "../types/request.ts";
import type { GrpcMatch, GrpcRoute, GrpcRule } from "../types/route.ts";
import { compileFields, type FieldTest, headersMatch } from "./fields.ts";
import { HostMatcher, NO_HOST_MATCH } from "./host.ts";

/** The rule a call falls under. The same object for the same route, rule and match. */
export interface GrpcRouteMatch {
  readonly route: GrpcRoute;
  readonly rule: GrpcRule;
}

interface CompiledMatch {
  readonly result: GrpcRouteMatch;
  /** Matches requests of any method and path: there was no match to ask more. */
  readonly every: boolean;
  readonly service: string | null;
  readonly method: string | null;
  readonly headers: FieldTest[];
}

interface CompiledRoute {
  readonly hosts: HostMatcher;
  readonly matches: CompiledMatch[];
}

export class GrpcRouteTable {
  #routes: CompiledRoute[];

  /** Use `compileGrpcRoutes`. */
  constructor(routes: CompiledRoute[]) {
    this.#routes = routes;
  }

  /** null when no route matches. */
  find(request: RequestFacts): GrpcRouteMatch | null {
    const path = request.method === "POST" ? request.path : "";
    const serviceEnd = path.startsWith("/") ? path.indexOf("/", 1) : -1;
    const service = serviceEnd < 0 ? null : path.slice(1, serviceEnd);
    const methodEnd = path.indexOf("/", serviceEnd + 1);
    const method = path.slice(serviceEnd + 1, methodEnd < 0 ? path.length : methodEnd);
    let best: CompiledMatch | null = null;
    let bestHost = NO_HOST_MATCH;
    for (const route of this.#routes) {
      const host = route.hosts.score(request.authority);
      if (host === NO_HOST_MATCH) continue;
      for (const match of route.matches) {
        if (best !== null && (host - bestHost || compare(match, best)) <= 0) continue;
        if (!match.every && !matchCall(match, service, method, request)) continue;
        best = match;
        bestHost = host;
      }
    }
    return best?.result ?? null;
  }
}

/** A fault names the expression that does not compile: the policy is invalid then. */
export function compileGrpcRoutes(
  routes: readonly GrpcRoute[],
): { readonly table: GrpcRouteTable } | { readonly fault: string } {
  const compiled: CompiledRoute[] = [];
  for (const route of routes) {
    const matches: CompiledMatch[] = [];
    for (const rule of route.rules) {
      if (rule.matches.length === 0) {
        matches.push({ result: { route, rule }, every: true, service: null, method: null, headers: [] });
      }
      for (const match of rule.matches) {
        const result = compileMatch(route, rule, match);
        if ("fault" in result) return result;
        matches.push(result);
      }
    }
    compiled.push({ hosts: new HostMatcher(route.hosts), matches });
  }
  return { table: new GrpcRouteTable(compiled) };
}

function compileMatch(route: GrpcRoute, rule: GrpcRule, match: GrpcMatch): CompiledMatch | { readonly fault: string } {
  const headers = compileFields(match.headers);
  if ("fault" in headers) return headers;
  const { service, method } = match;
  return { result: { route, rule }, every: false, service, method, headers: headers.tests };
}

/** @param service null when the request is no gRPC call */
function matchCall(match: CompiledMatch, service: string | null, method: string, request: RequestFacts): boolean {
  if (service === null) return false;
  if (match.service !== null && match.service !== service) return false;
  if (match.method !== null && match.method !== method) return false;
  return headersMatch(match.headers, request);
}

/** What a match scores does not depend on the request, as names match whole. */
function compare(a: CompiledMatch, b: CompiledMatch): number {
  return (
    (a.service?.length ?? 0) - (b.service?.length ?? 0) ||
    (a.method?.length ?? 0) - (b.method?.length ?? 0) ||
    a.headers.length - b.headers.length
  );
}
