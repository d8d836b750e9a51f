import { expect, test } from "bun:test";
import fc from "fast-check";
import { median, pairedRatio, percentile, rotated } from "./statistics.ts";

const medians: { values: number[]; want: number }[] = [
  { values: [], want: Number.NaN },
  { values: [7], want: 7 },
  { values: [9, 1], want: 5 },
  { values: [10, 9, 100], want: 10 },
  { values: [4, 1, 3, 2], want: 2.5 },
];
for (const { values, want } of medians) {
  test(`the median of ${JSON.stringify(values)} is ${want}`, () => {
    expect(median(values)).toBe(want);
  });
}

const percentiles: { sorted: number[]; percent: number; want: number }[] = [
  { sorted: [], percent: 50, want: Number.NaN },
  { sorted: [7], percent: 99, want: 7 },
  { sorted: [1, 2, 3, 4], percent: 50, want: 2 },
  { sorted: [1, 2, 3, 4], percent: 51, want: 3 },
  { sorted: [1, 2, 3, 4], percent: 99, want: 4 },
  { sorted: Array.from({ length: 1000 }, (_, index) => index + 1), percent: 99, want: 990 },
];
for (const { sorted, percent, want } of percentiles) {
  test(`percentile ${percent} of ${sorted.length} values is ${want}`, () => {
    expect(percentile(sorted, percent)).toBe(want);
  });
}

const ratios: { name: string; values: (number | undefined)[]; references: (number | undefined)[]; want: number }[] = [
  { name: "a slow round cancels out", values: [2, 20, 2], references: [4, 40, 4], want: 0.5 },
  { name: "rounds that lack a side do not count", values: [1, undefined, 3], references: [2, 9, undefined], want: 0.5 },
  { name: "a reference of zero does not count", values: [1, 3], references: [0, 2], want: 1.5 },
  { name: "no pair at all", values: [1], references: [], want: Number.NaN },
];
for (const { name, values, references, want } of ratios) {
  test(`paired ratio: ${name}`, () => {
    expect(pairedRatio(values, references)).toBe(want);
  });
}

test("rotating keeps every item, and over as many rounds as items everyone goes first once", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 6 }), (items) => {
      const rounds = items.map((_, round) => rotated(items, round));
      for (const round of rounds) expect(new Set(round)).toEqual(new Set(items));
      expect(rounds.map((round) => round[0])).toEqual(items);
    }),
  );
});
