import { NetNamespace } from "./netns.ts";
import { mustRun } from "./process.ts";

/** One end of a veth pair. */
export interface LinkEnd {
  readonly namespace: NetNamespace;
  /** Interface name, at most 15 bytes. Default `eth0`. */
  readonly device?: string;
  /** With prefix length, both families: `["10.77.0.1/24", "fd77::1/64"]`. */
  readonly addresses: readonly string[];
}

/** A namespace with one address of each family on `eth0`. */
export interface Pod {
  readonly namespace: NetNamespace;
  readonly v4: string;
  readonly v6: string;
}

export interface TwoPods extends AsyncDisposable {
  readonly client: Pod;
  readonly server: Pod;
}

/**
 * Joins two namespaces by a veth pair, up and addressed when this returns. IPv6 addresses skip duplicate address
 * detection, so they can be bound at once.
 */
export async function linkNamespaces(a: LinkEnd, b: LinkEnd): Promise<void> {
  const deviceA = a.device ?? "eth0";
  const deviceB = b.device ?? "eth0";
  const pair = ["type", "veth", "peer", "name", deviceB, "netns", b.namespace.name];
  await mustRun(["ip", "link", "add", deviceA, "netns", a.namespace.name, ...pair]);
  await bringUp(a, deviceA);
  await bringUp(b, deviceB);
}

/**
 * Two pods on one wire, each the other's default gateway, so that a packet to any address leaves by `eth0` and a rule
 * can redirect it:
 *
 *     client 10.77.0.1 fd77::1  eth0 ──── eth0  server 10.77.0.2 fd77::2
 */
export async function twoPods(): Promise<TwoPods> {
  const client: Pod = { namespace: await NetNamespace.create("client"), v4: "10.77.0.1", v6: "fd77::1" };
  const pods: NetNamespace[] = [client.namespace];
  const dispose = async (): Promise<void> => {
    for (const namespace of pods) await namespace[Symbol.asyncDispose]();
  };
  try {
    const server: Pod = { namespace: await NetNamespace.create("server"), v4: "10.77.0.2", v6: "fd77::2" };
    pods.push(server.namespace);
    await linkNamespaces(end(client), end(server));
    await routeAllTo(client, server);
    await routeAllTo(server, client);
    return { client, server, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function end({ namespace, v4, v6 }: Pod): LinkEnd {
  return { namespace, addresses: [`${v4}/24`, `${v6}/64`] };
}

async function bringUp({ namespace, addresses }: LinkEnd, device: string): Promise<void> {
  const ip = ["ip", "-n", namespace.name];
  for (const address of addresses) {
    const nodad = address.includes(":") ? ["nodad"] : [];
    await mustRun([...ip, "address", "add", address, "dev", device, ...nodad]);
  }
  await mustRun([...ip, "link", "set", device, "up"]);
}

async function routeAllTo(from: Pod, gateway: Pod): Promise<void> {
  await mustRun(["ip", "-n", from.namespace.name, "-4", "route", "add", "default", "via", gateway.v4]);
  await mustRun(["ip", "-n", from.namespace.name, "-6", "route", "add", "default", "via", gateway.v6]);
}
