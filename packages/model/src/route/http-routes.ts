/**
 * Finds the HTTP route and rule for a request, as the Gateway API orders them: the more specific host first, then the
 * longer path, then more headers, more query parameters, a method; the first one listed wins ties.
 */
import { compilePattern, type Pattern } from "../regex/pattern.ts";
import type { RequestFacts } from "../types/request.ts";
import type { HttpMatch, HttpRoute, HttpRule, PathMatch } from "../types/route.ts";
import { compileFields, type FieldTest, headersMatch, queryMatches } from "./fields.ts";
import { ANY_HOST, HostMatcher, NO_HOST_MATCH } from "./host.ts";

/** The rule a request falls under. The same object for the same route, rule and match: it can carry a cache's key. */
export interface HttpRouteMatch {
  readonly route: HttpRoute;
  readonly rule: HttpRule;
  /** How many characters of the path a prefix match took, for redirects; null when the match was not by prefix. */
  readonly prefixLength: number | null;
}

/** How specific a match is. Compared in the order of the fields. */
interface Score {
  host: number;
  path: number;
  headers: number;
  query: number;
  method: number;
}

interface CompiledMatch {
  readonly result: HttpRouteMatch;
  readonly path: PathTest | null;
  readonly headers: FieldTest[];
  readonly query: FieldTest[];
  readonly method: string | null;
}

interface PathTest {
  readonly kind: PathMatch["kind"];
  readonly path: string;
  readonly pattern: Pattern | null;
}

interface CompiledRoute {
  readonly hosts: HostMatcher;
  readonly matches: CompiledMatch[];
}

const NO_PATH_MATCH = -1;

export class HttpRouteTable {
  #routes: CompiledRoute[];
  /** The one match that holds for every request, where there is nothing else to find. */
  #only: HttpRouteMatch | null;

  /** Use `compileHttpRoutes`. */
  constructor(routes: CompiledRoute[]) {
    this.#routes = routes;
    this.#only = onlyMatch(routes);
  }

  /** null when no route matches. */
  find(request: RequestFacts): HttpRouteMatch | null {
    if (this.#only !== null) return this.#only;
    let best: HttpRouteMatch | null = null;
    const bestScore: Score = { host: NO_HOST_MATCH, path: 0, headers: 0, query: 0, method: 0 };
    for (const route of this.#routes) {
      const host = route.hosts.score(request.authority);
      if (host === NO_HOST_MATCH) continue;
      for (const match of route.matches) {
        const path = matchRequest(match, request);
        if (path === NO_PATH_MATCH || (best !== null && compare(match, host, path, bestScore) <= 0)) continue;
        best = match.result;
        bestScore.host = host;
        bestScore.path = path;
        bestScore.headers = match.headers.length;
        bestScore.query = match.query.length;
        bestScore.method = match.method === null ? 0 : 1;
      }
    }
    return best;
  }
}

/** A fault names the expression that does not compile: the policy is invalid then. */
export function compileHttpRoutes(
  routes: readonly HttpRoute[],
): { readonly table: HttpRouteTable } | { readonly fault: string } {
  const compiled: CompiledRoute[] = [];
  for (const route of routes) {
    const matches: CompiledMatch[] = [];
    for (const rule of route.rules) {
      for (const match of rule.matches.length === 0 ? [EVERY_REQUEST] : rule.matches) {
        const result = compileMatch(route, rule, match);
        if ("fault" in result) return result;
        matches.push(result);
      }
    }
    compiled.push({ hosts: new HostMatcher(route.hosts), matches });
  }
  return { table: new HttpRouteTable(compiled) };
}

const EVERY_REQUEST: HttpMatch = { path: null, headers: [], query: [], method: null };

function compileMatch(route: HttpRoute, rule: HttpRule, match: HttpMatch): CompiledMatch | { readonly fault: string } {
  const headers = compileFields(match.headers);
  if ("fault" in headers) return headers;
  const query = compileFields(match.query);
  if ("fault" in query) return query;
  const path = match.path === null ? null : compilePath(match.path);
  if (path !== null && "fault" in path) return path;
  // Without a path, it is as if the prefix / were asked for.
  const prefixLength = path === null ? 1 : path.kind === "prefix" ? Math.max(path.path.length, 1) : null;
  const result = { route, rule, prefixLength };
  return { result, path, headers: headers.tests, query: query.tests, method: match.method };
}

function compilePath(path: PathMatch): PathTest | { readonly fault: string } {
  if (path.kind === "regex") {
    const compiled = compilePattern(path.regex);
    if ("fault" in compiled) return compiled;
    return { kind: "regex", path: "", pattern: compiled.pattern };
  }
  return { kind: path.kind, path: path.kind === "prefix" ? withoutSlashes(path.path) : path.path, pattern: null };
}

function onlyMatch(routes: readonly CompiledRoute[]): HttpRouteMatch | null {
  const match = routes[0]?.matches[0];
  if (routes.length !== 1 || routes[0]?.matches.length !== 1 || match === undefined) return null;
  const open = match.path === null && match.headers.length === 0 && match.query.length === 0 && match.method === null;
  return open && routes[0].hosts.score("") === ANY_HOST ? match.result : null;
}

/** How long the matched path is, or that the match does not hold. */
function matchRequest(match: CompiledMatch, request: RequestFacts): number {
  if (match.method !== null && match.method !== request.method) return NO_PATH_MATCH;
  const path = match.path === null ? 1 : matchPath(match.path, request.path);
  if (path === NO_PATH_MATCH) return NO_PATH_MATCH;
  if (!headersMatch(match.headers, request) || !queryMatches(match.query, request.query)) return NO_PATH_MATCH;
  return path;
}

function matchPath(test: PathTest, path: string): number {
  switch (test.kind) {
    case "exact":
      return path === test.path ? path.length : NO_PATH_MATCH;
    case "regex":
      return test.pattern?.matches(path) === true ? path.length : NO_PATH_MATCH;
    case "prefix": {
      const prefix = test.path;
      if (prefix === "") return 1;
      // Slashes at the end do not count on either side, and a segment matches as a whole or not at all.
      const whole = path.length === prefix.length || path.charCodeAt(prefix.length) === SLASH;
      return whole && path.startsWith(prefix) ? prefix.length : NO_PATH_MATCH;
    }
    default:
      return unreachable(test.kind);
  }
}

const SLASH = 0x2f;

function withoutSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path.charCodeAt(end - 1) === SLASH) end -= 1;
  return path.slice(0, end);
}

function compare(match: CompiledMatch, host: number, path: number, best: Score): number {
  return (
    host - best.host ||
    path - best.path ||
    match.headers.length - best.headers ||
    match.query.length - best.query ||
    (match.method === null ? 0 : 1) - best.method
  );
}

function unreachable(kind: never): never {
  throw new Error(`not a path match: ${String(kind)}`);
}
