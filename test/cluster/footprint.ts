import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "@bowline/testkit";
import type { TestCluster } from "./test-cluster.ts";

const NAMESPACES = "/run/netns";

/** What a cluster has on the machine outside its state directory. */
export interface Footprint {
  readonly namespaces: readonly string[];
  readonly mounts: readonly string[];
  /** Processes by the cluster's directory that they run in, a pod's uid or "" for others', or by their arguments. */
  readonly processes: readonly string[];
  readonly directories: readonly string[];
}

/** Of a cluster that may be up, down or killed. Other clusters of the machine do not count. */
export function footprintOf({ name, stateDir }: TestCluster): Footprint {
  const namespaces = listed(NAMESPACES).filter(
    (each) => each === `bowline-${name}` || each.startsWith(`bowline-${name}.`),
  );
  const ours = (text: string) => text.includes(stateDir) || text.includes(`/bowline-${name}`);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return {
    namespaces: namespaces.toSorted(),
    mounts: mounts.filter(ours).toSorted(),
    processes: processIds()
      .flatMap((pid) => describeProcess(pid, stateDir))
      .toSorted(),
    directories: [stateDir, `/run/bowline-${name}`].filter((path) => existsSync(path)),
  };
}

export const NO_FOOTPRINT: Footprint = { namespaces: [], mounts: [], processes: [], directories: [] };

/** The inodes of a cluster's network namespaces, by which processes are found that have outlived them. */
export function namespaceInodes(cluster: TestCluster): ReadonlySet<number> {
  return new Set(namedInodes(footprintOf(cluster).namespaces));
}

/** Without those that go meanwhile. */
function namedInodes(names: readonly string[]): number[] {
  return names.flatMap((name) => statSync(join(NAMESPACES, name), { throwIfNoEntry: false })?.ino ?? []);
}

/** Processes in network namespaces of `inodes` that no name leads to any more. */
export function processesLeftIn(inodes: ReadonlySet<number>): string[] {
  const within = processIds().map((pid) => ({ pid, inode: Number(/\d+/.exec(linkOf(`/proc/${pid}/ns/net`))?.[0]) }));
  const named = new Set(namedInodes(listed(NAMESPACES)));
  return within.flatMap(({ pid, inode }) => {
    return inodes.has(inode) && !named.has(inode) ? [`${pid} ${argumentsOf(pid)}`] : [];
  });
}

/** What belongs to nobody's cluster: the machine's own interfaces and tables. */
export async function machineNetwork(): Promise<string> {
  const [links, routes, tables] = await Promise.all([
    mustRun(["ip", "-o", "link", "show"]),
    mustRun(["ip", "route", "show"]),
    mustRun(["nft", "list", "tables"]),
  ]);
  return [links.replaceAll(/ (state|mode|qlen) \S+/g, ""), routes, tables].join("\n");
}

function describeProcess(pid: number, stateDir: string): string[] {
  const directory = linkOf(`/proc/${pid}/cwd`);
  if (directory.startsWith(stateDir)) return [`${/pods\/([^/]+)/.exec(directory)?.[1] ?? ""}`];
  const words = argumentsOf(pid);
  return words.includes(stateDir) && words.includes("local daemon") ? ["daemon"] : [];
}

function processIds(): number[] {
  return listed("/proc")
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Empty when the process has ended, here and below. */
function argumentsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function listed(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
