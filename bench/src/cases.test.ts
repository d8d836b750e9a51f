import { expect, test } from "bun:test";
import { BODIES, CASES } from "./cases.ts";

test("bodies have the sizes of their paths, and every case asks for one of them", () => {
  expect(Object.values(BODIES).map((body) => Buffer.byteLength(body))).toEqual([37, 65_536, 1_048_576]);
  for (const { load } of CASES) if ("path" in load) expect(BODIES[load.path]).toBeDefined();
});

test("a block of a body that is doubled or missing changes it", () => {
  const body = BODIES["/64k"]!;
  for (const bytes of [16, 4096, 16_384]) expect(body.slice(bytes, 2 * bytes)).not.toBe(body.slice(0, bytes));
});
