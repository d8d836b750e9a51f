import { readFileSync, readlinkSync } from "node:fs";

/** A process, told apart from later ones with its number by the moment it started, in the kernel's ticks. */
export interface ProcessMark {
  readonly pid: number;
  readonly startTicks: string;
}

/** The mark of a process that runs; undefined when it has ended, whether or not its parent has been told. */
export function markOf(pid: number): ProcessMark | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // The command's name, in parentheses, may contain anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return startTicks === undefined || state === "Z" || state === "X" ? undefined : { pid, startTicks };
}

export function isRunning({ pid, startTicks }: ProcessMark): boolean {
  return markOf(pid)?.startTicks === startTicks;
}

/** The first child, by number, of a process that has at most one. */
export function childOf(pid: number): number | undefined {
  const first = readText(`/proc/${pid}/task/${pid}/children`).trim().split(" ")[0];
  return first === undefined || first === "" ? undefined : Number(first);
}

export function commandLine(pid: number): readonly string[] {
  return readText(`/proc/${pid}/cmdline`).split("\0");
}

/** "" when there is no such process. */
export function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return "";
  }
}

/** A process may end at any time before it is signalled. */
export function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, which is what was wanted.
  }
}

/** Whether a process has a handler for signal `number`: proc(5), SigCgt of /proc/PID/status, bit 0 of which is signal 1. */
export function catches(pid: number, number: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(number - 1)) & 1n) === 1n;
}

/** Empty when there is no such file, or, for one in /proc, no such process any more. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
