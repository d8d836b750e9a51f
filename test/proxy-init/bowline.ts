import type { CommandResult, NetNamespace } from "@bowline/testkit";

/** The command line that runs Bowline from its sources. */
export const BOWLINE: readonly string[] = [process.execPath, `${import.meta.dir}/../../packages/cli/src/main.ts`];

/** The article's call. */
export const ARTICLE: readonly string[] =
  "proxy-init --incoming-proxy-port 4143 --outgoing-proxy-port 4140 --proxy-uid 2102 --inbound-ports-to-ignore 4190,4191".split(
    " ",
  );

export const MODES = ["legacy", "nft"] as const;
export type Mode = (typeof MODES)[number];
export const FAMILIES = ["iptables", "ip6tables"] as const;
export type FamilyName = (typeof FAMILIES)[number];

export function bowline(namespace: NetNamespace, ...args: string[]): Promise<CommandResult> {
  return namespace.exec([...BOWLINE, ...args]);
}

/** Rules and chains as iptables-save prints them, without counters, comments' seconds and its own remarks. */
export async function savedRules(namespace: NetNamespace, family: FamilyName, mode: Mode): Promise<string[]> {
  const saved = await namespace.run([`${family}-${mode}-save`, "-t", "nat"]);
  return saved
    .split("\n")
    .filter((line) => /^[:-]/.test(line))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, "").replace(/\/\d{10}(?=[" ]|$)/, "/SECONDS"));
}

/** Every nat table of every family and mode: what must be the same when "nothing was changed". */
export async function everything(namespace: NetNamespace): Promise<string> {
  const parts: string[] = [];
  for (const family of FAMILIES) {
    for (const mode of MODES) parts.push(...(await savedRules(namespace, family, mode)));
  }
  return parts.join("\n");
}
