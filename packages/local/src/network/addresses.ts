import { BlockList, isIPv6 } from "node:net";
import type { IpFamilies } from "./pod-network.ts";

// What kubeadm and flannel have by default, so manifests that name an address mean the same here.
export const POD_CIDR_V4 = "10.244.0.0/16";
export const POD_CIDR_V6 = "fd00:10:244::/64";
export const SERVICE_CIDR_V4 = "10.96.0.0/16";
export const SERVICE_CIDR_V6 = "fd00:10:96::/112";

export const NODE_IP_V4 = "10.244.0.1";
export const NODE_IP_V6 = "fd00:10:244::1";
export const DNS_IP_V4 = "10.96.0.10";
export const DNS_IP_V6 = "fd00:10:96::a";

/** Of a pod: the last 16 bits of its addresses. 1 is the node's, 0 and 65535 name the network and everybody. */
export const HOST_NUMBER_MIN = 2;
export const HOST_NUMBER_MAX = 65_534;

const POD_V4 = /^10\.244\.(\d{1,3})\.(\d{1,3})$/;

/** The addresses of the pod with this host number, the IPv4 one first. */
export function podAddresses(host: number, families: IpFamilies): string[] {
  const v4 = `10.244.${host >> 8}.${host & 0xff}`;
  return families === "dual" ? [v4, `fd00:10:244::${host.toString(16)}`] : [v4];
}

/** The host number in a pod's IPv4 address; undefined when it is not one that pods get. */
export function hostNumberOf(ipv4: string): number | undefined {
  const parts = POD_V4.exec(ipv4);
  if (parts === null) return undefined;
  const host = Number(parts[1]) * 256 + Number(parts[2]);
  return host >= HOST_NUMBER_MIN && host <= HOST_NUMBER_MAX ? host : undefined;
}

/**
 * A link address that follows from the pod's address, so that no neighbour's cache is wrong when an address is used
 * again. The node's is host number 1.
 */
export function linkAddress(host: number): string {
  return `0a:58:0a:f4:${hexByte(host >> 8)}:${hexByte(host & 0xff)}`;
}

export function nodeAddresses(families: IpFamilies): string[] {
  return families === "dual" ? [NODE_IP_V4, NODE_IP_V6] : [NODE_IP_V4];
}

export function dnsAddresses(families: IpFamilies): string[] {
  return families === "dual" ? [DNS_IP_V4, DNS_IP_V6] : [DNS_IP_V4];
}

/** `ip:port` with the brackets that IPv6 needs. */
export function endpointText(ip: string, port: number): string {
  return isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** Whether an address is within the ranges that pods and services get theirs from. */
export function isClusterAddress(ip: string): boolean {
  return CLUSTER_RANGES.check(ip, isIPv6(ip) ? "ipv6" : "ipv4");
}

const CLUSTER_RANGES: BlockList = rangesOf([POD_CIDR_V4, POD_CIDR_V6, SERVICE_CIDR_V4, SERVICE_CIDR_V6]);

function rangesOf(cidrs: readonly string[]): BlockList {
  const ranges = new BlockList();
  for (const cidr of cidrs) {
    const [ip = "", bits] = cidr.split("/");
    ranges.addSubnet(ip, Number(bits), isIPv6(ip) ? "ipv6" : "ipv4");
  }
  return ranges;
}
