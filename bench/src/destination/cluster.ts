import type { ClusterIndex, ObjectsByKind } from "@bowline/control-plane/destination";

/** How large the cluster is, and how it moves. */
export const CLUSTER = { services: 1_000, endpointsEach: 10, nodes: 30, zones: 3, changesPerSecond: 100 } as const;

const SERVICE_PORT = 80;

export function servicePath(service: number): string {
  return `svc-${service}.bench.svc.cluster.local:${SERVICE_PORT}`;
}

/** What a proxy on this node says of itself. */
export function contextToken(node: number): string {
  return JSON.stringify({ ns: "bench", nodeName: `node-${node % CLUSTER.nodes}` });
}

/** Meshed pods of Deployments, ten to a service. */
export function fillCluster(index: ClusterIndex): void {
  for (let node = 0; node < CLUSTER.nodes; node++) {
    const labels = { "topology.kubernetes.io/zone": zoneOf(node) };
    index.upsert("nodes", { apiVersion: "v1", kind: "Node", metadata: { name: `node-${node}`, labels } });
  }
  for (let service = 0; service < CLUSTER.services; service++) {
    index.upsert("services", serviceOf(service));
    index.upsert("replicasets", replicaSetOf(service));
    for (let at = 0; at < CLUSTER.endpointsEach; at++) index.upsert("pods", podOf(service, at));
    index.upsert("endpointslices", sliceOf(service, null));
  }
}

/**
 * A service's slice in which one endpoint has just changed.
 * @param mark what is different about it: clients find it in the label `zone`; null before anything has changed
 */
export function sliceOf(service: number, mark: string | null): ObjectsByKind["endpointslices"] {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `svc-${service}-1`,
      namespace: "bench",
      labels: { "kubernetes.io/service-name": `svc-${service}` },
    },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080 }],
    endpoints: Array.from({ length: CLUSTER.endpointsEach }, (_, at) => ({
      addresses: [ipOf(service, at)],
      conditions: { ready: true },
      zone: at === 0 && mark !== null ? mark : zoneOf(at),
      nodeName: `node-${at}`,
      targetRef: { kind: "Pod", namespace: "bench", name: `svc-${service}-${at}` },
    })),
  };
}

function serviceOf(service: number): ObjectsByKind["services"] {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `svc-${service}`, namespace: "bench" },
    spec: { ports: [{ name: "http", port: SERVICE_PORT }] },
  };
}

function replicaSetOf(service: number): ObjectsByKind["replicasets"] {
  const owner = { apiVersion: "apps/v1", kind: "Deployment", name: `svc-${service}`, uid: "u", controller: true };
  const name = `svc-${service}-5d4f8c7b9`;
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "bench", ownerReferences: [owner] },
  };
}

function podOf(service: number, at: number): ObjectsByKind["pods"] {
  const owner = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    name: `svc-${service}-5d4f8c7b9`,
    uid: "u",
    controller: true,
  };
  const env = [
    { name: "LINKERD2_PROXY_INBOUND_LISTEN_ADDR", value: "0.0.0.0:4143" },
    { name: "LINKERD2_PROXY_ADMIN_LISTEN_ADDR", value: "0.0.0.0:4191" },
    { name: "LINKERD2_PROXY_CONTROL_LISTEN_ADDR", value: "0.0.0.0:4190" },
  ];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `svc-${service}-${at}`,
      namespace: "bench",
      labels: { "linkerd.io/control-plane-ns": "linkerd", "pod-template-hash": "5d4f8c7b9" },
      ownerReferences: [owner],
    },
    spec: { nodeName: `node-${at}`, containers: [{ name: "linkerd-proxy", env }, { name: "app" }] },
    status: { phase: "Running", podIP: ipOf(service, at) },
  };
}

function ipOf(service: number, at: number): string {
  return `10.${Math.floor(service / 250)}.${service % 250}.${at + 1}`;
}

function zoneOf(at: number): string {
  return `zone-${at % CLUSTER.zones}`;
}
