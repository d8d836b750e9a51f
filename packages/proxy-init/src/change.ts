import type { Host } from "./host.ts";
import {
  FailureCause,
  findIptables,
  type Iptables,
  IptablesError,
  inNamespace,
  readNatTable,
  restoreNatTable,
  runOrThrow,
} from "./iptables.ts";
import type { Log } from "./logger.ts";
import { findForeignUses, findOwnedChains, type OwnedChain } from "./nat-table.ts";
import { type HostOptions, type InitOptions, IpFamily, type RuleOptions } from "./options.ts";
import { planRules } from "./plan.ts";
import { installed, removed, transition } from "./transaction.ts";

/**
 * How often a change is tried, by what went wrong; a failed transaction has changed nothing, so trying again is safe.
 * The lock of iptables may be held for seconds. Other failures include a commit of another program between our reading
 * and our deleting, which no message tells from a rule that the kernel will never take.
 */
const ATTEMPTS_MAX: Readonly<Partial<Record<FailureCause, number>>> = {
  [FailureCause.Busy]: 20,
  [FailureCause.Other]: 6,
};
const RETRY_PAUSE_MS = 200;

const FAMILY_NAMES: Readonly<Record<IpFamily, string>> = { [IpFamily.V4]: "IPv4", [IpFamily.V6]: "IPv6" };

/** Puts back what a step changed. */
type Undo = () => Promise<void>;
type Wanted = (current: readonly OwnedChain[]) => readonly OwnedChain[];

/**
 * Installs or removes the rules of all families. When a step fails, the steps before it are undone.
 *
 * @throws IptablesError whose message says what failed and what to do
 */
export async function changeRules(options: InitOptions, host: Host, log: Log): Promise<void> {
  const { rules, host: hostOptions } = options;
  const undos: Undo[] = [];
  try {
    if (rules !== null) undos.push(await setCloseWaitTimeout(hostOptions, host, log));
    undos.push(await changeIpv4(options, host, log));
    if (hostOptions.ipv6 !== "off") await changeIpv6(options, host, log);
  } catch (error) {
    for (const undo of undos.reverse()) {
      await undo().catch((failure: unknown) => log("error", `that failed too: ${String(failure)}`));
    }
    throw error;
  }
}

async function changeIpv4(options: InitOptions, host: Host, log: Log): Promise<Undo> {
  try {
    return await changeFamily(IpFamily.V4, options, host, log);
  } catch (error) {
    const nothingThere = error instanceof IptablesError && error.code === FailureCause.NoTable;
    if (options.rules !== null || !nothingThere) throw error;
    log("debug", `no IPv4 rules to remove: ${error.message}`);
    return () => Promise.resolve();
  }
}

async function changeIpv6(options: InitOptions, host: Host, log: Log): Promise<void> {
  try {
    await changeFamily(IpFamily.V6, options, host, log);
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error;
    const unavailable = error.code === FailureCause.NoTable || error.code === FailureCause.NoProgram;
    if (unavailable && options.rules === null) log("debug", `no IPv6 rules to remove: ${error.message}`);
    else if (unavailable && options.host.ipv6 === "if-available" && !(await hasIpv6Address(options.host, host))) {
      log("warn", `no IPv6 rules, and no IPv6 address that needs them: ${error.message}`);
    } else {
      const advice = "--ipv6=false leaves IPv6 alone: its traffic then passes the proxy by.";
      throw new IptablesError(error.code, `${error.message}\n${advice}`);
    }
  }
}

/** Returns what puts the family's chains back to where they were. */
async function changeFamily(
  family: IpFamily,
  { rules, host: options }: InitOptions,
  host: Host,
  log: Log,
): Promise<Undo> {
  const iptables = findIptables(family, options, host.onPath, log);
  const before = await reach(iptables, rules === null ? removed : toInstalled(rules, family, host), host, log);
  const state = rules === null ? "removed" : "in place";
  log("info", `${FAMILY_NAMES[family]} rules ${state}`);
  return async () => {
    log("warn", `putting the ${FAMILY_NAMES[family]} rules back to what they were`);
    await reach(iptables, () => before, host, log);
  };
}

