import { CLOSE_WAIT_SYSCTL } from "./change.ts";
import type { Host } from "./host.ts";
import { assumeIptables, findIptables, type Iptables, IptablesError, inNamespace, readNatTable } from "./iptables.ts";
import type { Log } from "./logger.ts";
import { findOwnedChains } from "./nat-table.ts";
import { type InitOptions, IpFamily, type RuleOptions } from "./options.ts";
import { planRules } from "./plan.ts";
import { installed, removed, transition, untouched } from "./transaction.ts";

/**
 * What a run would do, as a shell script that does the same. An installation is shown for a pod without rules of ours,
 * and nothing is run for it, not even to read: reading the nat table can make the kernel create it. What a removal
 * would do depends on what is there, so that does read, with the privileges that this takes.
 *
 * @throws IptablesError when a removal's table cannot be read
 */
export async function simulate(options: InitOptions, host: Host, log: Log): Promise<string> {
  const { rules, host: hostOptions } = options;
  const families = hostOptions.ipv6 === "off" ? [IpFamily.V4] : [IpFamily.V4, IpFamily.V6];
  let script = "";
  if (rules !== null && hostOptions.closeWaitTimeoutSecs !== null) {
    const sysctl = ["sysctl", "-w", `${CLOSE_WAIT_SYSCTL}=${hostOptions.closeWaitTimeoutSecs}`];
    script += `${inNamespace(sysctl, hostOptions.netns).map(shellWord).join(" ")}\n`;
  }
  for (const family of families) {
    const iptables = chooseIptables(family, options, host, log);
    const input = rules === null ? await removal(iptables, host, log) : installation(rules, family, host);
    script += `${iptables.saveArgv.map(shellWord).join(" ")}\n`;
    if (input !== null) script += `${iptables.restoreArgv.map(shellWord).join(" ")} <<'END'\n${input}END\n`;
  }
  return script;
}

function installation(rules: RuleOptions, family: IpFamily, host: Host): string | null {
  const plan = planRules(rules, family, host.unixSecs());
  const before = untouched(plan);
  return transition(before, installed(before, plan));
}

async function removal(iptables: Iptables, host: Host, log: Log): Promise<string | null> {
  const current = findOwnedChains(await readNatTable(iptables, host, log));
  return transition(current, removed(current));
}

/** A plan can be looked at on a machine that has no iptables. */
function chooseIptables(family: IpFamily, options: InitOptions, host: Host, log: Log): Iptables {
  try {
    return findIptables(family, options.host, host.onPath, log);
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error;
    log("warn", error.message);
    return assumeIptables(family, options.host);
  }
}

function shellWord(text: string): string {
  return /^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
