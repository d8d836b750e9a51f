import { existsSync } from "node:fs";
import { hostNumberOf, linkAddress, NODE_IP_V4, NODE_IP_V6, podAddresses } from "./addresses.ts";
import { BRIDGE, netnsPath, nodeNamespaceName, podNamespaceName, vethName } from "./names.ts";
import type { NodeLink } from "./node-namespace.ts";
import type { IpFamilies } from "./pod-network.ts";
import { runIn, runIpBatch } from "./run-in-namespace.ts";
import { hasLink, setNetSysctls } from "./sysctl.ts";

const POD_LINK = "eth0";
/** Of the node's end of a pod's link: what a later daemon has to know of the pod. */
const ALIAS = /^pod=(\S+),ip=(\S+)$/;

/** A pod's place in the network. */
export interface PodPlace {
  readonly uid: string;
  readonly host: number;
}

/** The pods that are joined to the node, from the aliases of its links. */
export function placesOf(links: readonly NodeLink[]): PodPlace[] {
  return links.flatMap(({ ifname, ifalias = "" }) => {
    const [, uid, ip] = ALIAS.exec(ifalias) ?? [];
    const host = hostNumberOf(ip ?? "");
    return uid !== undefined && host !== undefined && ifname === vethName(uid) ? [{ uid, host }] : [];
  });
}

/** Makes the pod's namespace and joins it to the node's by a pair of links neither of which the machine ever sees. */
export async function createPodNamespace(cluster: string, place: PodPlace, families: IpFamilies): Promise<void> {
  const name = podNamespaceName(cluster, place.uid);
  const veth = vethName(place.uid);
  await runIpBatch(undefined, [
    `netns add ${name}`,
    `link add ${veth} netns ${nodeNamespaceName(cluster)} type veth peer name ${POD_LINK}` +
      ` address ${linkAddress(place.host)} netns ${name}`,
  ]);
  await Promise.all([
    runIpBatch(netnsPath(nodeNamespaceName(cluster)), [
      `link set ${veth} addrgenmode none alias pod=${place.uid},ip=${podAddresses(place.host, "v4").join()} master ${BRIDGE} up`,
      // Ports that hear only the bridge itself: whatever pods send one another goes through the node's routing.
      `link set ${veth} type bridge_slave isolated on`,
    ]),
    configurePodNamespace(cluster, place, families),
  ]);
}

/** Addresses, routes and settings within the pod's namespace. May be done again. */
export async function configurePodNamespace(cluster: string, place: PodPlace, families: IpFamilies): Promise<void> {
  const netns = netnsPath(podNamespaceName(cluster, place.uid));
  setNetSysctls(netns, POD_SYSCTLS);
  const [v4, v6] = podAddresses(place.host, families);
  await runIpBatch(netns, [
    "link set lo up",
    `link set ${POD_LINK} addrgenmode none`,
    // No other pod is on the link: replies of translated connections have to come back through the node, too.
    `addr replace ${v4}/32 dev ${POD_LINK}`,
    ...(v6 === undefined ? [] : [`addr replace ${v6}/128 dev ${POD_LINK} nodad`]),
    `link set ${POD_LINK} up`,
    `route replace default via ${NODE_IP_V4} dev ${POD_LINK} onlink src ${v4}`,
    ...(v6 === undefined ? [] : [`route replace default via ${NODE_IP_V6} dev ${POD_LINK} onlink src ${v6}`]),
  ]);
}

/** Takes away what there is of a pod's link and namespace. */
export async function removePodNamespace(cluster: string, uid: string): Promise<void> {
  const node = netnsPath(nodeNamespaceName(cluster));
  const veth = vethName(uid);
  // First and by name: a process that is still in the namespace would keep the link, and with it the address.
  if (hasLink(node, veth)) await runIpBatch(node, [`link del ${veth}`]);
  await removeNamespaces([podNamespaceName(cluster, uid)]);
}

/** Removes the names; a namespace goes when the last process in it has ended. */
export async function removeNamespaces(names: readonly string[]): Promise<void> {
  const existing = names.filter((name) => existsSync(netnsPath(name)));
  if (existing.length === 0) return;
  await runIn(undefined, ["ip", "-force", "-batch", "-"], existing.map((name) => `netns del ${name}\n`).join("")).catch(
    // Judged by what is left: a file that never became a namespace makes `ip` complain and is removed all the same.
    () => "",
  );
  const left = existing.filter((name) => existsSync(netnsPath(name)));
  if (left.length > 0) throw new Error(`cannot remove the network namespaces ${left.join(", ")}`);
}

const POD_SYSCTLS: Readonly<Record<string, string>> = {
  // As containerd does: a process without privileges may listen on 80 in a namespace of its own.
  "ipv4/ip_unprivileged_port_start": "0",
  "ipv4/ping_group_range": "0 2147483647",
  "ipv4/ip_forward": "0",
  "ipv4/conf/all/rp_filter": "0",
  // The node forwards to where a packet came from, of which IPv6 can't help telling the sender.
  [`ipv6/conf/${POD_LINK}/accept_redirects`]: "0",
};
