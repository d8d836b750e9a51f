import { existsSync, rmSync } from "node:fs";
import { removeNetwork } from "../network/index.ts";
import { removePods } from "../node/index.ts";
import { stopDaemon } from "./daemon-process.ts";
import type { ClusterPaths } from "./paths.ts";

const DAEMON_GRACE_MS = 5_000;

/**
 * Ends a cluster and leaves the machine as it was before: daemon, pods, namespaces, state. Works the same when the daemon was
 * killed long ago.
 *
 * @returns whether there was anything to end
 */
export async function clusterDown(paths: ClusterPaths): Promise<boolean> {
  const existed = existsSync(paths.stateDir);
  await stopDaemon(paths.pidFile, DAEMON_GRACE_MS);
  if (existed) await removePods(paths.stateDir);
  await removeNetwork(paths.name);
  if (existed) rmSync(paths.stateDir, { recursive: true, force: true });
  return existed;
}
