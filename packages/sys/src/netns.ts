import { libc, sysResult } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;

/**
 * Moves the calling thread, and only it, into the network namespace that `fd` (an open /run/netns/NAME or
 * /proc/PID/ns/net) stands for: sockets it makes from now on are that namespace's. 0 or -errno.
 */
export function enterNetNamespace(fd: number): number {
  return sysResult(libc.setns(fd, CLONE_NEWNET));
}
