import type { EndpointPort } from "@bowline/kube";
import type { EndpointPort as CorePort, EndpointAddress, EndpointSubset } from "kubernetes-types/core/v1";
import { canonical } from "../canonical.ts";
import type { PodEndpoint } from "./endpoint-of-pod.ts";

/** More than this an Endpoints object does not tell. */
const ADDRESSES_MAX = 1000;

/**
 * The same endpoints in the form of the older Endpoints object, which has one list of ports for each list of addresses. Pods that
 * are ending do not appear there, unless the Service publishes what is not ready.
 */
export function subsetsOf(endpoints: readonly PodEndpoint[]): EndpointSubset[] {
  const shown = endpoints.filter(({ endpoint }) => endpoint.conditions?.terminating !== true || isReady(endpoint));
  const groups = Map.groupBy(shown.slice(0, ADDRESSES_MAX), ({ portsKey }) => portsKey);
  return Array.from(groups.values(), (group) => {
    const ready = group
      .filter(({ endpoint }) => isReady(endpoint))
      .map(addressOf)
      .sort(byIp);
    const notReady = group
      .filter(({ endpoint }) => !isReady(endpoint))
      .map(addressOf)
      .sort(byIp);
    const ports = (group[0]?.ports ?? []).map(corePort);
    return {
      ...(ready.length === 0 ? {} : { addresses: ready }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
      ...(ports.length === 0 ? {} : { ports }),
    };
  }).sort((a, b) => (canonical(a.ports) < canonical(b.ports) ? -1 : 1));
}

function isReady(endpoint: PodEndpoint["endpoint"]): boolean {
  return endpoint.conditions?.ready === true;
}

function addressOf({ endpoint }: PodEndpoint): EndpointAddress {
  const { addresses, hostname, nodeName, targetRef } = endpoint;
  return {
    ip: addresses[0] ?? "",
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}

function corePort({ name = "", port = 0, protocol = "TCP", appProtocol }: EndpointPort): CorePort {
  return {
    ...(name === "" ? {} : { name }),
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

function byIp(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : 1;
}
