import { expect, test } from "bun:test";
import { parseRetryAfter, parseRetryPushback } from "./retry-after.ts";

const WALL_MS = Date.UTC(2025, 9, 21, 7, 28, 0);

test("parseRetryAfter reads seconds and the three formats of dates", () => {
  const rows: [string, number][] = [
    ["0", 0],
    [" 120 ", 120_000],
    ["Tue, 21 Oct 2025 07:29:00 GMT", 60_000],
    ["Tuesday, 21-Oct-25 07:29:00 GMT", 60_000],
    ["Tue Oct 21 07:29:00 2025", 60_000],
    ["Mon, 20 Oct 2025 07:28:00 GMT", 0],
    ["-5", 0],
    ["1.5", 0],
    ["soon", 0],
    ["", 0],
    ["Tue, 99 Foo 2025 07:29:00 GMT", 0],
  ];
  for (const [value, want] of rows) expect([value, parseRetryAfter(value, WALL_MS)]).toEqual([value, want]);
});

test("parseRetryPushback reads milliseconds", () => {
  const rows: [string, number][] = [
    ["250", 250],
    [" 0", 0],
    ["-1", 0],
    ["x", 0],
    ["9999999999", 2 ** 31 - 1],
  ];
  for (const [value, want] of rows) expect([value, parseRetryPushback(value)]).toEqual([value, want]);
});
