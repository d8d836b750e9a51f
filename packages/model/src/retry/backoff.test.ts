import { expect, test } from "bun:test";
import fc from "fast-check";
import { Backoff, backoffFault, backoffMs } from "./backoff.ts";

const PARAMS = { minMs: 100, maxMs: 1000, jitter: 0.5, respectRetryAfter: false };

test("doubles up to the maximum, jitter included", () => {
  const backoff = new Backoff(PARAMS, () => 0);
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
  const jittered = new Backoff(PARAMS, () => 0.5);
  expect([1, 2, 3, 4, 5].map(() => jittered.next())).toEqual([125, 250, 500, 1000, 1000]);
});

test("stays between base and maximum whatever the step", () => {
  fc.assert(
    fc.property(fc.nat(5000), fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (step, fraction) => {
      const waitMs = backoffMs(PARAMS, step, fraction);
      const baseMs = Math.min(100 * 2 ** step, 1000);
      expect(waitMs).toBeGreaterThanOrEqual(baseMs);
      expect(waitMs).toBeLessThanOrEqual(Math.min(baseMs * 1.5, 1000));
    }),
    { numRuns: 50 },
  );
});

test("heeds what the peer asks for where it is to, no shorter than its own later waits", () => {
  const backoff = new Backoff({ ...PARAMS, respectRetryAfter: true }, () => 0);
  expect(backoff.nextAfter(700)).toBe(700);
  expect(backoff.nextAfter(150)).toBe(200);
  expect(backoff.nextAfter(5000)).toBe(1000);
});

test("says what is wrong with parameters", () => {
  expect(backoffFault(PARAMS)).toBeNull();
  expect(backoffFault({ ...PARAMS, minMs: 2000 })).toContain("less than the minimum");
  expect(backoffFault({ ...PARAMS, minMs: 0, maxMs: 0 })).toContain("zero");
  for (const jitter of [-1, 101, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(backoffFault({ ...PARAMS, jitter })).toContain("jitter");
  }
});
