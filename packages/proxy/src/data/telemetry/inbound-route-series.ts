import { type InboundRouteMetricNames, inboundRouteMetricNames } from "@bowline/contracts";
import { type Counter, type Family, type Histogram, joinLabels, labels, type SeriesGroup } from "@bowline/metrics";
import { FRAME_BOUNDS_BYTES } from "./frame-bounds.ts";

const style = "openmetrics" as const;

/** What is counted of the routes that let requests in (proxy-facts §5.3). */
export interface InboundRouteFamilies {
  readonly requests: Family;
  readonly requestFrames: Family;
  readonly requestSeconds: Family;
  readonly responseFrames: Family;
  readonly responseSeconds: Family;
  readonly statuses: Family;
}

function families(names: InboundRouteMetricNames): InboundRouteFamilies {
  return {
    requests: { name: names.requestsTotal, help: "Requests that came in", kind: "counter", style },
    requestFrames: frames(names.requestFrameSizeBytes, "Sizes of the pieces that request bodies came in"),
    requestSeconds: {
      name: names.requestDurationSeconds,
      help: "Time from a request's head to its response's end",
      kind: "histogram",
      style,
      unit: "seconds",
      bounds: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 10],
    },
    responseFrames: frames(names.responseFrameSizeBytes, "Sizes of the pieces that response bodies came in"),
    responseSeconds: {
      name: names.responseDurationSeconds,
      help: "Time from a request's end to its response's end",
      kind: "histogram",
      style,
      unit: "seconds",
      bounds: [0.05, 0.5, 1, 10],
    },
    statuses: { name: names.statusesTotal, help: "Requests by the status of their response", kind: "counter", style },
  };
}

function frames(name: string, help: string): Family {
  return { name, help, kind: "histogram", style, unit: "bytes", bounds: FRAME_BOUNDS_BYTES };
}

/** Of routes for HTTP, which the default route is whatever its requests are: gRPC over it counts here, as in Linkerd. */
export const INBOUND_HTTP_ROUTE: InboundRouteFamilies = families(inboundRouteMetricNames("inbound_http"));

/** The families in the order of the page. */
export function inboundRouteFamilyOrder(of: InboundRouteFamilies): readonly Family[] {
  return [of.requests, of.requestFrames, of.requestSeconds, of.responseFrames, of.responseSeconds, of.statuses];
}

/** The series of one inbound route. */
export class InboundRouteSeries {
  readonly requests: Counter;
  readonly requestFrames: Histogram;
  readonly responseFrames: Histogram;
  readonly #requestSeconds: Histogram;
  readonly #responseSeconds: Histogram;
  readonly #group: SeriesGroup;
  readonly #statusFamily: Family;
  readonly #labels: string;
  readonly #statuses = new Map<number, Counter>();
  // Mostly the same as for the response before: no need to look it up.
  #lastStatus = -1;
  #last: Counter | null = null;

  constructor(group: SeriesGroup, of: InboundRouteFamilies, labelText: string) {
    this.#group = group;
    this.#statusFamily = of.statuses;
    this.#labels = labelText;
    this.requests = group.counter(of.requests, labelText);
    this.requestFrames = group.histogram(of.requestFrames, labelText);
    this.responseFrames = group.histogram(of.responseFrames, labelText);
    this.#requestSeconds = group.histogram(of.requestSeconds, labelText);
    this.#responseSeconds = group.histogram(of.responseSeconds, labelText);
  }

  /**
   * A request is over.
   * @param status 0 without a response
   * @param sentMs when all of the request was on its way; infinite if it never was
   */
  ended(status: number, startMs: number, sentMs: number, nowMs: number): void {
    if (status !== this.#lastStatus) {
      this.#last = this.#statusCounter(status);
      this.#lastStatus = status;
    }
    this.#last!.value += 1;
    this.#requestSeconds.observe((nowMs - startMs) / 1000);
    this.#responseSeconds.observe(Math.max(0, nowMs - sentMs) / 1000);
  }

  #statusCounter(status: number): Counter {
    let counter = this.#statuses.get(status);
    if (counter === undefined) {
      const text = labels([["status", status === 0 ? "" : String(status)]]);
      counter = this.#group.counter(this.#statusFamily, joinLabels(this.#labels, text));
      this.#statuses.set(status, counter);
    }
    return counter;
  }
}
