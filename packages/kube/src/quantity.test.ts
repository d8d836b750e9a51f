import { expect, test } from "bun:test";
import { parseQuantity } from "./quantity.ts";

test.each([
  ["1", 1],
  ["0", 0],
  [2, 2],
  ["250m", 0.25],
  ["1.5", 1.5],
  [".5", 0.5],
  ["5.", 5],
  ["-3", -3],
  ["+3k", 3000],
  ["64Mi", 64 * 1024 * 1024],
  ["1Gi", 1024 ** 3],
  ["1M", 1e6],
  ["12e6", 12e6],
  ["1E3", 1000],
  ["2E", 2e18],
  ["100n", 1e-7],
  ["3u", 3e-6],
])("%j is %d", (text, value) => {
  expect(parseQuantity(text)).toBeCloseTo(value, 12);
});

test.each(["", "m", "1 Mi", "1mi", "1KiB", "one", "1e", "0x10", "1_000", "--1"])("%j is refused", (text) => {
  expect(() => parseQuantity(text)).toThrow(RangeError);
});
