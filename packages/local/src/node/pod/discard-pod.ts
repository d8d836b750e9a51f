import { existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isRunActive, killRun } from "../container/run-processes.ts";
import { unmountBelow } from "../volume/mount-table.ts";

const POLL_MS = 10;
const GONE_MAX_MS = 10_000;

/** Ends what runs of the pod in `directory`, and removes its volumes and files. Without a daemon, too. */
export async function discardPod(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const runs = runDirectories(directory);
  for (const run of runs) killRun(run);
  const giveUpAtMs = Date.now() + GONE_MAX_MS;
  while (runs.some(isRunActive) && Date.now() < giveUpAtMs) await Bun.sleep(POLL_MS);
  unmountBelow(directory);
  await rm(directory, { recursive: true, force: true });
}

function runDirectories(directory: string): string[] {
  const containers = join(directory, "containers");
  if (!existsSync(containers)) return [];
  return readdirSync(containers).flatMap((name) =>
    readdirSync(join(containers, name)).map((attempt) => join(containers, name, attempt)),
  );
}
