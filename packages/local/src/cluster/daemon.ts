import { renameSync, writeFileSync } from "node:fs";
import { NetNamespaceHandle } from "@bowline/sys";
import { ApiServer } from "../api/api-server.ts";
import { startControllers } from "../controllers/start-controllers.ts";
import {
  DNS_IP_V4,
  DNS_IP_V6,
  NODE_IP_V4,
  NODE_IP_V6,
  type RunningNetwork,
  startDns,
  startNetwork,
  startServices,
} from "../network/index.ts";
import { Node } from "../node/index.ts";
import { makeImageTable, type OwnPrograms } from "./images.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import type { ClusterPaths } from "./paths.ts";
import { podStreams } from "./pod-streams.ts";
import { type ClusterSettings, readSettings, writeSettings } from "./settings.ts";

const NODE_NAME = "bowline";
const LOOPBACK = "127.0.0.1";
const API_PORT_IN_CLUSTER = 6443;
const API_IP_V4 = "10.96.0.1";
const API_IP_V6 = "fd00:10:96::1";

/**
 * Runs a cluster until SIGTERM or SIGINT: API, controllers, node, services and DNS in this one process. Takes over what an earlier
 * daemon left. Pods go on running when it ends.
 */
export async function runDaemon(paths: ClusterPaths, own: OwnPrograms): Promise<void> {
  const settings = readSettings(paths);
  const stopping = stopSignal();
  // A fault in what one client asked for must not end what all the others use.
  process.on("unhandledRejection", (reason) =>
    warn(`a fault of this program: ${reason instanceof Error ? reason.stack : String(reason)}`),
  );
  const { families, addressReuse } = settings.config;
  const network = await startNetwork({ name: paths.name, families, addressReuse });
  let node: Node | null = null;
  const server = await openApi(paths, settings, network, () => node);
  const api = server.api;
  await listenInCluster(server, network);
  const controllers = startControllers(api, {
    caPem: server.caPem,
    types: server.registry,
    apiServer: {
      clusterIps: byFamily(families, API_IP_V4, API_IP_V6),
      addresses: byFamily(families, NODE_IP_V4, NODE_IP_V6),
      port: API_PORT_IN_CLUSTER,
    },
    dns: { clusterIps: byFamily(families, DNS_IP_V4, DNS_IP_V6) },
    warn,
  });
  const services = startServices(api, network, { warn });
  const dns = await startDns(api, network);
  node = await Node.start({
    api,
    network,
    images: makeImageTable(paths.imagesDir, own, settings.config.images),
    stateDir: paths.stateDir,
    secretDir: paths.secretDir,
    nodeName: NODE_NAME,
    serviceAccountToken: async (namespace, serviceAccount, { audiences, expirationSeconds, pod }) => {
      const { token } = await server.serviceAccountToken({
        namespace,
        serviceAccount,
        audiences,
        expirationSeconds,
        boundTo: { kind: "Pod", ...pod },
      });
      return token;
    },
    caPem: server.caPem,
    warn,
  });
  publish(paths, settings, server);
  await stopping;
  await node.stop();
  controllers.stop();
  dns.stop();
  await services.stop();
  await server.close();
  await network.close();
}

/** At the port that was asked for, else at the same as before, so that kubeconfigs that people copied go on working. */
async function openApi(
  paths: ClusterPaths,
  { apiPort, isApiPortFixed, config }: ClusterSettings,
  network: RunningNetwork,
  node: () => Node | null,
): Promise<ApiServer> {
  const port = apiPort === 0 || isFree(apiPort) ? apiPort : 0;
  if (port === 0 && isApiPortFixed) throw new Error(`port ${apiPort} of the API is taken: choose another --api-port`);
  return await ApiServer.open({
    stateDir: paths.stateDir,
    host: LOOPBACK,
    port,
    network: () => network,
    streams: podStreams(network, node),
    families: config.families === "dual" ? ["IPv4", "IPv6"] : ["IPv4"],
    warn,
  });
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: LOOPBACK, port, socket: { data: () => undefined } }).stop(true);
    return true;
  } catch {
    return false; // whatever is in the way of listening there
  }
}

async function listenInCluster(server: ApiServer, network: RunningNetwork): Promise<void> {
  using namespace = NetNamespaceHandle.open(network.nodeNetns);
  await Promise.all(
    network.nodeIps.map((address) => namespace.within(() => server.listen(address, API_PORT_IN_CLUSTER))),
  );
}

/** Whoever waits for the cluster waits for the kubeconfig, so that it comes last and whole. */
function publish(paths: ClusterPaths, settings: ClusterSettings, server: ApiServer): void {
  writeSettings(paths, { ...settings, apiPort: server.port });
  const text = kubeconfigText({
    name: paths.name,
    server: `https://${LOOPBACK}:${server.port}`,
    caPem: server.caPem,
    token: server.adminToken,
  });
  const draft = `${paths.kubeconfig}.new`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, paths.kubeconfig);
}

function byFamily(families: "v4" | "dual", v4: string, v6: string): string[] {
  return families === "dual" ? [v4, v6] : [v4];
}

function warn(line: string): void {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}
