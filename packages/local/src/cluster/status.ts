import { existsSync } from "node:fs";
import { KubeClient, type Pod, RESOURCES } from "@bowline/kube";
import { runningDaemon } from "./daemon-process.ts";
import type { ClusterPaths } from "./paths.ts";
import { findSettings } from "./settings.ts";
import { clusterAccess } from "./up.ts";

export interface ClusterStatus {
  readonly name: string;
  /** stopped: there is state, and pods may run, but no daemon. */
  readonly state: "running" | "starting" | "stopped" | "absent";
  readonly stateDir: string;
  readonly pid?: number;
  readonly server?: string;
  readonly kubeconfig?: string;
  readonly pods?: { readonly total: number; readonly ready: number };
}

/** What there is of a cluster; asks its API when its daemon runs. */
export async function clusterStatus(paths: ClusterPaths): Promise<ClusterStatus> {
  const { name, stateDir, kubeconfig } = paths;
  if (findSettings(paths) === null) return { name, stateDir, state: "absent" };
  const pid = runningDaemon(paths.pidFile);
  if (pid === null) return { name, stateDir, state: "stopped" };
  if (!existsSync(kubeconfig)) return { name, stateDir, state: "starting", pid };
  const access = clusterAccess(paths);
  const { items } = await new KubeClient(access).list<Pod>(RESOURCES.pods, {});
  const ready = items.filter(({ status }) =>
    status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"),
  );
  return {
    name,
    stateDir,
    state: "running",
    pid,
    server: access.server,
    kubeconfig,
    pods: { total: items.length, ready: ready.length },
  };
}
