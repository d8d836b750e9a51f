import type { Event, KubeObject } from "@bowline/kube";
import type { ClusterApi, ClusterDeleteOptions, ClusterEvent, ListOptions } from "../../api/cluster-api.ts";

/** As the interface has it: nothing, or false. */
type Change<T> = (draft: T) => ReturnType<Parameters<ClusterApi["change"]>[3]>;

/** The real API as tests hold it: creations can be made to fail, and what was written can be told. */
export class TestApi implements ClusterApi {
  /** Refuses a creation by throwing what it returns. */
  refuse: (type: string, object: KubeObject) => Error | undefined = () => undefined;
  readonly #api: ClusterApi;
  readonly #types: () => readonly string[];

  /** @param types all there are, by the names the API knows them by */
  constructor(api: ClusterApi, types: () => readonly string[]) {
    this.#api = api;
    this.#types = types;
  }

  /** The version of everything but Events: the same as before when nothing was written. */
  get version(): string {
    const types = this.#types().filter((type) => !type.startsWith("events"));
    const objects = types.flatMap((type) => this.#api.list(type));
    return objects.map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`).join("\n");
  }

  get events(): { about: string; reason: string; message: string }[] {
    return this.#api.list<Event>("events").map(({ involvedObject, reason = "", message = "" }) => {
      return { about: involvedObject.name ?? "", reason, message };
    });
  }

  async create<T extends KubeObject>(type: string, object: T): Promise<T> {
    const refusal = this.refuse(type, object);
    if (refusal !== undefined) throw refusal;
    return await this.#api.create(type, object);
  }

  get<T extends KubeObject>(type: string, namespace: string, name: string): T | undefined {
    return this.#api.get(type, namespace, name);
  }

  list<T extends KubeObject>(type: string, options?: ListOptions): T[] {
    return this.#api.list(type, options);
  }

  watch<T extends KubeObject>(type: string, handler: (event: ClusterEvent<T>) => void): () => void {
    return this.#api.watch(type, handler);
  }

  change<T extends KubeObject>(
    type: string,
    namespace: string,
    name: string,
    change: Change<T>,
    sub?: "status",
  ): Promise<T | undefined> {
    return this.#api.change<T>(type, namespace, name, change, sub);
  }

  delete(type: string, namespace: string, name: string, options?: ClusterDeleteOptions): Promise<void> {
    return this.#api.delete(type, namespace, name, options);
  }

  event(...args: Parameters<ClusterApi["event"]>): void {
    this.#api.event(...args);
  }
}
