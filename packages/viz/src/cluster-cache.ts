import {
  Informer,
  type Job,
  type KubeClient,
  type KubeObject,
  ownerOf,
  type Pod,
  RESOURCES,
  type ReplicaSet,
  type Service,
} from "@bowline/kube";
import type { ScrapeTarget } from "./scrape/scraper.ts";
import type { ClusterView } from "./stat/stat-summary.ts";
import { isMeshed, type OwnerLookup, targetLabels } from "./stat/workloads.ts";

const PROXY_CONTAINER = "linkerd-proxy";
const ADMIN_PORT = "linkerd-admin";

/** The cluster's objects that metrics are sorted by, kept current by informers. */
export class ClusterCache implements ClusterView {
  readonly controlPlaneNamespace: string;
  readonly #pods: Informer<Pod>;
  readonly #services: Informer<Service>;
  readonly #replicaSets: Informer<ReplicaSet>;
  readonly #jobs: Informer<Job>;

  constructor(client: KubeClient, controlPlaneNamespace: string, onError: (error: unknown) => void) {
    this.controlPlaneNamespace = controlPlaneNamespace;
    this.#pods = new Informer(client, RESOURCES.pods, { onError });
    this.#services = new Informer(client, RESOURCES.services, { onError });
    this.#replicaSets = new Informer(client, RESOURCES.replicasets, { onError, transform: metadataOnly });
    this.#jobs = new Informer(client, RESOURCES.jobs, { onError, transform: metadataOnly });
  }

  /** Resolves when everything was listed once. */
  async start(): Promise<void> {
    const informers = [this.#pods, this.#services, this.#replicaSets, this.#jobs];
    for (const informer of informers) informer.start();
    await Promise.all(informers.map(({ synced }) => synced));
  }

  async stop(): Promise<void> {
    await Promise.all([this.#pods, this.#services, this.#replicaSets, this.#jobs].map((informer) => informer.stop()));
  }

  pods(): readonly Pod[] {
    return this.#pods.list();
  }

  services(): readonly Service[] {
    return this.#services.list();
  }

  readonly ownerOf: OwnerLookup = (kind, namespace, name) => {
    const informer: Informer<KubeObject> | null =
      kind === "ReplicaSet" ? this.#replicaSets : kind === "Job" ? this.#jobs : null;
    const object = informer?.get(namespace, name);
    return object === undefined ? undefined : ownerOf(object);
  };

  /** Proxies that run and have an address. */
  scrapeTargets(): ScrapeTarget[] {
    return this.pods().flatMap((pod) => {
      const port = isMeshed(pod, this.controlPlaneNamespace) ? adminPort(pod) : undefined;
      const { podIP, phase } = pod.status ?? {};
      if (port === undefined || podIP === undefined || phase !== "Running") return [];
      const host = podIP.includes(":") ? `[${podIP}]` : podIP;
      return [{ id: idOf(pod), url: `http://${host}:${port}/metrics`, labels: targetLabels(pod, this.ownerOf) }];
    });
  }
}

function adminPort({ spec }: Pod): number | undefined {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const proxy = containers.find(({ name }) => name === PROXY_CONTAINER);
  return proxy?.ports?.find(({ name }) => name === ADMIN_PORT)?.containerPort;
}

/** A restarted proxy counts from zero, which its series show; a new pod is a new target. */
function idOf({ metadata }: Pod): string {
  return metadata.uid ?? `${metadata.namespace}/${metadata.name}`;
}

/** Only who owns whom is wanted of these. */
function metadataOnly<T extends KubeObject>(object: T): T {
  const { apiVersion, kind, metadata } = object;
  return {
    apiVersion,
    kind,
    metadata: { ...metadata, managedFields: undefined, annotations: undefined },
  } as unknown as T;
}
