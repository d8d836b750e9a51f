import { existsSync, writeFileSync } from "node:fs";
import { inNamespace } from "./run-in-namespace.ts";

/**
 * Sets values of a network namespace: what lies below /proc/sys/net is that of the thread which opens it.
 *
 * @param values by path below /proc/sys/net
 */
export function setNetSysctls(netns: string, values: Readonly<Record<string, string>>): void {
  inNamespace(netns, () => {
    for (const [path, value] of Object.entries(values)) writeFileSync(`/proc/sys/net/${path}`, value);
  });
}

/**
 * For `ip -batch`: brings a link up, without the IPv6 address that the kernel would give it and ask everybody for. Kernels
 * without IPv6 don't know what that means.
 */
export function linkUpLine(name: string): string {
  return existsSync("/proc/sys/net/ipv6") ? `link set ${name} addrgenmode none up` : `link set ${name} up`;
}

/** Whether a network namespace has a link of this name: each has settings of its own. */
export function hasLink(netns: string, name: string): boolean {
  return inNamespace(netns, () => existsSync(`/proc/sys/net/ipv4/conf/${name}`));
}
