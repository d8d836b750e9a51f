import { describe, expect, test } from "bun:test";
import type { BackoffParams, FailureAccrual } from "../types/policy.ts";
import { Breaker, BreakerState, Verdict } from "./breaker.ts";

const BACKOFF: BackoffParams = { minMs: 1000, maxMs: 60_000, jitter: 0, respectRetryAfter: false };
const CONSECUTIVE: FailureAccrual = { kind: "consecutive", failuresMax: 3, backoff: BACKOFF, readyEndpointsMin: 0 };
const UNIFIED: FailureAccrual = {
  kind: "unified",
  successRateMin: 0.8,
  windowMs: 10_000,
  requestsMin: 10,
  consecutiveFailuresMax: 0,
  backoff: BACKOFF,
  readyEndpointsMin: 0,
};

describe("consecutive failures", () => {
  test("trip after so many in a row", () => {
    const breaker = make(CONSECUTIVE);
    feed(breaker, "FF S FFR FF".replaceAll(" ", ""), 0);
    expect(breaker.state).toBe(BreakerState.Serving);
    feed(breaker, "F", 0);
    expect(breaker.state).toBe(BreakerState.Ejected);
    expect(breaker.available).toBe(false);
    expect(breaker.probeMs).toBe(1000);
    expect(breaker.trips).toBe(1);
  });

  test("never trip with a maximum of zero", () => {
    const breaker = make({ ...CONSECUTIVE, failuresMax: 0 });
    feed(breaker, "F".repeat(100), 0);
    expect(breaker.state).toBe(BreakerState.Serving);
  });

  test("admit one probe after the back-off, and serve when it succeeds", () => {
    const breaker = make(CONSECUTIVE);
    feed(breaker, "FFF", 0);
    expect(breaker.expire(999)).toBe(false);
    expect(breaker.expire(1000)).toBe(true);
    expect(breaker.available).toBe(true);
    const probe = breaker.start();
    expect(breaker.available).toBe(false);
    expect(breaker.finish(probe, Verdict.Success, 1100, 0)).toBe(true);
    expect(breaker.state).toBe(BreakerState.Serving);
    feed(breaker, "FF", 1200);
    expect(breaker.available).toBe(true);
  });

  test("double the back-off with each failed probe, up to the maximum, and start over after recovery", () => {
    const breaker = make(CONSECUTIVE);
    feed(breaker, "FFF", 0);
    let nowMs = 0;
    const waits: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      waits.push(breaker.probeMs - nowMs);
      nowMs = breaker.probeMs;
      breaker.expire(nowMs);
      breaker.finish(breaker.start(), Verdict.Failure, nowMs, 0);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    nowMs = breaker.probeMs;
    breaker.expire(nowMs);
    breaker.finish(breaker.start(), Verdict.RateLimited, nowMs, 0);
    expect(breaker.state).toBe(BreakerState.Serving);
    feed(breaker, "FFF", nowMs);
    expect(breaker.probeMs - nowMs).toBe(1000);
  });

  test("are not decided by responses to requests from before", () => {
    const breaker = make(CONSECUTIVE);
    const early = breaker.start();
    feed(breaker, "FFF", 0);
    expect(breaker.finish(early, Verdict.Success, 500, 0)).toBe(false);
    breaker.expire(1000);
    expect(breaker.finish(early, Verdict.Success, 1001, 0)).toBe(false);
    expect(breaker.state).toBe(BreakerState.Probing);
    breaker.finish(breaker.start(), Verdict.Success, 1002, 0);
    // Failures of long ago do not count against what is up again.
    for (let n = 0; n < 5; n += 1) breaker.finish(early, Verdict.Failure, 1003, 0);
    expect(breaker.state).toBe(BreakerState.Serving);
  });

  test("let another request probe when one was abandoned", () => {
    const breaker = make(CONSECUTIVE);
    feed(breaker, "FFF", 0);
    breaker.expire(1000);
    const probe = breaker.start();
    expect(breaker.abandon(probe)).toBe(true);
    expect(breaker.available).toBe(true);
    expect(breaker.abandon(probe)).toBe(false);
    breaker.finish(breaker.start(), Verdict.Success, 1001, 0);
    expect(breaker.abandon(probe)).toBe(false);
  });

  test("do not trip while too few endpoints would remain", () => {
    let mayEject = false;
    const breaker = new Breaker(
      CONSECUTIVE,
      0,
      () => 0,
      () => mayEject,
    );
    feed(breaker, "FFFFF", 0);
    expect(breaker.state).toBe(BreakerState.Serving);
    mayEject = true;
    feed(breaker, "F", 0);
    expect(breaker.state).toBe(BreakerState.Ejected);
  });

  test("wait as long as the server asks where the policy says so, within its limits", () => {
    const rows = [
      { respect: false, hintMs: 5000, want: 1000 },
      { respect: true, hintMs: 5000, want: 5000 },
      { respect: true, hintMs: 1, want: 1000 },
      { respect: true, hintMs: 1e9, want: 60_000 },
      { respect: true, hintMs: 0, want: 1000 },
    ];
    for (const { respect, hintMs, want } of rows) {
      const breaker = make({ ...CONSECUTIVE, failuresMax: 1, backoff: { ...BACKOFF, respectRetryAfter: respect } });
      breaker.finish(breaker.start(), Verdict.Failure, 0, hintMs);
      expect(breaker.probeMs).toBe(want);
    }
  });
});

