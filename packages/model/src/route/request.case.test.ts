/** Requests and rules for the route tests. */
import type { Meta } from "../types/endpoint.ts";
import type { RequestFacts } from "../types/request.ts";
import type { GrpcMatch, GrpcRoute, HttpMatch, HttpRoute, HttpRule } from "../types/route.ts";

/** `GET http://host/path?query`, headers as pairs. */
export function request(target: string, headers: readonly [string, string][] = []): RequestFacts {
  const parts = /^([A-Z]+) (?:http:\/\/([^/]*))?([^?]*)\??(.*)$/.exec(target);
  if (parts === null) throw new Error(`not a request: ${target}`);
  const [, method = "", authority = "", path = "", query = ""] = parts;
  return {
    method,
    authority,
    path,
    query,
    header: (name, nth) => headers.filter(([each]) => each === name)[nth]?.[1] ?? null,
  };
}

export function httpMatch(match: Partial<HttpMatch>): HttpMatch {
  return { path: null, headers: [], query: [], method: null, ...match };
}

/** A route named by its rules' matches: each rule has the given matches. */
export function httpRoute(name: string, hosts: HttpRoute["hosts"], ...rules: Partial<HttpMatch>[][]): HttpRoute {
  return { meta: meta(name), hosts, rules: rules.map((matches) => httpRule(matches.map(httpMatch))) };
}

export function grpcRoute(name: string, hosts: GrpcRoute["hosts"], ...rules: Partial<GrpcMatch>[][]): GrpcRoute {
  const complete = (match: Partial<GrpcMatch>): GrpcMatch => ({ service: null, method: null, headers: [], ...match });
  return { meta: meta(name), hosts, rules: rules.map((matches) => ({ ...grpcRule, matches: matches.map(complete) })) };
}

function httpRule(matches: HttpMatch[]): HttpRule {
  return { ...grpcRule, matches };
}

const grpcRule = {
  filters: [],
  backends: { kind: "empty" as const },
  timeouts: { requestMs: null, responseMs: null, idleMs: null },
  retry: null,
  allowL5dHeaders: false,
};

export function meta(name: string): Meta {
  return { group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "default", name, port: 0, section: "" };
}
