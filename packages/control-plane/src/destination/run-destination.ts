import { destination } from "@bowline/contracts/proto";
import { GrpcServer } from "@bowline/grpc";
import { KubeClient, loadKubeConfig } from "@bowline/kube";
import { Registry, renderText } from "@bowline/metrics";
import { startAdminServer } from "../admin/admin-server.ts";
import { listenAny } from "../admin/listen-any.ts";
import { Log } from "../admin/log.ts";
import { updateProcessMetrics } from "../admin/process-metrics.ts";
import { Batch } from "./batch.ts";
import { ClusterIndex } from "./cluster-index.ts";
import { ClusterSource } from "./cluster-source.ts";
import { debugRoutes } from "./debug-pages.ts";
import { DestinationMetrics } from "./destination-metrics.ts";
import { DestinationService } from "./destination-service.ts";
import { Discovery } from "./discovery.ts";
import type { DestinationFlags } from "./flags.ts";
import { OBJECT_KINDS } from "./objects.ts";

/** A running destination service. */
export interface RunningDestination {
  readonly adminPort: number;
  /** Resolves when it answers proxies, with the port; rejects if it was stopped before. */
  readonly serving: Promise<number>;
  /** Ends streams in good order, and then everything. */
  stop(): Promise<void>;
}

/** For clients to take in that their streams have ended. */
const DRAIN_MS = 3_000;
/** A single set of endpoints may be some megabytes. */
const STREAM_BUFFER_BYTES_MAX = 32 * 1024 * 1024;

/** Starts the service: the admin server at once, the gRPC server when the cluster is known. */
export async function startDestination(
  flags: DestinationFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<RunningDestination> {
  const log = new Log({ level: flags.logLevel, format: flags.logFormat });
  const registry = new Registry();
  const metrics = new DestinationMetrics(registry, (text) => log.warn(text));
  const index = new ClusterIndex();
  const discovery = new Discovery({ index, settings: flags.settings, batch: new Batch(), observer: metrics });
  const service = new DestinationService({
    discovery,
    streamQueueCapacity: flags.streamQueueCapacity,
    onEndpointsOverflow: (path) => metrics.onEndpointsOverflow(path),
    onProfileOverflow: (path) => metrics.onProfileOverflow(path),
  });
  const server = new GrpcServer({ observer: metrics, limits: { streamBufferBytesMax: STREAM_BUFFER_BYTES_MAX } });
  server.add(destination.Destination, service.implementation);
  const config = loadKubeConfig({ env, ...(flags.kubeconfig === "" ? {} : { path: flags.kubeconfig }) });
  let ready = false;
  const admin = await startAdminServer({
    ...flags.admin,
    isReady: () => ready,
    metricsText: () => metricsPage(registry, metrics, index),
    routes: debugRoutes(discovery),
    onError: (error) => log.error("the admin server failed to answer", { error: String(error) }),
  });
  const source = new ClusterSource({
    client: new KubeClient(config),
    index,
    onLag: (kind, seconds) => metrics.onLag(kind, seconds),
    onError: (kind, error) => log.warn(`cannot follow ${kind}`, { error: messageOf(error) }),
  });
  const serving = source.synced.then(async () => {
    const { port } = await listenAny(flags.listen.host, (host) => server.listen({ ...flags.listen, host }));
    ready = true;
    log.info(`starting gRPC server on ${flags.listen.host}:${port}`);
    return port;
  });
  // Who is interested awaits it.
  serving.catch(() => undefined);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    ready = false;
    await Promise.all([drain(server, service), source.stop()]);
    await admin.close();
  };
  return {
    adminPort: admin.port,
    serving,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function drain(server: GrpcServer, service: DestinationService): Promise<void> {
  const drained = server.drain();
  service.stop();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, DRAIN_MS);
  });
  await Promise.race([drained, late]);
  clearTimeout(timer);
  await server.close();
}

function metricsPage(registry: Registry, metrics: DestinationMetrics, index: ClusterIndex): string {
  for (const kind of OBJECT_KINDS) metrics.onCacheSize(kind, index.count(kind));
  updateProcessMetrics(registry);
  return renderText(registry.snapshot());
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
