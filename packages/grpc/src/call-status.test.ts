import { describe, expect, test } from "bun:test";
import { FieldList } from "@bowline/wire";
import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { isGrpcContentType, readStatus, writeStatus } from "./call-status.ts";
import { GrpcError, toGrpcError } from "./grpc-error.ts";
import { GrpcStatus, grpcStatusName, parseGrpcStatus } from "./status.ts";
import { grpcStatusOfHttp, grpcStatusOfReset, httpStatusOfGrpc } from "./status-http.ts";
import { EchoRequestSchema, EchoResponseSchema } from "./testing/gen/echo_pb.ts";

function fieldsOf(pairs: Readonly<Record<string, string>>): FieldList {
  const fields = new FieldList();
  for (const [name, value] of Object.entries(pairs)) fields.addText(name, value);
  return fields;
}

describe("a status", () => {
  test("OK is no error", () => {
    const fields = new FieldList();
    writeStatus(fields, null);
    expect(fields.valueText(0)).toBe("0");
    expect(readStatus(fields)).toBeNull();
  });

  test("code, message and details come back", () => {
    const detail = anyPack(EchoRequestSchema, create(EchoRequestSchema, { text: "why" }));
    const fields = new FieldList();
    writeStatus(fields, new GrpcError(GrpcStatus.Aborted, "für nichts\n", { details: [detail] }));
    const error = readStatus(fields);
    expect(error?.code).toBe(GrpcStatus.Aborted);
    expect(error?.statusMessage).toBe("für nichts\n");
    expect(error?.message).toBe("ABORTED: für nichts\n");
    expect(error?.detail(EchoRequestSchema)?.text).toBe("why");
    expect(error?.detail(EchoResponseSchema)).toBeUndefined();
  });

  const read: { name: string; fields: Record<string, string>; code: GrpcStatus }[] = [
    { name: "none", fields: {}, code: GrpcStatus.Unknown },
    { name: "a number that is no code", fields: { "grpc-status": "17" }, code: GrpcStatus.Unknown },
    { name: "no number", fields: { "grpc-status": "NOT_FOUND" }, code: GrpcStatus.Unknown },
    { name: "details that do not decode", fields: { "grpc-status": "5", "grpc-status-details-bin": "!" }, code: 5 },
    { name: "details of another shape", fields: { "grpc-status": "5", "grpc-status-details-bin": "//" }, code: 5 },
  ];

  for (const { name, fields, code } of read) {
    test(`${name} is ${grpcStatusName(code)}`, () => {
      const error = readStatus(fieldsOf(fields));
      expect(error?.code).toBe(code);
      expect(error?.details).toEqual([]);
    });
  }

  test("other trailers are the error's metadata", () => {
    const error = readStatus(fieldsOf({ "grpc-status": "8", "grpc-retry-pushback-ms": "20" }));
    expect(error?.metadata.get("grpc-retry-pushback-ms")).toBe("20");
  });

  test("every code has a name, and its number reads back", () => {
    for (const code of Object.values(GrpcStatus)) {
      expect(parseGrpcStatus(String(code))).toBe(code);
      expect(grpcStatusName(code)).toMatch(/^[A-Z_]+$/);
      expect(httpStatusOfGrpc(code)).toBeGreaterThanOrEqual(200);
    }
  });
});

const http: { status: number; code: GrpcStatus }[] = [
  { status: 200, code: GrpcStatus.Unknown },
  { status: 400, code: GrpcStatus.Internal },
  { status: 401, code: GrpcStatus.Unauthenticated },
  { status: 403, code: GrpcStatus.PermissionDenied },
  { status: 404, code: GrpcStatus.Unimplemented },
  { status: 429, code: GrpcStatus.Unavailable },
  { status: 500, code: GrpcStatus.Unknown },
  { status: 502, code: GrpcStatus.Unavailable },
  { status: 503, code: GrpcStatus.Unavailable },
  { status: 504, code: GrpcStatus.Unavailable },
];

for (const { status, code } of http) {
  test(`HTTP ${status} without a gRPC status is ${grpcStatusName(code)}`, () => {
    expect(grpcStatusOfHttp(status)).toBe(code);
  });
}

const resets: { reset: number; code: GrpcStatus }[] = [
  { reset: 0, code: GrpcStatus.Internal },
  { reset: 1, code: GrpcStatus.Internal },
  { reset: 7, code: GrpcStatus.Unavailable },
  { reset: 8, code: GrpcStatus.Cancelled },
  { reset: 11, code: GrpcStatus.ResourceExhausted },
  { reset: 12, code: GrpcStatus.PermissionDenied },
  { reset: 4711, code: GrpcStatus.Internal },
];

for (const { reset, code } of resets) {
  test(`RST_STREAM with ${reset} is ${grpcStatusName(code)}`, () => {
    expect(grpcStatusOfReset(reset)).toBe(code);
  });
}

const types: { type: string | null; want: boolean }[] = [
  { type: "application/grpc", want: true },
  { type: "application/grpc+proto", want: true },
  { type: "Application/gRPC; charset=utf-8", want: true },
  { type: "application/grpc+json", want: false },
  { type: "application/grpc-web", want: false },
  { type: "application/json", want: false },
  { type: null, want: false },
];

for (const { type, want } of types) {
  test(`content-type ${type} is ${want ? "" : "not "}gRPC`, () => {
    expect(isGrpcContentType(type)).toBe(want);
  });
}

test("what is thrown becomes a status", () => {
  const own = new GrpcError(GrpcStatus.NotFound, "no");
  expect(toGrpcError(own)).toBe(own);
  expect(toGrpcError(new Error("broken")).message).toBe("UNKNOWN: broken");
  expect(toGrpcError("text").code).toBe(GrpcStatus.Unknown);
  expect(new GrpcError(GrpcStatus.NotFound, "").message).toBe("NOT_FOUND");
});
