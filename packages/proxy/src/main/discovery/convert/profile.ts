import type { destination } from "@bowline/contracts/proto";
import {
  type Profile,
  type ProfileOverride,
  type ProfileRoute,
  type RequestMatch,
  type ResponseClass,
  type ResponseMatch,
  type RetryBudgetParams,
  retryBudgetFault,
} from "@bowline/model";
import { parseDnsName, parseHostPort } from "../../../config/address-values.ts";
import { BadValue } from "../../../config/bad-value.ts";
import { durationMs, requiredDurationMs } from "./duration.ts";
import { convertEndpoint } from "./endpoint-meta.ts";
import { convertMethod } from "./header.ts";
import { InvalidMessage, lenient, required, within } from "./invalid-message.ts";
import { convertMeta } from "./meta.ts";
import { convertRegex } from "./regex.ts";
import { convertStatus } from "./status-code.ts";

/**
 * A profile is never invalid as a whole: as in Linkerd's proxy, parts that cannot be understood are left out, a route
 * whose condition is one of them altogether. `note` hears of each.
 */
export function convertProfile(profile: destination.DestinationProfile, note: (text: string) => void): Profile {
  const name = parseDnsName(profile.fullyQualifiedName);
  return {
    name: name instanceof BadValue ? "" : name,
    opaque: profile.opaqueProtocol,
    routes: eachValid(profile.routes, note, (route) => convertRoute(route, note)),
    retryBudget: lenient(profile.retryBudget, note, convertRetryBudget),
    overrides: eachValid(profile.dstOverrides, note, (override) => convertOverride(override, note)),
    endpoint: profile.endpoint === undefined ? null : convertEndpoint(profile.endpoint, {}, note),
    parent: lenient(profile.parentRef, note, convertMeta),
    // The default profile's reference has neither kind nor name.
    profileRef: lenient(profile.profileRef, () => {}, convertMeta),
  };
}

function eachValid<T, R>(values: readonly T[], note: (text: string) => void, convert: (value: T) => R): R[] {
  return values.map((value) => lenient(value, note, convert)).filter((value) => value !== null) as R[];
}

function convertRoute(route: destination.Route, note: (text: string) => void): ProfileRoute {
  return within("route", () => ({
    condition: convertRequestMatch(required(route.condition, "condition"), note),
    responseClasses: eachValid(route.responseClasses, note, (one) => convertResponseClass(one, note)),
    labels: { ...route.metricsLabels },
    retryable: route.isRetryable,
    timeoutMs: lenient(route.timeout, note, (timeout) => within("timeout", () => durationMs(timeout))),
  }));
}

function convertRequestMatch({ match }: destination.RequestMatch, note: (text: string) => void): RequestMatch {
  const nested = (one: destination.RequestMatch): RequestMatch => convertRequestMatch(one, note);
  switch (match.case) {
    case "all":
    case "any":
      return { kind: match.case, matches: eachValid(match.value.matches, note, nested) };
    case "not":
      return { kind: "not", match: nested(match.value) };
    case "path":
      return { kind: "path", regex: convertRegex(match.value.regex.trim()) };
    case "method":
      return { kind: "method", method: convertMethod(match.value) };
    case undefined:
      throw new InvalidMessage("missing request match");
  }
}

function convertResponseClass(one: destination.ResponseClass, note: (text: string) => void): ResponseClass {
  return within("response class", () => ({
    condition: convertResponseMatch(required(one.condition, "condition"), note),
    failure: one.isFailure,
  }));
}

function convertResponseMatch({ match }: destination.ResponseMatch, note: (text: string) => void): ResponseMatch {
  const nested = (one: destination.ResponseMatch): ResponseMatch => convertResponseMatch(one, note);
  switch (match.case) {
    case "all":
    case "any": {
      const matches = eachValid(match.value.matches, note, nested);
      if (matches.length === 0) throw new InvalidMessage(`"${match.case}" of no response matches`);
      return { kind: match.case, matches };
    }
    case "not":
      return { kind: "not", match: nested(match.value) };
    case "status":
      return { kind: "status", min: convertStatus(match.value.min), max: convertStatus(match.value.max) };
    case undefined:
      throw new InvalidMessage("missing response match");
  }
}

function convertOverride(override: destination.WeightedDst, note: (text: string) => void): ProfileOverride {
  const { authority, weight, backendRef } = override;
  const parsed = parseHostPort(authority);
  if (parsed instanceof BadValue) throw new InvalidMessage(`invalid dst override: "${authority}": ${parsed.reason}`);
  return { authority, weight, backend: lenient(backendRef, note, convertMeta) };
}

/** A budget that is out of bounds is none, and nothing is retried. */
function convertRetryBudget(budget: destination.RetryBudget): RetryBudgetParams {
  return within("retry budget", () => {
    const params = {
      ratio: budget.retryRatio,
      minPerSecond: budget.minRetriesPerSecond,
      ttlMs: requiredDurationMs(budget.ttl, "ttl"),
    };
    const fault = retryBudgetFault(params);
    if (fault !== null) throw new InvalidMessage(fault);
    return params;
  });
}
