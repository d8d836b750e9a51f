import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseDurationMs } from "./duration.ts";

const rows: { text: string; want: number | null }[] = [
  { text: "0", want: 0 },
  { text: " 000 ", want: 0 },
  { text: "0ms", want: 0 },
  { text: "250ms", want: 250 },
  { text: "10s", want: 10_000 },
  { text: "\t10s\n", want: 10_000 },
  { text: "5m", want: 300_000 },
  { text: "2h", want: 7_200_000 },
  { text: "365d", want: 31_536_000_000 },
  { text: "1", want: null },
  { text: "1.5s", want: null },
  { text: "1 s", want: null },
  { text: "-1s", want: null },
  { text: "+1s", want: null },
  { text: "1e3s", want: null },
  { text: "1S", want: null },
  { text: "1us", want: null },
  { text: "1s2s", want: null },
  { text: "s", want: null },
  { text: "", want: null },
  { text: " ", want: null },
  { text: "9007199254740991ms", want: 9_007_199_254_740_991 },
  { text: "9007199254740992ms", want: null },
  { text: "9007199254740991s", want: null },
  { text: "99999999999999999999999999d", want: null },
];

for (const { text, want } of rows) {
  test(`${JSON.stringify(text)} is ${want ?? "no duration"}`, () => {
    expect(parseDurationMs(text)).toBe(want);
  });
}

test("any text gives a whole number of milliseconds or null", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{1,20}(ms|s|m|h|d)$/)), (text) => {
      const ms = parseDurationMs(text);
      expect(ms === null || (Number.isSafeInteger(ms) && ms >= 0)).toBe(true);
    }),
  );
});
