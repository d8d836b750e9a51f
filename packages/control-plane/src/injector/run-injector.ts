import { Informer, KubeClient, type KubeObject, loadKubeConfig, RESOURCES } from "@bowline/kube";
import { Registry, renderText } from "@bowline/metrics";
import { startAdminServer } from "../admin/admin-server.ts";
import { Log } from "../admin/log.ts";
import { updateProcessMetrics } from "../admin/process-metrics.ts";
import { EventRecorder } from "./events.ts";
import type { InjectorFlags } from "./flags.ts";
import { InjectorMetrics } from "./injector-metrics.ts";
import { mountedValues, readKeyPair, watchKeyPair } from "./mounted-files.ts";
import { Owners } from "./owners.ts";
import { Webhook } from "./webhook.ts";
import { WebhookServer } from "./webhook-server.ts";

/** A running proxy injector. */
export interface RunningInjector {
  readonly port: number;
  readonly adminPort: number;
  /** Resolves when namespaces are known, and the injector says that it is ready. */
  readonly ready: Promise<void>;
  /** Answers what was asked, then ends everything. */
  stop(): Promise<void>;
}

/** The API server gives up on a webhook after ten seconds; one of ours needs milliseconds. */
const DRAIN_MS = 5_000;

/** Starts the webhook and its admin server. */
export async function startInjector(
  flags: InjectorFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<RunningInjector> {
  const log = new Log({ level: flags.logLevel, format: flags.logFormat });
  const warnOf =
    (what: string) =>
    (error: unknown): void =>
      log.warn(what, { error: error instanceof Error ? error.message : String(error) });
  const registry = new Registry();
  const client = new KubeClient(
    loadKubeConfig({ env, ...(flags.kubeconfig === "" ? {} : { path: flags.kubeconfig }) }),
  );
  const namespaces = new Informer<KubeObject>(client, RESOURCES.namespaces, {
    transform: annotationsOnly,
    onError: warnOf("cannot follow namespaces"),
  });
  const events = new EventRecorder(client, warnOf("cannot write an event"));
  const webhook = new Webhook({
    values: mountedValues(flags.valuesPath, flags.anchorsPath),
    namespaceAnnotations: (name) => namespaceAnnotations(namespaces, client, name),
    owners: new Owners(client, warnOf("cannot find a pod's owner")),
    events,
    metrics: new InjectorMetrics(registry),
    log,
  });
  const keyPair = await readKeyPair(flags.tlsDirectory);
  const server = await WebhookServer.listen({ ...flags.listen, keyPair, review: (request) => webhook.review(request) });
  const stopWatching = watchKeyPair(keyPair, {
    directory: flags.tlsDirectory,
    everyMs: flags.tlsReloadMs,
    onChange: (pair) => {
      server.setKeyPair(pair);
      log.info("the webhook's certificate was renewed");
    },
    onError: warnOf("cannot read the webhook's certificate; the one before is used"),
  });
  let stopping = false;
  const admin = await startAdminServer({
    ...flags.admin,
    isReady: () => namespaces.isSynced && !stopping,
    metricsText: () => {
      updateProcessMetrics(registry);
      return renderText(registry.snapshot());
    },
    onError: warnOf("the admin server failed to answer"),
  });
  namespaces.start();
  log.info(`listening on ${flags.listen.host}:${server.port}`);
  const stop = async (): Promise<void> => {
    stopping = true;
    stopWatching();
    await server.close(DRAIN_MS);
    await events.flush();
    await namespaces.stop();
    await admin.close();
  };
  return { port: server.port, adminPort: admin.port, ready: namespaces.synced, stop };
}

/** Of thousands of namespaces, all that is needed. */
function annotationsOnly({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, uid, resourceVersion, annotations } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}

/** A namespace may be so new that no event has told of it: then it is asked for. */
async function namespaceAnnotations(
  namespaces: Informer<KubeObject>,
  client: KubeClient,
  name: string,
): Promise<Readonly<Record<string, string>>> {
  const namespace = namespaces.get("", name) ?? (await client.get(RESOURCES.namespaces, "", name));
  return namespace.metadata.annotations ?? {};
}
