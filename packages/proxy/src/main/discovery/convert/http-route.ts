import type { httpRoute, outbound } from "@bowline/contracts/proto";
import { GrpcStatus } from "@bowline/grpc";
import type {
  GrpcRetry,
  GrpcRoute,
  GrpcRule,
  HttpRetry,
  HttpRoute,
  HttpRule,
  StatusRange,
  Timeouts,
} from "@bowline/model";
import { convertDistribution } from "./backend.ts";
import { optionalDurationMs } from "./duration.ts";
import { convertBackoff } from "./failure-accrual.ts";
import { InvalidMessage, required, within } from "./invalid-message.ts";
import { convertMeta } from "./meta.ts";
import { convertGrpcFilter, convertHttpFilter } from "./route-filter.ts";
import { convertGrpcMatch, convertHostMatch, convertHttpMatch } from "./route-match.ts";

type Note = (text: string) => void;
type ProtoDuration = outbound.HttpRoute_Rule["requestTimeout"];

const RETRIES_MAX = 65_535;
const RETRY_STATUS_MAX = 599;

export function convertHttpRoute({ metadata, hosts, rules }: outbound.HttpRoute, note: Note): HttpRoute {
  return {
    meta: convertMeta(metadata),
    hosts: hosts.map(convertHostMatch),
    rules: rules.map((rule) => convertHttpRule(rule, note)),
  };
}

export function convertGrpcRoute({ metadata, hosts, rules }: outbound.GrpcRoute, note: Note): GrpcRoute {
  return {
    meta: convertMeta(metadata),
    hosts: hosts.map(convertHostMatch),
    rules: rules.map((rule) => convertGrpcRule(rule, note)),
  };
}

function convertHttpRule(rule: outbound.HttpRoute_Rule, note: Note): HttpRule {
  return {
    matches: rule.matches.map(convertHttpMatch),
    filters: rule.filters.map(convertHttpFilter),
    backends: convertDistribution(rule.backends, convertHttpFilter, note),
    timeouts: convertTimeouts(rule.timeouts, rule.requestTimeout),
    retry: rule.retry === undefined ? null : convertHttpRetry(rule.retry),
    allowL5dHeaders: rule.allowL5dRequestHeaders,
  };
}

function convertGrpcRule(rule: outbound.GrpcRoute_Rule, note: Note): GrpcRule {
  return {
    matches: rule.matches.map(convertGrpcMatch),
    filters: rule.filters.map(convertGrpcFilter),
    backends: convertDistribution(rule.backends, convertGrpcFilter, note),
    timeouts: convertTimeouts(rule.timeouts, rule.requestTimeout),
    retry: rule.retry === undefined ? null : convertGrpcRetry(rule.retry),
    allowL5dHeaders: rule.allowL5dRequestHeaders,
  };
}

/** `legacyRequest` is what control planes before `timeouts` say; newer ones send it for older proxies. */
function convertTimeouts(timeouts: httpRoute.Timeouts | undefined, legacyRequest: ProtoDuration): Timeouts {
  const timeout = (name: string, duration: ProtoDuration): number | null =>
    within(`${name} timeout`, () => optionalDurationMs(duration));
  return {
    requestMs: timeout("request", timeouts?.request) ?? timeout("request", legacyRequest),
    responseMs: timeout("response", timeouts?.response),
    idleMs: timeout("idle", timeouts?.idle),
  };
}

function convertHttpRetry(retry: outbound.HttpRoute_Retry): HttpRetry {
  return within("retry", () => {
    const { statusRanges } = required(retry.conditions, "conditions");
    if (retry.maxRetries > RETRIES_MAX) throw new InvalidMessage(`invalid max-retries: ${retry.maxRetries}`);
    return { ...commonRetry(retry), statuses: statusRanges.map(convertStatusRange) };
  });
}

function convertGrpcRetry(retry: outbound.GrpcRoute_Retry): GrpcRetry {
  return within("retry", () => {
    const { cancelled, deadineExceeded, resourceExhausted, internal, unavailable } = required(
      retry.conditions,
      "conditions",
    );
    const codes: [retried: boolean, code: number][] = [
      [cancelled, GrpcStatus.Cancelled],
      [deadineExceeded, GrpcStatus.DeadlineExceeded],
      [resourceExhausted, GrpcStatus.ResourceExhausted],
      [internal, GrpcStatus.Internal],
      [unavailable, GrpcStatus.Unavailable],
    ];
    return { ...commonRetry(retry), codes: codes.filter(([retried]) => retried).map(([, code]) => code) };
  });
}

function commonRetry(retry: outbound.HttpRoute_Retry | outbound.GrpcRoute_Retry): Omit<HttpRetry, "statuses"> {
  return {
    retriesMax: retry.maxRetries,
    requestBytesMax: retry.maxRequestBytes,
    timeoutMs: within("timeout", () => optionalDurationMs(retry.timeout)),
    backoff: retry.backoff === undefined ? null : convertBackoff(retry.backoff, "backoff"),
  };
}

function convertStatusRange({ start, end }: { readonly start: number; readonly end: number }): StatusRange {
  if (start === 0 || end > RETRY_STATUS_MAX || start > end) {
    throw new InvalidMessage(`invalid condition: statuses ${start} to ${end}`);
  }
  return { min: start, max: end };
}
