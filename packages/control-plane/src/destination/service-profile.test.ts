import { describe, expect, test } from "bun:test";
import { destination } from "@bowline/contracts/proto";
import { create, toJson } from "@bufbuild/protobuf";
import type { RequestMatchSpec, ResponseMatchSpec, ServiceProfileSpec } from "./objects.ts";
import { convertServiceProfile } from "./service-profile.ts";
import * as make from "./testing/objects.ts";

function convert(spec: ServiceProfileSpec): Record<string, unknown> {
  const contents = convertServiceProfile(make.serviceProfile("svc", spec), 8080);
  const message = create(destination.DestinationProfileSchema, contents);
  return toJson(destination.DestinationProfileSchema, message) as Record<string, unknown>;
}

const route = (condition: RequestMatchSpec): ServiceProfileSpec => ({ routes: [{ name: "r", condition }] });
const classOf = (condition: ResponseMatchSpec): ServiceProfileSpec => {
  return { routes: [{ name: "r", condition: { method: "GET" }, responseClasses: [{ condition, isFailure: true }] }] };
};

describe("request matches", () => {
  const rows: { name: string; condition: RequestMatchSpec; want: object }[] = [
    { name: "a path", condition: { pathRegex: "/a/.*" }, want: { path: { regex: "/a/.*" } } },
    { name: "a method", condition: { method: "get" }, want: { method: {} } },
    { name: "another method", condition: { method: "POST" }, want: { method: { registered: "POST" } } },
    { name: "an unusual method", condition: { method: "purge" }, want: { method: { unregistered: "PURGE" } } },
    { name: "not", condition: { not: { pathRegex: "/a" } }, want: { not: { path: { regex: "/a" } } } },
    {
      name: "any",
      condition: { any: [{ pathRegex: "/a" }, { pathRegex: "/b" }] },
      want: { any: { matches: [{ path: { regex: "/a" } }, { path: { regex: "/b" } }] } },
    },
    {
      name: "several fields mean all of them",
      condition: { method: "PUT", pathRegex: "/a" },
      want: { all: { matches: [{ method: { registered: "PUT" } }, { path: { regex: "/a" } }] } },
    },
  ];
  for (const { name, condition, want } of rows) {
    test(name, () => {
      const [made] = convert(route(condition))["routes"] as { condition: Record<string, unknown> }[];
      // GET is 0, the default, and is shown by name.
      const method = condition.method === "get" ? { method: { registered: "GET" } } : want;
      expect(made?.condition).toEqual(method as Record<string, unknown>);
    });
  }
});

describe("response matches", () => {
  const rows: { name: string; condition: ResponseMatchSpec; want: object }[] = [
    { name: "a range", condition: { status: { min: 500, max: 599 } }, want: { status: { min: 500, max: 599 } } },
    { name: "one status", condition: { status: { min: 404 } }, want: { status: { min: 404, max: 404 } } },
    { name: "one status by its max", condition: { status: { max: 404 } }, want: { status: { min: 404, max: 404 } } },
    { name: "not", condition: { not: { status: { min: 200 } } }, want: { not: { status: { min: 200, max: 200 } } } },
    {
      name: "several fields mean all of them",
      condition: { any: [{ status: { min: 500 } }], status: { min: 500, max: 599 } },
      want: {
        all: {
          matches: [{ any: { matches: [{ status: { min: 500, max: 500 } }] } }, { status: { min: 500, max: 599 } }],
        },
      },
    },
  ];
  for (const { name, condition, want } of rows) {
    test(name, () => {
      const [made] = convert(classOf(condition))["routes"] as { responseClasses: unknown[] }[];
      expect(made?.responseClasses).toEqual([{ condition: want, isFailure: true }]);
    });
  }
});

test("a route's name, timeout and retries", () => {
  const spec = { routes: [{ name: "GET /a", condition: { pathRegex: "/a" }, isRetryable: true, timeout: "1m0.5s" }] };
  expect(convert(spec)["routes"]).toEqual([
    { condition: { path: { regex: "/a" } }, metricsLabels: { route: "GET /a" }, isRetryable: true, timeout: "60.500s" },
  ]);
  const [untimed] = convert({ routes: [{ ...spec.routes[0], timeout: "0s" }] })["routes"] as object[];
  expect(untimed).not.toHaveProperty("timeout");
});

test("budgets and overrides", () => {
  const spec: ServiceProfileSpec = {
    retryBudget: { retryRatio: 0.5, minRetriesPerSecond: 3, ttl: "30s" },
    dstOverrides: [
      { authority: "a.ns.svc.cluster.local", weight: "900m" },
      { authority: "b.ns.svc.cluster.local:81", weight: 1 },
      { authority: "c.ns.svc.cluster.local", weight: "0" },
      { authority: "d.ns.svc.cluster.local", weight: "100u" },
    ],
  };
  expect(convert(spec)).toEqual({
    retryBudget: { retryRatio: 0.5, minRetriesPerSecond: 3, ttl: "30s" },
    dstOverrides: [
      { authority: "a.ns.svc.cluster.local:8080", weight: 9_000 },
      { authority: "b.ns.svc.cluster.local:81", weight: 10_000 },
      { authority: "c.ns.svc.cluster.local:8080" },
      { authority: "d.ns.svc.cluster.local:8080", weight: 10 },
    ],
  });
});

describe("what cannot be followed", () => {
  const rows: { spec: ServiceProfileSpec; want: string }[] = [
    { spec: { routes: [{ condition: { method: "GET" } }] }, want: "spec.routes[0].name: missing" },
    { spec: { routes: [{ name: "r" }] }, want: "spec.routes[0].condition: missing" },
    { spec: route({}), want: "spec.routes[0].condition: no field is set" },
    { spec: route({ any: [{ method: "GET" }, {}] }), want: "spec.routes[0].condition.any[1]: no field is set" },
    { spec: route({ not: {} }), want: "spec.routes[0].condition.not: no field is set" },
    { spec: classOf({}), want: "spec.routes[0].responseClasses[0].condition: no field is set" },
    {
      spec: classOf({ status: { min: 99, max: 200 } }),
      want: "spec.routes[0].responseClasses[0].condition.status: not between 100 and 599",
    },
    {
      spec: classOf({ all: [{ status: { min: 300, max: 200 } }] }),
      want: "spec.routes[0].responseClasses[0].condition.all[0].status: min is above max",
    },
    {
      spec: { routes: [{ name: "r", condition: { method: "GET" }, timeout: "soon" }] },
      want: 'spec.routes[0].timeout: "soon" is not a duration such as 1m30s',
    },
    { spec: { retryBudget: { retryRatio: -1, ttl: "1s" } }, want: "spec.retryBudget.retryRatio: negative" },
    { spec: { retryBudget: { retryRatio: 1 } }, want: "spec.retryBudget.ttl: missing" },
    {
      spec: { retryBudget: { minRetriesPerSecond: 0.5, ttl: "1s" } },
      want: "spec.retryBudget.minRetriesPerSecond: not a whole number",
    },
    { spec: { dstOverrides: [{ authority: "", weight: 1 }] }, want: "spec.dstOverrides[0].authority: missing" },
    {
      spec: { dstOverrides: [{ authority: "a", weight: "heavy" }] },
      want: 'spec.dstOverrides[0].weight: "heavy" is not a quantity such as "250m" or "64Mi"',
    },
    { spec: { dstOverrides: [{ authority: "a", weight: -1 }] }, want: "spec.dstOverrides[0].weight: negative" },
  ];
  for (const { spec, want } of rows) {
    test(want, () => {
      expect(() => convert(spec)).toThrow(want);
    });
  }
});
