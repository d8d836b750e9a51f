import type { CommandOutput, Host } from "./host.ts";
import type { Log } from "./logger.ts";
import { type NatTable, parseNatTable } from "./nat-table.ts";
import { type HostOptions, IpFamily, type IptablesMode } from "./options.ts";

/** The two programs that read and change the nat table of one family. */
export interface Iptables {
  readonly family: IpFamily;
  readonly saveArgv: readonly string[];
  readonly restoreArgv: readonly string[];
}

export const FailureCause = {
  Other: "other",
  /** Another program holds the lock of iptables; trying again helps. */
  Busy: "busy",
  Denied: "denied",
  /** The kernel has no nat table for this family. */
  NoTable: "no-table",
  NoProgram: "no-program",
  /** A container's /proc/sys. */
  ReadOnly: "read-only",
} as const;
export type FailureCause = (typeof FailureCause)[keyof typeof FailureCause];

/** A command failed or cannot be run; the message says which, why and what to do. */
export class IptablesError extends Error {
  readonly code: FailureCause;

  constructor(code: FailureCause, message: string) {
    super(message);
    this.name = "IptablesError";
    this.code = code;
  }
}

const FAMILY_PREFIX: Readonly<Record<IpFamily, string>> = { [IpFamily.V4]: "iptables", [IpFamily.V6]: "ip6tables" };
const MODE_SUFFIX: Readonly<Record<IptablesMode, string>> = { legacy: "-legacy", nft: "-nft", plain: "" };
/** As Linkerd's proxy-init tries them when the wanted programs are missing. */
const FALLBACK_MODES: readonly IptablesMode[] = ["nft", "plain", "legacy"];

/**
 * Chooses the programs for a family: those of the wanted mode, else of the first other mode that has both.
 *
 * @throws IptablesError (NoProgram) when no mode has both
 */
export function findIptables(family: IpFamily, options: HostOptions, onPath: Host["onPath"], log: Log): Iptables {
  const programs = (mode: IptablesMode): [string, string] => {
    const base = FAMILY_PREFIX[family] + MODE_SUFFIX[mode];
    return [`${base}-save`, `${base}-restore`];
  };
  const found = [options.mode, ...FALLBACK_MODES].find((mode) => programs(mode).every(onPath));
  const [save, restore] = programs(found ?? options.mode);
  if (found === undefined) {
    const message = `${save} and ${restore} are not on the PATH, nor are those of any other mode`;
    throw new IptablesError(FailureCause.NoProgram, `${message}: install the package iptables, or correct PATH`);
  }
  if (found !== options.mode) {
    log("warn", `${programs(options.mode).join(" or ")} is not on the PATH; using ${save} and ${restore} instead`);
  }
  return iptablesArgv(family, save, restore, options);
}

/** The same without looking: what would run where the wanted mode is installed. */
export function assumeIptables(family: IpFamily, options: HostOptions): Iptables {
  const base = FAMILY_PREFIX[family] + MODE_SUFFIX[options.mode];
  return iptablesArgv(family, `${base}-save`, `${base}-restore`, options);
}

/** @throws IptablesError when the table cannot be read */
export async function readNatTable({ saveArgv }: Iptables, host: Host, log: Log): Promise<NatTable> {
  return parseNatTable((await runOrThrow(saveArgv, "", host, log)).stdout);
}

/** @throws IptablesError when the transaction fails, which leaves the table as it was */
export async function restoreNatTable({ restoreArgv }: Iptables, input: string, host: Host, log: Log): Promise<void> {
  await runOrThrow(restoreArgv, input, host, log);
}

/** Runs a command that must succeed; `input` is logged line by line at debug level. */
export async function runOrThrow(argv: readonly string[], input: string, host: Host, log: Log): Promise<CommandOutput> {
  log("info", `> ${argv.join(" ")}`);
  for (const line of input.split("\n").filter(Boolean)) log("debug", `  ${line}`);
  const output = await host.run(argv, input);
  for (const line of output.stderr.split("\n").filter(Boolean)) log("debug", `< ${line}`);
  if (output.code === 0) return output;
  const cause = classify(output);
  const said = output.stderr.trim() || `ended with ${output.code}`;
  throw new IptablesError(cause, `\`${argv.join(" ")}\` failed: ${said}${ADVICE[cause]}`);
}

export function inNamespace(argv: readonly string[], netns: string | null): readonly string[] {
  return netns === null ? argv : ["nsenter", `--net=${netns}`, "--", ...argv];
}

function iptablesArgv(family: IpFamily, save: string, restore: string, options: HostOptions): Iptables {
  const wait = options.waitForLock ? ["-w"] : [];
  return {
    family,
    saveArgv: inNamespace([save, "-t", "nat"], options.netns),
    restoreArgv: inNamespace([restore, "--noflush", ...wait], options.netns),
  };
}

const ADVICE: Readonly<Record<FailureCause, string>> = {
  [FailureCause.Other]: "",
  [FailureCause.Busy]: "\nAnother program is changing the rules; --use-wait-flag waits for it.",
  [FailureCause.Denied]:
    "\nChanging nat rules needs the capabilities NET_ADMIN and NET_RAW (and SYS_ADMIN for --netns): run as root, or add " +
    'capabilities: {add: ["NET_ADMIN", "NET_RAW"]} to the init container\'s securityContext.',
  [FailureCause.NoTable]:
    "\nThe kernel has no nat table for this family and mode: load its nat modules, or choose another --iptables-mode.",
  [FailureCause.ReadOnly]:
    "\n/proc/sys is read-only in ordinary containers: --timeout-close-wait-secs needs securityContext.privileged.",
  [FailureCause.NoProgram]: "\nThe program is missing: install the package that has it, or correct PATH.",
};

/** Exit statuses differ between iptables' versions and modes; the messages do not. */
function classify({ code, stderr }: CommandOutput): FailureCause {
  if (code === null && /ENOENT|not found in/i.test(stderr)) return FailureCause.NoProgram;
  if (/read-only file system/i.test(stderr)) return FailureCause.ReadOnly;
  if (/permission denied|operation not permitted|must be root/i.test(stderr)) return FailureCause.Denied;
  if (/table does not exist|do you need to insmod|unable to initialize table|not supported/i.test(stderr)) {
    return FailureCause.NoTable;
  }
  // What iptables-nft says where the kernel has no nf_tables.
  if (/generation id: Invalid argument/.test(stderr)) return FailureCause.NoTable;
  return /resource temporarily unavailable|xtables lock/i.test(stderr) ? FailureCause.Busy : FailureCause.Other;
}
