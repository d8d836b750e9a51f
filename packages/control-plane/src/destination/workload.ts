import { CONFIG_ANNOTATION, CONTROL_PLANE_NS_LABEL, PROXY_CONTAINER } from "@bowline/contracts";
import { matchesSelector, type Pod } from "@bowline/kube";
import { type ClusterIndex, namespaceText } from "./cluster-index.ts";
import type { ExternalWorkload, Server } from "./objects.ts";
import { type PortList, parsePortList } from "./port-list.ts";

/** What a pod's or a workload's proxy was told about its ports. */
export interface ProxyPorts {
  /** Where it takes connections of other proxies; null when it cannot be told. */
  readonly inbound: number | null;
  /** Of the proxy itself: such connections are not proxied. */
  readonly own: readonly number[];
}

const POD_TEMPLATE_HASH_LABEL = "pod-template-hash";
const INBOUND_LISTEN = ["LINKERD2_PROXY_INBOUND_LISTEN_ADDR", "LINKERD2_PROXY_INBOUND_LISTENER"];
const OWN_LISTEN = [
  "LINKERD2_PROXY_ADMIN_LISTEN_ADDR",
  "LINKERD2_PROXY_METRICS_LISTENER",
  "LINKERD2_PROXY_CONTROL_LISTEN_ADDR",
  "LINKERD2_PROXY_CONTROL_LISTENER",
];

/** The control plane a pod's proxy belongs to, by its namespace; "" for pods that are not meshed. */
export function controlPlaneOf(pod: Pod): string {
  return pod.metadata.labels?.[CONTROL_PLANE_NS_LABEL] ?? "";
}

export function serviceAccountOf(pod: Pod): string {
  return pod.spec?.serviceAccountName || "default";
}

/** Metric labels of a pod (facts §3): which it is, and whose. */
export function podLabels(index: ClusterIndex, pod: Pod): Record<string, string> {
  const owner = podOwner(index, pod);
  const labels: Record<string, string> = { pod: pod.metadata.name };
  // Prometheus has the label `job` for itself.
  labels[owner.kind === "job" ? "k8s_job" : owner.kind] = owner.name;
  labels["serviceaccount"] = serviceAccountOf(pod);
  const controlPlane = controlPlaneOf(pod);
  if (controlPlane !== "") labels["control_plane_ns"] = controlPlane;
  const hash = pod.metadata.labels?.[POD_TEMPLATE_HASH_LABEL] ?? "";
  if (hash !== "") labels["pod_template_hash"] = hash;
  return labels;
}

export function externalWorkloadLabels({ metadata }: ExternalWorkload): Record<string, string> {
  const [owner, ...others] = metadata.ownerReferences ?? [];
  const labels: Record<string, string> = { external_workload: metadata.name };
  if (owner !== undefined && others.length === 0) labels[owner.kind.toLowerCase()] = owner.name;
  return labels;
}

/** The workload that a person made: past the ReplicaSet to its Deployment, past the Job to its CronJob. */
function podOwner(index: ClusterIndex, pod: Pod): { kind: string; name: string } {
  const { ownerReferences = [], namespace = "", name, labels } = pod.metadata;
  const [owner, ...others] = ownerReferences;
  if (owner === undefined || others.length > 0) return { kind: "pod", name };
  const key = `${namespace}/${owner.name}`;
  switch (owner.kind) {
    case "ReplicaSet": {
      const replicaSet = index.get("replicasets", key);
      const deployment =
        replicaSet === undefined
          ? deploymentByHash(owner.name, labels?.[POD_TEMPLATE_HASH_LABEL])
          : onlyOwner(replicaSet.metadata.ownerReferences);
      return deployment ?? { kind: "replicaset", name: owner.name };
    }
    case "Job":
      return onlyOwner(index.get("jobs", key)?.metadata.ownerReferences) ?? { kind: "job", name: owner.name };
    default:
      return { kind: owner.kind.toLowerCase(), name: owner.name };
  }
}

function onlyOwner(references: readonly { kind: string; name: string }[] = []): { kind: string; name: string } | null {
  const [owner, ...others] = references;
  return owner === undefined || others.length > 0 ? null : { kind: owner.kind.toLowerCase(), name: owner.name };
}

