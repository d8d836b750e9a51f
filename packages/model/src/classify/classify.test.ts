import { describe, expect, test } from "bun:test";
import { Verdict } from "../breaker/breaker.ts";
import type { ResponseClass, ResponseMatch } from "../types/profile.ts";
import { Classification, isPenalized, NO_GRPC_STATUS, parseGrpcStatus } from "./classify.ts";

const NONE = NO_GRPC_STATUS;
const status = (min: number, max: number): ResponseMatch => ({ kind: "status", min, max });

/** What is seen of a response, and what it should be: decided by the head, failure, the gRPC code of metrics. */
interface Row {
  name: string;
  classes?: ResponseClass[];
  grpc?: boolean;
  status: number;
  head?: number;
  trailers?: number;
  want: { atHead: boolean; failure: boolean; grpcStatus: number; verdict: Verdict };
}

const success = { failure: false, verdict: Verdict.Success };
const failure = { failure: true, verdict: Verdict.Failure };
const limited = { failure: false, verdict: Verdict.RateLimited };

const ROWS: Row[] = [
  { name: "200", status: 200, want: { atHead: true, grpcStatus: NONE, ...success } },
  { name: "404", status: 404, want: { atHead: true, grpcStatus: NONE, ...success } },
  { name: "429", status: 429, want: { atHead: true, grpcStatus: NONE, ...limited } },
  { name: "500", status: 500, want: { atHead: true, grpcStatus: NONE, ...failure } },
  { name: "599", status: 599, want: { atHead: true, grpcStatus: NONE, ...failure } },
  { name: "a stray grpc-status", status: 200, head: 14, want: { atHead: true, grpcStatus: NONE, ...success } },
  {
    name: "gRPC in trailers",
    grpc: true,
    status: 200,
    trailers: 0,
    want: { atHead: false, grpcStatus: 0, ...success },
  },
  { name: "gRPC not found", grpc: true, status: 200, trailers: 5, want: { atHead: false, grpcStatus: 5, ...success } },
  {
    name: "gRPC resource exhausted",
    grpc: true,
    status: 200,
    trailers: 8,
    want: { atHead: false, grpcStatus: 8, ...limited },
  },
  { name: "gRPC without a status", grpc: true, status: 200, want: { atHead: false, grpcStatus: 2, ...success } },
  { name: "gRPC in the head", grpc: true, status: 200, head: 14, want: { atHead: true, grpcStatus: 14, ...failure } },
  ...[2, 4, 7, 13, 14, 15].map((code) => ({
    name: `gRPC failure ${code}`,
    grpc: true,
    status: 200,
    trailers: code,
    want: { atHead: false, grpcStatus: code, ...failure },
  })),
  {
    name: "a class that makes 404 a failure",
    classes: [{ condition: status(404, 404), failure: true }],
    status: 404,
    want: { atHead: true, grpcStatus: NONE, ...failure },
  },
  {
    name: "a class that makes 503 a success, before one that makes it a failure",
    classes: [
      { condition: status(503, 503), failure: false },
      { condition: status(500, 599), failure: true },
    ],
    status: 503,
    want: { atHead: true, grpcStatus: NONE, ...success },
  },
  {
    name: "no class matches, 500",
    classes: [{ condition: status(404, 404), failure: true }],
    status: 500,
    want: { atHead: false, grpcStatus: NONE, ...failure },
  },
  {
    name: "no class matches, gRPC in trailers",
    classes: [{ condition: status(404, 404), failure: true }],
    status: 200,
    trailers: 14,
    want: { atHead: false, grpcStatus: 14, ...failure },
  },
  {
    name: "no class matches, gRPC in the head",
    classes: [{ condition: status(404, 404), failure: true }],
    status: 200,
    head: 0,
    want: { atHead: true, grpcStatus: 0, ...success },
  },
  {
    name: "no class matches a gRPC request without a status",
    classes: [{ condition: status(404, 404), failure: true }],
    grpc: true,
    status: 200,
    want: { atHead: false, grpcStatus: NONE, ...success },
  },
  {
    name: "classes put together",
    classes: [
      {
        condition: {
          kind: "all",
          matches: [
            { kind: "not", match: status(200, 299) },
            { kind: "any", matches: [status(401, 401), status(403, 403)] },
          ],
        },
        failure: true,
      },
    ],
    status: 403,
    want: { atHead: true, grpcStatus: NONE, ...failure },
  },
];

describe("Classification", () => {
  const classification = new Classification();
  for (const row of ROWS) {
    test(row.name, () => {
      classification.head(row.classes ?? [], row.grpc ?? false, row.status, row.head ?? NONE);
      const atHead = classification.decided;
      classification.end(row.trailers ?? NONE);
      expect({
        atHead,
        failure: classification.failure,
        grpcStatus: classification.grpcStatus,
        verdict: classification.verdict(),
      }).toEqual(row.want);
      expect(classification.decided).toBe(true);
    });
  }

  test("an error is a failure, also after a good head", () => {
    classification.head([], true, 200, NONE);
    classification.error();
    expect([classification.decided, classification.failure]).toEqual([true, true]);
  });
});

test("parseGrpcStatus reads codes and takes unknown ones for unknown", () => {
  const rows: [string, number][] = [
    ["0", 0],
    ["14", 14],
    ["16", 16],
    ["17", 2],
    ["99999", 2],
    ["", NONE],
    ["-1", NONE],
    ["1e1", NONE],
    ["123456", NONE],
  ];
  for (const [value, want] of rows) expect([value, parseGrpcStatus(value)]).toEqual([value, want]);
});

test("isPenalized takes overload and failures", () => {
  for (const [code, grpcStatus, want] of [
    [200, NONE, false],
    [404, NONE, false],
    [429, NONE, true],
    [500, NONE, true],
    [503, NONE, true],
    [200, 0, false],
    [200, 5, false],
    [200, 7, false],
    [200, 8, true],
    [200, 14, true],
    [404, 14, false],
  ] as const) {
    expect([code, grpcStatus, isPenalized(code, grpcStatus)]).toEqual([code, grpcStatus, want]);
  }
});
