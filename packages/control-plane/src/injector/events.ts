import { ApiError, type KubeClient, type KubeObject, RESOURCES } from "@bowline/kube";
import type { PodOwner } from "./owners.ts";

const COMPONENT = "linkerd-proxy-injector";
/** Events that are said again are counted up, as long as they are remembered. */
const REMEMBERED_MAX = 1_000;
/** Nobody waits for events; a flood of them must not pile up. */
const PENDING_MAX = 100;

interface Remembered {
  readonly name: string;
  count: number;
}

/** Tells people, by Events on the owners of pods, what became of injection. Never throws and never waits. */
export class EventRecorder {
  readonly #client: Pick<KubeClient, "create" | "patch">;
  readonly #onError: (error: unknown) => void;
  readonly #remembered: Map<string, Remembered> = new Map();
  #pending: Promise<void> = Promise.resolve();
  #pendingCount = 0;

  constructor(client: Pick<KubeClient, "create" | "patch">, onError: (error: unknown) => void) {
    this.#client = client;
    this.#onError = onError;
  }

  record(owner: PodOwner, namespace: string, reason: "Injected" | "InjectionSkipped", message: string): void {
    if (this.#pendingCount >= PENDING_MAX) return;
    this.#pendingCount++;
    // One after the other: two pods of one owner at the same time are one event counted twice.
    this.#pending = this.#pending
      .then(() => this.#write(owner, namespace, reason, message))
      .catch(this.#onError)
      .finally(() => {
        this.#pendingCount--;
      });
  }

  /** Resolves when everything recorded until now is written or has failed. */
  async flush(): Promise<void> {
    await this.#pending;
  }

  async #write(owner: PodOwner, namespace: string, reason: string, message: string): Promise<void> {
    const key = `${namespace}/${owner.uid}/${reason}/${message}`;
    const known = this.#remembered.get(key);
    if (known !== undefined && (await this.#countUp(known, namespace))) return;
    const name = `${owner.name}.${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
    await this.#client.create(RESOURCES.events, eventOf(name, owner, namespace, reason, message));
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size >= REMEMBERED_MAX && oldest !== undefined) this.#remembered.delete(oldest);
    this.#remembered.set(key, { name, count: 1 });
  }

  /** False when the event is no longer there: the API server forgets them after an hour. */
  async #countUp(known: Remembered, namespace: string): Promise<boolean> {
    try {
      const change = { count: known.count + 1, lastTimestamp: timestamp() };
      await this.#client.patch(RESOURCES.events, namespace, known.name, change);
      known.count++;
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return false;
      throw error;
    }
  }
}

function eventOf(name: string, owner: PodOwner, namespace: string, reason: string, message: string): KubeObject {
  const now = timestamp();
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace },
    involvedObject: { ...owner, namespace },
    reason,
    message,
    type: "Normal",
    source: { component: COMPONENT },
    reportingComponent: COMPONENT,
    reportingInstance: "",
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
}

/** Kubernetes' times have no fractions. */
function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}