/** A pod may be known before its ReplicaSet is; a Deployment's has the template's hash in its name. */
function deploymentByHash(replicaSet: string, hash: string | undefined): { kind: string; name: string } | null {
  if (hash === undefined || hash === "" || !replicaSet.endsWith(`-${hash}`)) return null;
  return { kind: "deployment", name: replicaSet.slice(0, -hash.length - 1) };
}

// === ports ===

/** Whether a pod says that its proxy does not see this port's connections. */
export function isSkipped(pod: Pod, port: number): boolean {
  const text = pod.metadata.annotations?.[CONFIG_ANNOTATION.skipInboundPorts];
  return text !== undefined && parsePortList(text, namedPorts(pod)).has(port);
}

/** Whether bytes to a pod's port are passed on as they are: by its annotation, or the defaults, or by a Server. */
export function isPodPortOpaque(index: ClusterIndex, pod: Pod, port: number, defaults: PortList): boolean {
  const text = pod.metadata.annotations?.[CONFIG_ANNOTATION.opaquePorts];
  const annotated = text === undefined ? defaults : parsePortList(text, namedPorts(pod));
  if (annotated.has(port)) return true;
  return opaqueServers(index, pod.metadata.namespace).some(({ spec }) => {
    if (spec?.podSelector === undefined || !matchesSelector(spec.podSelector, pod.metadata.labels ?? {})) return false;
    return isServerPort(spec.port, port, podPortNames(pod, port));
  });
}

/** The same of an external workload. */
export function isWorkloadPortOpaque(
  index: ClusterIndex,
  workload: ExternalWorkload,
  port: number,
  defaults: PortList,
): boolean {
  const { metadata, spec } = workload;
  const ports = spec?.ports ?? [];
  const text = metadata.annotations?.[CONFIG_ANNOTATION.opaquePorts];
  const named = new Map(ports.map((one) => [one.name ?? "", one.port]));
  const annotated = text === undefined ? defaults : parsePortList(text, named);
  if (annotated.has(port)) return true;
  const names = ports.filter((one) => one.port === port).map(({ name = "" }) => name);
  return opaqueServers(index, metadata.namespace).some(({ spec: server }) => {
    const selector = server?.externalWorkloadSelector;
    if (selector === undefined || !matchesSelector(selector, metadata.labels ?? {})) return false;
    return isServerPort(server?.port, port, names);
  });
}

/** The port of the container behind a port of the pod's node; null when the pod has none there. */
export function containerPortOf(pod: Pod, hostPort: number): number | null {
  for (const { ports = [] } of containersOf(pod)) {
    for (const port of ports) if (port.hostPort === hostPort) return port.containerPort;
  }
  return null;
}

/** As the proxy's environment says; both today's names and 2018's are understood. */
export function proxyPortsOf(pod: Pod): ProxyPorts {
  const env = containersOf(pod).find(({ name }) => name === PROXY_CONTAINER)?.env ?? [];
  const portsOf = (names: readonly string[]): number[] =>
    env.filter(({ name }) => names.includes(name)).flatMap(({ value = "" }) => listenPort(value) ?? []);
  return { inbound: portsOf(INBOUND_LISTEN)[0] ?? null, own: portsOf(OWN_LISTEN) };
}

function listenPort(value: string): number | null {
  const port = Number(/:([0-9]{1,5})\/?$/.exec(value)?.[1] ?? 0);
  return port > 0 && port <= 65_535 ? port : null;
}

function opaqueServers(index: ClusterIndex, namespace = ""): Server[] {
  return index.find("servers", namespaceText(namespace)).filter(({ spec }) => spec?.proxyProtocol === "opaque");
}

function isServerPort(wanted: number | string | undefined, port: number, names: readonly string[]): boolean {
  return typeof wanted === "string" ? names.includes(wanted) : wanted === port;
}

function podPortNames(pod: Pod, port: number): string[] {
  return containersOf(pod).flatMap(({ ports = [] }) =>
    ports.flatMap(({ name, containerPort, hostPort }) =>
      name !== undefined && (containerPort === port || hostPort === port) ? [name] : [],
    ),
  );
}

function namedPorts(pod: Pod): Map<string, number> {
  const named = new Map<string, number>();
  for (const { ports = [] } of containersOf(pod)) {
    for (const { name, containerPort } of ports) if (name !== undefined) named.set(name, containerPort);
  }
  return named;
}

function containersOf({ spec }: Pod): NonNullable<Pod["spec"]>["containers"] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}
