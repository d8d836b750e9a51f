import { describe, expect, test } from "bun:test";
import { outbound } from "@bowline/contracts/proto";
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { InvalidMessage } from "./invalid-message.ts";
import { convertPolicy } from "./policy.ts";

const META = { resource: { group: "core", kind: "Service", name: "web", namespace: "ns", port: 80 } };
const ROUTE_META = { resource: { group: "policy.linkerd.io", kind: "HTTPRoute", name: "web-r", namespace: "ns" } };
const QUEUE = { capacity: 100, failfastTimeout: "3s" };
const BALANCER = {
  discovery: { dst: { path: "web.ns.svc.cluster.local:80" } },
  peakEwma: { defaultRtt: "0.030s", decay: "10s" },
};
const BACKEND = { metadata: META, queue: QUEUE, balancer: BALANCER };
const FORWARD = { metadata: META, queue: QUEUE, forward: { addr: { ip: { ipv4: 0x0a01_0203 }, port: 8080 } } };
const BACKENDS = { firstAvailable: { backends: [{ backend: BACKEND }] } };
const RULE = { backends: BACKENDS };
const BACKOFF = { minBackoff: "1s", maxBackoff: "60s", jitterRatio: 0.5 };

const httpRoute = (rule: JsonObject, route: JsonObject = {}): JsonObject => ({
  metadata: ROUTE_META,
  rules: [{ ...RULE, ...rule }],
  ...route,
});
const policy = (protocol: JsonObject): JsonObject => ({ metadata: META, protocol });
const http1 = (rule: JsonObject, route: JsonObject = {}): JsonObject =>
  policy({ http1: { routes: [httpRoute(rule, route)] } });
const grpc = (rule: JsonObject): JsonObject => policy({ grpc: { routes: [httpRoute(rule)] } });
const accrual = (failureAccrual: JsonObject): JsonObject => policy({ http1: { failureAccrual } });
const backend = (one: JsonObject): JsonObject =>
  http1({ backends: { firstAvailable: { backends: [{ backend: one }] } } });
const filter = (one: JsonObject): JsonObject => http1({ filters: [one] });
const match = (one: JsonObject): JsonObject => http1({ matches: [one] });

function convert(json: JsonValue, note: (text: string) => void = () => {}) {
  return convertPolicy(fromJson(outbound.OutboundPolicySchema, json), note);
}

/** What every route has that does not say otherwise. */
const MODEL_META = { group: "core", kind: "Service", namespace: "ns", name: "web", port: 80, section: "" };
const MODEL_ROUTE_META = { ...MODEL_META, group: "policy.linkerd.io", kind: "HTTPRoute", name: "web-r", port: 0 };
const MODEL_BACKEND = {
  meta: MODEL_META,
  queue: { capacity: 100, failfastTimeoutMs: 3_000 },
  dispatcher: {
    kind: "balance",
    path: "web.ns.svc.cluster.local:80",
    load: { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 },
  },
};
const MODEL_BACKENDS = { kind: "first", backends: [{ backend: MODEL_BACKEND, filters: [] }] };
const MODEL_RULE = {
  matches: [],
  filters: [],
  backends: MODEL_BACKENDS,
  timeouts: { requestMs: null, responseMs: null, idleMs: null },
  retry: null,
  allowL5dHeaders: false,
};

