import { existsSync } from "node:fs";
import { hostNumberOf, linkAddress, NODE_IP_V4, NODE_IP_V6, podAddresses } from "./addresses.ts";
import { netnsPath, nodeNamespaceName, podNamespaceName, vethName } from "./names.ts";
import { hasLink, linkUpLine, setNetSysctls } from "./namespace-settings.ts";
import type { NodeLink } from "./node-namespace.ts";
import type { IpFamilies } from "./pod-network.ts";
import { runIn, runIpBatch } from "./run-in-namespace.ts";

const POD_LINK = "eth0";
/** Whose link address all of the node's ends have: that of 10.244.0.1. */
const GATEWAY_HOST_NUMBER = 1;
/** On each of the node's ends: IPv6 is asked only for addresses that a link has, and asks by one. */
const GATEWAY_V6 = "fe80::1";
const LINK_DEADLINE_MS = 1_000;
const LINK_POLL_MS = 2;
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
  await runIpBatch(undefined, [
    `netns add ${name}`,
    `link add ${vethName(place.uid)} address ${linkAddress(GATEWAY_HOST_NUMBER)} netns ${nodeNamespaceName(cluster)}` +
      ` type veth peer name ${POD_LINK} address ${linkAddress(place.host)} netns ${name}`,
  ]);
  await configurePodNamespace(cluster, place, families);
}

/** Addresses, routes and settings of both ends. May be done again. */
export async function configurePodNamespace(cluster: string, place: PodPlace, families: IpFamilies): Promise<void> {
  const netns = netnsPath(podNamespaceName(cluster, place.uid));
  setNetSysctls(netns, POD_SYSCTLS);
  const ips = podAddresses(place.host, families);
  await Promise.all([
    bringUp(netnsPath(nodeNamespaceName(cluster)), vethName(place.uid), nodeEndLines(place, ips)),
    bringUp(netns, POD_LINK, podEndLines(ips)),
  ]);
}

/**
 * Runs the lines and waits until the link takes packets. The kernel sees to that some time after the link's other end
 * has come up; what is sent before is lost, and only sent again after a second.
 */
async function bringUp(netns: string, link: string, lines: readonly string[]): Promise<void> {
  const show = [`link show dev ${link}`];
  const deadline = performance.now() + LINK_DEADLINE_MS;
  let shown = await runIpBatch(netns, [...lines, ...show]);
  while (!shown.includes(" state UP ") && performance.now() < deadline) {
    await Bun.sleep(LINK_POLL_MS);
    shown = await runIpBatch(netns, show);
  }
}

function nodeEndLines({ uid }: PodPlace, [v4, v6]: readonly string[]): string[] {
  const veth = vethName(uid);
  const lines = [
    `link set ${veth} alias pod=${uid},ip=${v4}`,
    linkUpLine(veth),
    `route replace ${v4}/32 dev ${veth} src ${NODE_IP_V4}`,
  ];
  if (v6 === undefined) return lines;
  return [
    ...lines,
    `addr replace ${GATEWAY_V6}/64 dev ${veth} nodad`,
    `route replace ${v6}/128 dev ${veth} src ${NODE_IP_V6}`,
  ];
}

function podEndLines([v4, v6]: readonly string[]): string[] {
  const lines = [
    "link set lo up",
    linkUpLine(POD_LINK),
    `addr replace ${v4}/32 dev ${POD_LINK}`,
    `route replace default via ${NODE_IP_V4} dev ${POD_LINK} onlink src ${v4}`,
  ];
  if (v6 === undefined) return lines;
  return [
    ...lines,
    `addr replace ${v6}/128 dev ${POD_LINK} nodad`,
    `route replace default via ${GATEWAY_V6} dev ${POD_LINK} src ${v6}`,
  ];
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
};
