import { joinLabels, labels } from "@bowline/metrics";
import type { Meta } from "@bowline/model";
import type { BalancerFamilies } from "../telemetry/balancer-series.ts";
import { OUTBOUND_HTTP_BALANCER, OUTBOUND_TCP_BALANCER, OUTBOUND_TLS_BALANCER } from "../telemetry/families.ts";
import { backendLabels, parentLabels } from "../telemetry/route-series.ts";

/** Where a balancer stands, for its labels. */
export interface BalancerPlace {
  readonly parent: Meta;
  readonly backend: Meta;
  /** The original destination, `ip:port`. */
  readonly logical: string;
  /** What is balanced over: `name:port`. */
  readonly concrete: string;
}

/** What is balanced, HTTP requests or connections: the two are counted, and so balanced, apart. */
export interface Transport {
  readonly balancer: BalancerFamilies;
  readonly labels: (place: BalancerPlace) => string;
}

function serviceLabels({ parent, backend }: BalancerPlace): string {
  return joinLabels(parentLabels(parent), backendLabels(backend));
}

export const HTTP_TRANSPORT: Transport = { balancer: OUTBOUND_HTTP_BALANCER, labels: serviceLabels };

export const TCP_TRANSPORT: Transport = {
  balancer: OUTBOUND_TCP_BALANCER,
  labels(place) {
    const addresses = labels([
      ["logical", place.logical],
      ["concrete", place.concrete],
    ]);
    return joinLabels(serviceLabels(place), addresses);
  },
};

export const TLS_TRANSPORT: Transport = {
  balancer: OUTBOUND_TLS_BALANCER,
  labels: ({ concrete }) => labels([["concrete", concrete]]),
};

/** The resource that `name:port` stands for: a service where the name is one's, else nobody knows. */
export function serviceMeta(authority: string): Meta {
  const [, name, namespace, port] = /^([^.:]+)\.([^.:]+)\.svc[.:].*?([0-9]+)$/i.exec(authority) ?? [];
  if (name === undefined || namespace === undefined) {
    return { group: "", kind: "default", namespace: "", name: "unknown", port: 0, section: "" };
  }
  return { group: "core", kind: "Service", namespace, name, port: Number(port), section: "" };
}
