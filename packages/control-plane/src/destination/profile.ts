import { CONFIG_ANNOTATION } from "@bowline/contracts";
import { destination } from "@bowline/contracts/proto";
import { GrpcError, GrpcStatus } from "@bowline/grpc";
import type { Pod, Service } from "@bowline/kube";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Target } from "./authority.ts";
import {
  addressText,
  type ClusterIndex,
  ipText,
  podTopic,
  profileTopic,
  serviceTopic,
  slicesText,
  workloadTopic,
} from "./cluster-index.ts";
import { canonicalIp } from "./ip.ts";
import { type ExternalWorkload, keyOf, type ServiceProfile } from "./objects.ts";
import { parsePortList } from "./port-list.ts";
import { convertServiceProfile, DEFAULT_CONTENTS, type ProfileContents } from "./service-profile.ts";
import type { DiscoverySettings } from "./settings.ts";
import { bareAddr, type EndpointAddress, podAddr, type WeightedAddrInit, workloadAddr } from "./weighted-addr.ts";
import { containerPortOf, isPodPortOpaque, isWorkloadPortOpaque } from "./workload.ts";

/** What a `DestinationProfile` is made from. */
export type ProfileInit = Extract<MessageInitShape<typeof destination.DestinationProfileSchema>, { $typeName?: never }>;

/** What somebody wants to know the profile of. */
export interface ProfileQuestion {
  readonly target: Target;
  /** The client's, whose ServiceProfiles come first; "" when it is not known. */
  readonly namespace: string;
}

export interface ProfileContext {
  readonly index: ClusterIndex;
  readonly settings: DiscoverySettings;
  /** Told of everything that the answer depends on. */
  readonly onTopic: (topic: string) => void;
  /** Told of ServiceProfiles that cannot be followed. */
  readonly onFault: (text: string) => void;
}

/**
 * The profile of a service, by its name or cluster IP, or of an address.
 * @throws GrpcError when there is none
 */
export function profileOf(context: ProfileContext, { target, namespace }: ProfileQuestion): ProfileInit {
  if (target.kind === "address") return profileOfAddress(context, target.ip, target.port, namespace);
  const key = `${target.namespace}/${target.name}`;
  if (target.hostname !== "") return profileOfHostname(context, key, target.hostname, target.port);
  return profileOfService(context, key, target.host, target.port, namespace);
}

// === services ===

function profileOfService(
  context: ProfileContext,
  key: string,
  host: string,
  port: number,
  clientNamespace: string,
): ProfileInit {
  const { index, settings, onTopic } = context;
  onTopic(serviceTopic(key));
  const service = index.get("services", key);
  if (service === undefined) throw new GrpcError(GrpcStatus.NotFound, `no service ${key}`);
  if (service.spec?.type === "ExternalName") {
    throw new GrpcError(GrpcStatus.InvalidArgument, `service ${key} is of type ExternalName`);
  }
  // An empty profile: the proxy does as it would without one.
  if (!service.spec?.ports?.some((one) => one.port === port)) return {};
  const { name, namespace = "" } = service.metadata;
  const canonicalName = `${name}.${namespace}.svc.${settings.clusterDomain}`;
  const profile = findServiceProfile(context, canonicalName, clientNamespace, namespace);
  const contents = profile === undefined ? DEFAULT_CONTENTS : contentsOf(context, profile, port);
  return {
    ...contents,
    fullyQualifiedName: host,
    opaqueProtocol: isServicePortOpaque(service, port, settings),
    parentRef: resource("core", "Service", name, namespace, port),
    profileRef:
      profile === undefined
        ? resource("linkerd.io", "", "", "", 0)
        : resource("linkerd.io", "ServiceProfile", profile.metadata.name, profile.metadata.namespace ?? "", 0),
  };
}

/** The client's own profile of the service, or else the service's. */
function findServiceProfile(
  { index, onTopic }: ProfileContext,
  name: string,
  clientNamespace: string,
  serviceNamespace: string,
): ServiceProfile | undefined {
  const namespaces = clientNamespace === "" ? [serviceNamespace] : [clientNamespace, serviceNamespace];
  const keys = namespaces.map((namespace) => `${namespace}/${name}`);
  for (const key of keys) onTopic(profileTopic(key));
  return keys.map((key) => index.get("serviceprofiles", key)).find((profile) => profile !== undefined);
}

/**
 * A profile that cannot be followed is as good as none: a proxy that got no answer would wait for one. The API server
 * checks only the upper levels of ServiceProfiles, so anything may be wrong with one, up to what messages can hold.
 */
function contentsOf({ onFault }: ProfileContext, profile: ServiceProfile, port: number): ProfileContents {
  try {
    const contents = convertServiceProfile(profile, port);
    toBinary(destination.DestinationProfileSchema, create(destination.DestinationProfileSchema, contents));
    return contents;
  } catch (error) {
    onFault(`ServiceProfile ${keyOf(profile)} is not used: ${error instanceof Error ? error.message : String(error)}`);
    return DEFAULT_CONTENTS;
  }
}

function isServicePortOpaque({ metadata, spec }: Service, port: number, settings: DiscoverySettings): boolean {
  const text = metadata.annotations?.[CONFIG_ANNOTATION.opaquePorts];
  if (text === undefined) return settings.defaultOpaquePorts.has(port);
  const named = new Map((spec?.ports ?? []).map((one) => [one.name ?? "", one.port]));
  return parsePortList(text, named).has(port);
}