describe("unified", () => {
  test("trips when the rate falls below the threshold, with enough requests", () => {
    const breaker = make(UNIFIED);
    feed(breaker, "SSSSSFFF", 0);
    expect(breaker.state).toBe(BreakerState.Serving);
    feed(breaker, "SS", 0);
    expect(breaker.state).toBe(BreakerState.Ejected);
  });

  test("does not trip at the threshold", () => {
    const breaker = make(UNIFIED);
    feed(breaker, "SSSSFSSSSF".repeat(5), 0);
    expect(breaker.state).toBe(BreakerState.Serving);
  });

  test("counts being rate limited against the rate, not among the failures in a row", () => {
    const row = make({ ...UNIFIED, consecutiveFailuresMax: 3, successRateMin: 0 });
    feed(row, "RRRRRFFRFF", 0);
    expect(row.state).toBe(BreakerState.Serving);
    const rate = make(UNIFIED);
    feed(rate, "SSSSSSSRRR", 0);
    expect(rate.state).toBe(BreakerState.Ejected);
  });

  test("trips on failures in a row before there are enough requests", () => {
    const breaker = make({ ...UNIFIED, consecutiveFailuresMax: 3 });
    feed(breaker, "FFF", 0);
    expect(breaker.state).toBe(BreakerState.Ejected);
  });

  test("forgets responses older than the window", () => {
    const breaker = make(UNIFIED);
    feed(breaker, "FFFFFFFFF", 0);
    feed(breaker, "SSSSSSSSS", 10_000);
    expect(breaker.state).toBe(BreakerState.Serving);
    const steady = make(UNIFIED);
    feed(steady, "FFFFFFFFF", 5000);
    feed(steady, "S", 14_999);
    expect(steady.state).toBe(BreakerState.Ejected);
  });

  test("takes no probe that is rate limited for a success, and starts cold after one that is not", () => {
    const breaker = make(UNIFIED);
    feed(breaker, "FFFFFFFFFF", 0);
    breaker.expire(1000);
    breaker.finish(breaker.start(), Verdict.RateLimited, 1000, 0);
    expect(breaker.state).toBe(BreakerState.Ejected);
    expect(breaker.probeMs).toBe(3000);
    breaker.expire(3000);
    breaker.finish(breaker.start(), Verdict.Success, 3000, 0);
    feed(breaker, "FFFFFFFFF", 3000);
    expect(breaker.state).toBe(BreakerState.Serving);
    feed(breaker, "F", 3000);
    expect(breaker.state).toBe(BreakerState.Ejected);
  });
});

function make(accrual: FailureAccrual): Breaker {
  return new Breaker(
    accrual,
    0,
    () => 0,
    () => true,
  );
}

/** S success, F failure, R rate limited, one after the other. */
function feed(breaker: Breaker, verdicts: string, nowMs: number): void {
  const byLetter: Record<string, Verdict> = { S: Verdict.Success, F: Verdict.Failure, R: Verdict.RateLimited };
  for (const letter of verdicts) breaker.finish(breaker.start(), byLetter[letter]!, nowMs, 0);
}
