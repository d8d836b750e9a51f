import { balancerMetricNames } from "@bowline/contracts";
import {
  type Counter,
  type Family,
  type Gauge,
  type Histogram,
  joinLabels,
  labels,
  type SeriesGroup,
} from "@bowline/metrics";

/** The families of one kind of balancer (proxy-facts §5.3). */
export interface BalancerFamilies {
  readonly endpoints: Family;
  readonly choosable: Family;
  readonly updates: Family;
  readonly queueLength: Family;
  readonly queueRequests: Family;
  readonly queueLatency: Family;
  readonly gateOpen: Family;
  readonly gateShut: Family;
  readonly gateOpenTime: Family;
  readonly gateShutTime: Family;
  readonly gateTimeout: Family;
}

/** The families of one kind of balancer; `prefix` as balancerMetricNames() has it. */
export function balancerFamilies(prefix: string): BalancerFamilies {
  const names = balancerMetricNames(prefix);
  const style = "openmetrics" as const;
  return {
    endpoints: { name: names.endpoints, help: "Endpoints by state", kind: "gauge", style },
    choosable: { name: names.p2cEndpoints, help: "Endpoints the balancer knows", kind: "gauge", style },
    updates: { name: names.p2cUpdatesTotal, help: "Changes of the endpoints by kind", kind: "counter", style },
    queueLength: { name: names.queueLength, help: "Requests waiting for an endpoint", kind: "gauge", style },
    queueRequests: {
      name: names.queueRequestsTotal,
      help: "Requests that came to the balancer",
      kind: "counter",
      style,
    },
    queueLatency: {
      name: names.queueLatencySeconds,
      help: "Time that requests waited for an endpoint",
      kind: "histogram",
      style,
      unit: "seconds",
      bounds: [0.0005, 0.005, 0.05, 0.5, 1, 3],
    },
    gateOpen: {
      name: names.queueGateOpenTotal,
      help: "Times that failfast ended, or serving began",
      kind: "counter",
      style,
    },
    gateShut: { name: names.queueGateShutTotal, help: "Times that failfast began", kind: "counter", style },
    gateOpenTime: seconds(names.queueGateOpenTimeSeconds, "When failfast ended, or serving began; 0 in failfast"),
    gateShutTime: seconds(names.queueGateShutTimeSeconds, "When failfast began; 0 while it is over"),
    gateTimeout: seconds(
      names.queueGateTimeoutSeconds,
      "How long requests may find no endpoint before failfast begins",
    ),
  };
}

function seconds(name: string, help: string): Family {
  return { name, help, kind: "gauge", style: "openmetrics", unit: "seconds", merge: "max" };
}

/** The families in the order of the page. */
export function balancerFamilyOrder(families: BalancerFamilies): readonly Family[] {
  return [
    families.endpoints,
    families.choosable,
    families.updates,
    families.queueLength,
    families.queueRequests,
    families.queueLatency,
    families.gateOpen,
    families.gateShut,
    families.gateOpenTime,
    families.gateShutTime,
    families.gateTimeout,
  ];
}

/** What is counted for one balancer. */
export class BalancerSeries {
  readonly requests: Counter;
  readonly queueLength: Gauge;
  readonly latencySeconds: Histogram;
  readonly #gateOpen: Counter;
  readonly #gateShut: Counter;
  readonly #gateOpenTime: Gauge;
  readonly #gateShutTime: Gauge;
  readonly #ready: Gauge;
  readonly #pending: Gauge;
  readonly #choosable: Gauge;
  #readyNow = 0;
  #pendingNow = 0;
  #queuedNow = 0;
  readonly #updates: { readonly Reset: Counter; readonly Add: Counter; readonly Remove: Counter };

  /** @param failfastTimeoutMs how long requests may find no endpoint */
  constructor(group: SeriesGroup, families: BalancerFamilies, labelText: string, failfastTimeoutMs: number) {
    const state = (name: string): Gauge =>
      group.gauge(families.endpoints, joinLabels(labels([["endpoint_state", name]]), labelText));
    const op = (name: string): Counter =>
      group.counter(families.updates, joinLabels(labels([["op", name]]), labelText));
    this.requests = group.counter(families.queueRequests, labelText);
    this.queueLength = group.gauge(families.queueLength, labelText);
    this.latencySeconds = group.histogram(families.queueLatency, labelText);
    this.#gateOpen = group.counter(families.gateOpen, labelText);
    this.#gateShut = group.counter(families.gateShut, labelText);
    this.#gateOpenTime = group.gauge(families.gateOpenTime, labelText);
    this.#gateShutTime = group.gauge(families.gateShutTime, labelText);
    group.gauge(families.gateTimeout, labelText).value = failfastTimeoutMs / 1000;
    this.#ready = state("ready");
    this.#pending = state("pending");
    this.#choosable = group.gauge(families.choosable, labelText);
    this.#updates = { Reset: op("Reset"), Add: op("Add"), Remove: op("Remove") };
    this.opened();
  }

  /** Serving begins, or failfast is over. */
  opened(): void {
    this.#gateOpen.value += 1;
    this.#gateOpenTime.value = Date.now() / 1000;
    this.#gateShutTime.value = 0;
  }

  /** Failfast begins. */
  shut(): void {
    this.#gateShut.value += 1;
    this.#gateShutTime.value = Date.now() / 1000;
    this.#gateOpenTime.value = 0;
  }

  /** By differences: another balancer may have the same labels, while a changed policy takes the place of the last. */
  endpoints(ready: number, pending: number): void {
    this.#ready.value += ready - this.#readyNow;
    this.#pending.value += pending - this.#pendingNow;
    this.#choosable.value += ready + pending - this.#readyNow - this.#pendingNow;
    this.#readyNow = ready;
    this.#pendingNow = pending;
  }

  queued(length: number): void {
    this.queueLength.value += length - this.#queuedNow;
    this.#queuedNow = length;
  }

  /** Counts an update: a reset as one, anything else by how many endpoints it added and took away. */
  updated(reset: boolean, added: number, removed: number): void {
    if (reset) this.#updates.Reset.value += 1;
    else this.#updates.Add.value += added;
    this.#updates.Remove.value += reset ? 0 : removed;
  }
}
