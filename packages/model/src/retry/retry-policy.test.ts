import { describe, expect, test } from "bun:test";
import { NO_GRPC_STATUS } from "../classify/classify.ts";
import { RetryBudget } from "./retry-budget.ts";
import {
  decideProfileRetry,
  decideRetry,
  grpcRetryPolicy,
  headTimeout,
  httpRetryPolicy,
  RetryDecision,
  SentBody,
  TryEnd,
} from "./retry-policy.ts";

const LIMITS = { retriesMax: 2, requestBytesMax: 100, timeoutMs: 50, backoff: null };
const HTTP = httpRetryPolicy({ ...LIMITS, statuses: [{ min: 500, max: 503 }] });
const GRPC = grpcRetryPolicy({ ...LIMITS, codes: [8, 14] });
const NONE = NO_GRPC_STATUS;

describe("decideRetry", () => {
  test("looks at what the policy names", () => {
    const rows = [
      { policy: HTTP, status: 500, grpc: NONE, want: RetryDecision.Retry },
      { policy: HTTP, status: 503, grpc: NONE, want: RetryDecision.Retry },
      { policy: HTTP, status: 504, grpc: NONE, want: RetryDecision.Done },
      { policy: HTTP, status: 200, grpc: 14, want: RetryDecision.Done },
      { policy: GRPC, status: 200, grpc: 14, want: RetryDecision.Retry },
      { policy: GRPC, status: 200, grpc: 13, want: RetryDecision.Done },
      { policy: GRPC, status: 200, grpc: NONE, want: RetryDecision.Done },
      { policy: GRPC, status: 503, grpc: NONE, want: RetryDecision.Done },
      { policy: { ...GRPC, statuses: HTTP.statuses }, status: 503, grpc: NONE, want: RetryDecision.Retry },
    ];
    for (const { policy, status, grpc, want } of rows) {
      expect(decideRetry(policy, 1, TryEnd.Response, status, grpc, SentBody.Whole)).toBe(want);
    }
  });

  test("retries what had no response where that may help", () => {
    const retried = Object.entries(TryEnd).filter(
      ([, end]) => decideRetry(GRPC, 1, end, 0, NONE, SentBody.Whole) === RetryDecision.Retry,
    );
    expect(retried.map(([name]) => name)).toEqual(["Failfast", "HeadTimeout", "RefusedStream"]);
  });

  test("sends again only a body that was kept whole", () => {
    for (const body of [SentBody.Unfinished, SentBody.TooLarge]) {
      expect(decideRetry(HTTP, 1, TryEnd.Response, 500, NONE, body)).toBe(RetryDecision.Done);
    }
  });

  test("stops at the limit", () => {
    const decisions = [1, 2, 3].map((tries) => decideRetry(HTTP, tries, TryEnd.Response, 500, NONE, SentBody.Whole));
    expect(decisions).toEqual([RetryDecision.Retry, RetryDecision.Retry, RetryDecision.LimitReached]);
    expect(decideRetry(HTTP, 3, TryEnd.Response, 200, NONE, SentBody.Whole)).toBe(RetryDecision.Done);
  });
});

test("headTimeout holds for all tries but the last, and for a first one in any case", () => {
  expect([1, 2, 3].map((number) => headTimeout(HTTP, number))).toEqual([50, 50, null]);
  expect(headTimeout({ ...HTTP, retriesMax: 0 }, 1)).toBe(50);
});

describe("decideProfileRetry", () => {
  test("retries failures while the budget lasts, which successes fill", () => {
    const budget = new RetryBudget({ ratio: 0.5, minPerSecond: 0, ttlMs: 10_000 }, 0);
    const decide = (failure: boolean): RetryDecision =>
      decideProfileRetry(budget, TryEnd.Response, failure, SentBody.Whole, 0);
    expect(decide(true)).toBe(RetryDecision.NoBudget);
    expect([decide(false), decide(false)]).toEqual([RetryDecision.Done, RetryDecision.Done]);
    expect([decide(true), decide(true)]).toEqual([RetryDecision.Retry, RetryDecision.NoBudget]);
  });

  test("retries neither errors nor bodies that are gone", () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 10, ttlMs: 10_000 }, 0);
    expect(decideProfileRetry(budget, TryEnd.OtherError, true, SentBody.Whole, 0)).toBe(RetryDecision.Done);
    expect(decideProfileRetry(budget, TryEnd.Response, true, SentBody.TooLarge, 0)).toBe(RetryDecision.Done);
    expect(decideProfileRetry(budget, TryEnd.Response, true, SentBody.Unfinished, 0)).toBe(RetryDecision.Done);
    expect(decideProfileRetry(budget, TryEnd.Response, true, SentBody.Whole, 0)).toBe(RetryDecision.Retry);
  });
});
