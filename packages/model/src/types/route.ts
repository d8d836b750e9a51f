/** HTTP and gRPC routes of an outbound policy, as plain data. Contract: http_route, grpc_route, outbound.HttpRoute. */
import type { Meta } from "./endpoint.ts";
import type { BackoffParams, Distribution, HostMatch } from "./policy.ts";

export interface HttpRoute {
  meta: Meta;
  /** Empty matches every host. */
  hosts: HostMatch[];
  rules: HttpRule[];
}

export interface HttpRule {
  /** Any of them; empty matches every request. */
  matches: HttpMatch[];
  filters: HttpFilter[];
  backends: Distribution<HttpFilter>;
  timeouts: Timeouts;
  retry: HttpRetry | null;
  /** Whether l5d-timeout, l5d-retry-… request headers are honoured, and removed. */
  allowL5dHeaders: boolean;
}

export interface GrpcRoute {
  meta: Meta;
  hosts: HostMatch[];
  rules: GrpcRule[];
}

export interface GrpcRule {
  matches: GrpcMatch[];
  filters: GrpcFilter[];
  backends: Distribution<GrpcFilter>;
  timeouts: Timeouts;
  retry: GrpcRetry | null;
  allowL5dHeaders: boolean;
}

/** All that is given must match. */
export interface HttpMatch {
  path: PathMatch | null;
  headers: HeaderMatch[];
  query: QueryMatch[];
  method: string | null;
}

/** A call to `/service/method`; null matches any. */
export interface GrpcMatch {
  service: string | null;
  method: string | null;
  headers: HeaderMatch[];
}

export type PathMatch =
  | { kind: "exact"; path: string }
  /** Whole segments: `/a` matches `/a` and `/a/b`, not `/ab`. */
  | { kind: "prefix"; path: string }
  | { kind: "regex"; regex: string };

/** `name` in lower case. `value` is latin-1 text, a character for a byte; a regular expression must match all of it. */
export type HeaderMatch =
  | { kind: "exact"; name: string; value: string }
  | { kind: "regex"; name: string; regex: string };

export type QueryMatch =
  | { kind: "exact"; name: string; value: string }
  | { kind: "regex"; name: string; regex: string };

/** null is no limit. */
export interface Timeouts {
  /** The whole life of the stream. */
  requestMs: number | null;
  /** From the request's last byte to the response's last. */
  responseMs: number | null;
  /** No frame either way. */
  idleMs: number | null;
}

export interface HttpRetry {
  retriesMax: number;
  requestBytesMax: number;
  statuses: StatusRange[];
  /** How long one try may take to its response head. */
  timeoutMs: number | null;
  backoff: BackoffParams | null;
}

export interface GrpcRetry {
  retriesMax: number;
  requestBytesMax: number;
  /** gRPC status codes. */
  codes: number[];
  timeoutMs: number | null;
  backoff: BackoffParams | null;
}

/** Both ends count. */
export interface StatusRange {
  min: number;
  max: number;
}

export type HttpFilter =
  | { kind: "fail"; status: number; message: string; ratio: Ratio }
  | Redirect
  | RequestHeaders
  | ResponseHeaders
  | { kind: "error"; message: string };

export type GrpcFilter =
  | { kind: "grpc-fail"; code: number; message: string; ratio: Ratio }
  | RequestHeaders
  | ResponseHeaders
  | { kind: "error"; message: string };

/** How often, numerator of denominator. An absent ratio is 1 of 1; a denominator of 0, or less than the numerator, is invalid. */
export interface Ratio {
  numerator: number;
  denominator: number;
}

/** null keeps what the request has. */
export interface Redirect {
  kind: "redirect";
  scheme: string | null;
  host: string | null;
  port: number | null;
  path: { kind: "full" | "prefix"; path: string } | null;
  /** null: 301. */
  status: number | null;
}

/** Names in lower case, values latin-1 text. Order: add, set, remove. */
export interface HeaderEdits {
  add: [name: string, value: string][];
  set: [name: string, value: string][];
  remove: string[];
}

export interface RequestHeaders extends HeaderEdits {
  kind: "request-headers";
}

export interface ResponseHeaders extends HeaderEdits {
  kind: "response-headers";
}
