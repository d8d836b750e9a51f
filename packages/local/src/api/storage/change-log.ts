import type { KubeObject } from "@bowline/kube";

/** One write, as the store made it. `version` is also its object's resourceVersion. */
export interface Change {
  readonly version: number;
  /** The store's key of the type: "pods", "deployments.apps". */
  readonly type: string;
  readonly kind: "ADDED" | "MODIFIED" | "DELETED";
  /** As it is now; of a DELETED one, its last state with the version of the deletion. */
  readonly object: KubeObject;
  /** As it was before; absent with ADDED. */
  readonly old?: KubeObject;
}

/** The most recent changes, in order, for watches that start from a version. */
export class ChangeLog {
  readonly #ring: (Change | undefined)[];
  /** Where the next change goes. */
  #next = 0;
  /** Everything after this version is in the ring. */
  #since: number;

  /** @param since the version at which the log begins: nothing older can be told */
  constructor(changesMax: number, since: number) {
    this.#ring = Array.from({ length: changesMax });
    this.#since = since;
  }

  push(change: Change): void {
    const lost = this.#ring[this.#next];
    if (lost !== undefined) this.#since = lost.version;
    this.#ring[this.#next] = change;
    this.#next = (this.#next + 1) % this.#ring.length;
  }

  /** The changes of a type after `version`, oldest first; undefined when some of them are no longer known. */
  after(version: number, type: string): Change[] | undefined {
    if (version < this.#since) return undefined;
    const changes: Change[] = [];
    // From the newest backwards: those who ask are mostly nearly up to date.
    for (let i = 1; i <= this.#ring.length; i++) {
      const change = this.#ring[(this.#next - i + this.#ring.length) % this.#ring.length];
      if (change === undefined || change.version <= version) break;
      if (change.type === type) changes.push(change);
    }
    return changes.reverse();
  }
}
