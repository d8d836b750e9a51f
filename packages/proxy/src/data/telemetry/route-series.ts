import { type GrpcStatus, grpcStatusName, type RouteMetricNames, routeMetricNames } from "@bowline/contracts";
import { Counter, type Family, type Histogram, joinLabels, labels, type SeriesGroup } from "@bowline/metrics";
import type { Meta } from "@bowline/model";
import { ErrorCode, ResetBy } from "@bowline/wire";
import { Cause } from "../failures.ts";
import { FRAME_BOUNDS_BYTES } from "./frame-bounds.ts";

const style = "openmetrics" as const;

/** What is counted of routes and of their backends, once for HTTP and once for gRPC (proxy-facts §5.3). */
export interface RouteFamilies {
  readonly requestSeconds: Family;
  readonly statuses: Family;
  readonly requestFrames: Family;
  readonly retries: Family;
  readonly retrySuccesses: Family;
  readonly retryLimitExceeded: Family;
  readonly retryOverflow: Family;
  readonly backendRequests: Family;
  readonly backendSeconds: Family;
  readonly backendStatuses: Family;
  readonly backendFrames: Family;
  /** How a status is labelled. */
  readonly statusLabel: "http_status" | "grpc_status";
}

function counter(name: string, help: string): Family {
  return { name, help, kind: "counter", style };
}

function seconds(name: string, help: string, bounds: readonly number[]): Family {
  return { name, help, kind: "histogram", style, unit: "seconds", bounds };
}

function frames(name: string, help: string): Family {
  return { name, help, kind: "histogram", style, unit: "bytes", bounds: FRAME_BOUNDS_BYTES };
}

const REQUEST_BOUNDS = [0.05, 0.5, 1, 10];
const BACKEND_BOUNDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 10];

function families(names: RouteMetricNames, statusLabel: RouteFamilies["statusLabel"]): RouteFamilies {
  return {
    requestSeconds: seconds(
      names.requestDurationSeconds,
      "Time from a request's head to its response's end",
      REQUEST_BOUNDS,
    ),
    statuses: counter(names.requestStatusesTotal, "Requests by the status of their response"),
    requestFrames: frames(names.requestFrameSizeBytes, "Sizes of the pieces that request bodies came in"),
    retries: counter(names.retryRequestsTotal, "Requests sent again"),
    retrySuccesses: counter(names.retrySuccessesTotal, "Requests sent again that then succeeded"),
    retryLimitExceeded: counter(
      names.retryLimitExceededTotal,
      "Requests not sent again because they had been often enough",
    ),
    retryOverflow: counter(names.retryOverflowTotal, "Requests not sent again for want of a budget"),
    backendRequests: counter(names.backendRequestsTotal, "Requests by backend"),
    backendSeconds: seconds(
      names.backendResponseDurationSeconds,
      "Time from a request's end to its response's",
      BACKEND_BOUNDS,
    ),
    backendStatuses: counter(names.backendResponseStatusesTotal, "Responses by backend and status"),
    backendFrames: frames(names.backendResponseFrameSizeBytes, "Sizes of the pieces that response bodies came in"),
    statusLabel,
  };
}

export const OUTBOUND_HTTP_ROUTE: RouteFamilies = families(routeMetricNames("outbound_http_route"), "http_status");
export const OUTBOUND_GRPC_ROUTE: RouteFamilies = families(routeMetricNames("outbound_grpc_route"), "grpc_status");

/** The families in the order of the page. */
export function routeFamilyOrder(of: RouteFamilies): readonly Family[] {
  return [
    of.requestSeconds,
    of.statuses,
    of.requestFrames,
    of.retries,
    of.retrySuccesses,
    of.retryLimitExceeded,
    of.retryOverflow,
    of.backendRequests,
    of.backendSeconds,
    of.backendStatuses,
    of.backendFrames,
  ];
}

/** Why there was no complete response, as the `error` label says it. */
export type RouteError =
  | ""
  | "FAIL_FAST"
  | "LOAD_SHED"
  | "REQUEST_TIMEOUT"
  | "RESPONSE_HEADERS_TIMEOUT"
  | "RESPONSE_STREAM_TIMEOUT"
  | "IDLE_TIMEOUT"
  | "CANCEL"
  | "REFUSED"
  | "ENHANCE_YOUR_CALM"
  | "RESET"
  | "IO"
  | "UNKNOWN";

/** How a cause is labelled. */
export function routeError(cause: Cause): RouteError {
  switch (cause) {
    case Cause.RouteTimeout:
      return "REQUEST_TIMEOUT";
    case Cause.Failfast:
      return "FAIL_FAST";
    case Cause.LoadShed:
      return "LOAD_SHED";
    case Cause.ConnectRefused:
    case Cause.ConnectTimeout:
    case Cause.ConnectUnreachable:
    case Cause.ConnectFailed:
    case Cause.UpstreamClosed:
    case Cause.UpstreamReset:
      return "IO";
    default:
      return "UNKNOWN";
  }
}

/** How the early end of an exchange is labelled. */
export function resetError(code: ErrorCode, by: ResetBy): RouteError {
  if (by === ResetBy.ConnectionLost) return "IO";
  switch (code) {
    case ErrorCode.Cancel:
      return "CANCEL";
    case ErrorCode.RefusedStream:
      return "REFUSED";
    case ErrorCode.EnhanceYourCalm:
      return "ENHANCE_YOUR_CALM";
    default:
      return "RESET";
  }
}

