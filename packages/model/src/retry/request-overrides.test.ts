import { describe, expect, test } from "bun:test";
import { request } from "../route/request.case.test.ts";
import { parseDuration } from "./duration.ts";
import { overrideRetry, overrideTimeouts, parseGrpcConditions, parseHttpConditions } from "./request-overrides.ts";
import type { RetryPolicy } from "./retry-policy.ts";

test("parseDuration", () => {
  const rows: [string, number | null][] = [
    ["10ms", 10],
    [" 5s ", 5000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    ["0", 0],
    ["0ms", 0],
    ["5", null],
    ["s", null],
    ["1.5s", null],
    ["-1s", null],
    ["1 s", null],
    ["1S", null],
    ["999999999999999d", null],
    ["", null],
  ];
  for (const [text, want] of rows) expect([text, parseDuration(text)]).toEqual([text, want]);
});

test("parseHttpConditions", () => {
  const rows: [string, string][] = [
    ["5xx", "500-599"],
    ["5XX,Gateway-Error", "500-599 502-504"],
    ["503,429-431", "503-503 429-431"],
    ["600,099,504-502,x,", ""],
    ["500-", ""],
  ];
  for (const [text, want] of rows) {
    expect(
      parseHttpConditions(text)
        .map(({ min, max }) => `${min}-${max}`)
        .join(" "),
    ).toBe(want);
  }
});

test("parseGrpcConditions", () => {
  expect(parseGrpcConditions("cancelled,deadline-exceeded,internal,resource-exhausted,Unavailable")).toEqual([
    1, 4, 13, 8, 14,
  ]);
  expect(parseGrpcConditions("unknown,14,")).toEqual([]);
});

describe("overrideTimeouts", () => {
  const timeouts = { requestMs: 1, responseMs: 2, idleMs: 3 };

  test("keeps the rule's where nothing usable is asked for", () => {
    expect(overrideTimeouts(timeouts, request("GET /"))).toBe(timeouts);
    expect(overrideTimeouts(timeouts, request("GET /", [["l5d-timeout", "soon"]]))).toBe(timeouts);
  });

  test("takes the longer name before the shorter", () => {
    const asked = request("GET /", [
      ["l5d-timeout", "10ms"],
      ["l5d-response-timeout", "20ms"],
    ]);
    expect(overrideTimeouts(timeouts, asked)).toEqual({ requestMs: 10, responseMs: 20, idleMs: 3 });
    const both = request("GET /", [
      ["l5d-timeout", "10ms"],
      ["l5d-request-timeout", "30ms"],
    ]);
    expect(overrideTimeouts(timeouts, both)).toEqual({ requestMs: 30, responseMs: 2, idleMs: 3 });
  });
});

describe("overrideRetry", () => {
  const policy: RetryPolicy = {
    retriesMax: 3,
    requestBytesMax: 1000,
    statuses: [{ min: 500, max: 500 }],
    codes: null,
    timeoutMs: 40,
    backoff: null,
  };

  test("keeps the rule's where nothing usable is asked for", () => {
    expect(overrideRetry(policy, request("GET /"))).toBe(policy);
    expect(overrideRetry(null, request("GET /", [["l5d-retry-limit", "many"]]))).toBeNull();
  });

  test("replaces what is asked for", () => {
    const asked = request("GET /", [
      ["l5d-retry-http", "gateway-error"],
      ["l5d-retry-grpc", "unavailable"],
      ["l5d-retry-limit", "5"],
      ["l5d-retry-timeout", "1s"],
    ]);
    expect(overrideRetry(policy, asked)).toEqual({
      ...policy,
      retriesMax: 5,
      statuses: [{ min: 502, max: 504 }],
      codes: [14],
      timeoutMs: 1000,
    });
  });

  test("gives a rule without retries the default ones", () => {
    expect(overrideRetry(null, request("GET /", [["l5d-retry-http", "5xx"]]))).toEqual({
      retriesMax: 1,
      requestBytesMax: 65_536,
      statuses: [{ min: 500, max: 599 }],
      codes: null,
      timeoutMs: null,
      backoff: { minMs: 25, maxMs: 250, jitter: 1, respectRetryAfter: false },
    });
  });
});
