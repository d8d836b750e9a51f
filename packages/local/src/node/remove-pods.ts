import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { discardPod } from "./pod/discard-pod.ts";
import { unmountBelow } from "./volume/mount-table.ts";

/** Where the node keeps its own in the cluster's directory. */
export function podsDirectory(stateDir: string): string {
  return join(resolve(stateDir), "pods");
}

/** Ends all pods of the cluster whose state is in `stateDir`, with their mounts and files. Needs no daemon, and none may run. */
export async function removePods(stateDir: string): Promise<void> {
  const directory = podsDirectory(stateDir);
  if (!existsSync(directory)) return;
  await Promise.all(readdirSync(directory).map((name) => discardPod(join(directory, name))));
  unmountBelow(directory);
  await rm(directory, { recursive: true, force: true });
}
