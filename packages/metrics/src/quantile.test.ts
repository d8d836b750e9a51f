import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ParsedHistogram } from "./parse-text.ts";
import { addHistograms, quantile, subtractHistogram } from "./quantile.ts";

describe("quantile", () => {
  const rows: { name: string; bounds: number[]; counts: number[]; q: number; want: number }[] = [
    { name: "nothing observed", bounds: [1, 2], counts: [0, 0, 0], q: 0.5, want: Number.NaN },
    { name: "half of the first bucket, from 0", bounds: [10, 20], counts: [4, 0, 0], q: 0.5, want: 5 },
    { name: "within a later bucket", bounds: [10, 20, 30], counts: [2, 2, 0, 0], q: 0.75, want: 15 },
    { name: "empty buckets between", bounds: [1, 2, 3, 4], counts: [1, 0, 0, 1, 0], q: 0.75, want: 3.5 },
    { name: "on a bucket's edge", bounds: [10, 20], counts: [2, 2, 0], q: 0.5, want: 10 },
    { name: "above every bound", bounds: [10, 20], counts: [1, 0, 9], q: 0.99, want: 20 },
    { name: "negative first bound", bounds: [-5, 5], counts: [2, 0, 0], q: 0.5, want: -5 },
    { name: "q = 1", bounds: [10, 20], counts: [1, 1, 0], q: 1, want: 20 },
    { name: "q below 0", bounds: [10], counts: [1, 0], q: -0.1, want: Number.NEGATIVE_INFINITY },
    { name: "q above 1", bounds: [10], counts: [1, 0], q: 1.1, want: Number.POSITIVE_INFINITY },
    { name: "no bounds at all", bounds: [], counts: [3], q: 0.5, want: Number.NaN },
  ];
  for (const { name, bounds, counts, q, want } of rows) {
    test(name, () => {
      expect(quantile({ bounds, counts }, q)).toBe(want);
    });
  }

  test("grows with q and stays within the bounds", () => {
    const bounds = [1, 2, 5, 10];
    const counts = fc.array(fc.nat(50), { minLength: 5, maxLength: 5 }).filter((list) => list.some((n) => n > 0));
    fc.assert(
      fc.property(
        counts,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (list, a, b) => {
          const low = quantile({ bounds, counts: list }, Math.min(a, b));
          const high = quantile({ bounds, counts: list }, Math.max(a, b));
          expect(low).toBeLessThanOrEqual(high);
          expect(low).toBeGreaterThanOrEqual(0);
          expect(high).toBeLessThanOrEqual(10);
        },
      ),
    );
  });
});

describe("adding and subtracting histograms", () => {
  const h = (...counts: number[]): ParsedHistogram => ({ bounds: [1, 2], counts });

  test("adds", () => {
    expect(addHistograms([h(1, 2, 3), h(10, 0, 1)])).toEqual(h(11, 2, 4));
    expect(addHistograms([h(1, 2, 3)])).toEqual(h(1, 2, 3));
    expect(addHistograms([])).toBeNull();
    expect(addHistograms([h(1, 2, 3), { bounds: [1, 3], counts: [1, 1, 1] }])).toBeNull();
  });

  test("subtracts, and takes a restarted process as counting from zero", () => {
    expect(subtractHistogram(h(5, 5, 5), h(1, 5, 0))).toEqual(h(4, 0, 5));
    expect(subtractHistogram(h(1, 0, 0), h(5, 5, 5))).toEqual(h(1, 0, 0));
  });
});
