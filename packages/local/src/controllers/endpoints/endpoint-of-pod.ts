import type { Endpoint, EndpointPort, Node, Pod, Service, ServicePort } from "@bowline/kube";
import { canonical } from "../canonical.ts";
import { isFinished, isReady } from "../pod-state.ts";

export type AddressType = "IPv4" | "IPv6";

/** A pod behind a Service: where it is reached, and on which ports. */
export interface PodEndpoint {
  readonly endpoint: Endpoint;
  readonly ports: readonly EndpointPort[];
  /** The same for pods that share a slice. */
  readonly portsKey: string;
}

/** undefined for a pod that has no address of this family, or has ended. */
export function endpointOfPod(
  service: Service,
  pod: Pod,
  family: AddressType,
  nodeOf: (name: string) => Node | undefined,
): PodEndpoint | undefined {
  const address = addressOf(pod, family);
  if (address === undefined || isFinished(pod)) return undefined;
  const ports = portsOf(service, pod);
  return { endpoint: describe(service, pod, address, nodeOf), ports, portsKey: canonical(ports) };
}

function addressOf(pod: Pod, family: AddressType): string | undefined {
  const ips = pod.status?.podIPs?.map(({ ip }) => ip) ?? [pod.status?.podIP];
  return ips.find((ip) => ip !== undefined && ip !== "" && (ip.includes(":") ? "IPv6" : "IPv4") === family);
}

/** A port without name among several, and a named target that the pod does not have, are what they are in Kubernetes: left out. */
function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod);
    if (number === undefined) return [];
    const { name = "", protocol = "TCP", appProtocol } = port;
    return [{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

/** The number of a Service's target in this pod; each pod may have its own for the same name. */
function targetPort({ targetPort: target, port, protocol = "TCP" }: ServicePort, pod: Pod): number | undefined {
  if (typeof target === "number" && target > 0) return target;
  if (target === undefined || target === "" || target === 0) return port;
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === "Always");
  for (const container of [...containers, ...sidecars]) {
    for (const each of container.ports ?? []) {
      if (each.name === target && (each.protocol ?? "TCP") === protocol) return each.containerPort;
    }
  }
  return undefined;
}

function describe(service: Service, pod: Pod, address: string, nodeOf: (name: string) => Node | undefined): Endpoint {
  const serving = isReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const { hostname, subdomain, nodeName } = pod.spec ?? {};
  const zone = nodeName === undefined ? undefined : nodeOf(nodeName)?.metadata.labels?.["topology.kubernetes.io/zone"];
  const near = service.spec?.trafficDistribution === "PreferClose";
  return {
    addresses: [address],
    conditions: {
      ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(hostname !== undefined && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(near && zone !== undefined ? { hints: { forZones: [{ name: zone }] } } : {}),
    targetRef: {
      kind: "Pod",
      namespace: pod.metadata.namespace ?? "",
      name: pod.metadata.name,
      uid: pod.metadata.uid ?? "",
    },
  };
}