describe("protocols", () => {
  const HTTP = { routes: [httpRoute({})] };
  const MODEL_HTTP = { routes: [{ meta: MODEL_ROUTE_META, hosts: [], rules: [MODEL_RULE] }], accrual: null };
  const OPAQUE = { routes: [{ metadata: ROUTE_META, rules: [RULE] }] };
  const MODEL_OPAQUE_ROUTE = { meta: MODEL_ROUTE_META, filters: [], backends: MODEL_BACKENDS };
  const rows: { name: string; protocol: JsonObject; want: unknown }[] = [
    { name: "http1", protocol: { http1: HTTP }, want: { kind: "http1", ...MODEL_HTTP } },
    { name: "http2", protocol: { http2: HTTP }, want: { kind: "http2", ...MODEL_HTTP } },
    { name: "grpc", protocol: { grpc: HTTP }, want: { kind: "grpc", ...MODEL_HTTP } },
    { name: "opaque", protocol: { opaque: OPAQUE }, want: { kind: "opaque", routes: [MODEL_OPAQUE_ROUTE] } },
    { name: "opaque without a route", protocol: { opaque: {} }, want: { kind: "opaque", routes: [] } },
    {
      name: "tls",
      protocol: { tls: { routes: [{ ...OPAQUE.routes[0], snis: [{ suffix: { reverseLabels: ["com", "a"] } }] }] } },
      want: {
        kind: "tls",
        routes: [{ ...MODEL_OPAQUE_ROUTE, snis: [{ kind: "suffix", reverseLabels: ["com", "a"] }] }],
      },
    },
    {
      name: "detect",
      protocol: { detect: { timeout: "10s", http1: HTTP, http2: {}, opaque: OPAQUE } },
      want: {
        kind: "detect",
        timeoutMs: 10_000,
        http1: MODEL_HTTP,
        http2: { routes: [], accrual: null },
        opaque: { routes: [MODEL_OPAQUE_ROUTE] },
      },
    },
  ];
  test.each(rows)("$name", ({ protocol, want }) => {
    expect<unknown>(convert(policy(protocol))).toEqual({ meta: MODEL_META, protocol: want });
  });
});

