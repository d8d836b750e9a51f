import { type destination, httpTypes } from "@bowline/contracts/proto";
import { parseQuantity } from "@bowline/kube";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { parseGoDurationMs } from "../go-duration.ts";
import { durationMessage } from "./duration-message.ts";
import type { RequestMatchSpec, ResponseMatchSpec, RouteSpec, ServiceProfile } from "./objects.ts";

/** What a message is made from. */
type Init<D extends DescMessage> = Extract<MessageInitShape<D>, { $typeName?: never }>;
type RouteInit = Init<typeof destination.RouteSchema>;
type RequestMatchInit = Init<typeof destination.RequestMatchSchema>;
type ResponseMatchInit = Init<typeof destination.ResponseMatchSchema>;
type RetryBudgetInit = Init<typeof destination.RetryBudgetSchema>;
type WeightedDstInit = Init<typeof destination.WeightedDstSchema>;

/** A ServiceProfile cannot be followed; the message names the field. */
class ProfileFault extends Error {
  readonly code = "SERVICE_PROFILE";
}

/** What a ServiceProfile says, as proxies are told it. */
export interface ProfileContents {
  readonly routes: RouteInit[];
  readonly retryBudget: RetryBudgetInit;
  readonly dstOverrides: WeightedDstInit[];
}

/** Where no ServiceProfile says otherwise: a fifth more requests, and always ten a second. */
export const DEFAULT_CONTENTS: ProfileContents = {
  routes: [],
  retryBudget: { retryRatio: 0.2, minRetriesPerSecond: 10, ttl: durationMessage(10_000) },
  dstOverrides: [],
};

const STATUS_MIN = 100;
const STATUS_MAX = 599;

/**
 * @param port of the service: overrides without a port mean this one
 * @throws ProfileFault when any part cannot be understood: half a profile might send requests where none should go
 */
export function convertServiceProfile({ spec = {} }: ServiceProfile, port: number): ProfileContents {
  return {
    routes: (spec.routes ?? []).map((route, at) => convertRoute(route, `spec.routes[${at}]`)),
    retryBudget: convertRetryBudget(spec.retryBudget),
    dstOverrides: (spec.dstOverrides ?? []).map((override, at) => {
      return convertOverride(override, port, `spec.dstOverrides[${at}]`);
    }),
  };
}

function convertRoute(
  { name = "", condition, responseClasses = [], isRetryable, timeout }: RouteSpec,
  path: string,
): RouteInit {
  if (name === "") throw new ProfileFault(`${path}.name: missing`);
  const timeoutMs = timeout === undefined || timeout === "" ? 0 : duration(timeout, `${path}.timeout`);
  return {
    condition: convertRequest(condition, `${path}.condition`),
    responseClasses: responseClasses.map((one, at) => ({
      condition: convertResponse(one.condition, `${path}.responseClasses[${at}].condition`),
      isFailure: one.isFailure ?? false,
    })),
    metricsLabels: { route: name },
    isRetryable: isRetryable ?? false,
    ...(timeoutMs === 0 ? {} : { timeout: durationMessage(timeoutMs) }),
  };
}

function convertRequest(match: RequestMatchSpec | undefined, path: string): RequestMatchInit {
  if (match === undefined) throw new ProfileFault(`${path}: missing`);
  const { all, any, method, not, pathRegex } = match;
  const matches: RequestMatchInit[] = [];
  if (all !== undefined) matches.push({ match: { case: "all", value: { matches: requests(all, `${path}.all`) } } });
  if (any !== undefined) matches.push({ match: { case: "any", value: { matches: requests(any, `${path}.any`) } } });
  if (method !== undefined && method !== "") matches.push({ match: { case: "method", value: methodMessage(method) } });
  if (not !== undefined) matches.push({ match: { case: "not", value: convertRequest(not, `${path}.not`) } });
  if (pathRegex !== undefined && pathRegex !== "") {
    matches.push({ match: { case: "path", value: { regex: pathRegex } } });
  }
  const [only, ...others] = matches;
  if (only === undefined) throw new ProfileFault(`${path}: no field is set`);
  return others.length === 0 ? only : { match: { case: "all", value: { matches } } };
}

