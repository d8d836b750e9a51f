import { L5D_HEADERS } from "@bowline/contracts";
import {
  FilterChain,
  liveOverrides,
  type Profile,
  type ProfileRoute,
  ProfileRouteTable,
  type RequestHeaders,
  RetryBudget,
  retryBudgetFault,
} from "@bowline/model";
import { DetectSeries } from "../telemetry/detect-series.ts";
import { ProfileRouteSeries } from "../telemetry/profile-series.ts";
import { parentLabels } from "../telemetry/route-series.ts";
import type { Backends } from "./backends.ts";
import { ProfileRouter, Routing } from "./routing.ts";
import { HTTP_TRANSPORT, serviceMeta, TCP_TRANSPORT, type Transport } from "./transport.ts";
import { type Choice, OnlyChoice, OverrideChoice, type TcpWay, type Way } from "./way.ts";

const NO_TIMEOUTS = { requestMs: null, responseMs: null, idleMs: null } as const;

/** What a service profile makes of the traffic to its service: routes, retries, and a split by its overrides. */
export function compileProfile(profile: Profile, backends: Backends): Routing {
  const dst = `${profile.name}:${backends.target.port}`;
  const choice = choiceOf(profile, dst, backends, HTTP_TRANSPORT);
  const tcp = (): TcpWay => ({ choice: choiceOf(profile, dst, backends, TCP_TRANSPORT), series: null });
  const { nowMs } = backends.side.plane.reactor;
  const params = profile.retryBudget;
  // Without a usable budget there are no retries.
  const budget = params === null || retryBudgetFault(params) !== null ? null : new RetryBudget(params, nowMs);
  const table = new ProfileRouteTable(profile.routes);
  const ways = new Map<ProfileRoute | null, Way>();
  // The inbound proxy looks its profile up by this (proxy-facts §4.12).
  const canonical: RequestHeaders = {
    kind: "request-headers",
    add: [],
    set: [[L5D_HEADERS.dstCanonical, dst]],
    remove: [],
  };
  const filters = profile.routes.length === 0 ? null : new FilterChain([canonical]);
  for (const route of [null, ...profile.routes]) {
    ways.set(route, {
      filters,
      prefixLength: null,
      retry: null,
      budget: route?.retryable === true ? budget : null,
      classes: route?.responseClasses ?? [],
      timeouts: NO_TIMEOUTS,
      headTimeoutMs: route?.timeoutMs ?? null,
      allowL5dHeaders: false,
      choice,
      series: null,
      hosts: null,
      profileSeries: new ProfileRouteSeries(backends.group, dst, route?.labels ?? {}),
    });
  }
  const router = new ProfileRouter(table, ways);
  const parent = profile.parent ?? serviceMeta(dst);
  const detect = new DetectSeries(backends.group, "outbound", parentLabels(parent));
  return new Routing({ opaque: profile.opaque, http1: router, http2: router, tcp, detect, held: backends.held });
}

function choiceOf(profile: Profile, dst: string, backends: Backends, transport: Transport): Choice {
  const parent = profile.parent ?? serviceMeta(dst);
  const overrides = liveOverrides(profile);
  if (overrides.length === 0) return new OnlyChoice(backends.service(dst, parent, profile.parent, transport));
  return new OverrideChoice(
    overrides,
    overrides.map(({ authority, backend }) => ({
      backend: backends.service(authority, parent, backend, transport),
      filters: null,
      series: null,
    })),
  );
}
