import { type Counter, type Histogram, joinLabels, type LabelPair, labels, type SeriesGroup } from "@bowline/metrics";
import {
  ROUTE_ACTUAL_REQUESTS,
  ROUTE_ACTUAL_RESPONSES,
  ROUTE_LATENCY,
  ROUTE_REQUESTS,
  ROUTE_RESPONSES,
  ROUTE_RETRYABLE,
} from "./families.ts";

/** How a response, or its absence, is labelled. */
export interface RouteOutcome {
  /** 0 when there was no response. */
  readonly status: number;
  readonly failure: boolean;
  /** Negative when there is none. */
  readonly grpcStatus: number;
  /** "" for a complete response. */
  readonly error: string;
}

/** The route_* series of one route of a service profile (proxy-facts §5.1). */
export class ProfileRouteSeries {
  readonly requests: Counter;
  readonly actualRequests: Counter;
  readonly retryable: Counter;
  readonly noBudget: Counter;
  readonly #group: SeriesGroup;
  readonly #labels: string;

  /** @param dst `name:port`; `routeLabels` are the profile's own, without their prefix */
  constructor(group: SeriesGroup, dst: string, routeLabels: Readonly<Record<string, string>>) {
    this.#group = group;
    const route = Object.entries(routeLabels).map(([key, value]): LabelPair => [`rt_${key}`, value]);
    const text = labels([["direction", "outbound"], ["dst", dst], ...route.sort(([a], [b]) => (a < b ? -1 : 1))]);
    this.#labels = text;
    this.requests = group.counter(ROUTE_REQUESTS, text);
    this.actualRequests = group.counter(ROUTE_ACTUAL_REQUESTS, text);
    this.retryable = group.counter(ROUTE_RETRYABLE, text);
    this.noBudget = group.counter(ROUTE_RETRYABLE, joinLabels(text, labels([["skipped", "no_budget"]])));
  }

  responded(outcome: RouteOutcome): void {
    this.#group.counter(ROUTE_RESPONSES, this.#outcomeLabels(outcome)).value += 1;
  }

  tried(outcome: RouteOutcome): void {
    this.#group.counter(ROUTE_ACTUAL_RESPONSES, this.#outcomeLabels(outcome)).value += 1;
  }

  latencyMs(status: number): Histogram {
    return this.#group.histogram(ROUTE_LATENCY, joinLabels(this.#labels, labels([["status_code", String(status)]])));
  }

  #outcomeLabels({ status, failure, grpcStatus, error }: RouteOutcome): string {
    const code: LabelPair[] = status === 0 ? [] : [["status_code", String(status)]];
    return joinLabels(
      this.#labels,
      labels([
        ...code,
        ["classification", failure ? "failure" : "success"],
        ["grpc_status", grpcStatus < 0 ? "" : String(grpcStatus)],
        ["error", error],
      ]),
    );
  }
}
