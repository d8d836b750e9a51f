import type { KubeObject } from "./types.ts";

/** A difference between what was known and what is. */
export interface Change<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** What it is now; of a deleted object, its last known state. */
  readonly object: T;
  /** What it was before. */
  readonly old?: T;
}

/** Keys under which an object is found in an index, such as the addresses of a pod. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** Objects by namespace and name, and by the keys of indexes. */
export class InformerStore<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, { readonly keysOf: IndexFunction<T>; readonly entries: Map<string, Set<T>> }>;

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>>) {
    const all = { [NAMESPACE]: (object: T) => [object.metadata.namespace ?? ""], ...indexes };
    this.#indexes = new Map(Object.entries(all).map(([name, keysOf]) => [name, { keysOf, entries: new Map() }]));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#objects.get(keyOf(namespace, name));
  }

  all(): T[] {
    return [...this.#objects.values()];
  }

  in(namespace: string): T[] {
    return this.indexed(NAMESPACE, namespace);
  }

  indexed(index: string, key: string): T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new RangeError(`there is no index "${index}"`);
    return [...(found.entries.get(key) ?? [])];
  }

  /** Takes an object's present state. @returns what that changes: an object of the same name and another uid is two changes */
  put(object: T): Change<T>[] {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const old = this.#objects.get(key);
    if (old === undefined) {
      this.#insert(key, object);
      return [{ type: "ADDED", object }];
    }
    if (old.metadata.uid !== object.metadata.uid) return [...this.remove(old), ...this.put(object)];
    const { resourceVersion } = object.metadata;
    if (resourceVersion !== undefined && old.metadata.resourceVersion === resourceVersion) return [];
    this.#unindex(old);
    this.#insert(key, object);
    return [{ type: "MODIFIED", object, old }];
  }

  /** Forgets an object. `object` may be newer than what was known. */
  remove(object: T): Change<T>[] {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const old = this.#objects.get(key);
    if (old === undefined) return [];
    this.#unindex(old);
    this.#objects.delete(key);
    return [{ type: "DELETED", object: old.metadata.uid === object.metadata.uid ? object : old, old }];
  }

  /** Takes what a list says to be all there is. @returns what had changed unnoticed, deletions first */
  replaceAll(objects: readonly T[]): Change<T>[] {
    const present = new Set(objects.map(({ metadata }) => keyOf(metadata.namespace, metadata.name)));
    const gone = [...this.#objects].filter(([key]) => !present.has(key)).map(([, object]) => object);
    return [...gone.flatMap((object) => this.remove(object)), ...objects.flatMap((object) => this.put(object))];
  }

  #insert(key: string, object: T): void {
    this.#objects.set(key, object);
    for (const { keysOf, entries } of this.#indexes.values()) {
      for (const indexed of keysOf(object)) {
        const set = entries.get(indexed);
        if (set === undefined) entries.set(indexed, new Set([object]));
        else set.add(object);
      }
    }
  }

  #unindex(object: T): void {
    for (const { keysOf, entries } of this.#indexes.values()) {
      for (const indexed of keysOf(object)) {
        const set = entries.get(indexed);
        set?.delete(object);
        if (set?.size === 0) entries.delete(indexed);
      }
    }
  }
}

const NAMESPACE = " namespace";

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
