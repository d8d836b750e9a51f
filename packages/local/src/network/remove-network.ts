import { readdirSync, rmSync } from "node:fs";
import { NETNS_DIR, nodeNamespaceName, podNamespacePrefix, runDirectory } from "./names.ts";
import { removeNamespaces } from "./pod-namespace.ts";

/**
 * Takes away a cluster's whole network, with no need of the daemon that made it: links, rules and addresses all go with
 * the namespaces. Processes in them should have been ended before.
 */
export async function removeNetwork(cluster: string): Promise<void> {
  await removeNamespaces([...podNamespaces(cluster), nodeNamespaceName(cluster)]);
  rmSync(runDirectory(cluster), { recursive: true, force: true });
}

/** Names of the namespaces of a cluster's pods. */
export function podNamespaces(cluster: string): string[] {
  return namesIn(NETNS_DIR).filter((name) => name.startsWith(podNamespacePrefix(cluster)));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    // Made by the first `ip netns add` on the machine.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
