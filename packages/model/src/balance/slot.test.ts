import { describe, expect, test } from "bun:test";
import type { LoadParams } from "../types/policy.ts";
import { Slot } from "./slot.ts";

const PEAK: LoadParams = { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 };
const PENALTY: LoadParams = {
  kind: "penalty-peak-ewma",
  defaultRttMs: 30,
  decayMs: 10_000,
  penaltyMs: 5000,
  penaltyDecayMs: 10_000,
  retryAfterMaxMs: 300_000,
};

describe("load", () => {
  test("begins with the default time, at least a millisecond, and counts requests in hand", () => {
    const slot = new Slot("a", "A", PEAK, 0);
    expect(slot.load(0)).toBe(30);
    slot.start();
    slot.start();
    expect(slot.load(0)).toBe(90);
    expect(new Slot("a", "A", { ...PEAK, defaultRttMs: 0 }, 0).load(0)).toBe(1);
  });

  test("decays with time whether it is read or not", () => {
    const slot = new Slot("a", "A", PEAK, 0);
    expect(slot.load(5000)).toBeCloseTo(30 * Math.exp(-0.5), 9);
    expect(slot.load(10_000)).toBeCloseTo(30 / Math.E, 9);
  });

  test("takes a peak at once, and lower times over the decay time", () => {
    const slot = new Slot("a", "A", PEAK, 0);
    respond(slot, 100, 100);
    expect(slot.load(100)).toBe(100);
    respond(slot, 10, 5100);
    expect(slot.load(5100)).toBeCloseTo(100 * Math.exp(-0.5) + 10 * (1 - Math.exp(-0.5)), 9);
  });

  test("compares a peak with what is left of the one before", () => {
    const slot = new Slot("a", "A", PEAK, 0);
    respond(slot, 40, 10_000);
    expect(slot.load(10_000)).toBe(40);
  });

  test("is not moved by lower times of the same moment", () => {
    const slot = new Slot("a", "A", PEAK, 0);
    respond(slot, 50, 50);
    respond(slot, 1, 50);
    expect(slot.load(50)).toBe(50);
  });

  test("still counts requests in hand after hours of silence", () => {
    const slot = new Slot("a", "A", PEAK, 0);
    const idle = slot.load(1e8);
    slot.start();
    expect(idle).toBeGreaterThan(0);
    expect(slot.load(1e8)).toBe(2 * idle);
  });

  test("is not confused by a clock that stands still or a decay of nothing", () => {
    const slot = new Slot("a", "A", { ...PEAK, decayMs: 0 }, 100);
    respond(slot, 0, 100);
    expect(slot.load(50)).toBe(30);
    respond(slot, 2, 200);
    expect(slot.load(200)).toBeCloseTo(2, 9);
  });
});

describe("penalty", () => {
  const rows = [
    { name: "instead of the time it took", hintMs: 0, want: 5000 },
    { name: "as long as the server asks", hintMs: 20_000, want: 20_000 },
    { name: "not shorter because the server asks for less", hintMs: 10, want: 5000 },
    { name: "not longer than the policy allows", hintMs: 1e9, want: 300_000 },
  ];
  for (const { name, hintMs, want } of rows) {
    test(name, () => {
      const slot = new Slot("a", "A", PENALTY, 0);
      expect(slot.penalizes).toBe(true);
      slot.start();
      slot.penalize(0, 1, hintMs);
      expect(slot.pending).toBe(0);
      expect(slot.load(1)).toBe(want);
    });
  }

  test("never lowers the load", () => {
    const slot = new Slot("a", "A", PENALTY, 0);
    respond(slot, 60_000, 60_000);
    slot.start();
    slot.penalize(60_000, 61_000, 0);
    // What is left of it is recorded, as it is more than the penalty.
    const kept = Math.exp(-0.1);
    expect(slot.load(61_000)).toBeCloseTo(60_000 * kept + 60_000 * kept * (1 - kept), 6);
  });

  test("is not there without parameters for it", () => {
    const slot = new Slot("a", "A", PEAK, 0);
    expect(slot.penalizes).toBe(false);
    slot.start();
    slot.penalize(0, 100, 20_000);
    expect(slot.load(100)).toBe(100);
    expect(slot.pending).toBe(0);
  });
});

/** A response that took so long arrives. */
function respond(slot: Slot<string>, tookMs: number, nowMs: number): void {
  slot.start();
  slot.finish(nowMs - tookMs, nowMs);
}
