import { readFileSync } from "node:fs";
import { arch, release, totalmem } from "node:os";
import { VERSION } from "@bowline/contracts";
import { runCommand } from "@bowline/testkit";

/** The cores this process may use, lowest first. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  return parseCoreList(list);
}

/** `0-2,5` → 0, 1, 2, 5. */
export function parseCoreList(list: string): number[] {
  const cores: number[] = [];
  for (const part of list.split(",")) {
    const [, from, to = from] = /^\s*([0-9]+)(?:-([0-9]+))?\s*$/.exec(part) ?? [];
    if (from === undefined) continue;
    for (let core = Number(from); core <= Number(to); core++) cores.push(core);
  }
  return cores;
}

/** The machine in general terms: enough to judge the figures by, nothing that names it. */
export function describeMachine(): string {
  const cpu = readFileSync("/proc/cpuinfo", "utf8");
  const vendor = /GenuineIntel/.test(cpu) ? "Intel" : /AuthenticAMD/.test(cpu) ? "AMD" : "other vendor";
  const virtual = /^flags.*\bhypervisor\b/m.test(cpu) ? ", virtual machine" : "";
  const kernel = release().split(".").slice(0, 2).join(".");
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return `${allowedCores().length} cores (${arch()}, ${vendor}${virtual}), ${memoryGb} GiB, Linux ${kernel}`;
}

/** Name and version of everything that takes part, in one line. */
export async function describeVersions(): Promise<string> {
  const tools = [
    { name: "haproxy", argv: ["haproxy", "-v"] },
    { name: "nginx", argv: ["nginx", "-v"] },
    { name: "nghttpx", argv: ["nghttpx", "--version"] },
    { name: "h2load", argv: ["h2load", "--version"] },
    { name: "wrk", argv: ["wrk", "-v"] },
    { name: "cc", argv: ["cc", "--version"] },
  ];
  const found = await Promise.all(tools.map(async ({ name, argv }) => `${name} ${await versionFrom(argv)}`));
  return [`bowline ${VERSION}`, ...found, `bun ${process.versions.bun}`].join(", ");
}

async function versionFrom(argv: readonly string[]): Promise<string> {
  // Some print it on standard error, and wrk ends with 1 after doing so.
  const { stdout, stderr } = await runCommand(argv);
  return /[0-9]+\.[0-9]+(?:\.[0-9]+)?/.exec(stdout + stderr)?.[0] ?? "of unknown version";
}
