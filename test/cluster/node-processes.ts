import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "@bowline/testkit";
import type { TestCluster } from "./test-cluster.ts";

/**
 * Kills the program of a pod's container with SIGKILL, as the kernel does for want of memory. Nobody within the container
 * could: it is the first process of its namespace.
 *
 * @param labelled the pod by its namespace and a selector: "linkerd.io/control-plane-component=destination"
 */
export async function killContainer(
  cluster: TestCluster,
  namespace: string,
  labelled: string,
  container: string,
): Promise<void> {
  const uid = await cluster.run(`get pods -n ${namespace} -l ${labelled} -o jsonpath={.items[0].metadata.uid}`);
  const runs = join(cluster.stateDir, "pods", uid, "containers", container);
  const last = Math.max(...readdirSync(runs).map(Number));
  const supervisor = Number(readFileSync(join(runs, String(last), "pid"), "utf8"));
  process.kill(onlyChild(supervisor), "SIGKILL");
}

/** Path of the network namespace that a pod has while it has any. */
export function podNamespace(cluster: TestCluster, uid: string): string {
  const digits = createHash("sha256").update(uid).digest("hex").slice(0, 8);
  return `/run/netns/bowline-${cluster.name}.${digits}`;
}

/** The daemon of the cluster, its only process that is no pod's. */
export function daemonPid(cluster: TestCluster): number {
  return Number(readFileSync(join(cluster.stateDir, "daemon.pid"), "utf8").split(/\s/)[0]);
}

export async function untilGone(pid: number): Promise<void> {
  await waitFor(() => !isRunning(pid), { what: `the end of process ${pid}` });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // no such process
  }
}

function onlyChild(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  if (children.length !== 1) throw new Error(`process ${pid} has the children ${children.join(", ")}`);
  return Number(children[0]);
}
