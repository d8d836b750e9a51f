import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { childOf, commandLine, isRunning, markOf, readText, trySignal, workingDirectory } from "./process.ts";
import { DEFAULT_PATH } from "./script.ts";

/** The supervisor that runs in `directory`, if one does. Its command line has the script's path, which no other process has. */
export function supervisorOf(directory: string): number | undefined {
  const pid = Number(readText(join(directory, "pid")));
  return pid > 0 && commandLine(pid).includes(join(directory, "run.sh")) ? pid : undefined;
}

/** PID 1 of the container that runs in `directory`, as the machine numbers it; its supervisor may be gone. */
export function mainOf(directory: string): number | undefined {
  const supervisor = supervisorOf(directory);
  if (supervisor !== undefined) return childOf(supervisor);
  const [pid, startTicks = ""] = readText(join(directory, "main")).split(" ");
  const mark = { pid: Number(pid), startTicks };
  return mark.pid > 0 && isRunning(mark) ? mark.pid : undefined;
}

/**
 * Notes the container's PID 1. It ends with its supervisor (PDEATHSIG), but for one killed before the container had asked for that, or
 * when a program with capabilities of its own has made the kernel forget it.
 */
export function noteMain(directory: string): void {
  const pid = mainOf(directory);
  const mark = pid === undefined ? undefined : markOf(pid);
  if (mark !== undefined) writeFileSync(join(directory, "main"), `${mark.pid} ${mark.startTicks}`);
}

export function loggerOf(directory: string): number | undefined {
  const pid = Number(readText(join(directory, "logger")));
  return pid > 0 && workingDirectory(pid) === directory ? pid : undefined;
}

/** Writes the container's output to its log until the last process that could add to it is gone. */
export function startLogger(directory: string): Bun.Subprocess {
  const logger = Bun.spawn(["dash", "-c", "echo $$ >logger; exec cat <output >>log"], {
    cwd: directory,
    env: { PATH: DEFAULT_PATH },
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
  });
  logger.unref();
  return logger;
}

/** Whether a container of `directory` runs, or what it wrote is not yet in its log. */
export function isRunActive(directory: string): boolean {
  return [supervisorOf, mainOf, loggerOf].some((find) => find(directory) !== undefined);
}

/** Ends the container that runs in `directory`, supervisor and all. */
export function killRun(directory: string): void {
  for (const pid of [mainOf(directory), supervisorOf(directory), loggerOf(directory)]) {
    if (pid !== undefined) trySignal(pid, "SIGKILL");
  }
}

/** Ends a container whose supervisor has ended, if it runs on. */
export function killOrphan(directory: string): void {
  const main = supervisorOf(directory) === undefined ? mainOf(directory) : undefined;
  if (main !== undefined) trySignal(main, "SIGKILL");
}
