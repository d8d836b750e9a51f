import { ApiError, type KubeClient, type KubeObject, ownerOf, RESOURCES, type ResourceRef } from "@bowline/kube";
import type { JsonObject } from "./json-object.ts";

/** Who made a pod, in the end. */
export interface PodOwner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** Kinds that have owners themselves. */
const BETWEEN: ReadonlyMap<string, ResourceRef> = new Map([
  ["ReplicaSet", RESOURCES.replicasets],
  ["Job", RESOURCES.jobs],
]);

/** A busy cluster's ReplicaSets of the last hours. What is forgotten is asked for again. */
const CACHED_MAX = 5_000;
/** The API server waits for the webhook, which waits for this. */
const GET_TIMEOUT_MS = 3_000;

/** Finds owners of pods. Who owns a ReplicaSet does not change, so each is asked for once. */
export class Owners {
  readonly #client: Pick<KubeClient, "get">;
  readonly #onError: (error: unknown) => void;
  readonly #known: Map<string, PodOwner> = new Map();

  constructor(client: Pick<KubeClient, "get">, onError: (error: unknown) => void) {
    this.#client = client;
    this.#onError = onError;
  }

  /** null for pods that nobody owns. A ReplicaSet whose owner can't be found out is itself the answer. */
  async find(pod: JsonObject, namespace: string): Promise<PodOwner | null> {
    const reference = ownerOf(pod as unknown as KubeObject);
    if (reference === undefined) return null;
    const direct = { apiVersion: reference.apiVersion, kind: reference.kind, name: reference.name, uid: reference.uid };
    const resource = BETWEEN.get(reference.kind);
    if (resource === undefined) return direct;
    const known = this.#known.get(reference.uid);
    if (known !== undefined) return known;
    try {
      const between = await this.#client.get(resource, namespace, reference.name, { timeoutMs: GET_TIMEOUT_MS });
      // Another object of that name, or a reference that was made up: nothing to remember under this uid.
      if (between.metadata.uid !== reference.uid) return direct;
      const owner = ownerOf(between);
      return this.#remember(reference.uid, owner === undefined ? direct : { ...direct, ...pick(owner) });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 404) this.#onError(error);
      return direct;
    }
  }

  #remember(uid: string, owner: PodOwner): PodOwner {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= CACHED_MAX && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(uid, owner);
    return owner;
  }
}

function pick({ apiVersion, kind, name, uid }: PodOwner): PodOwner {
  return { apiVersion, kind, name, uid };
}
