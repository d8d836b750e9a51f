import { ApiError, type KubeObject, matchesSelector } from "@bowline/kube";
import type { ResourceType } from "../schema/resource-type.ts";
import type { ClusterApi, ClusterDeleteOptions, ClusterEvent, ListOptions } from "./cluster-api.ts";
import type { EventRecorder } from "./events/event-recorder.ts";
import type { Change } from "./storage/change-log.ts";
import type { Store } from "./storage/store.ts";
import { SYSTEM_CONTEXT } from "./write/context.ts";
import type { Deleter } from "./write/deletion.ts";
import type { Writer } from "./write/writer.ts";

export interface InProcessParts {
  readonly store: Store;
  readonly writer: Writer;
  readonly deleter: Deleter;
  readonly recorder: EventRecorder;
  /** The type of a store key; throws for an unknown one. */
  readonly typeOf: (key: string) => ResourceType;
  readonly warn: (line: string) => void;
}

/** Thrown through `Writer.update` when there is nothing to write. */
const UNCHANGED = Symbol("unchanged");

/** The API as controllers and the node use it: the same rules as over HTTP, without authorization and decoding. */
export class InProcessApi implements ClusterApi {
  readonly #parts: InProcessParts;

  constructor(parts: InProcessParts) {
    this.#parts = parts;
  }

  get<T extends KubeObject>(type: string, namespace: string, name: string): T | undefined {
    return this.#parts.store.get(type, namespace, name) as T | undefined;
  }

  list<T extends KubeObject>(type: string, options: ListOptions = {}): T[] {
    const { namespace = "", labelSelector, ownerUid } = options;
    const { store } = this.#parts;
    let objects = ownerUid === undefined ? store.list(type, namespace) : store.ownedBy(type, ownerUid);
    if (ownerUid !== undefined && namespace !== "") {
      objects = objects.filter((object) => object.metadata.namespace === namespace);
    }
    if (labelSelector !== undefined) {
      objects = objects.filter((object) => matchesSelector(labelSelector, object.metadata.labels ?? {}));
    }
    return objects as T[];
  }

  watch<T extends KubeObject>(type: string, handler: (event: ClusterEvent<T>) => void): () => void {
    const { store, warn } = this.#parts;
    let on = true;
    const tell = (event: ClusterEvent<KubeObject>): void => {
      queueMicrotask(() => {
        if (!on) return;
        try {
          handler(event as ClusterEvent<T>);
        } catch (error) {
          warn(`a watch of ${type} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        }
      });
    };
    for (const object of store.list(type)) tell({ type: "ADDED", object });
    const unlisten = store.listen(type, (change) => tell(eventOf(change)));
    return () => {
      on = false;
      unlisten();
    };
  }

  async create<T extends KubeObject>(type: string, object: T): Promise<T> {
    const { writer, typeOf } = this.#parts;
    return (await writer.create(typeOf(type), structuredClone(object), SYSTEM_CONTEXT)) as T;
  }

  async change<T extends KubeObject>(
    type: string,
    namespace: string,
    name: string,
    change: (draft: T) => unknown,
    sub?: "status",
  ): Promise<T | undefined> {
    const { store, writer, typeOf } = this.#parts;
    const resource = typeOf(type);
    const edit = (old: KubeObject): KubeObject => {
      const draft = structuredClone(old);
      if (change(draft as T) === false || Bun.deepEquals(draft, old)) throw UNCHANGED;
      return draft;
    };
    const options =
      sub === "status" && resource.subresources.status ? ({ subresource: "status", write: "status" } as const) : {};
    try {
      return (await writer.update(resource, namespace, name, edit, SYSTEM_CONTEXT, options)) as T;
    } catch (error) {
      if (error === UNCHANGED) return store.get(type, namespace, name) as T | undefined;
      if (isAbsent(error, name)) return undefined;
      throw error;
    }
  }

  async delete(type: string, namespace: string, name: string, options: ClusterDeleteOptions = {}): Promise<void> {
    const { store, deleter, typeOf } = this.#parts;
    const old = store.get(type, namespace, name);
    if (old === undefined || (options.uid !== undefined && options.uid !== old.metadata.uid)) return;
    try {
      await deleter.delete(typeOf(type), namespace, name, options, SYSTEM_CONTEXT);
    } catch (error) {
      // Gone, or another's by the time it was its turn.
      if (isAbsent(error, name) && store.get(type, namespace, name) !== old) return;
      throw error;
    }
  }

  event(about: KubeObject, kind: "Normal" | "Warning", reason: string, message: string, component: string): void {
    this.#parts.recorder.record(about, kind, reason, message, component);
  }
}

function eventOf({ kind, object, old }: Change): ClusterEvent<KubeObject> {
  return kind === "MODIFIED" && old !== undefined ? { type: kind, object, old } : { type: kind, object };
}

function isAbsent(error: unknown, name: string): boolean {
  return error instanceof ApiError && (error.reason === "NotFound" || error.reason === "Conflict")
    ? error.details?.name === name
    : false;
}
