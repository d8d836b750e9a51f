import { isIPv6 } from "node:net";
import { CommandError, runIn } from "./run-in-namespace.ts";

/**
 * Makes the kernel forget flows through the namespace, by the options of `conntrack -D`. Does nothing where the machine has
 * no such program: flows expire by themselves then, and until they do are translated as they were.
 */
export async function forgetFlows(netns: string, ip: string, options: readonly string[]): Promise<void> {
  if (Bun.which("conntrack") === null) return;
  try {
    await runIn(netns, ["conntrack", "-D", "-f", isIPv6(ip) ? "ipv6" : "ipv4", ...options]);
  } catch (error) {
    // Exit code 1: there was none.
    if (!(error instanceof CommandError && error.exitCode === 1)) throw error;
  }
}

/**
 * Forgets whatever came from or went to a pod, before another one has its address: a client that uses a port again must
 * not meet the new pod in the old one's place. What is still sent on such a connection is answered by a reset.
 */
export async function forgetAddress(netns: string, ip: string): Promise<void> {
  await Promise.all([forgetFlows(netns, ip, ["--orig-src", ip]), forgetFlows(netns, ip, ["--reply-src", ip])]);
}
