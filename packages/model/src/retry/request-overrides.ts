/**
 * What a request's own l5d-… headers say about its timeouts and retries. Honoured where the rule allows them; the
 * headers are removed then, and passed on untouched otherwise.
 */
import type { BackoffParams } from "../types/policy.ts";
import type { RequestFacts } from "../types/request.ts";
import type { StatusRange, Timeouts } from "../types/route.ts";
import { parseDuration } from "./duration.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/** To be removed from a request whose rule allows them. */
export const REQUEST_OVERRIDE_HEADERS: readonly string[] = [
  "l5d-timeout",
  "l5d-request-timeout",
  "l5d-response-timeout",
  "l5d-retry-http",
  "l5d-retry-grpc",
  "l5d-retry-limit",
  "l5d-retry-timeout",
];

/** For requests that ask for retries where the rule has none. */
const DEFAULT_RETRIES_MAX = 1;
const DEFAULT_REQUEST_BYTES_MAX = 65_536;
const DEFAULT_BACKOFF: BackoffParams = { minMs: 25, maxMs: 250, jitter: 1, respectRetryAfter: false };

/** The rule's timeouts with the request's own in their place; the same object when it names none. */
export function overrideTimeouts(timeouts: Timeouts, request: RequestFacts): Timeouts {
  const short = duration(request, "l5d-timeout");
  const requestMs = duration(request, "l5d-request-timeout") ?? short;
  const responseMs = duration(request, "l5d-response-timeout");
  if (requestMs === null && responseMs === null) return timeouts;
  return {
    requestMs: requestMs ?? timeouts.requestMs,
    responseMs: responseMs ?? timeouts.responseMs,
    idleMs: timeouts.idleMs,
  };
}

/** The rule's retries with what the request asks for; the same object when it asks for nothing. */
export function overrideRetry(policy: RetryPolicy | null, request: RequestFacts): RetryPolicy | null {
  const statuses = parsed(request, "l5d-retry-http", parseHttpConditions);
  const codes = parsed(request, "l5d-retry-grpc", parseGrpcConditions);
  const retriesMax = parsed(request, "l5d-retry-limit", parseCount);
  const timeoutMs = duration(request, "l5d-retry-timeout");
  if (statuses === null && codes === null && retriesMax === null && timeoutMs === null) return policy;
  return {
    statuses: statuses ?? policy?.statuses ?? null,
    codes: codes ?? policy?.codes ?? null,
    retriesMax: retriesMax ?? policy?.retriesMax ?? DEFAULT_RETRIES_MAX,
    timeoutMs: timeoutMs ?? policy?.timeoutMs ?? null,
    requestBytesMax: policy?.requestBytesMax ?? DEFAULT_REQUEST_BYTES_MAX,
    backoff: policy === null ? DEFAULT_BACKOFF : policy.backoff,
  };
}

/** `5xx`, `gateway-error` (502 to 504), a status or a range of them, separated by commas; others are left out. */
export function parseHttpConditions(text: string): StatusRange[] {
  const ranges: StatusRange[] = [];
  for (const condition of text.split(",")) {
    const name = condition.toLowerCase();
    if (name === "5xx") ranges.push({ min: 500, max: 599 });
    else if (name === "gateway-error") ranges.push({ min: 502, max: 504 });
    else {
      const parts = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(name);
      const min = Number(parts?.[1]);
      const max = Number(parts?.[2] ?? parts?.[1]);
      if (min <= max) ranges.push({ min, max });
    }
  }
  return ranges;
}

/** Names of gRPC codes that may be retried, separated by commas; others are left out. */
export function parseGrpcConditions(text: string): number[] {
  const codes: number[] = [];
  for (const condition of text.split(",")) {
    const code = GRPC_CONDITIONS.get(condition.toLowerCase());
    if (code !== undefined) codes.push(code);
  }
  return codes;
}

const GRPC_CONDITIONS: ReadonlyMap<string, number> = new Map([
  ["cancelled", 1],
  ["deadline-exceeded", 4],
  ["resource-exhausted", 8],
  ["internal", 13],
  ["unavailable", 14],
]);

function parseCount(text: string): number | null {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}

function duration(request: RequestFacts, name: string): number | null {
  return parsed(request, name, parseDuration);
}

function parsed<T>(request: RequestFacts, name: string, parse: (text: string) => T | null): T | null {
  const value = request.header(name, 0);
  return value === null ? null : parse(value);
}
