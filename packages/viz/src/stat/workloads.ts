import type { Pod } from "@bowline/kube";
import type { Labels } from "../query/selection.ts";

/** Owners of pods that have an owner themselves: a ReplicaSet's Deployment, a Job's CronJob. */
export type OwnerLookup = (kind: string, namespace: string, name: string) => { kind: string; name: string } | undefined;

/**
 * The labels that a pod's series carry, as Linkerd's Prometheus gives them: where it is, and the workload at the end of
 * its chain of owners.
 */
export function targetLabels(pod: Pod, ownerOf: OwnerLookup): Labels {
  const { namespace = "", name } = pod.metadata;
  const owners = pod.metadata.ownerReferences ?? [];
  const owner = owners.find(({ controller }) => controller === true) ?? (owners.length === 1 ? owners[0] : undefined);
  const labels: Record<string, string> = { namespace, pod: name };
  if (owner !== undefined) {
    const root = ownerOf(owner.kind, namespace, owner.name) ?? owner;
    const kind = root.kind.toLowerCase();
    labels[kind === "job" ? "k8s_job" : kind] = root.name;
  }
  return labels;
}

/** Injected pods carry it, whoever injected them. */
export function isMeshed(pod: Pod, controlPlaneNamespace: string): boolean {
  return pod.metadata.labels?.["linkerd.io/control-plane-ns"] === controlPlaneNamespace;
}

/** Pods that are done count neither as meshed nor at all. */
export function isActive({ status }: Pod): boolean {
  return status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

/** What kubectl's STATUS says of a pod, in short. */
export function podStatus(pod: Pod): string {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating";
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const waiting = containers.find(({ state }) => state?.waiting?.reason !== undefined);
  return waiting?.state?.waiting?.reason ?? pod.status?.phase ?? "Unknown";
}
