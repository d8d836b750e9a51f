import { describe, expect, test } from "bun:test";
import { RetryBudget, retryBudgetFault } from "./retry-budget.ts";

/** How many retries it allows right now. */
function drain(budget: RetryBudget, nowMs: number): number {
  let count = 0;
  while (budget.withdraw(nowMs)) count += 1;
  return count;
}

function deposit(budget: RetryBudget, times: number, nowMs: number): void {
  for (let n = 0; n < times; n += 1) budget.deposit(nowMs);
}

describe("RetryBudget", () => {
  test("allows a share of the requests", () => {
    const rows = [
      { ratio: 0, requests: 100, want: 0 },
      { ratio: 0.2, requests: 10, want: 2 },
      { ratio: Math.fround(0.2), requests: 10, want: 2 },
      { ratio: Math.fround(0.2), requests: 9, want: 1 },
      { ratio: 0.5, requests: 10, want: 5 },
      { ratio: 1, requests: 10, want: 10 },
      { ratio: 2, requests: 10, want: 20 },
      { ratio: 1000, requests: 1, want: 1000 },
    ];
    for (const { ratio, requests, want } of rows) {
      const budget = new RetryBudget({ ratio, minPerSecond: 0, ttlMs: 10_000 }, 0);
      deposit(budget, requests, 0);
      expect(drain(budget, 0)).toBe(want);
    }
  });

  test("allows so many per second besides, renewed as time passes", () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 10, ttlMs: 1000 }, 0);
    expect(drain(budget, 0)).toBe(10);
    expect(drain(budget, 500)).toBe(0);
    // What was spent counts for the ttl, and the slot it is in.
    expect(drain(budget, 1200)).toBe(10);
    expect(drain(budget, 1e9)).toBe(10);
  });

  test("forgets requests and retries older than the ttl", () => {
    const budget = new RetryBudget({ ratio: 1, minPerSecond: 0, ttlMs: 1000 }, 0);
    deposit(budget, 5, 0);
    deposit(budget, 3, 600);
    expect(budget.withdraw(900)).toBe(true);
    expect(drain(budget, 1250)).toBe(2);
    expect(drain(budget, 1e6)).toBe(0);
  });

  test("never allows more than its share over a long run", () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 10, ttlMs: 10_000 }, 0);
    let retries = 0;
    for (let nowMs = 0; nowMs < 60_000; nowMs += 10) {
      budget.deposit(nowMs);
      while (budget.withdraw(nowMs)) retries += 1;
    }
    // 100 requests a second allow 20, and 10 besides.
    expect(retries).toBeGreaterThan(60 * 29 * 0.9);
    expect(retries).toBeLessThan((60 + 11) * 31);
  });
});

test("says what is wrong with parameters", () => {
  const good = { ratio: 0.2, minPerSecond: 10, ttlMs: 10_000 };
  expect(retryBudgetFault(good)).toBeNull();
  expect(retryBudgetFault({ ...good, ttlMs: 999 })).toContain("ttl");
  expect(retryBudgetFault({ ...good, ttlMs: 60_001 })).toContain("ttl");
  for (const ratio of [-0.1, 1001, Number.NaN]) expect(retryBudgetFault({ ...good, ratio })).toContain("ratio");
  expect(retryBudgetFault({ ...good, minPerSecond: 2 ** 31 })).toContain("per second");
});