/** Counters by status and error, made when first needed. */
class StatusCounters {
  readonly #group: SeriesGroup;
  readonly #family: Family;
  readonly #statusLabel: RouteFamilies["statusLabel"];
  readonly #labels: string;
  readonly #counters = new Map<string, Counter>();
  #lastStatus = -2;
  #last: Counter | null = null;

  constructor(group: SeriesGroup, family: Family, statusLabel: RouteFamilies["statusLabel"], labelText: string) {
    this.#group = group;
    this.#family = family;
    this.#statusLabel = statusLabel;
    this.#labels = labelText;
  }

  /** @param status HTTP's or gRPC's, negative when there is none */
  count(status: number, error: RouteError): void {
    if (error !== "" || status !== this.#lastStatus) {
      this.#last = this.#find(status, error);
      this.#lastStatus = error === "" ? status : -2;
    }
    this.#last!.value += 1;
  }

  #find(status: number, error: RouteError): Counter {
    const key = `${status} ${error}`;
    let found = this.#counters.get(key);
    if (found === undefined) {
      const outcome = labels([
        [this.#statusLabel, this.#statusText(status)],
        ["error", error],
      ]);
      // A request may outlive its route by so long that nobody shows its series any more.
      found = this.#group.dropped
        ? new Counter()
        : this.#group.counter(this.#family, joinLabels(this.#labels, outcome));
      this.#counters.set(key, found);
    }
    return found;
  }

  #statusText(status: number): string {
    if (this.#statusLabel === "grpc_status") return grpcStatusName(status as GrpcStatus);
    return status < 0 ? "" : String(status);
  }
}

/** The series of one route. */
export class RouteSeries {
  readonly seconds: Histogram;
  readonly statuses: StatusCounters;
  readonly requestFrames: Histogram;
  readonly retries: Counter;
  readonly retrySuccesses: Counter;
  readonly retryLimitExceeded: Counter;
  readonly retryOverflow: Counter;
  /** gRPC statuses are counted rather than HTTP's. */
  readonly grpc: boolean;

  constructor(group: SeriesGroup, of: RouteFamilies, labelText: string) {
    this.grpc = of.statusLabel === "grpc_status";
    this.seconds = group.histogram(of.requestSeconds, labelText);
    this.statuses = new StatusCounters(group, of.statuses, of.statusLabel, labelText);
    this.requestFrames = group.histogram(of.requestFrames, labelText);
    this.retries = group.counter(of.retries, labelText);
    this.retrySuccesses = group.counter(of.retrySuccesses, labelText);
    this.retryLimitExceeded = group.counter(of.retryLimitExceeded, labelText);
    this.retryOverflow = group.counter(of.retryOverflow, labelText);
  }
}

/** Hosts come from clients: this many have series of their own, then they share the unnamed one. */
const HOST_SERIES_MAX = 100;

/** A DNS name, and no IPv4 address. */
const HOSTNAME = /^(?![0-9.]*$)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/;

/** The series of one route, by the host that requests name. */
export class RouteSeriesByHost {
  readonly #make: (hostname: string) => RouteSeries;
  readonly #series = new Map<string, RouteSeries>();

  constructor(make: (hostname: string) => RouteSeries) {
    this.#make = make;
  }

  /** @param host without port, in lower case */
  of(host: string): RouteSeries {
    const found = this.#series.get(host);
    if (found !== undefined) return found;
    const named = host !== "" && this.#series.size < HOST_SERIES_MAX && HOSTNAME.test(host);
    if (!named && host !== "") return this.of("");
    const series = this.#make(host);
    this.#series.set(host, series);
    return series;
  }
}

/** The series of one backend of a route. */
export class RouteBackendSeries {
  readonly requests: Counter;
  readonly seconds: Histogram;
  readonly statuses: StatusCounters;
  readonly frames: Histogram;

  constructor(group: SeriesGroup, of: RouteFamilies, labelText: string) {
    this.requests = group.counter(of.backendRequests, labelText);
    this.seconds = group.histogram(of.backendSeconds, labelText);
    this.statuses = new StatusCounters(group, of.backendStatuses, of.statusLabel, labelText);
    this.frames = group.histogram(of.backendFrames, labelText);
  }
}

export function parentLabels(meta: Meta): string {
  return labels([
    ["parent_group", meta.group],
    ["parent_kind", meta.kind],
    ["parent_namespace", meta.namespace],
    ["parent_name", meta.name],
    ["parent_port", portText(meta)],
    ["parent_section_name", meta.section],
  ]);
}

export function routeLabels(meta: Meta): string {
  return labels([
    ["route_group", meta.group],
    ["route_kind", meta.kind],
    ["route_namespace", meta.namespace],
    ["route_name", meta.name],
  ]);
}

export function backendLabels(meta: Meta): string {
  return labels([
    ["backend_group", meta.group],
    ["backend_kind", meta.kind],
    ["backend_namespace", meta.namespace],
    ["backend_name", meta.name],
    ["backend_port", portText(meta)],
    ["backend_section_name", meta.section],
  ]);
}

function portText(meta: Meta): string {
  return meta.port === 0 ? "" : String(meta.port);
}
