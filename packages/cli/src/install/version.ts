import { CONTROL_PLANE_NS_LABEL, PROXY_CONTAINER, VERSION } from "@bowline/contracts";
import { parseValues } from "@bowline/control-plane";
import { type KubeClient, type Pod, RESOURCES } from "@bowline/kube";
import type { Command } from "commander";
import type { Io } from "../io.ts";
import { connect, type GlobalFlags } from "../kube-flags.ts";
import { clusterLookup, readInstallation } from "./present-installation.ts";

interface VersionFlags extends GlobalFlags {
  readonly client?: boolean;
  readonly short?: boolean;
  readonly proxy?: boolean;
  readonly namespace?: string;
}

const UNAVAILABLE = "unavailable";

/** `bowline version`: of this executable, of the control plane and, with --proxy, of proxies. */
export async function version(command: Command, io: Io): Promise<void> {
  const flags = command.optsWithGlobals<VersionFlags>();
  io.out(flags.short === true ? `${VERSION}\n` : `Client version: ${VERSION}\n`);
  if (flags.client === true) return;
  const client = clientOrNone(command, io);
  const server = client === undefined ? UNAVAILABLE : await serverVersion(client, flags.linkerdNamespace);
  io.out(flags.short === true ? `${server}\n` : `Server version: ${server}\n`);
  if (flags.proxy === true && client !== undefined) io.out(await proxyVersions(client, flags));
}

function clientOrNone(command: Command, io: Io): KubeClient | undefined {
  try {
    return connect(command, io);
  } catch {
    // Without a cluster the server's version is unavailable, which is no failure.
    return undefined;
  }
}

async function serverVersion(client: KubeClient, namespace: string): Promise<string> {
  try {
    const present = await readInstallation(clusterLookup(client), namespace);
    return present === undefined ? UNAVAILABLE : parseValues(present.values).linkerdVersion;
  } catch {
    // The same for a cluster that can't be reached, or that doesn't let us look.
    return UNAVAILABLE;
  }
}

async function proxyVersions(client: KubeClient, flags: VersionFlags): Promise<string> {
  const pods = await client.list<Pod>(RESOURCES.pods, {
    labelSelector: `${CONTROL_PLANE_NS_LABEL}=${flags.linkerdNamespace}`,
    ...(flags.namespace === undefined ? {} : { namespace: flags.namespace }),
  });
  const counts = new Map<string, number>();
  for (const pod of pods.items) {
    const found = versionOf(pod);
    if (found !== undefined) counts.set(found, (counts.get(found) ?? 0) + 1);
  }
  if (counts.size === 0) return "Proxy versions: unavailable\n";
  const lines = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `\t${name} (${count} pods)`);
  return `Proxy versions:\n${lines.join("\n")}\n`;
}

/** The tag of the proxy's image. */
function versionOf({ spec }: Pod): string | undefined {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const image = containers.find(({ name }) => name === PROXY_CONTAINER)?.image;
  return image === undefined ? undefined : (/:([^:/@]+)(?:@.*)?$/.exec(image)?.[1] ?? image);
}
