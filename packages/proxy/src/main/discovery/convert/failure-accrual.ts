import type { outbound } from "@bowline/contracts/proto";
import {
  type BackoffParams,
  backoffFault,
  type ConsecutiveAccrual,
  type FailureAccrual,
  type UnifiedAccrual,
} from "@bowline/model";
import { optionalDurationMs, requiredDurationMs } from "./duration.ts";
import { InvalidMessage, required, within } from "./invalid-message.ts";

const WINDOW_MS = 10_000;
/** The window has ten buckets of at least a millisecond. */
const WINDOW_MIN_MS = 10;
/** With a higher floor the rate would never come to say anything. */
const REQUESTS_MIN_MAX = 1_000_000;
/** Linkerd keeps rates in steps of 0.01 percent. */
const RATE_STEPS = 10_000;

/** How endpoints are ejected for their failures; null when the policy does not say. */
export function convertAccrual(accrual: outbound.FailureAccrual | undefined): FailureAccrual | null {
  if (accrual === undefined) return null;
  return within("failure accrual policy", () => {
    const readyEndpointsMin = accrual.ejection?.minReadyEndpoints ?? 0;
    switch (accrual.kind.case) {
      case "consecutiveFailures":
        return convertConsecutive(accrual.kind.value, readyEndpointsMin);
      case "unified":
        return convertUnified(accrual.kind.value, readyEndpointsMin);
      case undefined:
        throw new InvalidMessage("missing kind");
    }
  });
}

/** `name` is what is missing when it is. */
export function convertBackoff(backoff: outbound.ExponentialBackoff | undefined, name: string): BackoffParams {
  const present = required(backoff, name);
  return within("backoff", () => {
    const minMs = requiredDurationMs(present.minBackoff, "min_backoff");
    const maxMs = requiredDurationMs(present.maxBackoff, "max_backoff");
    const params = { minMs, maxMs, jitter: present.jitterRatio, respectRetryAfter: present.respectRetryAfterHint };
    const fault = backoffFault(params);
    if (fault !== null) throw new InvalidMessage(fault);
    return params;
  });
}

function convertConsecutive(
  { maxFailures, backoff }: outbound.FailureAccrual_ConsecutiveFailures,
  readyEndpointsMin: number,
): ConsecutiveAccrual {
  return {
    kind: "consecutive",
    failuresMax: maxFailures,
    backoff: convertBackoff(backoff, "consecutive failures backoff"),
    readyEndpointsMin,
  };
}

function convertUnified(unified: outbound.FailureAccrual_Unified, readyEndpointsMin: number): UnifiedAccrual {
  const { successRateThreshold: rate, minRequests, maxConsecutiveFailures } = unified;
  if (!(rate >= 0 && rate <= 1)) throw new InvalidMessage("success rate threshold must be between 0.0 and 1.0");
  const successRateMin = Math.round(rate * RATE_STEPS) / RATE_STEPS;
  const windowMs = within("success-rate window", () => optionalDurationMs(unified.decay)) ?? WINDOW_MS;
  if (successRateMin > 0 && windowMs < WINDOW_MIN_MS) {
    throw new InvalidMessage("success rate window is below the minimum length");
  }
  if (minRequests > REQUESTS_MIN_MAX) throw new InvalidMessage("success rate min_requests exceeds the maximum");
  return {
    kind: "unified",
    successRateMin,
    windowMs,
    requestsMin: minRequests,
    consecutiveFailuresMax: maxConsecutiveFailures,
    backoff: convertBackoff(unified.backoff, "unified backoff"),
    readyEndpointsMin,
  };
}
