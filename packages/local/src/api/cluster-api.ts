import type { KubeObject, LabelSelector } from "@bowline/kube";

/**
 * The cluster as controllers and the node, which live in the API server's own process, see it. Kinds are named by plural
 * and group: "pods", "deployments.apps". The namespace of cluster-scoped objects is "".
 *
 * Objects handed out are shared with the store and with every other reader: never change them.
 */
export interface ClusterApi {
  /** From memory, as of the last completed write. */
  get<T extends KubeObject>(type: string, namespace: string, name: string): T | undefined;
  /** In order of namespace and name. */
  list<T extends KubeObject>(type: string, options?: ListOptions): T[];
  /**
   * Tells `handler` of everything that exists as ADDED, then of changes in the order of writes. Every call comes in a later
   * microtask than the `watch` or the write that caused it. What a handler throws is logged, and the watch goes on.
   * @returns the unsubscriber, after which `handler` is not called again
   */
  watch<T extends KubeObject>(type: string, handler: (event: ClusterEvent<T>) => void): () => void;
  /** Applies defaults, validation and admission; rejects with `ApiError`. */
  create<T extends KubeObject>(type: string, object: T): Promise<T>;
  /**
   * Reads the object, lets `change` edit a deep copy of it, and writes that; repeats all of it on a conflict. Nothing is written when
   * `change` returns `false` or leaves the object as it was.
   * @param sub writes through the status subresource: only `status` counts then
   * @returns the object as it is now, undefined when there is none
   */
  change<T extends KubeObject>(
    type: string,
    namespace: string,
    name: string,
    change: (draft: T) => unknown,
    sub?: "status",
  ): Promise<T | undefined>;
  /** Deleting what is absent, or has another uid than the one asked for, does nothing. */
  delete(type: string, namespace: string, name: string, options?: ClusterDeleteOptions): Promise<void>;
  /** Records an Event about an object; the same event again within its life counts it up. Never fails and never waits. */
  event(about: KubeObject, kind: "Normal" | "Warning", reason: string, message: string, component: string): void;
}

/** `old` is what a MODIFIED object was before; a DELETED event's `object` is its last state. */
export interface ClusterEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: T;
  readonly old?: T;
}

/** All given conditions must hold; `namespace` and `ownerUid` are answered from indexes. */
export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: LabelSelector;
  readonly ownerUid?: string;
}

/** As in Kubernetes' DeleteOptions; `uid` is the precondition. */
export interface ClusterDeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  readonly uid?: string;
}
