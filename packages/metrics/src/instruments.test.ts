import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LATENCY_BUCKETS_MS } from "./family.ts";
import { Histogram } from "./instruments.ts";

describe("Histogram", () => {
  const rows: { x: number; bucket: number }[] = [
    { x: -1, bucket: 0 },
    { x: 0, bucket: 0 },
    { x: 1, bucket: 0 },
    { x: 1.0001, bucket: 1 },
    { x: 5, bucket: 4 },
    { x: 6, bucket: 5 },
    { x: 50_000, bucket: 24 },
    { x: 50_001, bucket: 25 },
    { x: Number.POSITIVE_INFINITY, bucket: 25 },
    { x: Number.NaN, bucket: 25 },
  ];
  for (const { x, bucket } of rows) {
    test(`${x} falls into bucket ${bucket}`, () => {
      const histogram = new Histogram(Float64Array.from(LATENCY_BUCKETS_MS));
      histogram.observe(x);
      expect(histogram.counts.indexOf(1)).toBe(bucket);
      expect(histogram.count).toBe(1);
      expect(histogram.sum).toBe(x);
    });
  }

  test("every observation is in exactly one bucket, and below its bound", () => {
    const bounds = Float64Array.from(LATENCY_BUCKETS_MS);
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true })), (observations) => {
        const histogram = new Histogram(bounds);
        for (const x of observations) histogram.observe(x);
        let cumulative = 0;
        for (const [i, bound] of bounds.entries()) {
          cumulative += histogram.counts[i]!;
          expect(cumulative).toBe(observations.filter((x) => x <= bound).length);
        }
        expect(cumulative + histogram.counts[bounds.length]!).toBe(histogram.count);
      }),
    );
  });
});