function toInstalled(rules: RuleOptions, family: IpFamily, host: Host): Wanted {
  const plan = planRules(rules, family, host.unixSecs());
  return (current) => installed(current, plan);
}

/**
 * Changes our chains to what `wanted` makes of the present ones, and reads them back. Another run at the same time, or
 * the last breath of one that was killed, can commit between our reading and our writing; then the change is made anew.
 *
 * @returns the chains as they were at first
 */
async function reach(iptables: Iptables, wanted: Wanted, host: Host, log: Log): Promise<readonly OwnedChain[]> {
  let before: readonly OwnedChain[] | null = null;
  for (let attempt = 1; ; attempt++) {
    const table = await readNatTable(iptables, host, log);
    const current = findOwnedChains(table);
    before ??= current;
    const target = wanted(current);
    if (target.some(({ rules }) => rules === null)) assertUnused(findForeignUses(table));
    const input = transition(current, target);
    if (input === null) return before;
    const failure = await tryRestore(iptables, input, host, log);
    const after = findOwnedChains(await readNatTable(iptables, host, log));
    if (failure === null && sameShape(after, target)) return before;
    const error = failure ?? new IptablesError(FailureCause.Busy, "another program changed the rules at the same time");
    if (attempt >= (ATTEMPTS_MAX[error.code] ?? 1)) throw error;
    log("warn", `${error.message}\nTrying again.`);
    // Never in step with another run that was disturbed by the same commit.
    await host.sleep(RETRY_PAUSE_MS * (0.5 + Math.random()));
  }
}

async function tryRestore(iptables: Iptables, input: string, host: Host, log: Log): Promise<IptablesError | null> {
  try {
    await restoreNatTable(iptables, input, host, log);
    return null;
  } catch (error) {
    if (error instanceof IptablesError) return error;
    throw error;
  }
}

function assertUnused(foreignUses: readonly string[]): void {
  if (foreignUses.length === 0) return;
  const list = foreignUses.map((rule) => `\n  ${rule}`).join("");
  throw new IptablesError(
    FailureCause.Other,
    `rules that proxy-init did not make use its chains; delete them first:${list}`,
  );
}

/** The kernel prints rules in its own words, so the counts are compared. */
function sameShape(after: readonly OwnedChain[], target: readonly OwnedChain[]): boolean {
  return after.every((chain) => {
    const wanted = target.find(({ name }) => name === chain.name);
    return chain.rules?.length === wanted?.rules?.length && chain.jumps.length === wanted?.jumps.length;
  });
}

async function setCloseWaitTimeout(options: HostOptions, host: Host, log: Log): Promise<Undo> {
  const secs = options.closeWaitTimeoutSecs;
  if (secs === null) return () => Promise.resolve();
  const sysctl = (...args: string[]): Promise<string> =>
    runOrThrow(inNamespace(["sysctl", ...args], options.netns), "", host, log).then(({ stdout }) => stdout.trim());
  const before = await sysctl("-n", CLOSE_WAIT_SYSCTL);
  await sysctl("-w", `${CLOSE_WAIT_SYSCTL}=${secs}`);
  return async () => {
    await sysctl("-w", `${CLOSE_WAIT_SYSCTL}=${before}`);
  };
}

export const CLOSE_WAIT_SYSCTL = "net.netfilter.nf_conntrack_tcp_timeout_close_wait";

/** True when the namespace has an IPv6 address other than its loopback's and its links' own. */
async function hasIpv6Address(options: HostOptions, host: Host): Promise<boolean> {
  const { code, stdout } = await host.run(inNamespace(["cat", "/proc/net/if_inet6"], options.netns));
  // It cannot be told: assume that there is one.
  if (code === null) return true;
  // No file: no IPv6 at all. Its columns: address, interface index, prefix length, scope, flags, name.
  return code === 0 && stdout.split("\n").some((line) => line.trim().split(/\s+/)[3] === SCOPE_GLOBAL);
}

const SCOPE_GLOBAL = "00";