describe("parts of an HTTP rule", () => {
  const rows: { name: string; rule: JsonObject; want: unknown }[] = [
    {
      name: "matches",
      rule: {
        matches: [
          { path: { exact: "/a" }, method: { registered: "POST" } },
          { path: { prefix: "/b" }, method: { unregistered: "PURGE" } },
          { path: { regex: "/c.*" } },
          {
            headers: [
              { name: "X-A", exact: btoa("ä".normalize("NFC")) },
              { name: "b", regex: "x|y" },
            ],
          },
          {
            queryParams: [
              { name: "q", exact: "1" },
              { name: "r", regex: "[0-9]+" },
            ],
          },
        ],
      },
      want: {
        matches: [
          { path: { kind: "exact", path: "/a" }, method: "POST", headers: [], query: [] },
          { path: { kind: "prefix", path: "/b" }, method: "PURGE", headers: [], query: [] },
          { path: { kind: "regex", regex: "/c.*" }, method: null, headers: [], query: [] },
          {
            path: null,
            method: null,
            headers: [
              { kind: "exact", name: "x-a", value: "ä" },
              { kind: "regex", name: "b", regex: "x|y" },
            ],
            query: [],
          },
          {
            path: null,
            method: null,
            headers: [],
            query: [
              { kind: "exact", name: "q", value: "1" },
              { kind: "regex", name: "r", regex: "[0-9]+" },
            ],
          },
        ],
      },
    },
    {
      name: "filters",
      rule: {
        filters: [
          { failureInjector: { status: 503, message: "no", ratio: { numerator: 1, denominator: 4 } } },
          { failureInjector: { status: 500 } },
          {
            requestHeaderModifier: {
              add: { headers: [{ name: "X-B", value: btoa("1") }] },
              set: { headers: [{ name: "c", value: btoa("2") }] },
              remove: ["D"],
            },
          },
          { responseHeaderModifier: { remove: ["e"] } },
          {
            redirect: {
              scheme: { registered: "HTTPS" },
              host: "a.example",
              port: 8443,
              path: { prefix: "/x" },
              status: 308,
            },
          },
          { redirect: {} },
        ],
      },
      want: {
        filters: [
          { kind: "fail", status: 503, message: "no", ratio: { numerator: 1, denominator: 4 } },
          { kind: "fail", status: 500, message: "", ratio: { numerator: 1, denominator: 1 } },
          { kind: "request-headers", add: [["x-b", "1"]], set: [["c", "2"]], remove: ["d"] },
          { kind: "response-headers", add: [], set: [], remove: ["e"] },
          {
            kind: "redirect",
            scheme: "https",
            host: "a.example",
            port: 8443,
            path: { kind: "prefix", path: "/x" },
            status: 308,
          },
          { kind: "redirect", scheme: null, host: null, port: null, path: null, status: null },
        ],
      },
    },
    {
      name: "timeouts",
      rule: { timeouts: { request: "1s", response: "0.5s", idle: "2s" }, requestTimeout: "9s" },
      want: { timeouts: { requestMs: 1_000, responseMs: 500, idleMs: 2_000 } },
    },
    {
      name: "the older form of the request's timeout",
      rule: { requestTimeout: "9s" },
      want: { timeouts: { requestMs: 9_000, responseMs: null, idleMs: null } },
    },
    {
      name: "retries",
      rule: {
        retry: {
          maxRetries: 2,
          maxRequestBytes: 1024,
          conditions: { statusRanges: [{ start: 500, end: 599 }] },
          timeout: "0.1s",
          backoff: BACKOFF,
        },
        allowL5dRequestHeaders: true,
      },
      want: {
        retry: {
          retriesMax: 2,
          requestBytesMax: 1024,
          statuses: [{ min: 500, max: 599 }],
          timeoutMs: 100,
          backoff: { minMs: 1_000, maxMs: 60_000, jitter: 0.5, respectRetryAfter: false },
        },
        allowL5dHeaders: true,
      },
    },
    {
      name: "a weighted distribution",
      rule: {
        backends: {
          randomAvailable: {
            backends: [{ weight: 3, backend: { backend: BACKEND, filters: [{ failureInjector: { status: 418 } }] } }],
          },
        },
      },
      want: {
        backends: {
          kind: "random",
          backends: [
            {
              backend: MODEL_BACKEND,
              filters: [{ kind: "fail", status: 418, message: "", ratio: { numerator: 1, denominator: 1 } }],
              weight: 3,
            },
          ],
        },
      },
    },
    { name: "nowhere to send to", rule: { backends: { empty: {} } }, want: { backends: { kind: "empty" } } },
  ];
  test.each(rows)("$name", ({ rule, want }) => {
    const { protocol } = convert(http1(rule));
    const route = protocol.kind === "http1" ? protocol.routes[0] : null;
    expect<unknown>(route?.rules[0]).toEqual({ ...MODEL_RULE, ...(want as object) });
  });

  test("hosts", () => {
    const hosts = [{ exact: "a.example" }, { suffix: { reverseLabels: ["example", "b"] } }];
    const { protocol } = convert(http1({}, { hosts }));
    expect(protocol.kind === "http1" && protocol.routes[0]?.hosts).toEqual([
      { kind: "exact", host: "a.example" },
      { kind: "suffix", reverseLabels: ["example", "b"] },
    ]);
  });
});

test("parts of a gRPC rule", () => {
  const { protocol } = convert(
    grpc({
      matches: [{ rpc: { service: "a.B" } }, { rpc: { method: "M" }, headers: [{ name: "h", regex: "." }] }],
      filters: [{ failureInjector: { code: 14, message: "no" } }, { requestHeaderModifier: { remove: ["x"] } }],
      retry: { maxRetries: 1, conditions: { cancelled: true, deadineExceeded: true, unavailable: true } },
    }),
  );
  expect<unknown>(protocol.kind === "grpc" && protocol.routes[0]?.rules[0]).toEqual({
    ...MODEL_RULE,
    matches: [
      { service: "a.B", method: null, headers: [] },
      { service: null, method: "M", headers: [{ kind: "regex", name: "h", regex: "." }] },
    ],
    filters: [
      { kind: "grpc-fail", code: 14, message: "no", ratio: { numerator: 1, denominator: 1 } },
      { kind: "request-headers", add: [], set: [], remove: ["x"] },
    ],
    retry: { retriesMax: 1, requestBytesMax: 0, codes: [1, 4, 14], timeoutMs: null, backoff: null },
  });
});

