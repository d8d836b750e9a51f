import { describe, expect, test } from "bun:test";
import type { JsonObject } from "@bufbuild/protobuf";
import {
  accrual,
  BACKEND,
  BACKOFF,
  BALANCER,
  backend,
  convert,
  FORWARD,
  grpc,
  http1,
  httpRoute,
  META,
  policy,
  QUEUE,
  ROUTE_META,
  RULE,
} from "../testing/policy-json.ts";

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
