import { Informer, type KubeClient, type KubeObject, RESOURCES, type ResourceRef } from "@bowline/kube";
import type { ClusterIndex } from "./cluster-index.ts";
import type { ObjectKind, ObjectsByKind } from "./objects.ts";
import { trim } from "./trim.ts";

export interface ClusterSourceOptions {
  readonly client: KubeClient;
  readonly index: ClusterIndex;
  /** Seconds from a change to when it was seen. */
  readonly onLag: (kind: ObjectKind, seconds: number) => void;
  readonly onError: (kind: ObjectKind, error: unknown) => void;
  /** How often a server without these kinds is asked for them anew. */
  readonly askAgainMs?: number;
}

const BUILT_IN: readonly ObjectKind[] = ["services", "endpointslices", "pods", "nodes", "replicasets", "jobs"];
/** Custom resources: a cluster may be without them, or get them later. */
const OPTIONAL: readonly ObjectKind[] = ["serviceprofiles", "servers", "externalworkloads"];
const ASK_AGAIN_MS = 30_000;

/** Keeps an index as the API server says things are. */
export class ClusterSource {
  /** Resolves when all that the cluster has is in the index; rejects when stopped before. */
  readonly synced: Promise<void>;
  readonly #options: ClusterSourceOptions;
  readonly #informers = new Map<ObjectKind, Informer<KubeObject>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: ClusterSourceOptions) {
    this.#options = options;
    for (const kind of BUILT_IN) this.#follow(kind, RESOURCES[kind]);
    this.synced = this.#start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.all([...this.#informers.values()].map((informer) => informer.stop()));
  }

  async #start(): Promise<void> {
    const askAgainMs = this.#options.askAgainMs ?? ASK_AGAIN_MS;
    await this.#followOptional();
    this.#scheduleAsking(askAgainMs);
    await Promise.all([...this.#informers.values()].map(({ synced }) => synced));
  }

  #scheduleAsking(ms: number): void {
    if (this.#stopped || OPTIONAL.every((kind) => this.#informers.has(kind))) return;
    this.#timer = setTimeout(() => {
      void this.#followOptional().then(() => this.#scheduleAsking(ms));
    }, ms);
    this.#timer.unref();
  }

  async #followOptional(): Promise<void> {
    try {
      const found = await this.#options.client.discover();
      if (this.#stopped) return;
      for (const kind of OPTIONAL) {
        const { group, plural } = RESOURCES[kind];
        const served = found.filter((one) => one.group === group && one.plural === plural);
        const ref = served.find(({ version }) => version === RESOURCES[kind].version) ?? served[0];
        if (ref !== undefined && !this.#informers.has(kind)) this.#follow(kind, ref);
      }
    } catch (error) {
      for (const kind of OPTIONAL) if (!this.#informers.has(kind)) this.#options.onError(kind, error);
    }
  }

  #follow<K extends ObjectKind>(kind: K, ref: ResourceRef): void {
    const { client, index, onError } = this.#options;
    const informer: Informer<KubeObject> = new Informer<KubeObject>(client, ref, {
      transform: (object) => {
        if (informer.isSynced) this.#observeLag(kind, object);
        return trim(kind, object);
      },
      onChange: ({ type, object }) => {
        if (type === "DELETED") index.remove(kind, object);
        // The server has checked that objects are of their kinds.
        else index.upsert(kind, object as unknown as ObjectsByKind[K]);
      },
      onError: (error) => onError(kind, error),
    });
    this.#informers.set(kind, informer);
    informer.start();
  }

  #observeLag(kind: ObjectKind, { metadata }: KubeObject): void {
    let changedMs = 0;
    for (const { time } of metadata.managedFields ?? []) {
      changedMs = Math.max(changedMs, time === undefined ? 0 : Date.parse(String(time)));
    }
    if (changedMs > 0) this.#options.onLag(kind, Math.max(0, Date.now() - changedMs) / 1_000);
  }
}
