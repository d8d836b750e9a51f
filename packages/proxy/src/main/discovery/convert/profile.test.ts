import { describe, expect, test } from "bun:test";
import { destination } from "@bowline/contracts/proto";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { convertProfile } from "./profile.ts";

const EMPTY = {
  name: "",
  opaque: false,
  routes: [],
  retryBudget: null,
  overrides: [],
  endpoint: null,
  parent: null,
  profileRef: null,
};
const BUDGET = { retryRatio: 0.5, minRetriesPerSecond: 10, ttl: "10s" };
const SERVICE = { resource: { group: "core", kind: "Service", name: "web", namespace: "ns", port: 80 } };
const GET = { method: { registered: "GET" } };
const MODEL_GET = { kind: "method", method: "GET" };
const MODEL_ROUTE = { condition: MODEL_GET, responseClasses: [], labels: {}, retryable: false, timeoutMs: null };

function convert(json: JsonObject): { profile: unknown; notes: string[] } {
  const notes: string[] = [];
  const profile = convertProfile(fromJson(destination.DestinationProfileSchema, json), (text) => notes.push(text));
  return { profile, notes };
}

describe("a profile", () => {
  const rows: { name: string; message: JsonObject; want: object }[] = [
    { name: "that is empty", message: {}, want: {} },
    {
      name: "of a service",
      message: {
        fullyQualifiedName: "web.ns.svc.cluster.local",
        opaqueProtocol: true,
        retryBudget: BUDGET,
        parentRef: SERVICE,
        profileRef: { resource: { group: "linkerd.io", kind: "", name: "" } },
      },
      want: {
        name: "web.ns.svc.cluster.local",
        opaque: true,
        retryBudget: { ratio: 0.5, minPerSecond: 10, ttlMs: 10_000 },
        parent: { group: "core", kind: "Service", namespace: "ns", name: "web", port: 80, section: "" },
      },
    },
    {
      name: "of an endpoint",
      message: { endpoint: { addr: { ip: { ipv4: 0x0a00_0001 }, port: 80 }, weight: 1, metricLabels: { pod: "a" } } },
      want: {
        endpoint: {
          ip: "10.0.0.1",
          port: 80,
          weight: 1,
          labels: { pod: "a" },
          tlsIdentity: null,
          hint: null,
          opaqueTransportPort: null,
          authorityOverride: null,
          http2: null,
        },
      },
    },
    {
      name: "with a route",
      message: {
        routes: [
          {
            condition: { all: { matches: [GET, { path: { regex: " /a/[^/]* " } }, { not: { any: {} } }] } },
            responseClasses: [
              { condition: { status: { min: 500, max: 502 } }, isFailure: true },
              { condition: { all: { matches: [{ not: { status: { min: 200, max: 299 } } }] } } },
            ],
            metricsLabels: { route: "GET /a" },
            isRetryable: true,
            timeout: "0.3s",
          },
        ],
      },
      want: {
        routes: [
          {
            condition: {
              kind: "all",
              matches: [
                MODEL_GET,
                { kind: "path", regex: "/a/[^/]*" },
                { kind: "not", match: { kind: "any", matches: [] } },
              ],
            },
            responseClasses: [
              { condition: { kind: "status", min: 500, max: 502 }, failure: true },
              {
                condition: { kind: "all", matches: [{ kind: "not", match: { kind: "status", min: 200, max: 299 } }] },
                failure: false,
              },
            ],
            labels: { route: "GET /a" },
            retryable: true,
            timeoutMs: 300,
          },
        ],
      },
    },
    {
      name: "with a traffic split",
      message: {
        dstOverrides: [
          { authority: "a.ns.svc.cluster.local:80", weight: 5000, backendRef: SERVICE },
          { authority: "b.ns.svc.cluster.local:80" },
        ],
      },
      want: {
        overrides: [
          {
            authority: "a.ns.svc.cluster.local:80",
            weight: 5000,
            backend: { group: "core", kind: "Service", namespace: "ns", name: "web", port: 80, section: "" },
          },
          { authority: "b.ns.svc.cluster.local:80", weight: 0, backend: null },
        ],
      },
    },
  ];
  test.each(rows)("$name", ({ message, want }) => {
    expect(convert(message)).toEqual({ profile: { ...EMPTY, ...want }, notes: [] });
  });
});

describe("what cannot be understood is left out and noted", () => {
  const rows: { message: JsonObject; want: object; note: string }[] = [
    { message: { routes: [{}] }, want: {}, note: "invalid route: missing condition" },
    { message: { routes: [{ condition: {} }] }, want: {}, note: "invalid route: missing request match" },
    { message: { routes: [{ condition: { method: {} } }] }, want: {}, note: "invalid route: missing method" },
    { message: { routes: [{ condition: { path: { regex: "(" } } }] }, want: {}, note: "regular expression" },
    { message: { routes: [{ condition: { not: {} } }] }, want: {}, note: "invalid route: missing request match" },
    {
      message: { routes: [{ condition: { any: { matches: [{}, GET] } } }] },
      want: { routes: [{ ...MODEL_ROUTE, condition: { kind: "any", matches: [MODEL_GET] } }] },
      note: "missing request match",
    },
    {
      message: { routes: [{ condition: GET, timeout: "-1s" }] },
      want: { routes: [MODEL_ROUTE] },
      note: "invalid timeout: negative duration",
    },
    ...[
      { responseClass: {}, note: "invalid response class: missing condition" },
      { responseClass: { condition: {} }, note: "invalid response class: missing response match" },
      { responseClass: { condition: { all: {} } }, note: '"all" of no response matches' },
      { responseClass: { condition: { status: { min: 99, max: 200 } } }, note: "99 is not a status code" },
      { responseClass: { condition: { status: { min: 200, max: 1000 } } }, note: "1000 is not a status code" },
    ].map(({ responseClass, note }) => ({
      message: { routes: [{ condition: GET, responseClasses: [responseClass] }] },
      want: { routes: [MODEL_ROUTE] },
      note,
    })),
    ...[
      { budget: { ttl: null }, note: "missing ttl" },
      { budget: { ttl: "-1s" }, note: "invalid ttl: negative duration" },
      { budget: { ttl: "0.9s" }, note: "the ttl is not between 1 and 60 seconds" },
      { budget: { ttl: "61s" }, note: "the ttl is not between 1 and 60 seconds" },
      { budget: { retryRatio: -1 }, note: "the retry ratio is not between 0 and 1000" },
      { budget: { retryRatio: 1001 }, note: "the retry ratio is not between 0 and 1000" },
      { budget: { retryRatio: "NaN" }, note: "the retry ratio is not between 0 and 1000" },
      { budget: { minRetriesPerSecond: 2 ** 31 }, note: "min retries per second is too large" },
    ].map(({ budget, note }) => ({
      message: { retryBudget: { ...BUDGET, ...budget } },
      want: {},
      note: `invalid retry budget: ${note}`,
    })),
    {
      message: { dstOverrides: [{ authority: "no-port", weight: 1 }] },
      want: {},
      note: 'invalid dst override: "no-port"',
    },
    { message: { parentRef: {} }, want: {}, note: "invalid metadata: missing kind" },
  ];
  test.each(rows)("$note", ({ message, want, note }) => {
    const { profile, notes } = convert(message);
    expect(profile).toEqual({ ...EMPTY, ...want });
    expect(notes).toEqual([expect.stringContaining(note)]);
  });

  test("a name that is none makes the profile one of no service", () => {
    expect(convert({ fullyQualifiedName: "not a name" }).profile).toEqual(EMPTY);
  });
});
