import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { removeNetwork } from "../network/index.ts";
import { removePods } from "../node/index.ts";
import { stopDaemon } from "./daemon-process.ts";
import { type ClusterPaths, STATE_ROOT } from "./paths.ts";
import { needsRoot } from "./requirements.ts";
import { findSettings } from "./settings.ts";

const DAEMON_GRACE_MS = 5_000;

/**
 * Ends a cluster and leaves the machine as it was before: daemon, pods, namespaces, state. Works the same when the daemon was
 * killed long ago.
 *
 * @returns whether there was anything to end
 * @throws Error when the state directory is not this cluster's: it is left as it is
 */
export async function clusterDown(paths: ClusterPaths): Promise<boolean> {
  const existed = existsSync(paths.stateDir);
  const missing = needsRoot();
  if (missing !== null) {
    if (existed) throw new Error(missing);
    return false;
  }
  findSettings(paths);
  await stopDaemon(paths.pidFile, DAEMON_GRACE_MS);
  if (existed) await removePods(paths.stateDir);
  await removeNetwork(paths.name);
  if (existed) removeState(paths);
  const parent = dirname(paths.stateDir);
  if (parent === STATE_ROOT && existsSync(parent) && readdirSync(parent).length === 0) rmdirSync(parent);
  return existed;
}

/** The settings at last: they mark the directory as a cluster's, should this be interrupted. */
function removeState({ stateDir, settingsFile }: ClusterPaths): void {
  for (const name of readdirSync(stateDir)) {
    const path = join(stateDir, name);
    if (path !== settingsFile) rmSync(path, { recursive: true, force: true });
  }
  rmSync(stateDir, { recursive: true, force: true });
}
