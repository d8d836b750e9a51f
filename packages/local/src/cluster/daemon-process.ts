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
 * Keeps others from doing the same at the same time, until it is disposed or this process ends, however it does.
 *
 * @throws Error with `taken` as its text when another process holds the file
 */
export function holdAlone(file: string, taken: string): Disposable {
  if (runningDaemon(file) !== null) throw new Error(taken);
  rmSync(file, { force: true });
  try {
    writeFileSync(file, `${process.pid} ${startTicks(process.pid) ?? ""}\n`, { flag: "wx" });
  } catch (cause) {
    throw new Error(taken, { cause });
  }
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
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
