import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatGrpcTimeout, parseGrpcTimeoutMs } from "./timeout.ts";

const parsed: { text: string; want: number | null }[] = [
  { text: "0n", want: 0 },
  { text: "1H", want: 3_600_000 },
  { text: "2M", want: 120_000 },
  { text: "10S", want: 10_000 },
  { text: "250m", want: 250 },
  { text: "1500u", want: 1.5 },
  { text: "99999999n", want: 99.999999 },
  { text: "00000001S", want: 1_000 },
  { text: "100000000m", want: null },
  { text: "", want: null },
  { text: "S", want: null },
  { text: "10", want: null },
  { text: "-1S", want: null },
  { text: "1.5S", want: null },
  { text: "1s", want: null },
  { text: " 1S", want: null },
];

for (const { text, want } of parsed) {
  test(`${JSON.stringify(text)} is ${want ?? "no timeout"}`, () => {
    const ms = parseGrpcTimeoutMs(text);
    if (want === null) expect(ms).toBeNull();
    else expect(ms).toBeCloseTo(want, 9);
  });
}

const written: { ms: number; want: string }[] = [
  { ms: 0, want: "0m" },
  { ms: 0.2, want: "1m" },
  { ms: 1500, want: "1500m" },
  { ms: 99_999_999, want: "99999999m" },
  { ms: 100_000_000, want: "100000S" },
  { ms: 100_000_000_001, want: "1666667M" },
  { ms: Number.MAX_VALUE, want: "99999999H" },
];

for (const { ms, want } of written) {
  test(`${ms} ms are written ${want}`, () => {
    expect(formatGrpcTimeout(ms)).toBe(want);
  });
}

test("what is written is read as the same time or a little more", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 3e14, noNaN: true }), (ms) => {
      const back = parseGrpcTimeoutMs(formatGrpcTimeout(ms)) ?? -1;
      expect(back).toBeGreaterThanOrEqual(ms);
      expect(back).toBeLessThanOrEqual(ms * 1.011 + 1);
    }),
  );
});
