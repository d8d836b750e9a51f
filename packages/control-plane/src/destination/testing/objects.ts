import type { EndpointSlice, Job, Node, ObjectMeta, Pod, ReplicaSet, Service } from "@bowline/kube";
import type { ExternalWorkload, Server, ServiceProfile, ServiceProfileSpec } from "../objects.ts";

type Labels = Record<string, string>;

export interface PodInit {
  readonly uid?: string;
  readonly ip?: string;
  readonly ips?: readonly string[];
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly owner?: { readonly kind: string; readonly name: string };
  /** Whose control plane's proxy it has; none when left out. */
  readonly meshed?: string;
  readonly nativeSidecar?: boolean;
  readonly serviceAccount?: string;
  readonly phase?: string;
  readonly deleted?: boolean;
  readonly created?: string;
  readonly hostNetwork?: boolean;
  readonly hostIp?: string;
  readonly ports?: readonly { name?: string; containerPort: number; hostPort?: number }[];
  readonly nodeName?: string;
}

const TODAYS_ENV: readonly { name: string; value: string }[] = [
  { name: "LINKERD2_PROXY_INBOUND_LISTEN_ADDR", value: "0.0.0.0:4143" },
  { name: "LINKERD2_PROXY_ADMIN_LISTEN_ADDR", value: "0.0.0.0:4191" },
  { name: "LINKERD2_PROXY_CONTROL_LISTEN_ADDR", value: "0.0.0.0:4190" },
];

/** A running pod in namespace ns. */
export function pod(name: string, init: PodInit = {}): Pod {
  const { meshed, owner, ips = init.ip === undefined ? [] : [init.ip], hostIp, ports = [] } = init;
  const proxy = { name: "linkerd-proxy", env: [...TODAYS_ENV] };
  const native = init.nativeSidecar === true;
  const app = { name: "app", ports: [...ports] };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...meta(name, init.uid),
      ...(init.created === undefined ? {} : { creationTimestamp: init.created }),
      ...(init.deleted === true ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
      labels: { ...init.labels, ...(meshed === undefined ? {} : { "linkerd.io/control-plane-ns": meshed }) },
      annotations: { ...init.annotations },
      ...(owner === undefined ? {} : { ownerReferences: [{ apiVersion: "v1", uid: "u", controller: true, ...owner }] }),
    },
    spec: {
      ...(init.serviceAccount === undefined ? {} : { serviceAccountName: init.serviceAccount }),
      ...(init.nodeName === undefined ? {} : { nodeName: init.nodeName }),
      hostNetwork: init.hostNetwork === true,
      initContainers: meshed !== undefined && native ? [proxy] : [],
      containers: meshed !== undefined && !native ? [proxy, app] : [app],
    },
    status: {
      phase: init.phase ?? "Running",
      ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
      ...(hostIp === undefined ? {} : { hostIP: hostIp }),
    },
  };
}

export interface ServiceInit {
  readonly ports?: readonly { port: number; name?: string; targetPort?: number | string }[];
  readonly clusterIps?: readonly string[];
  readonly type?: string;
  readonly annotations?: Labels;
  readonly labels?: Labels;
  readonly local?: boolean;
}

export function service(name: string, init: ServiceInit = {}): Service {
  const { ports = [{ port: 80 }], clusterIps = [], type = "ClusterIP" } = init;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...meta(name), annotations: { ...init.annotations }, labels: { ...init.labels } },
    spec: {
      type,
      ports: [...ports],
      ...(clusterIps[0] === undefined ? {} : { clusterIP: clusterIps[0], clusterIPs: [...clusterIps] }),
      ...(init.local === true ? { internalTrafficPolicy: "Local" } : {}),
    },
  };
}

export interface EndpointInit {
  readonly ip: string;
  /** The pod's name; none when left out. */
  readonly pod?: string;
  readonly uid?: string;
  readonly workload?: string;
  readonly ready?: boolean | null;
  readonly hostname?: string;
  readonly zone?: string;
  readonly hints?: readonly string[];
  readonly node?: string;
}

export interface SliceInit {
  readonly of?: string;
  readonly owner?: string;
  readonly ports?: readonly { port?: number; name?: string }[] | null;
  readonly annotations?: Labels;
  readonly labels?: Labels;
}

export function slice(name: string, endpoints: readonly EndpointInit[], init: SliceInit = {}): EndpointSlice {
  const ports = init.ports === undefined ? [{ port: 8080 }] : init.ports;
  const labels: Labels = { ...init.labels };
  if (init.owner === undefined) labels["kubernetes.io/service-name"] = init.of ?? "svc";
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      ...meta(name),
      labels,
      annotations: { ...init.annotations },
      ...(init.owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: "v1", kind: "Service", name: init.owner, uid: "u" }] }),
    },
    addressType: endpoints.some(({ ip }) => ip.includes(":")) ? "IPv6" : "IPv4",
    endpoints: endpoints.map(endpoint),
    ...(ports === null ? {} : { ports: [...ports] }),
  };
}

function endpoint(init: EndpointInit): EndpointSlice["endpoints"][number] {
  const { ip, ready = true, hostname, zone, hints, node, workload, uid } = init;
  const kind = workload === undefined ? "Pod" : "ExternalWorkload";
  const name = workload ?? init.pod;
  return {
    addresses: [ip],
    conditions: ready === null ? {} : { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(zone === undefined ? {} : { zone }),
    ...(node === undefined ? {} : { nodeName: node }),
    ...(hints === undefined ? {} : { hints: { forZones: hints.map((one) => ({ name: one })) } }),
    ...(name === undefined
      ? {}
      : { targetRef: { kind, name, namespace: "ns", ...(uid === undefined ? {} : { uid }) } }),
  };
}

export function node(name: string, zone?: string): Node {
  const labels: Labels = zone === undefined ? {} : { "topology.kubernetes.io/zone": zone };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
}

export function replicaSet(name: string, deployment?: string): ReplicaSet {
  return { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: owned(name, "Deployment", deployment) };
}

export function job(name: string, cronJob?: string): Job {
  return { apiVersion: "batch/v1", kind: "Job", metadata: owned(name, "CronJob", cronJob) };
}

export function server(name: string, spec: NonNullable<Server["spec"]>, namespace = "ns"): Server {
  return { metadata: { ...meta(name), namespace }, spec };
}

export function serviceProfile(name: string, spec: ServiceProfileSpec, namespace = "ns"): ServiceProfile {
  return { metadata: { name, namespace }, spec };
}

export function externalWorkload(name: string, init: PodInit = {}): ExternalWorkload {
  const { ip = "", labels = {}, annotations = {}, owner, ports = [] } = init;
  return {
    metadata: {
      ...meta(name),
      labels,
      annotations,
      ...(owner === undefined ? {} : { ownerReferences: [{ apiVersion: "v1", uid: "u", ...owner }] }),
    },
    spec: {
      meshTLS: { identity: `spiffe://root/${name}`, serverName: `${name}.example` },
      ports: ports.map(({ name: portName, containerPort }) => ({
        port: containerPort,
        ...(portName === undefined ? {} : { name: portName }),
      })),
      workloadIPs: [{ ip }],
    },
  };
}

function owned(name: string, kind: string, owner: string | undefined): ObjectMeta {
  if (owner === undefined) return meta(name);
  return { ...meta(name), ownerReferences: [{ apiVersion: "v1", kind, name: owner, uid: "u", controller: true }] };
}

function meta(name: string, uid?: string): ObjectMeta {
  return { name, namespace: "ns", ...(uid === undefined ? {} : { uid }) };
}
