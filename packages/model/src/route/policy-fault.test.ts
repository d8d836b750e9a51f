import { describe, expect, test } from "bun:test";
import type { Distribution, FailureAccrual, OutboundProtocol } from "../types/policy.ts";
import type { GrpcRoute, HttpFilter, HttpRoute } from "../types/route.ts";
import { policyFault } from "./policy-fault.ts";
import { grpcRoute, httpRoute, meta } from "./request.case.test.ts";

const BACKEND = {
  backend: { meta: meta("b"), queue: { capacity: 1, failfastTimeoutMs: 1 }, dispatcher: { kind: "fail", message: "" } },
} as const;
const ACCRUAL: FailureAccrual = {
  kind: "unified",
  successRateMin: 0.5,
  windowMs: 10_000,
  requestsMin: 1,
  consecutiveFailuresMax: 0,
  backoff: { minMs: 1, maxMs: 2, jitter: 0, respectRetryAfter: false },
  readyEndpointsMin: 0,
};
const BAD_PATTERN = httpRoute("r", [], [{ path: { kind: "regex", regex: "/(" } }]);
const GOOD = httpRoute("r", [], [{ path: { kind: "regex", regex: "/.*" } }]);

function withRule(change: Partial<HttpRoute["rules"][number]>): HttpRoute {
  return { ...GOOD, rules: GOOD.rules.map((rule) => ({ ...rule, ...change })) };
}

function withFilter(filter: HttpFilter): HttpRoute {
  return withRule({ filters: [filter] });
}

function withBackends(backends: Distribution<never>): HttpRoute {
  return withRule({ backends });
}

describe("policyFault of HTTP routes", () => {
  const half = { numerator: 1, denominator: 0 };
  const relative = { kind: "full", path: "new" } as const;
  const redirect = { kind: "redirect", scheme: null, host: null, port: null, status: null, path: relative } as const;
  const retry = { retriesMax: 1, requestBytesMax: 1, statuses: [], timeoutMs: null };
  const backoff = { minMs: 5, maxMs: 2, jitter: 0, respectRetryAfter: false };
  const rows: { name: string; route: HttpRoute; accrual?: FailureAccrual; want: string | null }[] = [
    { name: "nothing", route: GOOD, accrual: ACCRUAL, want: null },
    { name: "an expression", route: BAD_PATTERN, want: '"/("' },
    { name: "a ratio", route: withFilter({ kind: "fail", status: 500, message: "", ratio: half }), want: "1 in 0" },
    { name: "a redirect", route: withFilter(redirect), want: '"new"' },
    { name: "no backends", route: withBackends({ kind: "first", backends: [] }), want: "no backends" },
    {
      name: "no weight",
      route: withBackends({ kind: "random", backends: [{ ...BACKEND, filters: [], weight: 0 }] }),
      want: null,
    },
    {
      name: "a backend's filter",
      route: withRule({ backends: { kind: "first", backends: [{ ...BACKEND, filters: [redirect] }] } }),
      want: '"new"',
    },
    { name: "a retry's back-off", route: withRule({ retry: { ...retry, backoff } }), want: "less than the minimum" },
    { name: "an accrual's back-off", route: GOOD, accrual: { ...ACCRUAL, backoff }, want: "less than the minimum" },
    {
      name: "an accrual's rate",
      route: GOOD,
      accrual: { ...ACCRUAL, successRateMin: 1.5 },
      want: "success rate of 1.5",
    },
  ];
  for (const { name, route, accrual = null, want } of rows) {
    test(name, () => {
      const http = { routes: [GOOD, route], accrual };
      const good = { routes: [GOOD], accrual: null };
      const opaque = { routes: [] };
      expectFault({ kind: "http1", ...http }, want);
      expectFault({ kind: "http2", ...http }, want);
      expectFault({ kind: "detect", timeoutMs: 1, opaque, http1: http, http2: good }, want);
      expectFault({ kind: "detect", timeoutMs: 1, opaque, http1: good, http2: http }, want);
    });
  }
});

test("policyFault of gRPC routes", () => {
  const bad: GrpcRoute = grpcRoute("r", [], [{ headers: [{ kind: "regex", name: "x", regex: "(" }] }]);
  expectFault({ kind: "grpc", routes: [grpcRoute("r", [], [])], accrual: ACCRUAL }, null);
  expectFault({ kind: "grpc", routes: [bad], accrual: null }, '"("');
  const accrual = { ...ACCRUAL, successRateMin: -1 };
  expectFault({ kind: "grpc", routes: [], accrual }, "success rate of -1");
});

test("policyFault of opaque and TLS routes", () => {
  const route = { meta: meta("r"), filters: [], backends: { kind: "empty" } } as const;
  const bad = { ...route, backends: { kind: "first", backends: [] } } as const;
  const http = { routes: [], accrual: null };
  expectFault({ kind: "opaque", routes: [{ ...route, filters: [] }] }, null);
  expectFault(
    {
      kind: "opaque",
      routes: [
        { ...route, filters: [] },
        { ...route, filters: [] },
      ],
    },
    "2 routes",
  );
  const opaque = { routes: [{ ...bad, filters: [], backends: { kind: "first" as const, backends: [] } }] };
  expectFault({ kind: "opaque", ...opaque }, "no backends");
  expectFault({ kind: "detect", timeoutMs: 1, opaque, http1: http, http2: http }, "no backends");
  expectFault({ kind: "tls", routes: opaque.routes.map((each) => ({ ...each, snis: [] })) }, "no backends");
});

function expectFault(protocol: OutboundProtocol, want: string | null): void {
  const fault = policyFault({ meta: meta("p"), protocol });
  if (want === null) expect(fault).toBeNull();
  else expect(fault).toContain(want);
}