function requests(all: readonly RequestMatchSpec[], path: string): RequestMatchInit[] {
  return all.map((one, at) => convertRequest(one, `${path}[${at}]`));
}

function convertResponse(match: ResponseMatchSpec | undefined, path: string): ResponseMatchInit {
  if (match === undefined) throw new ProfileFault(`${path}: missing`);
  const { all, any, status, not } = match;
  const matches: ResponseMatchInit[] = [];
  if (all !== undefined) matches.push({ match: { case: "all", value: { matches: responses(all, `${path}.all`) } } });
  if (any !== undefined) matches.push({ match: { case: "any", value: { matches: responses(any, `${path}.any`) } } });
  if (status !== undefined) matches.push({ match: { case: "status", value: statusRange(status, `${path}.status`) } });
  if (not !== undefined) matches.push({ match: { case: "not", value: convertResponse(not, `${path}.not`) } });
  const [only, ...others] = matches;
  if (only === undefined) throw new ProfileFault(`${path}: no field is set`);
  return others.length === 0 ? only : { match: { case: "all", value: { matches } } };
}

function responses(all: readonly ResponseMatchSpec[], path: string): ResponseMatchInit[] {
  return all.map((one, at) => convertResponse(one, `${path}[${at}]`));
}

/** A bound that is left out is the other: one status. */
function statusRange(
  { min = 0, max = 0 }: NonNullable<ResponseMatchSpec["status"]>,
  path: string,
): { min: number; max: number } {
  const range = { min: min || max, max: max || min };
  if (range.min < STATUS_MIN || range.max > STATUS_MAX) {
    throw new ProfileFault(`${path}: not between ${STATUS_MIN} and ${STATUS_MAX}`);
  }
  if (range.min > range.max) throw new ProfileFault(`${path}: min is above max`);
  return range;
}

function methodMessage(method: string): Init<typeof httpTypes.HttpMethodSchema> {
  const name = method.toUpperCase();
  const registered = Object.entries(httpTypes.HttpMethod_Registered).find(([one]) => one === name)?.[1];
  return {
    type: registered === undefined ? { case: "unregistered", value: name } : { case: "registered", value: registered },
  };
}

function convertRetryBudget(budget: NonNullable<ServiceProfile["spec"]>["retryBudget"]): RetryBudgetInit {
  if (budget === undefined) return DEFAULT_CONTENTS.retryBudget;
  const { retryRatio = 0, minRetriesPerSecond = 0, ttl } = budget;
  if (!(retryRatio >= 0)) throw new ProfileFault("spec.retryBudget.retryRatio: negative");
  if (!Number.isInteger(minRetriesPerSecond) || minRetriesPerSecond < 0) {
    throw new ProfileFault("spec.retryBudget.minRetriesPerSecond: not a whole number");
  }
  if (ttl === undefined) throw new ProfileFault("spec.retryBudget.ttl: missing");
  return { retryRatio, minRetriesPerSecond, ttl: durationMessage(duration(ttl, "spec.retryBudget.ttl")) };
}

function convertOverride(
  override: { authority: string; weight: string | number },
  port: number,
  path: string,
): WeightedDstInit {
  const { authority, weight } = override;
  if (authority === "") throw new ProfileFault(`${path}.authority: missing`);
  return {
    authority: /:[0-9]+$/.test(authority) ? authority : `${authority}:${port}`,
    weight: weightOf(weight, `${path}.weight`),
  };
}

/** In parts of ten thousand, of which a thousandth is ten; what is less counts as one thousandth. */
function weightOf(text: string | number, path: string): number {
  try {
    const milli = Math.ceil(Number((parseQuantity(text) * 1_000).toFixed(6)));
    if (milli < 0) throw new RangeError("negative");
    return milli * 10;
  } catch (error) {
    throw new ProfileFault(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function duration(text: string, path: string): number {
  const ms = parseGoDurationMs(text);
  if (ms === null) throw new ProfileFault(`${path}: ${JSON.stringify(text)} is not a duration such as 1m30s`);
  return ms;
}