describe("backends", () => {
  const FAILING_RESOURCE = { metadata: META, queue: QUEUE };
  const FAILING_DEFAULT = { metadata: { default: "x" }, queue: QUEUE };
  const rows: { name: string; backend: JsonObject; want: unknown }[] = [
    {
      name: "a balancer that penalises, with defaults",
      backend: {
        ...BACKEND,
        balancer: { ...BALANCER, peakEwma: undefined, penaltyPeakEwma: { penalty: "1s" } } as never,
      },
      want: {
        kind: "balance",
        path: "web.ns.svc.cluster.local:80",
        load: {
          kind: "penalty-peak-ewma",
          defaultRttMs: 30,
          decayMs: 10_000,
          penaltyMs: 1_000,
          penaltyDecayMs: 10_000,
          retryAfterMaxMs: 300_000,
        },
      },
    },
    {
      name: "one endpoint",
      backend: FORWARD,
      want: {
        kind: "forward",
        endpoint: {
          ip: "10.1.2.3",
          port: 8080,
          weight: 0,
          labels: {},
          tlsIdentity: null,
          hint: null,
          opaqueTransportPort: null,
          authorityOverride: null,
          http2: null,
        },
      },
    },
    {
      name: "neither",
      backend: FAILING_RESOURCE,
      want: { kind: "fail", message: "backend for Service ns/web has no dispatcher" },
    },
    {
      name: "neither, of a default",
      backend: FAILING_DEFAULT,
      want: { kind: "fail", message: "backend for default x has no dispatcher" },
    },
  ];
  test.each(rows)("$name", ({ backend: one, want }) => {
    const { protocol } = convert(backend(JSON.parse(JSON.stringify(one))));
    const backends = protocol.kind === "http1" ? protocol.routes[0]?.rules[0]?.backends : null;
    expect<unknown>(backends?.kind === "first" && backends.backends[0]?.backend.dispatcher).toEqual(want);
  });

  test("a flaw of an endpoint that can be used without it is noted", () => {
    const notes: string[] = [];
    const tlsIdentity = { uriLikeIdentity: { uri: "spiffe://td/x" } };
    convert(backend({ ...FORWARD, forward: { ...FORWARD.forward, tlsIdentity } }), (text) => notes.push(text));
    expect(notes).toEqual(['no server name for the URI identity "spiffe://td/x"']);
  });
});

describe("failure accrual", () => {
  const MODEL_BACKOFF = { minMs: 1_000, maxMs: 60_000, jitter: 0.5, respectRetryAfter: false };
  const rows: { name: string; accrual: JsonObject; want: unknown }[] = [
    {
      name: "consecutive",
      accrual: { consecutiveFailures: { maxFailures: 7, backoff: BACKOFF }, ejection: { minReadyEndpoints: 2 } },
      want: { kind: "consecutive", failuresMax: 7, backoff: MODEL_BACKOFF, readyEndpointsMin: 2 },
    },
    {
      name: "unified, its rate in steps of a hundredth of a percent",
      accrual: { unified: { successRateThreshold: 0.90004, minRequests: 10, decay: "5s", backoff: BACKOFF } },
      want: {
        kind: "unified",
        successRateMin: 0.9,
        windowMs: 5_000,
        requestsMin: 10,
        consecutiveFailuresMax: 0,
        backoff: MODEL_BACKOFF,
        readyEndpointsMin: 0,
      },
    },
    {
      name: "unified without a rate takes any window",
      accrual: { unified: { maxConsecutiveFailures: 3, decay: "0.001s", backoff: BACKOFF } },
      want: {
        kind: "unified",
        successRateMin: 0,
        windowMs: 1,
        requestsMin: 0,
        consecutiveFailuresMax: 3,
        backoff: MODEL_BACKOFF,
        readyEndpointsMin: 0,
      },
    },
  ];
  test.each(rows)("$name", ({ accrual: one, want }) => {
    const { protocol } = convert(accrual(one));
    expect<unknown>(protocol.kind === "http1" && protocol.accrual).toEqual(want);
  });
});

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
