import type { KubeObject } from "@bowline/kube";

/** The objects of one type, with the indexes that reads need. */
export class Collection {
  readonly #byKey: Map<string, KubeObject> = new Map();
  readonly #byNamespace: Map<string, Set<string>> = new Map();
  readonly #byOwner: Map<string, Set<string>> = new Map();
  /** Sorted keys, of everything under "" and of each namespace; made when asked for, dropped when keys come or go. */
  readonly #sorted: Map<string, readonly string[]> = new Map();

  get size(): number {
    return this.#byKey.size;
  }

  get(namespace: string, name: string): KubeObject | undefined {
    return this.#byKey.get(keyOf(namespace, name));
  }

  /** In order of namespace and name; all namespaces for "". */
  list(namespace: string): KubeObject[] {
    return this.#pick(this.#keys(namespace));
  }

  /** Objects that name `uid` among their owners. */
  ownedBy(uid: string): KubeObject[] {
    return this.#pick([...(this.#byOwner.get(uid) ?? [])].sort());
  }

  put(object: KubeObject): void {
    const { namespace = "", name } = object.metadata;
    const key = keyOf(namespace, name);
    const old = this.#byKey.get(key);
    this.#byKey.set(key, object);
    if (old === undefined) {
      addTo(this.#byNamespace, namespace, key);
      this.#forgetOrder(namespace);
    } else {
      for (const uid of ownersOf(old)) removeFrom(this.#byOwner, uid, key);
    }
    for (const uid of ownersOf(object)) addTo(this.#byOwner, uid, key);
  }

  drop(object: KubeObject): void {
    const { namespace = "", name } = object.metadata;
    const key = keyOf(namespace, name);
    this.#byKey.delete(key);
    removeFrom(this.#byNamespace, namespace, key);
    this.#forgetOrder(namespace);
    for (const uid of ownersOf(object)) removeFrom(this.#byOwner, uid, key);
  }

  #keys(namespace: string): readonly string[] {
    let keys = this.#sorted.get(namespace);
    if (keys === undefined) {
      const unsorted = namespace === "" ? this.#byKey.keys() : (this.#byNamespace.get(namespace) ?? []);
      keys = [...unsorted].sort();
      this.#sorted.set(namespace, keys);
    }
    return keys;
  }

  #forgetOrder(namespace: string): void {
    this.#sorted.delete("");
    this.#sorted.delete(namespace);
  }

  #pick(keys: readonly string[]): KubeObject[] {
    const objects: KubeObject[] = [];
    for (const key of keys) {
      const object = this.#byKey.get(key);
      if (object !== undefined) objects.push(object);
    }
    return objects;
  }
}

/** Also what lists are ordered by; "/" occurs in neither part. */
function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function ownersOf(object: KubeObject): string[] {
  return object.metadata.ownerReferences?.map((owner) => owner.uid) ?? [];
}

function addTo(index: Map<string, Set<string>>, at: string, key: string): void {
  const keys = index.get(at);
  if (keys === undefined) index.set(at, new Set([key]));
  else keys.add(key);
}

function removeFrom(index: Map<string, Set<string>>, at: string, key: string): void {
  const keys = index.get(at);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(at);
}
