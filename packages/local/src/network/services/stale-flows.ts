import { forgetFlows } from "../conntrack.ts";
import { type Backend, backendKey, type Translation } from "./translations.ts";

/** UDP packets to a service that the kernel would go on translating as it did before. */
export interface StaleFlow {
  readonly ip: string;
  readonly port: number;
  /** Undefined: whatever they were translated to, if at all. */
  readonly backend: Backend | undefined;
}

/**
 * UDP has no end of a connection, so a client that goes on sending stays with a backend that is gone, or with none,
 * until it is forgotten.
 */
export function staleFlows(before: readonly Translation[], after: readonly Translation[]): StaleFlow[] {
  const now = new Map(udp(after).map((translation) => [translation.key, translation]));
  const then = new Map(udp(before).map((translation) => [translation.key, translation]));
  const lost = [...then.values()].flatMap(({ key, ip, port, backends }) => {
    const left = now.get(key);
    const kept = new Set(left?.ip === ip ? left.backends.map(backendKey) : []);
    return backends.filter((backend) => !kept.has(backendKey(backend))).map((backend) => ({ ip, port, backend }));
  });
  const found = [...now.values()].filter(({ key, ip }) => then.get(key)?.ip !== ip);
  return [...lost, ...found.map(({ ip, port }) => ({ ip, port, backend: undefined }))];
}

/** Makes the kernel forget them. */
export async function forgetStaleFlows(netns: string, flows: readonly StaleFlow[]): Promise<void> {
  for (const { ip, port, backend } of flows) {
    const service = ["-p", "udp", "--orig-dst", ip, "--orig-port-dst", String(port)];
    await forgetFlows(netns, ip, backend === undefined ? service : [...service, "--dst-nat", backend.ip]);
  }
}

function udp(translations: readonly Translation[]): Translation[] {
  return translations.filter(({ protocol }) => protocol === "udp");
}
