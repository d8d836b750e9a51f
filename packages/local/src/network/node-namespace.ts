import { existsSync } from "node:fs";
import {
  DNS_IP_V4,
  DNS_IP_V6,
  linkAddress,
  NODE_IP_V4,
  NODE_IP_V6,
  POD_CIDR_V4,
  POD_CIDR_V6,
  SERVICE_CIDR_V4,
  SERVICE_CIDR_V6,
} from "./addresses.ts";
import { BRIDGE, netnsPath, nodeNamespaceName } from "./names.ts";
import type { IpFamilies } from "./pod-network.ts";
import { runIn, runIpBatch } from "./run-in-namespace.ts";
import { setNetSysctls } from "./sysctl.ts";

const NODE_HOST_NUMBER = 1;

/** A link of the node's namespace, as `ip -json link` shows it. */
export interface NodeLink {
  readonly ifname: string;
  readonly ifalias?: string;
}

/**
 * Makes the namespace that is the cluster's node, or brings one that exists to the same state: a bridge with the node's
 * address, which is every pod's gateway, and nothing that leads to the machine's interfaces.
 *
 * @returns the links that were there before: those of pods to adopt among them
 */
export async function openNodeNamespace(cluster: string, families: IpFamilies): Promise<NodeLink[]> {
  const name = nodeNamespaceName(cluster);
  const netns = netnsPath(name);
  if (!existsSync(netns)) await runIpBatch(undefined, [`netns add ${name}`]);
  const links = await listLinks(netns);
  const lines = links.some((link) => link.ifname === BRIDGE) ? [] : bridgeLines();
  await runIpBatch(netns, [...lines, ...addressLines(families)]);
  setNetSysctls(netns, NODE_SYSCTLS);
  return links;
}

export async function listLinks(netns: string): Promise<NodeLink[]> {
  return JSON.parse(await runIn(netns, ["ip", "-json", "link", "show"])) as NodeLink[];
}

function bridgeLines(): string[] {
  return [
    "link set lo up",
    // With an address of its own: a bridge without one takes that of a port, another one each time pods come and go.
    `link add ${BRIDGE} address ${linkAddress(NODE_HOST_NUMBER)} type bridge mcast_snooping 0`,
    `link set ${BRIDGE} addrgenmode none`,
    `link set ${BRIDGE} up`,
  ];
}

/**
 * Service addresses are routed to the bridge so that the node's own connections to them come as far as the rules that
 * translate them; what those leave alone is refused on the same way.
 */
function addressLines(families: IpFamilies): string[] {
  const v4 = [
    `addr replace ${withLengthOf(NODE_IP_V4, POD_CIDR_V4)} dev ${BRIDGE}`,
    `addr replace ${DNS_IP_V4}/32 dev lo`,
    `route replace ${SERVICE_CIDR_V4} dev ${BRIDGE} src ${NODE_IP_V4}`,
  ];
  if (families === "v4") return v4;
  return [
    ...v4,
    // Without one of these the node can't ask who has the address that somebody else's packet is for.
    `addr replace fe80::1/64 dev ${BRIDGE} nodad`,
    `addr replace ${withLengthOf(NODE_IP_V6, POD_CIDR_V6)} dev ${BRIDGE} nodad`,
    `addr replace ${DNS_IP_V6}/128 dev lo nodad`,
    `route replace ${SERVICE_CIDR_V6} dev ${BRIDGE} src ${NODE_IP_V6}`,
  ];
}

function withLengthOf(ip: string, cidr: string): string {
  return `${ip}/${cidr.slice(cidr.indexOf("/") + 1)}`;
}

/**
 * All written out, since a new namespace takes IPv4's values from the machine. Packets come in by the bridge and leave by
 * it, which is what redirects are for: off, or pods would be told to go round the node.
 */
const NODE_SYSCTLS: Readonly<Record<string, string>> = {
  "ipv4/ip_forward": "1",
  "ipv4/conf/all/rp_filter": "0",
  [`ipv4/conf/${BRIDGE}/rp_filter`]: "1",
  "ipv4/conf/all/send_redirects": "0",
  [`ipv4/conf/${BRIDGE}/send_redirects`]: "0",
  "ipv6/conf/all/forwarding": "1",
};
