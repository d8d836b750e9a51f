import { readdirSync, readFileSync } from "node:fs";

/** Processor time of a process tree since each process's start, all threads included. */
export interface CpuTime {
  readonly userUs: number;
  readonly systemUs: number;
}

/** Memory of a process tree: each figure summed over its processes. */
export interface Memory {
  readonly rssBytes: number;
  /** Pages shared with other processes count in part. */
  readonly pssBytes: number;
  /** The part of RSS that is no file's: without the pages of programs and libraries, which come and go. */
  readonly anonymousBytes: number;
  /** The sum of the processes' own peaks. */
  readonly peakRssBytes: number;
}

export interface StatLine extends CpuTime {
  readonly pid: number;
  readonly parentPid: number;
}

/** Linux reports utime and stime in USER_HZ, which is 100 on every architecture that Bun runs on. */
const TICK_US = 10_000;

/** One line of /proc/PID/stat; null when it is not one. The name in parentheses may itself hold `) (`. */
export function parseStat(line: string): StatLine | null {
  const close = line.lastIndexOf(")");
  const pid = Number.parseInt(line, 10);
  // proc(5): after the name come state (3), ppid (4), … utime (14), stime (15).
  const fields = line.slice(close + 2).split(" ");
  const [parentPid, userTicks, systemTicks] = [fields[1], fields[11], fields[12]].map(Number);
  if (close < 0 || Number.isNaN(pid) || parentPid === undefined || !(userTicks! >= 0) || !(systemTicks! >= 0))
    return null;
  return { pid, parentPid, userUs: userTicks! * TICK_US, systemUs: systemTicks! * TICK_US };
}

/** A `Name:   123 kB` line of /proc/PID/status or smaps_rollup in bytes; 0 when it is not there. */
export function parseKilobytes(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s*([0-9]+) kB$`, "m").exec(text);
  return found === null ? 0 : Number(found[1]) * 1024;
}

/** The root and all its descendants among these processes. */
export function treeOf(rootPid: number, processes: readonly StatLine[]): StatLine[] {
  const pids = new Set([rootPid]);
  for (let before = 0; before !== pids.size; ) {
    before = pids.size;
    for (const { pid, parentPid } of processes) if (pids.has(parentPid)) pids.add(pid);
  }
  return processes.filter(({ pid }) => pids.has(pid));
}

/** Of all the trees together. @throws Error when a root process is gone */
export function readCpuTime(rootPids: readonly number[]): CpuTime {
  const tree = rootPids.flatMap(liveTree);
  return {
    userUs: tree.reduce((sum, one) => sum + one.userUs, 0),
    systemUs: tree.reduce((sum, one) => sum + one.systemUs, 0),
  };
}

/** Of all the trees together. @throws Error when a root process is gone */
export function readMemory(rootPids: readonly number[]): Memory {
  let [rssBytes, pssBytes, anonymousBytes, peakRssBytes] = [0, 0, 0, 0];
  for (const { pid } of rootPids.flatMap(liveTree)) {
    const rollup = tryRead(`/proc/${pid}/smaps_rollup`);
    rssBytes += parseKilobytes(rollup, "Rss");
    pssBytes += parseKilobytes(rollup, "Pss");
    const status = tryRead(`/proc/${pid}/status`);
    anonymousBytes += parseKilobytes(status, "RssAnon");
    peakRssBytes += parseKilobytes(status, "VmHWM");
  }
  return { rssBytes, pssBytes, anonymousBytes, peakRssBytes };
}

function liveTree(rootPid: number): StatLine[] {
  const processes = readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map((pid) => parseStat(tryRead(`/proc/${pid}/stat`)))
    .filter((line) => line !== null);
  const tree = treeOf(rootPid, processes);
  if (tree.length === 0) throw new Error(`process ${rootPid} has ended`);
  return tree;
}

/** Processes come and go while /proc is read. */
function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
