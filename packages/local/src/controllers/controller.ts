import { ApiError, type KubeObject, ownerOf } from "@bowline/kube";
import type { ClusterApi, ClusterEvent } from "../api/cluster-api.ts";
import { startWorkQueue } from "./work-queue.ts";

/** What every controller is given. */
export interface ControllerContext {
  readonly api: ClusterApi;
  /** Milliseconds of the epoch. */
  readonly now: () => number;
  /** One line about what can't be told by an Event or a status. */
  readonly warn: (line: string) => void;
}

export interface Controller {
  stop(): void;
}

/** Says which keys an event concerns. */
type KeysOf<T extends KubeObject> = (event: ClusterEvent<T>) => Iterable<string>;

export interface ControllerPlan {
  /** Appears in Events as their source. */
  readonly name: string;
  /** See WorkQueueOptions. */
  readonly settleMs?: number;
  /** Called once: names what is watched. */
  watch(on: <T extends KubeObject>(type: string, keysOf: KeysOf<T>) => void): void;
  /**
   * Makes the world a step more as the object of this name asks, from the state as it is; must bear being called at
   * any moment, any number of times. `after` asks to be called again later.
   */
  reconcile(target: ReconcileTarget): Promise<void>;
}

export interface ReconcileTarget {
  readonly namespace: string;
  readonly name: string;
  after(delayMs: number): void;
}

export function startController(context: ControllerContext, plan: ControllerPlan): Controller {
  const queue = startWorkQueue({
    name: plan.name,
    warn: context.warn,
    ...(plan.settleMs === undefined ? {} : { settleMs: plan.settleMs }),
    async reconcile(key) {
      try {
        await plan.reconcile({ ...splitKey(key), after: (delayMs) => queue.addAfter(key, delayMs) });
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    },
  });
  const unsubscribers: (() => void)[] = [];
  plan.watch((type, keysOf) => {
    unsubscribers.push(
      context.api.watch(type, (event) => {
        for (const key of keysOf(event as never)) queue.add(key);
      }),
    );
  });
  return {
    stop() {
      for (const unsubscribe of unsubscribers) unsubscribe();
      queue.stop();
    },
  };
}

export function keyOf(object: Pick<KubeObject, "metadata">): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}

function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The keys of the controllers, of this kind, that an object has now and had before. */
export function ownerKeys(event: ClusterEvent<KubeObject>, group: string, kind: string): Set<string> {
  const keys = new Set<string>();
  for (const object of [event.object, event.old]) {
    if (object === undefined) continue;
    const owner = ownerOf(object);
    if (owner?.kind === kind && groupOf(owner.apiVersion) === group) {
      keys.add(`${object.metadata.namespace ?? ""}/${owner.name}`);
    }
  }
  return keys;
}

export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** Nothing more can be made in a namespace that goes away, and nothing needs to be. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.code === 403 &&
    (error.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") ?? false)
  );
}

/** RFC 3339 to the second, as Kubernetes writes times. */
export function timeText(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}
