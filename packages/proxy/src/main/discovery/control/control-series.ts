import { METRIC } from "@bowline/contracts";
import { type GrpcError, GrpcStatus } from "@bowline/grpc";
import {
  type Family,
  type Histogram,
  joinLabels,
  LATENCY_BUCKETS_MS,
  type LabelPair,
  labels,
  type Registry,
} from "@bowline/metrics";
import { Classification, NO_GRPC_STATUS } from "@bowline/model";
import { isLoopbackHost } from "../../../config/address-values.ts";
import type { ControlService } from "../../../config/types.ts";
import {
  type BalancerFamilies,
  BalancerSeries,
  balancerFamilies,
  balancerFamilyOrder,
} from "../../../data/telemetry/balancer-series.ts";
import { controlAddr } from "./control-address.ts";

const REQUESTS: Family = {
  name: METRIC.controlRequestTotal,
  help: "Total count of HTTP requests.",
  kind: "counter",
  style: "classic",
};
const RESPONSES: Family = {
  name: METRIC.controlResponseTotal,
  help: "Total count of HTTP responses.",
  kind: "counter",
  style: "classic",
};
const LATENCY: Family = {
  name: METRIC.controlResponseLatencyMs,
  help: "Elapsed times between a request's headers being received and its response's first message",
  kind: "histogram",
  style: "classic",
  bounds: LATENCY_BUCKETS_MS,
};
const RESOLUTIONS: Family = {
  name: METRIC.controlDnsResolutionsTotal,
  help: "Counts the number of DNS records that have been resolved",
  kind: "counter",
  style: "openmetrics",
};
const BALANCERS: Readonly<Record<ControlServiceName, BalancerFamilies>> = {
  destination: balancerFamilies("control_destination_balancer"),
  policy: balancerFamilies("control_policy_balancer"),
};

/** What there is on the page when a control plane is asked. */
export const CONTROL_FAMILIES: readonly Family[] = [
  REQUESTS,
  RESPONSES,
  LATENCY,
  RESOLUTIONS,
  ...Object.values(BALANCERS).flatMap(balancerFamilyOrder),
];

const HTTP_OK = 200;

/** A service of the control plane, as metrics name it. */
export type ControlServiceName = "destination" | "policy";

/** What is counted about the client of one service of the control plane (proxy-facts §5.1, §5.3). */
export class ControlSeries {
  readonly balancer: BalancerSeries;
  readonly #registry: Registry;
  readonly #name: ControlServiceName;
  readonly #labels: string;

  constructor(registry: Registry, name: ControlServiceName, service: ControlService) {
    const addr = controlAddr(service);
    this.#registry = registry;
    this.#name = name;
    this.#labels = labels([["addr", addr], ...tlsLabels(service)]);
    // Nobody waits for an address: without one a call fails at once, and its watch tries again.
    this.balancer = new BalancerSeries(registry.group(), BALANCERS[name], labels([["addr", addr]]), 0);
  }

  request(): void {
    this.#registry.counter(REQUESTS, this.#labels).value += 1;
  }

  /** @param ms from the call to the first message, or to the end of a response without one */
  latency(ms: number): void {
    this.#latencyOf(HTTP_OK).observe(ms);
  }

  /**
   * A call is over.
   * @param answered whether the server answered it at all
   * @param failure null for OK
   */
  response(answered: boolean, failure: GrpcError | null): void {
    const classification = new Classification();
    if (answered) classification.head([], true, HTTP_OK, NO_GRPC_STATUS);
    if (answered) classification.end(failure?.code ?? GrpcStatus.Ok);
    else classification.error();
    const pairs: LabelPair[] = answered ? [["status_code", String(HTTP_OK)]] : [];
    pairs.push(["classification", classification.failure ? "failure" : "success"]);
    pairs.push(["grpc_status", answered ? String(classification.grpcStatus) : ""]);
    pairs.push(["error", answered ? "" : "unclassified"]);
    this.#registry.counter(RESPONSES, joinLabels(this.#labels, labels(pairs))).value += 1;
  }

  resolution(recordType: string, found: boolean): void {
    const pairs: LabelPair[] = [
      ["client", this.#name],
      ["record_type", recordType],
      ["result", found ? "ok" : "not_found"],
    ];
    this.#registry.counter(RESOLUTIONS, labels(pairs)).value += 1;
  }

  #latencyOf(status: number): Histogram {
    return this.#registry.histogram(LATENCY, joinLabels(this.#labels, labels([["status_code", String(status)]])));
  }
}

/** There is no identity yet to speak TLS with. */
function tlsLabels({ host }: ControlService): LabelPair[] {
  if (!isLoopbackHost(host)) return [["tls", "disabled"]];
  return [
    ["tls", "no_identity"],
    ["no_tls_reason", "loopback"],
  ];
}
