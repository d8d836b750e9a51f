import { describe, expect, test } from "bun:test";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import {
  accrual,
  BACKEND,
  BACKOFF,
  BALANCER,
  backend,
  convert,
  FORWARD,
  filter,
  grpc,
  http1,
  META,
  match,
  policy,
  QUEUE,
  ROUTE_META,
  RULE,
} from "../testing/policy-json.ts";
import { InvalidMessage } from "./invalid-message.ts";

describe("what cannot be followed is invalid", () => {
  const unified = (one: JsonObject): JsonObject => accrual({ unified: { backoff: BACKOFF, ...one } });
  const backoff = (one: JsonObject): JsonObject => accrual({ consecutiveFailures: { backoff: one } });
  const opaque = (...routes: JsonObject[]): JsonObject => policy({ opaque: { routes } });
  const DISTRIBUTION = "HTTP route: invalid distribution:";
  const BACKEND_TEXT = `${DISTRIBUTION} invalid backend:`;
  const ACCRUAL = "HTTP route: invalid failure accrual policy:";
  const rows: { policy: JsonObject; want: string }[] = [
    { policy: { protocol: { http1: {} } }, want: "metadata: missing metadata" },
    { policy: { metadata: {}, protocol: { http1: {} } }, want: "metadata: missing kind" },
    { policy: { metadata: META }, want: "!missing protocol" },
    { policy: policy({}), want: "ProxyProtocol: missing kind" },
    { policy: policy({ detect: {} }), want: "ProxyProtocol: missing protocol detection timeout" },
    {
      policy: policy({ detect: { timeout: "-1s" } }),
      want: "ProxyProtocol: invalid protocol detection timeout: negative duration",
    },
    { policy: policy({ detect: { timeout: "1s" } }), want: "ProxyProtocol: missing HTTP/1 configuration" },
    { policy: policy({ detect: { timeout: "1s", http1: {} } }), want: "ProxyProtocol: missing HTTP/2 configuration" },
    {
      policy: policy({ detect: { timeout: "1s", http1: {}, http2: {} } }),
      want: "ProxyProtocol: missing opaque configuration",
    },
    { policy: policy({ http1: { routes: [{}] } }), want: "HTTP route: invalid metadata: missing metadata" },
    ...["group", "kind", "name", "namespace"].map((field) => ({
      policy: { metadata: { resource: { ...META.resource, [field]: "" } }, protocol: { http1: {} } },
      want: `metadata: ${field} must not be empty`,
    })),
    { policy: http1({}, { hosts: [{}] }), want: "HTTP route: invalid host match: missing match" },

    { policy: match({ path: {} }), want: "HTTP route: invalid route match: invalid path match: missing match" },
    { policy: match({ headers: [{ name: "a b", regex: "" }] }), want: '!"a b" is not a header name' },
    {
      policy: match({ headers: [{ name: "a" }] }),
      want: "HTTP route: invalid route match: invalid header match: missing value match",
    },
    {
      policy: match({ headers: [{ name: "a", exact: btoa("\n") }] }),
      want: "!a header value holds control characters",
    },
    { policy: match({ headers: [{ name: "a", regex: "(" }] }), want: "!regular expression" },
    { policy: match({ path: { regex: "[" } }), want: "!regular expression" },
    {
      policy: match({ queryParams: [{ exact: "" }] }),
      want: "HTTP route: invalid route match: invalid query param match: missing name",
    },
    { policy: match({ queryParams: [{ name: "q" }] }), want: "!invalid query param match: missing value match" },
    { policy: match({ method: {} }), want: "HTTP route: invalid route match: missing method" },
    { policy: match({ method: { unregistered: "a b" } }), want: '!"a b" is not a method' },
    { policy: grpc({ matches: [{}] }), want: "gRPC route: invalid route match: missing RPC match" },

    { policy: filter({}), want: "HTTP route: invalid filter: missing filter kind" },
    { policy: grpc({ filters: [{}] }), want: "gRPC route: invalid filter: missing filter kind" },
    {
      policy: filter({ failureInjector: { status: 99 } }),
      want: "HTTP route: invalid filter: invalid failure injector: 99 is not a status code",
    },
    {
      policy: filter({ failureInjector: { status: 500, ratio: { numerator: 1 } } }),
      want: "!invalid ratio: 1 of 0",
    },
    {
      policy: filter({ failureInjector: { status: 500, ratio: { numerator: 3, denominator: 2 } } }),
      want: "!invalid ratio: 3 of 2",
    },
    { policy: grpc({ filters: [{ failureInjector: { code: 65_536 } }] }), want: "!65536 is not a gRPC status code" },
    {
      policy: filter({ requestHeaderModifier: { remove: [""] } }),
      want: '!invalid header modifier: "" is not a header name',
    },
    {
      policy: filter({ responseHeaderModifier: { set: { headers: [{ name: "a", value: btoa("\r") }] } } }),
      want: "!a header value holds control characters",
    },
    {
      policy: filter({ redirect: { path: { full: "a" } } }),
      want: "HTTP route: invalid filter: invalid redirect: redirect paths must be absolute",
    },
    { policy: filter({ redirect: { status: 20 } }), want: "!invalid redirect: 20 is not a status code" },
    { policy: filter({ redirect: { port: 65_536 } }), want: "!invalid redirect: 65536 is not a port" },
    { policy: filter({ redirect: { host: "a/b" } }), want: '!invalid redirect: "a/b" is not a host' },
    { policy: filter({ redirect: { scheme: {} } }), want: "!invalid redirect: missing scheme" },
    { policy: filter({ redirect: { scheme: { unregistered: "1" } } }), want: '!invalid redirect: "1" is not a scheme' },

    { policy: http1({ backends: null }), want: "HTTP route: missing distribution" },
    { policy: http1({ backends: {} }), want: `${DISTRIBUTION} missing distribution kind` },
    {
      policy: http1({ backends: { firstAvailable: {} } }),
      want: `${DISTRIBUTION} a FirstAvailable distribution may not be empty`,
    },
    {
      policy: http1({ backends: { randomAvailable: {} } }),
      want: `${DISTRIBUTION} a RandomAvailable distribution may not be empty`,
    },
    {
      policy: http1({ backends: { randomAvailable: { backends: [{ weight: 1 }] } } }),
      want: `${DISTRIBUTION} missing backend of a weighted backend`,
    },
    { policy: http1({ backends: { firstAvailable: { backends: [{}] } } }), want: `${BACKEND_TEXT} missing backend` },
    { policy: backend({ queue: QUEUE }), want: `${BACKEND_TEXT} invalid metadata: missing metadata` },
    { policy: backend({ ...BACKEND, queue: null }), want: `${BACKEND_TEXT} missing queue` },
    { policy: backend({ ...BACKEND, queue: {} }), want: `${BACKEND_TEXT} missing queue failfast timeout` },
    {
      policy: backend({ ...FORWARD, forward: {} }),
      want: `${BACKEND_TEXT} invalid forward endpoint`,
    },
    { policy: backend({ ...BACKEND, balancer: {} }), want: `${BACKEND_TEXT} missing balancer discovery` },
    {
      policy: backend({ ...BACKEND, balancer: { discovery: {} } }),
      want: `${BACKEND_TEXT} missing discovery kind`,
    },
    {
      policy: backend({ ...BACKEND, balancer: { discovery: BALANCER.discovery } }),
      want: `${BACKEND_TEXT} missing balancer load`,
    },
    {
      policy: backend({ ...BACKEND, balancer: { ...BALANCER, peakEwma: {} } }),
      want: `${BACKEND_TEXT} missing peak EWMA default RTT`,
    },
    {
      policy: backend({ ...BACKEND, balancer: { ...BALANCER, peakEwma: { defaultRtt: "1s", decay: "-1s" } } }),
      want: `${BACKEND_TEXT} invalid peak EWMA decay: negative duration`,
    },

    { policy: http1({ timeouts: { request: "-1s" } }), want: "HTTP route: invalid request timeout: negative duration" },
    {
      policy: http1({ timeouts: { response: "-1s" } }),
      want: "HTTP route: invalid response timeout: negative duration",
    },
    { policy: http1({ timeouts: { idle: "-1s" } }), want: "HTTP route: invalid idle timeout: negative duration" },
    { policy: http1({ requestTimeout: "-1s" }), want: "HTTP route: invalid request timeout: negative duration" },
    { policy: http1({ retry: {} }), want: "HTTP route: invalid retry: missing conditions" },
    { policy: grpc({ retry: {} }), want: "gRPC route: invalid retry: missing conditions" },
    {
      policy: http1({ retry: { maxRetries: 65_536, conditions: {} } }),
      want: "HTTP route: invalid retry: invalid max-retries: 65536",
    },
    ...[
      [0, 5],
      [500, 600],
      [503, 500],
    ].map(([start = 0, end = 0]) => ({
      policy: http1({ retry: { conditions: { statusRanges: [{ start, end }] } } }),
      want: `HTTP route: invalid retry: invalid condition: statuses ${start} to ${end}`,
    })),
    {
      policy: http1({ retry: { conditions: {}, timeout: "-1s" } }),
      want: "HTTP route: invalid retry: invalid timeout: negative duration",
    },
    {
      policy: http1({ retry: { conditions: {}, backoff: {} } }),
      want: "HTTP route: invalid retry: invalid backoff: missing min_backoff",
    },

    { policy: accrual({}), want: `${ACCRUAL} missing kind` },
    { policy: accrual({ consecutiveFailures: {} }), want: `${ACCRUAL} missing consecutive failures backoff` },
    { policy: accrual({ unified: {} }), want: `${ACCRUAL} missing unified backoff` },
    { policy: backoff({ maxBackoff: "1s" }), want: `${ACCRUAL} invalid backoff: missing min_backoff` },
    { policy: backoff({ minBackoff: "1s" }), want: `${ACCRUAL} invalid backoff: missing max_backoff` },
    {
      policy: backoff({ minBackoff: "2s", maxBackoff: "1s" }),
      want: `${ACCRUAL} invalid backoff: the maximum back-off is less than the minimum`,
    },
    {
      policy: backoff({ minBackoff: "0s", maxBackoff: "0s" }),
      want: `${ACCRUAL} invalid backoff: the maximum back-off is zero`,
    },
    ...[-1, 101, "NaN"].map((jitterRatio) => ({
      policy: backoff({ ...BACKOFF, jitterRatio }),
      want: `${ACCRUAL} invalid backoff: the jitter is not between 0 and 100`,
    })),
    ...[-0.1, 1.1, "NaN"].map((successRateThreshold) => ({
      policy: unified({ successRateThreshold }),
      want: `${ACCRUAL} success rate threshold must be between 0.0 and 1.0`,
    })),
    {
      policy: unified({ successRateThreshold: 0.5, decay: "0.009s" }),
      want: `${ACCRUAL} success rate window is below the minimum length`,
    },
    { policy: unified({ decay: "-1s" }), want: `${ACCRUAL} invalid success-rate window: negative duration` },
    { policy: unified({ minRequests: 1_000_001 }), want: `${ACCRUAL} success rate min_requests exceeds the maximum` },

    {
      policy: opaque({ metadata: ROUTE_META, rules: [RULE] }, { metadata: ROUTE_META, rules: [RULE] }),
      want: "opaque route: at most one route can be used, but 2 were provided",
    },
    {
      policy: opaque({ metadata: ROUTE_META }),
      want: "opaque route: a route must have exactly one rule, but 0 were provided",
    },
    {
      policy: policy({ tls: { routes: [{ metadata: ROUTE_META, rules: [RULE, RULE] }] } }),
      want: "TLS route: a route must have exactly one rule, but 2 were provided",
    },
    {
      policy: policy({ tls: { routes: [{ metadata: ROUTE_META, rules: [RULE], snis: [{}] }] } }),
      want: "TLS route: invalid host match: missing match",
    },
    {
      policy: opaque({ metadata: ROUTE_META, rules: [{ ...RULE, filters: [{}] }] }),
      want: "opaque route: invalid filter: missing filter kind",
    },
  ];

  test.each(rows)("$want", ({ policy: one, want }) => {
    const message = invalidBecause(JSON.parse(JSON.stringify(one)));
    // What begins with an exclamation mark is a part of the message instead of all of it.
    if (want.startsWith("!")) expect(message).toContain(want.slice(1));
    else expect(message).toBe(`invalid policy: invalid ${want}`);
  });
});

function invalidBecause(json: JsonValue): string {
  try {
    convert(json);
  } catch (error) {
    if (error instanceof InvalidMessage) return error.message;
    throw error;
  }
  throw new Error("the policy is valid");
}
