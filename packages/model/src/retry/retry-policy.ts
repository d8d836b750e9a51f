/** Whether a request is tried again: by a rule of an outbound policy, or by a retryable route of a service profile. */
import { NO_GRPC_STATUS } from "../classify/classify.ts";
import type { BackoffParams } from "../types/policy.ts";
import type { GrpcRetry, HttpRetry, StatusRange } from "../types/route.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** The most bytes of a request's body that are kept for retries by a service profile. */
export const PROFILE_RETRY_BYTES_MAX = 65_536;

/** When to try again. Both kinds of conditions may be set by request headers. */
export interface RetryPolicy {
  readonly retriesMax: number;
  readonly requestBytesMax: number;
  /** null: HTTP statuses are not looked at. */
  readonly statuses: readonly StatusRange[] | null;
  /** gRPC codes; null: they are not looked at. */
  readonly codes: readonly number[] | null;
  /** For each try up to its response head, the last one excepted; null for none. */
  readonly timeoutMs: number | null;
  readonly backoff: BackoffParams | null;
}

/** How a try ended: with a response, or for one of these reasons without. */
export const TryEnd = { Response: 0, Failfast: 1, Shed: 2, HeadTimeout: 3, RefusedStream: 4, OtherError: 5 } as const;
export type TryEnd = (typeof TryEnd)[keyof typeof TryEnd];

/** What became of the request's body when the try ended. Only one kept as a whole can be sent again. */
export const SentBody = { Whole: 0, Unfinished: 1, TooLarge: 2 } as const;
export type SentBody = (typeof SentBody)[keyof typeof SentBody];

/** LimitReached and NoBudget: it would be tried again, but may not. */
export const RetryDecision = { Done: 0, Retry: 1, LimitReached: 2, NoBudget: 3 } as const;
export type RetryDecision = (typeof RetryDecision)[keyof typeof RetryDecision];

export function httpRetryPolicy(retry: HttpRetry): RetryPolicy {
  return { ...limits(retry), statuses: retry.statuses, codes: null };
}

export function grpcRetryPolicy(retry: GrpcRetry): RetryPolicy {
  return { ...limits(retry), statuses: null, codes: retry.codes };
}

/**
 * @param tries how many have ended, this one included
 * @param status 0 without a response
 * @param grpcStatus from the head, or from trailers that followed at once
 */
export function decideRetry(
  policy: RetryPolicy,
  tries: number,
  end: TryEnd,
  status: number,
  grpcStatus: number,
  body: SentBody,
): RetryDecision {
  if (!isRetryable(policy, end, status, grpcStatus) || body !== SentBody.Whole) return RetryDecision.Done;
  return tries > policy.retriesMax ? RetryDecision.LimitReached : RetryDecision.Retry;
}

/** How long the given try may take to its response head: a last one is not cut short, as nothing could follow it. */
export function headTimeout(policy: RetryPolicy, tryNumber: number): number | null {
  return tryNumber > 1 && tryNumber > policy.retriesMax ? null : policy.timeoutMs;
}

/**
 * For a retryable route of a profile. Spends or fills its budget, so it is asked once for each try that ended.
 * There is no number of tries that would be too many: the budget bounds them.
 *
 * @param failure the response's class; a try without a response is not retried
 */
export function decideProfileRetry(
  budget: RetryBudget,
  end: TryEnd,
  failure: boolean,
  body: SentBody,
  nowMs: number,
): RetryDecision {
  if (end !== TryEnd.Response || !failure || body !== SentBody.Whole) {
    budget.deposit(nowMs);
    return RetryDecision.Done;
  }
  return budget.withdraw(nowMs) ? RetryDecision.Retry : RetryDecision.NoBudget;
}

function isRetryable(policy: RetryPolicy, end: TryEnd, status: number, grpcStatus: number): boolean {
  switch (end) {
    case TryEnd.Response:
      if (grpcStatus !== NO_GRPC_STATUS && policy.codes?.includes(grpcStatus) === true) return true;
      return policy.statuses?.some((range) => status >= range.min && status <= range.max) ?? false;
    // Another backend may be available by now.
    case TryEnd.Failfast:
    case TryEnd.HeadTimeout:
    case TryEnd.RefusedStream:
      return true;
    // There is too much to do already.
    case TryEnd.Shed:
    case TryEnd.OtherError:
      return false;
    default:
      return unreachable(end);
  }
}

function limits(
  retry: HttpRetry | GrpcRetry,
): Pick<RetryPolicy, "retriesMax" | "requestBytesMax" | "timeoutMs" | "backoff"> {
  const { retriesMax, requestBytesMax, timeoutMs, backoff } = retry;
  return { retriesMax, requestBytesMax, timeoutMs, backoff };
}

function unreachable(end: never): never {
  throw new Error(`not an end of a try: ${String(end)}`);
}