function resource(
  group: string,
  kind: string,
  name: string,
  namespace: string,
  port: number,
): NonNullable<ProfileInit["parentRef"]> {
  return { kind: { case: "resource", value: { group, kind, name, namespace, port } } };
}

// === addresses ===

function profileOfAddress(context: ProfileContext, ip: string, port: number, clientNamespace: string): ProfileInit {
  const { index, settings, onTopic } = context;
  onTopic(ipText(ip));
  const service = onlyOne(index.find("services", ipText(ip)), `services have the cluster IP ${ip}`);
  if (service !== undefined) {
    const { name, namespace = "" } = service.metadata;
    const host = `${name}.${namespace}.svc.${settings.clusterDomain}`;
    return profileOfService(context, keyOf(service), host, port, clientNamespace);
  }
  const pod = onlyOne(index.find("pods", ipText(ip)).filter(isAlive), `pods have the address ${ip}`);
  if (pod !== undefined) return profileOfPod(context, pod, { ip, port, zone: "", podPort: null });
  onTopic(addressText(ip, port));
  const behindNode = index.find("pods", addressText(ip, port)).filter(isAlive);
  const host = onlyOne(behindNode, `pods have the host port ${ip}:${port}`);
  if (host !== undefined) {
    const podPort = host.spec?.hostNetwork === true ? null : containerPortOf(host, port);
    return profileOfPod(context, host, { ip, port, zone: "", podPort });
  }
  const workloads = index.find("externalworkloads", addressText(ip, port));
  const workload = onlyOne(workloads, `external workloads have the address ${ip}:${port}`);
  if (workload !== undefined) return profileOfWorkload(context, workload, { ip, port, zone: "", podPort: null });
  return profileOfNobody(settings, ip, port);
}

/** One pod of a service, which need not be ready: pods that find each other by these names may have to, to get ready. */
function profileOfHostname(context: ProfileContext, key: string, hostname: string, port: number): ProfileInit {
  const { index, onTopic } = context;
  onTopic(serviceTopic(key));
  onTopic(slicesText(key));
  if (index.get("services", key)?.spec?.type === "ExternalName") {
    throw new GrpcError(GrpcStatus.InvalidArgument, `service ${key} is of type ExternalName`);
  }
  for (const slice of index.find("endpointslices", slicesText(key))) {
    const endpoint = slice.endpoints?.find((one) => one.hostname === hostname && one.targetRef?.kind === "Pod");
    if (endpoint === undefined) continue;
    const podKey = `${endpoint.targetRef?.namespace ?? slice.metadata.namespace ?? ""}/${endpoint.targetRef?.name ?? ""}`;
    onTopic(podTopic(podKey));
    const pod = index.get("pods", podKey);
    const ip = canonicalIp(pod?.status?.podIP ?? "");
    if (pod !== undefined && ip !== null) return profileOfPod(context, pod, { ip, port, zone: "", podPort: null });
  }
  throw new GrpcError(GrpcStatus.NotFound, `service ${key} has no pod of the name ${hostname}`);
}

function profileOfPod(context: ProfileContext, pod: Pod, address: EndpointAddress): ProfileInit {
  const { index, settings, onTopic } = context;
  onTopic(podTopic(keyOf(pod)));
  if (pod.status?.phase !== "Running") return profileOfNobody(settings, address.ip, address.port);
  const ports = [address.port, address.podPort ?? address.port];
  const opaque = ports.some((port) => isPodPortOpaque(index, pod, port, settings.defaultOpaquePorts));
  const endpoint = podAddr(index, settings, pod, address);
  return profileOfEndpoint(endpoint, pod.metadata.namespace ?? "", opaque);
}

function profileOfWorkload(
  { index, settings, onTopic }: ProfileContext,
  workload: ExternalWorkload,
  address: EndpointAddress,
): ProfileInit {
  onTopic(workloadTopic(keyOf(workload)));
  const opaque = isWorkloadPortOpaque(index, workload, address.port, settings.defaultOpaquePorts);
  const endpoint = workloadAddr(index, settings, workload, address);
  return profileOfEndpoint(endpoint, workload.metadata.namespace ?? "", opaque);
}

/** In resolutions the namespace is a label of all endpoints, so each of them alone has none. */
function profileOfEndpoint(endpoint: WeightedAddrInit, namespace: string, opaqueProtocol: boolean): ProfileInit {
  endpoint.metricLabels["namespace"] = namespace;
  return { endpoint, retryBudget: DEFAULT_CONTENTS.retryBudget, opaqueProtocol };
}

/** An address that belongs to nothing in the cluster that we know of. */
function profileOfNobody(settings: DiscoverySettings, ip: string, port: number): ProfileInit {
  return {
    endpoint: bareAddr({ ip, port, zone: "", podPort: null }),
    retryBudget: DEFAULT_CONTENTS.retryBudget,
    opaqueProtocol: settings.defaultOpaquePorts.has(port),
  };
}

function isAlive({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

function onlyOne<T>(found: readonly T[], text: string): T | undefined {
  if (found.length > 1) throw new GrpcError(GrpcStatus.FailedPrecondition, `${found.length} ${text}`);
  return found[0];
}
