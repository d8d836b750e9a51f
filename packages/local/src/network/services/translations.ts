import { isIPv6 } from "node:net";
import type { EndpointSlice, Pod, Service } from "@bowline/kube";

/** Where connections to an address and port of the cluster's network really go. */
export interface Translation {
  /** Unique among all, and fit for a name in nftables. */
  readonly key: string;
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
  readonly backends: readonly Backend[];
  /** How long a client's address stays with the backend it was given; null: each connection goes where it may. */
  readonly affinitySeconds: number | null;
}

export interface Backend {
  readonly ip: string;
  readonly port: number;
}

type ServicePort = NonNullable<NonNullable<Service["spec"]>["ports"]>[number];

const AFFINITY_SECONDS_DEFAULT = 10_800;
/** Who sets it says that somebody else looks after the service. */
const PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name";

/** Of every cluster IP and port of a service that has somewhere to go to. */
export function serviceTranslations(service: Service, slices: readonly EndpointSlice[]): Translation[] {
  const { spec, metadata } = service;
  if (spec === undefined || spec.type === "ExternalName" || metadata.labels?.[PROXY_NAME_LABEL] !== undefined)
    return [];
  const ips = (spec.clusterIPs ?? [spec.clusterIP ?? ""]).filter((ip) => ip !== "" && ip !== "None");
  return ips.flatMap((ip) =>
    (spec.ports ?? []).flatMap((port) => {
      const backends = backendsOf(slices, port, isIPv6(ip) ? "IPv6" : "IPv4");
      const protocol = protocolOf(port);
      const key = `${metadata.namespace}/${metadata.name}/${protocol}/${port.port}/${isIPv6(ip) ? "v6" : "v4"}`;
      const translation = { key, ip, protocol, port: port.port, backends, affinitySeconds: affinityOf(service) };
      return backends.length === 0 ? [] : [translation];
    }),
  );
}

/** Of a pod's host ports, on the node's addresses. */
export function hostPortTranslations(pod: Pod, nodeIps: readonly string[]): Translation[] {
  const { spec, status, metadata } = pod;
  if (spec === undefined || spec.hostNetwork === true || isOver(pod)) return [];
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const podIps = (status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []);
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap((declared) => {
      const { hostPort, containerPort, hostIP = "" } = declared;
      if (hostPort === undefined) return [];
      const protocol = protocolOf(declared);
      return nodeIps.flatMap((ip) => {
        const target = podIps.find((podIp) => isIPv6(podIp) === isIPv6(ip));
        if (target === undefined || !["", "0.0.0.0", "::", ip].includes(hostIP)) return [];
        const key = `${metadata.namespace}/${metadata.name}/host/${protocol}/${hostPort}/${isIPv6(ip) ? "v6" : "v4"}`;
        return [
          { key, ip, protocol, port: hostPort, backends: [{ ip: target, port: containerPort }], affinitySeconds: null },
        ];
      });
    }),
  );
}

/** The ready endpoints; without any, those that are going away but still serve, as kube-proxy does (KEP-1669). */
function backendsOf(slices: readonly EndpointSlice[], port: ServicePort, family: "IPv4" | "IPv6"): Backend[] {
  const ready = new Map<string, Backend>();
  const leaving = new Map<string, Backend>();
  for (const slice of slices) {
    if (slice.addressType !== family) continue;
    const target = slice.ports?.find(
      (of) => (of.name ?? "") === (port.name ?? "") && protocolOf(of) === protocolOf(port),
    );
    if (target?.port === undefined) continue;
    for (const { addresses, conditions } of slice.endpoints) {
      const [ip] = addresses;
      if (ip === undefined) continue;
      const backend = { ip, port: target.port };
      if (conditions?.ready !== false) ready.set(backendKey(backend), backend);
      else if (conditions.terminating === true && conditions.serving !== false)
        leaving.set(backendKey(backend), backend);
    }
  }
  const chosen = ready.size > 0 ? ready : leaving;
  return [...chosen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, backend]) => backend);
}

/** Of a backend among the others of its service. */
export function backendKey({ ip, port }: Backend): string {
  // Names in nftables can't have colons.
  return `${ip.replaceAll(":", ".")}/${port}`;
}

function affinityOf({ spec }: Service): number | null {
  if (spec?.sessionAffinity !== "ClientIP") return null;
  return spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS_DEFAULT;
}

function protocolOf({ protocol }: { protocol?: string }): string {
  return (protocol ?? "TCP").toLowerCase();
}

function isOver({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}
