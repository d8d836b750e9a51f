import { expect, test } from "bun:test";
import { FieldList } from "@bowline/wire";
import { planResponse, ResponsePlan } from "./response-plan.ts";

function head(fields: Readonly<Record<string, string>>): FieldList {
  const list = new FieldList();
  for (const [name, value] of Object.entries(fields)) list.addText(name, value);
  return list;
}

function read(direction: "inbound" | "outbound", fields: Readonly<Record<string, string>>) {
  const list = head(fields);
  const { status, grpcStatus, hintMs } = planResponse(list, new ResponsePlan(direction));
  const left = Object.keys(fields).filter((_name, index) => !list.dropped(index));
  return { status, grpcStatus, hintMs, left };
}

test.each([
  { name: "a status", fields: { ":status": "200" }, want: { status: 200, grpcStatus: -1, hintMs: 0 } },
  { name: "gRPC's status", fields: { ":status": "200", "grpc-status": "14" }, want: { grpcStatus: 14 } },
  { name: "a code gRPC does not have", fields: { "grpc-status": "99" }, want: { status: 0, grpcStatus: 2 } },
  { name: "a gRPC status that is no number", fields: { "grpc-status": "x" }, want: { grpcStatus: 2 } },
  { name: "Retry-After", fields: { ":status": "503", "retry-after": "7" }, want: { status: 503, hintMs: 7000 } },
  { name: "pushback", fields: { ":status": "200", "grpc-retry-pushback-ms": "250" }, want: { hintMs: 250 } },
])("reads $name", ({ fields, want }) => {
  expect(read("outbound", fields as unknown as Readonly<Record<string, string>>)).toMatchObject(want);
});

test("what the next proxy says about itself goes no further outbound, and to the next proxy inbound", () => {
  const fields = { ":status": "502", "l5d-proxy-error": "x", "l5d-proxy-connection": "close", "x-other": "y" };
  expect(read("outbound", fields).left).toEqual([":status", "x-other"]);
  expect(read("inbound", fields).left).toEqual(Object.keys(fields));
});

test("the plan of a head that comes again is made once", () => {
  const list = head({ ":status": "204" });
  list.share();
  const scratch = new ResponsePlan("outbound");
  const first = planResponse(list, scratch);
  expect(planResponse(list, scratch)).toBe(first);
  expect(first).not.toBe(scratch);
  expect(first.fields.shared).toBe(true);
});
