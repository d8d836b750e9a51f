import type { KubeObject } from "@bowline/kube";
import { type Change, ChangeLog } from "./change-log.ts";
import { Collection } from "./collection.ts";
import { Database } from "./database.ts";

export interface StoreOptions {
  /** Past changes kept for watches; older ones are told 410 Gone. */
  readonly changesMax?: number;
}

/** A minute of a busy cluster of this size, some ten megabytes at worst. */
const CHANGES_MAX = 8192;

/**
 * All objects, in memory and in a file, and what happened to them. Writes are synchronous: on return they are in the file,
 * visible to readers, and told to listeners. Stored objects are frozen, so that sharing them is safe.
 *
 * It knows nothing of what objects mean; those rules are in `write/`.
 */
export class Store {
  readonly #database: Database;
  readonly #collections: Map<string, Collection> = new Map();
  readonly #listeners: Map<string, Set<(change: Change) => void>> = new Map();
  readonly #log: ChangeLog;
  #version: number;

  constructor(path: string, options: StoreOptions = {}) {
    this.#database = new Database(path);
    this.#version = this.#database.version();
    this.#log = new ChangeLog(options.changesMax ?? CHANGES_MAX, this.#version);
    for (const { type, object } of this.#database.objects()) this.#collection(type).put(freeze(object));
  }

  /** Of the last write. */
  get version(): number {
    return this.#version;
  }

  get(type: string, namespace: string, name: string): KubeObject | undefined {
    return this.#collections.get(type)?.get(namespace, name);
  }

  /** In order of namespace and name; all namespaces for "". */
  list(type: string, namespace = ""): KubeObject[] {
    return this.#collections.get(type)?.list(namespace) ?? [];
  }

  ownedBy(type: string, uid: string): KubeObject[] {
    return this.#collections.get(type)?.ownedBy(uid) ?? [];
  }

  count(type: string): number {
    return this.#collections.get(type)?.size ?? 0;
  }

  /** The changes of a type after `version`; undefined when they are no longer all known. */
  changesAfter(version: number, type: string): Change[] | undefined {
    return this.#log.after(version, type);
  }

  /** Calls `listener` within each write to the type; it must not throw and must not write. Returns the unsubscriber. */
  listen(type: string, listener: (change: Change) => void): () => void {
    let listeners = this.#listeners.get(type);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(type, listeners);
    }
    const known = listeners;
    known.add(listener);
    return () => known.delete(listener);
  }

  /** The object with its resourceVersion; undefined when one of that name exists. Takes `object` over. */
  insert(type: string, object: KubeObject): KubeObject | undefined {
    if (this.get(type, object.metadata.namespace ?? "", object.metadata.name ?? "") !== undefined) return undefined;
    const version = this.#version + 1;
    const stored = freeze(withVersion(object, version));
    this.#database.put(type, stored, version);
    this.#collection(type).put(stored);
    this.#tell({ version, type, kind: "ADDED", object: stored });
    return stored;
  }

  /** The new object with its resourceVersion; undefined when `old` is not what is stored now. Takes `object` over. */
  replace(type: string, old: KubeObject, object: KubeObject): KubeObject | undefined {
    if (!this.#isCurrent(type, old)) return undefined;
    const version = this.#version + 1;
    const stored = freeze(withVersion(object, version));
    this.#database.put(type, stored, version);
    this.#collection(type).put(stored);
    this.#tell({ version, type, kind: "MODIFIED", object: stored, old });
    return stored;
  }

  /**
   * The object's last state; undefined when `old` is not what is stored now.
   * @param last its last state where that differs from `old`
   */
  remove(type: string, old: KubeObject, last: KubeObject = old): KubeObject | undefined {
    if (!this.#isCurrent(type, old)) return undefined;
    const version = this.#version + 1;
    this.#database.drop(type, old.metadata.namespace ?? "", old.metadata.name ?? "", version);
    this.#collection(type).drop(old);
    const gone = freeze(withVersion(last, version));
    this.#tell({ version, type, kind: "DELETED", object: gone, old });
    return gone;
  }

  close(): void {
    this.#listeners.clear();
    this.#database.close();
  }

  #isCurrent(type: string, object: KubeObject): boolean {
    return this.get(type, object.metadata.namespace ?? "", object.metadata.name ?? "") === object;
  }

  #tell(change: Change): void {
    this.#version = change.version;
    this.#log.push(change);
    for (const listener of this.#listeners.get(change.type) ?? []) listener(change);
  }

  #collection(type: string): Collection {
    let collection = this.#collections.get(type);
    if (collection === undefined) {
      collection = new Collection();
      this.#collections.set(type, collection);
    }
    return collection;
  }
}

function withVersion(object: KubeObject, version: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

function freeze<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const key in value) {
    const inner = value[key];
    if (typeof inner === "object" && inner !== null) freeze(inner);
  }
  return value;
}
