import { type TransportRouteMetricNames, transportRouteMetricNames } from "@bowline/contracts";
import { Counter, type Family, joinLabels, labels, type SeriesGroup } from "@bowline/metrics";
import { Cause } from "../failures.ts";

/** What is counted of routes whose connections are passed on as bytes (proxy-facts §5.3). */
export interface TransportRouteFamilies {
  readonly open: Family;
  readonly close: Family;
}

function families({ openTotal, closeTotal }: TransportRouteMetricNames): TransportRouteFamilies {
  const style = "openmetrics";
  return {
    open: { name: openTotal, help: "Connections that took the route", kind: "counter", style },
    close: { name: closeTotal, help: "Connections that have left it, by error", kind: "counter", style },
  };
}

export const OUTBOUND_TCP_ROUTE: TransportRouteFamilies = families(transportRouteMetricNames("outbound_tcp_route"));
export const OUTBOUND_TLS_ROUTE: TransportRouteFamilies = families(transportRouteMetricNames("outbound_tls_route"));

/** Why a connection had no endpoint, as the `error` label says it; "" for one that had. */
export type TransportRouteError = "" | "forbidden" | "invalid_backend" | "invalid_policy" | "unexpected";

/** How a cause is labelled in the series of routes. */
export function transportRouteError(cause: Cause): TransportRouteError {
  switch (cause) {
    case Cause.Forbidden:
      return "forbidden";
    case Cause.NoDispatcher:
      return "invalid_backend";
    case Cause.InvalidPolicy:
      return "invalid_policy";
    default:
      return "unexpected";
  }
}

/** The series of one route of connections. */
export class TransportRouteSeries {
  readonly #group: SeriesGroup;
  readonly #of: TransportRouteFamilies;
  readonly #labels: string;
  readonly #open: Counter;
  readonly #closed = new Map<TransportRouteError, Counter>();

  constructor(group: SeriesGroup, of: TransportRouteFamilies, labelText: string) {
    this.#group = group;
    this.#of = of;
    this.#labels = labelText;
    this.#open = group.counter(of.open, labelText);
  }

  opened(): void {
    this.#open.value += 1;
  }

  closed(error: TransportRouteError): void {
    let counter = this.#closed.get(error);
    if (counter === undefined) {
      const text = joinLabels(this.#labels, labels([["error", error]]));
      // A connection may outlive its route by so long that nobody shows its series any more.
      counter = this.#group.dropped ? new Counter() : this.#group.counter(this.#of.close, text);
      this.#closed.set(error, counter);
    }
    counter.value += 1;
  }
}
