import { readFileSync } from "node:fs";
import { arch, cpus, hostname, release, totalmem } from "node:os";
import type { Lease, Node as NodeObject } from "@bowline/kube";
import { timestamp } from "./pod/pod-status.ts";
import type { NodeOptions } from "./types.ts";

const LEASE_NAMESPACE = "kube-node-lease";
/** A kubelet's: the lease lasts 40 s and is renewed four times as often; the status is written even when nothing has changed. */
const LEASE_SECONDS = 40;
const LEASE_RENEWED_MS = 10_000;
const STATUS_WRITTEN_MS = 300_000;
const PODS_MAX = 250;
const KUBELET_VERSION = "v1.32.0-bowline";

/** Makes the Node object and keeps it and its Lease fresh. @returns how to stop that */
export async function keepNodeObject(options: NodeOptions, warn: (line: string) => void): Promise<() => void> {
  await writeNode(options);
  await renewLease(options);
  const repeat = (work: () => Promise<void>, everyMs: number) => {
    const run = () => {
      work().catch((error: unknown) => warn(`node ${options.nodeName}: ${String(error)}`));
    };
    return setInterval(run, everyMs);
  };
  const timers = [
    repeat(() => renewLease(options), LEASE_RENEWED_MS),
    repeat(() => writeNode(options), STATUS_WRITTEN_MS),
  ];
  return () => timers.forEach(clearInterval);
}

async function writeNode({ api, nodeName, network }: NodeOptions): Promise<void> {
  const labels = nodeLabels(nodeName);
  if (api.get<NodeObject>("nodes", "", nodeName) === undefined) {
    await api.create<NodeObject>("nodes", {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: nodeName, labels },
      spec: { podCIDR: "10.244.0.0/16", podCIDRs: ["10.244.0.0/16"], providerID: `bowline://${nodeName}` },
    });
  } else {
    await api.change<NodeObject>("nodes", "", nodeName, (draft) => {
      draft.metadata.labels = { ...draft.metadata.labels, ...labels };
    });
  }
  const change = (draft: NodeObject) => {
    draft.status = { ...draft.status, ...nodeStatus(nodeName, network.nodeIps, draft.status?.conditions ?? []) };
  };
  await api.change<NodeObject>("nodes", "", nodeName, change, "status");
}

function nodeLabels(nodeName: string): Record<string, string> {
  return {
    "kubernetes.io/hostname": nodeName,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": arch() === "x64" ? "amd64" : arch(),
    "node-role.kubernetes.io/control-plane": "",
    "topology.kubernetes.io/region": "local",
    "topology.kubernetes.io/zone": "local",
  };
}

type NodeStatus = NonNullable<NodeObject["status"]>;

function nodeStatus(
  nodeName: string,
  ips: readonly string[],
  before: NonNullable<NodeStatus["conditions"]>,
): NodeStatus {
  const now = timestamp(new Date());
  const resources = {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(PODS_MAX),
  };
  const condition = (type: string, status: string, reason: string, message: string) => {
    const old = before.find((known) => known.type === type);
    const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? now) : now;
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime };
  };
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [...ips.map((address) => ({ type: "InternalIP", address })), { type: "Hostname", address: nodeName }],
    conditions: [
      condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
      condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
      condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ],
    nodeInfo: {
      architecture: arch() === "x64" ? "amd64" : arch(),
      bootID: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      containerRuntimeVersion: "bowline://0",
      kernelVersion: release(),
      kubeProxyVersion: "",
      kubeletVersion: KUBELET_VERSION,
      machineID: hostname(),
      operatingSystem: "linux",
      osImage: osName(),
      systemUUID: "",
    },
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
  };
}

function osName(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    // Small systems have no such file.
    return "Linux";
  }
}

async function renewLease({ api, nodeName }: NodeOptions): Promise<void> {
  const spec = { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime: microTime() };
  const name = nodeName;
  const lease: Lease = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace: LEASE_NAMESPACE },
    spec,
  };
  const renewed = await api.change<Lease>("leases.coordination.k8s.io", LEASE_NAMESPACE, name, (draft) => {
    draft.spec = spec;
  });
  if (renewed === undefined) await api.create("leases.coordination.k8s.io", lease);
}

/** Leases have microseconds. */
function microTime(): string {
  return `${new Date().toISOString().slice(0, -1)}000Z`;
}
