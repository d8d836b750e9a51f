import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";

/**
 * Which process is a cluster's daemon: its pid and, because pids come round again, when the kernel started it
 * (proc(5), field 22 of /proc/PID/stat, in clock ticks since boot).
 */
export function recordDaemon(pidFile: string, pid: number): void {
  writeFileSync(pidFile, `${pid} ${startTicks(pid) ?? ""}\n`);
}

/** The pid of a daemon that is running, or null. */
export function runningDaemon(pidFile: string): number | null {
  if (!existsSync(pidFile)) return null;
  const [pid = "", ticks = ""] = readFileSync(pidFile, "utf8").trim().split(" ");
  return ticks !== "" && startTicks(Number(pid)) === ticks ? Number(pid) : null;
}

/**
 * SIGTERM, then SIGKILL after `graceMs`. Pods go on running.
 *
 * @returns whether there was a daemon to stop
 */
export async function stopDaemon(pidFile: string, graceMs: number): Promise<boolean> {
  const pid = runningDaemon(pidFile);
  if (pid === null) return false;
  process.kill(pid, "SIGTERM");
  const deadline = Date.now() + graceMs;
  while (runningDaemon(pidFile) === pid) {
    if (Date.now() > deadline) process.kill(pid, "SIGKILL");
    await Bun.sleep(20);
  }
  rmSync(pidFile, { force: true });
  return true;
}

function startTicks(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name, in parentheses, may hold anything: fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const zombie = fields[0] === "Z";
    return zombie ? null : (fields[19] ?? null);
  } catch {
    return null; // no such process
  }
}
