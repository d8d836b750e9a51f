import { expect, test } from "bun:test";
import { parseH2loadLog } from "./streams.ts";

test("successes make the percentiles, everything else is an error", () => {
  const lines = [
    ...Array.from({ length: 100 }, (_, index) => `1700000000000000\t200\t${100 - index}`),
    "1700000000000001\t503\t5000",
    "1700000000000002\t-1\t9000",
  ];
  const log = new TextEncoder().encode(`${lines.join("\n")}\n`);
  expect(parseH2loadLog(log)).toEqual({ requests: 100, p50Us: 50, p99Us: 99, errors: 2 });
});

test("a run without a single answer has no latency", () => {
  expect(parseH2loadLog(new Uint8Array(0))).toEqual({ requests: 0, p50Us: Number.NaN, p99Us: Number.NaN, errors: 0 });
});
