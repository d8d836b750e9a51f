import { BlockList, isIPv6 } from "node:net";

/** Whether an address is in one of the comma-separated CIDRs; those that can't be read hold nothing. */
export function inNetworks(address: string, networks: string): boolean {
  const list = new BlockList();
  for (const network of networks.split(",")) {
    const [ip = "", bits = ""] = network.trim().split("/");
    try {
      list.addSubnet(ip, Number(bits), isIPv6(ip) ? "ipv6" : "ipv4");
    } catch {
      // The injector refuses such a network; here it simply holds nobody.
    }
  }
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
