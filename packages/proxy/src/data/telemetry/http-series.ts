import { type Counter, type Histogram, joinLabels, type LabelPair, labels, type SeriesGroup } from "@bowline/metrics";
import { LATENCY, REQUESTS, RESPONSES } from "./families.ts";

/** What is counted for one status code. */
export interface ResponseSeries {
  readonly total: Counter;
  readonly latencyMs: Histogram;
}

/** The request and response series of one endpoint (proxy-facts §5.1). */
export class HttpSeries {
  readonly requests: Counter;
  readonly #group: SeriesGroup;
  readonly #labels: string;
  readonly #byStatus = new Map<number, ResponseSeries>();
  #lastStatus = 0;
  #last: ResponseSeries | null = null;
  #failed: Counter | null = null;

  constructor(group: SeriesGroup, labelText: string) {
    this.#group = group;
    this.#labels = labelText;
    this.requests = group.counter(REQUESTS, labelText);
  }

  response(status: number): ResponseSeries {
    // Mostly the status of the response before: no need to look it up.
    if (status === this.#lastStatus) return this.#last!;
    let series = this.#byStatus.get(status);
    if (series === undefined) {
      series = this.#make(status);
      this.#byStatus.set(status, series);
    }
    this.#lastStatus = status;
    this.#last = series;
    return series;
  }

  /** A request that got no response from its endpoint: no status code, a failure. */
  failed(): Counter {
    this.#failed ??= this.#group.counter(RESPONSES, this.#responseLabels([], "failure", "unclassified"));
    return this.#failed;
  }

  /** A response that broke off after its head. */
  truncated(status: number): Counter {
    const statusLabel: LabelPair = ["status_code", String(status)];
    return this.#group.counter(RESPONSES, this.#responseLabels([statusLabel], "failure", "unclassified"));
  }

  #make(status: number): ResponseSeries {
    const statusLabel: LabelPair = ["status_code", String(status)];
    const classification = status >= 500 ? "failure" : "success";
    return {
      total: this.#group.counter(RESPONSES, this.#responseLabels([statusLabel], classification, "")),
      latencyMs: this.#group.histogram(LATENCY, joinLabels(this.#labels, labels([statusLabel]))),
    };
  }

  #responseLabels(status: readonly LabelPair[], classification: string, error: string): string {
    return joinLabels(
      this.#labels,
      labels([...status, ["classification", classification], ["grpc_status", ""], ["error", error]]),
    );
  }
}
