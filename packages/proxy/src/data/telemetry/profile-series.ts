import {
  Counter,
  type Family,
  Histogram,
  joinLabels,
  LATENCY_BUCKETS_MS,
  type LabelPair,
  labels,
  type SeriesGroup,
} from "@bowline/metrics";
import {
  ROUTE_ACTUAL_REQUESTS,
  ROUTE_ACTUAL_RESPONSES,
  ROUTE_LATENCY,
  ROUTE_REQUESTS,
  ROUTE_RESPONSES,
  ROUTE_RETRYABLE,
} from "./families.ts";

/** Responses, or their absence, by what they were. */
class OutcomeCounters {
  readonly #group: SeriesGroup;
  readonly #family: Family;
  readonly #labels: string;
  readonly #counters = new Map<string, Counter>();
  // Mostly the same as for the response before: no need to look it up.
  #lastStatus = -1;
  #lastGrpcStatus = 0;
  #lastFailure = false;
  #last: Counter | null = null;

  constructor(group: SeriesGroup, family: Family, labelText: string) {
    this.#group = group;
    this.#family = family;
    this.#labels = labelText;
  }

  count(status: number, failure: boolean, grpcStatus: number, error: string): void {
    if (error !== "") {
      this.#find(status, failure, grpcStatus, error).value += 1;
      return;
    }
    if (status !== this.#lastStatus || grpcStatus !== this.#lastGrpcStatus || failure !== this.#lastFailure) {
      this.#last = this.#find(status, failure, grpcStatus, "");
      this.#lastStatus = status;
      this.#lastGrpcStatus = grpcStatus;
      this.#lastFailure = failure;
    }
    this.#last!.value += 1;
  }

  #find(status: number, failure: boolean, grpcStatus: number, error: string): Counter {
    const code: LabelPair[] = status === 0 ? [] : [["status_code", String(status)]];
    const outcome = labels([
      ...code,
      ["classification", failure ? "failure" : "success"],
      ["grpc_status", grpcStatus < 0 ? "" : String(grpcStatus)],
      ["error", error],
    ]);
    let found = this.#counters.get(outcome);
    if (found === undefined) {
      // A request may outlive its route by so long that nobody shows its series any more.
      found = this.#group.dropped
        ? new Counter()
        : this.#group.counter(this.#family, joinLabels(this.#labels, outcome));
      this.#counters.set(outcome, found);
    }
    return found;
  }
}

/** The route_* series of one route of a service profile (proxy-facts §5.1). */
export class ProfileRouteSeries {
  readonly requests: Counter;
  readonly actualRequests: Counter;
  readonly retryable: Counter;
  readonly noBudget: Counter;
  readonly #group: SeriesGroup;
  readonly #labels: string;
  readonly #responses: OutcomeCounters;
  readonly #actualResponses: OutcomeCounters;
  readonly #latencies = new Map<number, Histogram>();

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
    this.#responses = new OutcomeCounters(group, ROUTE_RESPONSES, text);
    this.#actualResponses = new OutcomeCounters(group, ROUTE_ACTUAL_RESPONSES, text);
  }

  /**
   * A request is over.
   * @param status 0 when there was no response
   * @param grpcStatus negative when there is none
   * @param error "" for a complete response
   */
  responded(status: number, failure: boolean, grpcStatus: number, error: string): void {
    this.#responses.count(status, failure, grpcStatus, error);
  }

  /** A try is over; as `responded`. */
  tried(status: number, failure: boolean, grpcStatus: number, error: string): void {
    this.#actualResponses.count(status, failure, grpcStatus, error);
  }

  latencyMs(status: number): Histogram {
    let found = this.#latencies.get(status);
    if (found === undefined) {
      const text = joinLabels(this.#labels, labels([["status_code", String(status)]]));
      found = this.#group.dropped
        ? new Histogram(Float64Array.from(LATENCY_BUCKETS_MS))
        : this.#group.histogram(ROUTE_LATENCY, text);
      this.#latencies.set(status, found);
    }
    return found;
  }
}
