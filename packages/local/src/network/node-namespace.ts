import { existsSync } from "node:fs";
import {
  DNS_IP_V4,
  DNS_IP_V6,
  NODE_IP_V4,
  NODE_IP_V6,
  POD_CIDR_V4,
  POD_CIDR_V6,
  SERVICE_CIDR_V4,
  SERVICE_CIDR_V6,
} from "./addresses.ts";
import { NODE_LINK, netnsPath, nodeNamespaceName } from "./names.ts";
import { linkUpLine, setNetSysctls } from "./namespace-settings.ts";
import type { IpFamilies } from "./pod-network.ts";
import { runIn, runIpBatch } from "./run-in-namespace.ts";
import { rulesetOf, TABLE, transaction } from "./services/ruleset.ts";

/** A link of the node's namespace, as `ip -json link` shows it. */
export interface NodeLink {
  readonly ifname: string;
  readonly ifalias?: string;
}

/**
 * Makes the namespace that is the cluster's node, or brings one that exists to the same state. It routes between pods, each
 * at the end of a link of its own, and has none that leads to the machine's.
 *
 * There is no bridge: what pods send one another would go past the node's routing, and, on machines where bridges call
 * netfilter, a service's translation happens on the bridge, where it can't come back.
 *
 * @returns the links that were there before: those of pods to adopt among them
 */
export async function openNodeNamespace(cluster: string, families: IpFamilies): Promise<NodeLink[]> {
  const name = nodeNamespaceName(cluster);
  const netns = netnsPath(name);
  if (!existsSync(netns)) await runIpBatch(undefined, [`netns add ${name}`]);
  const links = await listLinks(netns);
  // First: links that come later take their settings from these.
  setNetSysctls(netns, families === "dual" ? { ...NODE_SYSCTLS, "ipv6/conf/all/forwarding": "1" } : NODE_SYSCTLS);
  const isNew = !links.some((link) => link.ifname === NODE_LINK);
  await runIpBatch(netns, [...(isNew ? LINK_LINES : []), ...addressLines(families)]);
  await installRules(netns);
  return links;
}

/**
 * The rules of a cluster without services, unless there are any: what is sent to a service address before the services
 * are known must be refused, since the kernel would keep to what it did with the first packet.
 */
async function installRules(netns: string): Promise<void> {
  const tables = await runIn(netns, ["nft", "list", "tables"]);
  if (!tables.includes(`table ${TABLE}`)) await runIn(netns, ["nft", "-f", "-"], transaction(null, rulesetOf([], [])));
}

async function listLinks(netns: string): Promise<NodeLink[]> {
  return JSON.parse(await runIn(netns, ["ip", "-json", "link", "show"])) as NodeLink[];
}

const LINK_LINES: readonly string[] = [
  "link set lo up",
  // Of a kind that pods need anyway: not every kernel has dummies.
  `link add ${NODE_LINK} type veth peer name ${NODE_LINK}-end`,
  linkUpLine(`${NODE_LINK}-end`),
  linkUpLine(NODE_LINK),
];

/**
 * Service addresses have a route so that the node's own connections to them come as far as the rules that translate
 * them; what those leave alone is refused on the same way.
 */
function addressLines(families: IpFamilies): string[] {
  const v4 = [
    `addr replace ${NODE_IP_V4}/32 dev ${NODE_LINK}`,
    `addr replace ${DNS_IP_V4}/32 dev ${NODE_LINK}`,
    `route replace ${SERVICE_CIDR_V4} dev ${NODE_LINK} src ${NODE_IP_V4}`,
    // Of pods that are no more; those that are have routes of their own.
    `route replace unreachable ${POD_CIDR_V4}`,
  ];
  if (families === "v4") return v4;
  return [
    ...v4,
    `addr replace ${NODE_IP_V6}/128 dev ${NODE_LINK} nodad`,
    `addr replace ${DNS_IP_V6}/128 dev ${NODE_LINK} nodad`,
    `route replace ${SERVICE_CIDR_V6} dev ${NODE_LINK} src ${NODE_IP_V6}`,
    `route replace unreachable ${POD_CIDR_V6}`,
  ];
}

/** All written out, since a new namespace takes IPv4's values from the machine. */
const NODE_SYSCTLS: Readonly<Record<string, string>> = {
  "ipv4/ip_forward": "1",
  // A pod sends under its own address only.
  "ipv4/conf/all/rp_filter": "0",
  "ipv4/conf/default/rp_filter": "1",
  // A pod that reaches itself through a service need not hear of a shorter way.
  "ipv4/conf/all/send_redirects": "0",
  "ipv4/conf/default/send_redirects": "0",
  // The gateway's address is asked for on links that don't have it.
  "ipv4/conf/all/arp_ignore": "0",
  "ipv4/conf/default/arp_ignore": "0",
};
