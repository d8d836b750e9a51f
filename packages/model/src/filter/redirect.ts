/** Where a redirect filter sends a request. */
import type { Redirect } from "../types/route.ts";
import type { FilterAnswer } from "./filters.ts";

/** What a request was addressed to. */
export interface RedirectTarget {
  /** http or https; empty when not said, which is http. */
  readonly scheme: string;
  /** Without the port, as sent; empty when the request names none. */
  readonly host: string;
  /** 0 when the request names none. */
  readonly port: number;
  /** Without the query. */
  readonly path: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
}

const MOVED_PERMANENTLY = 301;

/** null when the request is already for where it would be sent: a redirect would never end. */
export function redirectLocation(
  redirect: Redirect,
  target: RedirectTarget,
  prefixLength: number | null,
): FilterAnswer | null {
  const scheme = redirect.scheme ?? (target.scheme === "" ? "http" : target.scheme);
  const authority = redirectAuthority(redirect, target, scheme);
  if (authority === "") return { kind: "error", message: "a redirect without a host of a request without one" };
  const path = redirectPath(redirect, target, prefixLength);
  if (path === null) {
    return { kind: "error", message: "a redirect that replaces a path prefix where none was matched" };
  }
  const location = `${scheme}://${authority}${path}`;
  const requested = `${target.scheme}://${authorityOf(target.host, target.port)}${withQuery(target.path, target.query)}`;
  if (sameUri(location, requested, authority.length + scheme.length)) return null;
  return { kind: "redirect", status: redirect.status ?? MOVED_PERMANENTLY, location };
}

/** The port is the filter's, else with the filter's host or scheme the request's, and left out where it is the scheme's own. */
function redirectAuthority(redirect: Redirect, target: RedirectTarget, scheme: string): string {
  const host = redirect.host ?? target.host;
  if (host === "") return "";
  // Host and port together are taken as they are.
  if (redirect.host !== null && redirect.port !== null) return authorityOf(host, redirect.port);
  if (redirect.host === null && redirect.port === null) return authorityOf(host, target.port);
  const port = redirect.port ?? target.port;
  return authorityOf(host, port === defaultPort(scheme) ? 0 : port);
}

function redirectPath(redirect: Redirect, target: RedirectTarget, prefixLength: number | null): string | null {
  if (redirect.path === null) return withQuery(target.path, target.query);
  if (redirect.path.kind === "full") return redirect.path.path;
  if (prefixLength === null || prefixLength > target.path.length) return null;
  const rest = target.path.slice(prefixLength);
  const joint = rest === "" || rest.startsWith("/") ? "" : "/";
  return withQuery(`${redirect.path.path}${joint}${rest}`, target.query);
}

/** Scheme and host are the same in any case (RFC 3986 §6.2.2.1). */
function sameUri(a: string, b: string, caselessLength: number): boolean {
  const head = caselessLength + "://".length;
  return a.slice(0, head).toLowerCase() === b.slice(0, head).toLowerCase() && a.slice(head) === b.slice(head);
}

function authorityOf(host: string, port: number): string {
  return port === 0 ? host : `${host}:${port}`;
}

function withQuery(path: string, query: string): string {
  return query === "" ? path : `${path}?${query}`;
}

function defaultPort(scheme: string): number {
  return scheme === "https" ? 443 : 80;
}
