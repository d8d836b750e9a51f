import { type RouteMetricNames, routeMetricNames } from "@bowline/contracts";
import { type Counter, type Family, type Histogram, joinLabels, labels, type SeriesGroup } from "@bowline/metrics";
import type { Meta } from "@bowline/model";

const style = "openmetrics" as const;

/** What is counted of routes and of their backends, once for HTTP and once for gRPC (proxy-facts §5.3). */
export interface RouteFamilies {
  readonly requestSeconds: Family;
  readonly statuses: Family;
  readonly retries: Family;
  readonly retrySuccesses: Family;
  readonly retryLimitExceeded: Family;
  readonly retryOverflow: Family;
  readonly backendRequests: Family;
  readonly backendSeconds: Family;
  readonly backendStatuses: Family;
  /** How a status is labelled. */
  readonly statusLabel: "http_status" | "grpc_status";
}

function counter(name: string, help: string): Family {
  return { name, help, kind: "counter", style };
}

function seconds(name: string, help: string, bounds: readonly number[]): Family {
  return { name, help, kind: "histogram", style, unit: "seconds", bounds };
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
    of.retries,
    of.retrySuccesses,
    of.retryLimitExceeded,
    of.retryOverflow,
    of.backendRequests,
    of.backendSeconds,
    of.backendStatuses,
  ];
}

/** Names of gRPC's codes as the label says them. */
const GRPC_NAMES: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Why there was no complete response, as the `error` label says it. */
export type RouteError = "" | "FAIL_FAST" | "LOAD_SHED" | "REQUEST_TIMEOUT" | "CANCEL" | "RESET" | "IO" | "UNKNOWN";

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
      const text =
        status < 0 ? "" : this.#statusLabel === "grpc_status" ? (GRPC_NAMES[status] ?? "UNKNOWN") : String(status);
      const status_ = labels([
        [this.#statusLabel, text],
        ["error", error],
      ]);
      found = this.#group.counter(this.#family, joinLabels(this.#labels, status_));
      this.#counters.set(key, found);
    }
    return found;
  }
}

/** The series of one route. */
export class RouteSeries {
  readonly seconds: Histogram;
  readonly statuses: StatusCounters;
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
    this.retries = group.counter(of.retries, labelText);
    this.retrySuccesses = group.counter(of.retrySuccesses, labelText);
    this.retryLimitExceeded = group.counter(of.retryLimitExceeded, labelText);
    this.retryOverflow = group.counter(of.retryOverflow, labelText);
  }
}

/** The series of one backend of a route. */
export class RouteBackendSeries {
  readonly requests: Counter;
  readonly seconds: Histogram;
  readonly statuses: StatusCounters;

  constructor(group: SeriesGroup, of: RouteFamilies, labelText: string) {
    this.requests = group.counter(of.backendRequests, labelText);
    this.seconds = group.histogram(of.backendSeconds, labelText);
    this.statuses = new StatusCounters(group, of.backendStatuses, of.statusLabel, labelText);
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
