import type { destination } from "@bowline/contracts/proto";
import type { Pod } from "@bowline/kube";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Gateway } from "./candidates.ts";
import type { ClusterIndex } from "./cluster-index.ts";
import { addressMessage } from "./ip.ts";
import type { ExternalWorkload } from "./objects.ts";
import type { DiscoverySettings } from "./settings.ts";
import {
  controlPlaneOf,
  externalWorkloadLabels,
  isPodPortOpaque,
  isSkipped,
  isWorkloadPortOpaque,
  podLabels,
  proxyPortsOf,
  serviceAccountOf,
} from "./workload.ts";

/** What a `WeightedAddr` is made from. */
export interface WeightedAddrInit {
  readonly addr: ReturnType<typeof addressMessage>;
  weight: number;
  readonly metricLabels: Record<string, string>;
  protocolHint?: MessageInitShape<typeof destination.ProtocolHintSchema>;
  tlsIdentity?: MessageInitShape<typeof destination.TlsIdentitySchema>;
  authorityOverride?: { authorityOverride: string };
  http2?: NonNullable<DiscoverySettings["http2"]>;
}

/** An address as clients connect to it. */
export interface EndpointAddress {
  readonly ip: string;
  readonly port: number;
  /** The zone that its EndpointSlice says it is in. */
  readonly zone: string;
  /** Where its pod takes the connection, when that is behind a port of the node; null where it is the port itself. */
  readonly podPort: number | null;
}

/** Linkerd counts weights in parts of ten thousand. */
const WEIGHT = 10_000;
const DEFAULT_INBOUND_PORT = 4143;
const PROXY_PORT_NAME = "linkerd-proxy";

/** An address that nothing more is known of. */
export function bareAddr({ ip, port }: EndpointAddress): WeightedAddrInit {
  return { addr: addressMessage(ip, port), weight: WEIGHT, metricLabels: {} };
}

/** The address of a pod, and what its proxy, if it has one, understands. */
export function podAddr(
  index: ClusterIndex,
  settings: DiscoverySettings,
  pod: Pod,
  address: EndpointAddress,
): WeightedAddrInit {
  const made: WeightedAddrInit = {
    ...bareAddr(address),
    metricLabels: { ...podLabels(index, pod), zone: address.zone },
  };
  const port = address.podPort ?? address.port;
  const controlPlane = controlPlaneOf(pod);
  // Connections to the proxy's own ports don't pass its inbound side; its admin server speaks plain HTTP/1.
  if (controlPlane === "" || isSkipped(pod, port) || proxyPortsOf(pod).own.includes(port)) return made;
  if (settings.http2 !== null) made.http2 = settings.http2;
  made.protocolHint = podHint(index, settings, pod, address);
  if (settings.identityTrustDomain !== null && controlPlane === settings.controllerNamespace) {
    const suffix = `serviceaccount.identity.${controlPlane}.${settings.identityTrustDomain}`;
    const name = `${serviceAccountOf(pod)}.${pod.metadata.namespace ?? ""}.${suffix}`;
    made.tlsIdentity = { strategy: { case: "dnsLikeIdentity", value: { name } }, serverName: { name } };
  }
  return made;
}

/** The address of a meshed workload outside the cluster. Its identity is not from this cluster. */
export function workloadAddr(
  index: ClusterIndex,
  settings: DiscoverySettings,
  workload: ExternalWorkload,
  address: EndpointAddress,
): WeightedAddrInit {
  const { meshTLS, ports = [] } = workload.spec ?? {};
  const opaque = isWorkloadPortOpaque(index, workload, address.port, settings.defaultOpaquePorts);
  const inboundPort = ports.find(({ name }) => name === PROXY_PORT_NAME)?.port ?? DEFAULT_INBOUND_PORT;
  return {
    ...bareAddr(address),
    metricLabels: { ...externalWorkloadLabels(workload), zone: address.zone },
    ...(settings.http2 === null ? {} : { http2: settings.http2 }),
    protocolHint: {
      protocol: opaque ? { case: "opaque", value: {} } : { case: "h2", value: {} },
      ...(opaque || settings.transportHeader ? { opaqueTransport: { inboundPort } } : {}),
    },
    tlsIdentity: {
      strategy: { case: "uriLikeIdentity", value: { uri: meshTLS?.identity ?? "" } },
      serverName: { name: meshTLS?.serverName ?? "" },
    },
  };
}

/** The address of something that is no workload of this cluster; of another cluster's gateway, mostly. */
export function gatewayAddr(
  settings: DiscoverySettings,
  address: EndpointAddress,
  servicePort: number,
  { cluster, remoteName, identity }: Gateway,
): WeightedAddrInit {
  const made = bareAddr(address);
  if (cluster !== "") {
    const [service = "", namespace = ""] = remoteName.split(".");
    made.metricLabels["target_cluster"] = cluster;
    made.metricLabels["target_service"] = service;
    made.metricLabels["target_service_namespace"] = namespace;
  }
  if (remoteName !== "") made.authorityOverride = { authorityOverride: `${remoteName}:${servicePort}` };
  if (identity === "") return made;
  made.tlsIdentity = { strategy: { case: "dnsLikeIdentity", value: { name: identity } } };
  if (settings.h2Upgrade) made.protocolHint = { protocol: { case: "h2", value: {} } };
  if (settings.http2 !== null) made.http2 = settings.http2;
  return made;
}

/** Says where the address lies for a client in this zone; "" when that is not known. */
export function addZone(made: WeightedAddrInit, zone: string, clientZone: string, settings: DiscoverySettings): void {
  const known = zone !== "" && clientZone !== "";
  const locality = zone === clientZone ? "local" : "remote";
  made.metricLabels["zone_locality"] = known ? locality : "unknown";
  if (known && locality === "local" && settings.zoneWeights) made.weight *= 10;
}

function podHint(
  index: ClusterIndex,
  settings: DiscoverySettings,
  pod: Pod,
  { port, podPort }: EndpointAddress,
): NonNullable<WeightedAddrInit["protocolHint"]> {
  const opaque = [port, podPort ?? port].some((one) => isPodPortOpaque(index, pod, one, settings.defaultOpaquePorts));
  const { inbound } = proxyPortsOf(pod);
  // The proxy's port is its pod's: behind a port of the node there is none to connect to instead.
  const reachable = inbound !== null && podPort === null;
  return {
    ...(opaque
      ? { protocol: { case: "opaque" as const, value: {} } }
      : settings.h2Upgrade
        ? { protocol: { case: "h2" as const, value: {} } }
        : {}),
    ...(reachable && (opaque || settings.transportHeader) ? { opaqueTransport: { inboundPort: inbound } } : {}),
  };
}
