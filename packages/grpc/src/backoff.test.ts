import { expect, test } from "bun:test";
import fc from "fast-check";
import { exponentialBackoff, grpcBackoff } from "./backoff.ts";

test("gRPC's delays without chance", () => {
  const backoff = grpcBackoff({ maxMs: 4_000 }, () => 0.5);
  const delays = Array.from({ length: 5 }, () => Math.round(backoff.nextMs()));
  expect(delays).toEqual([1_000, 1_600, 2_560, 4_000, 4_000]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(1_000);
});

test("Linkerd's delays without chance", () => {
  const backoff = exponentialBackoff({ minMs: 100, maxMs: 500, jitter: 0.1 }, () => 0);
  expect(Array.from({ length: 5 }, () => backoff.nextMs())).toEqual([100, 200, 400, 500, 500]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(100);
});

test("chance changes a delay by its share at most", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(20), (chance, tries) => {
      const grpc = grpcBackoff({}, () => chance);
      const linkerd = exponentialBackoff({ minMs: 100, maxMs: 10_000, jitter: 0.5 }, () => chance);
      for (let i = 0; i <= tries; i++) {
        const base = Math.min(120_000, 1_000 * 1.6 ** i);
        expect(Math.abs(grpc.nextMs() - base)).toBeLessThanOrEqual(base * 0.2 + 1e-6);
        const delayMs = linkerd.nextMs();
        expect(delayMs).toBeGreaterThanOrEqual(Math.min(10_000, 100 * 2 ** i));
        expect(delayMs).toBeLessThanOrEqual(Math.min(10_000, 150 * 2 ** i));
      }
    }),
  );
});
