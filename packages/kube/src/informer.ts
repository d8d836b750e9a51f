import { ApiError } from "./api-error.ts";
import type { KubeClient, SelectOptions } from "./client.ts";
import { type Change, type IndexFunction, InformerStore } from "./informer-store.ts";
import type { ResourceRef } from "./resources.ts";
import { sleep } from "./transport.ts";
import type { KubeObject } from "./types.ts";

export interface InformerOptions<T extends KubeObject> extends SelectOptions {
  /** Told of every change, in order; the same as a first `subscribe`. */
  readonly onChange?: (change: Change<T>) => void;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Makes of an object what is to be kept, for instance without the fields that nobody needs. */
  readonly transform?: (object: T) => T;
  /** Told of what went wrong. The informer goes on by itself. */
  readonly onError?: (error: unknown) => void;
  /** All objects are listed anew after about this time, so that lost events heal. Default ten minutes. */
  readonly relistMs?: number;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
}

type ChangeHandler<T> = (change: Change<T>) => void;

const RELIST_MS = 10 * 60_000;
const BACKOFF = { minMs: 250, maxMs: 30_000 };
// Servers end watches after five to ten minutes; a connection that died unnoticed is found out after as long.
const WATCH_SECONDS = 300;
const WATCH_GRACE_MS = 15_000;

/**
 * Keeps a copy of all objects of a kind: lists them, watches, and lists again from time to time. What the API server
 * says last is what the copy becomes, whatever was lost on the way: 410, broken connections and missed events heal by the
 * next list, whose differences are reported like any other change.
 */
export class Informer<T extends KubeObject> {
  /** Resolves when the first list is in the store and told to all handlers; rejects if stopped before. */
  readonly synced: Promise<void>;
  readonly #client: KubeClient;
  readonly #ref: ResourceRef;
  readonly #options: InformerOptions<T>;
  readonly #store: InformerStore<T>;
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #stopping = new AbortController();
  readonly #sync = Promise.withResolvers<void>();
  readonly #backoff: Backoff;
  #running: Promise<void> | undefined;
  #isSynced = false;
  /** Where the next watch begins; undefined when a list must come first. */
  #version: string | undefined;
  #relistAtMs = 0;

  constructor(client: KubeClient, ref: ResourceRef, options: InformerOptions<T> = {}) {
    this.#client = client;
    this.#ref = ref;
    this.#options = options;
    this.#store = new InformerStore(options.indexes ?? {});
    this.#backoff = new Backoff(options.backoff ?? BACKOFF);
    if (options.onChange !== undefined) this.#handlers.add(options.onChange);
    this.synced = this.#sync.promise;
    // Nobody has to wait for it.
    this.synced.catch(() => undefined);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the watch. Nobody is told of anything after the promise. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error(`the informer of ${this.#ref.plural} was stopped`));
    this.#sync.reject(this.#stopping.signal.reason);
    await this.#running;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** How many objects are known. */
  get size(): number {
    return this.#store.size;
  }

  /** `namespace` is "" for cluster-scoped kinds. Objects are shared: never change them. */
  get(namespace: string, name: string): T | undefined {
    return this.#store.get(namespace, name);
  }

  list(namespace?: string): T[] {
    return namespace === undefined ? this.#store.all() : this.#store.in(namespace);
  }

  /** The objects that have `key` in one of `options.indexes`. */
  byIndex(index: string, key: string): T[] {
    return this.#store.indexed(index, key);
  }

  /** Tells of everything there is as ADDED, at once, then of changes. @returns the unsubscriber */
  subscribe(handler: ChangeHandler<T>): () => void {
    for (const object of this.#store.all()) handler({ type: "ADDED", object });
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        else await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error);
      }
    }
  }

  async #list(): Promise<void> {
    const { signal } = this.#stopping;
    // Without a resourceVersion the answer is the newest there is, so it can't be older than events already seen.
    const list = await this.#client.list<T>(this.#ref, { ...this.#selection(), signal });
    this.#tell(this.#store.replaceAll(list.items.map((item) => this.#keep(item))));
    this.#version = list.metadata.resourceVersion ?? "";
    this.#relistAtMs = performance.now() + jittered(this.#options.relistMs ?? RELIST_MS);
    this.#backoff.reset();
    this.#isSynced = true;
    this.#sync.resolve();
  }

  /** Until the server ends the watch or the next list is due. */
  async #watch(): Promise<void> {
    const beganAtMs = performance.now();
    const dueMs = this.#relistAtMs - beganAtMs;
    if (dueMs <= 0) {
      this.#version = undefined;
      return;
    }
    const timeoutSeconds = Math.ceil(jittered(WATCH_SECONDS));
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(), Math.min(dueMs, timeoutSeconds * 1000 + WATCH_GRACE_MS));
    try {
      await this.#follow(timeoutSeconds, AbortSignal.any([this.#stopping.signal, overdue.signal]));
    } catch (error) {
      if (!overdue.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
    // A server that ends every watch at once must not be asked without a pause.
    if (performance.now() - beganAtMs < 1000 && !this.#stopping.signal.aborted) await this.#pause();
    else this.#backoff.reset();
  }

  async #follow(timeoutSeconds: number, signal: AbortSignal): Promise<void> {
    const resourceVersion = this.#version ?? "";
    const watch = this.#client.watch<T>(this.#ref, { ...this.#selection(), resourceVersion, timeoutSeconds, signal });
    for await (const { type, object } of watch) {
      if (signal.aborted) return;
      if (type === "DELETED") this.#tell(this.#store.remove(this.#keep(object)));
      else if (type !== "BOOKMARK") this.#tell(this.#store.put(this.#keep(object)));
      this.#version = object.metadata.resourceVersion ?? this.#version;
    }
  }

  async #recover(error: unknown): Promise<void> {
    const expired = error instanceof ApiError && (error.code === 410 || error.reason === "Expired");
    // Any other refusal may also be due to the version we ask for.
    if (error instanceof ApiError) this.#version = undefined;
    if (!expired) this.#options.onError?.(error);
    await this.#pause();
  }

  async #pause(): Promise<void> {
    // Rejected only when stopped, which the loop sees.
    await sleep(this.#backoff.nextMs(), this.#stopping.signal).catch(() => undefined);
  }

  #tell(changes: readonly Change<T>[]): void {
    if (this.#stopping.signal.aborted) return;
    for (const change of changes) {
      for (const handler of this.#handlers) {
        try {
          handler(change);
        } catch (error) {
          // A bug of the handler's, not a trouble with the API: it must not look like one, nor keep others from hearing.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
  }

  #keep(object: T): T {
    return this.#options.transform?.(object) ?? object;
  }

  #selection(): SelectOptions {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }
}

/** Doubles from `minMs` to `maxMs`, with jitter so that clients of a restarted server don't come all at once. */
class Backoff {
  readonly #bounds: { readonly minMs: number; readonly maxMs: number };
  #failures = 0;

  constructor(bounds: { readonly minMs: number; readonly maxMs: number }) {
    this.#bounds = bounds;
  }

  nextMs(): number {
    const { minMs, maxMs } = this.#bounds;
    return jittered(Math.min(maxMs, minMs * 2 ** Math.min(this.#failures++, 30)));
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** Within a fifth of `value`. */
function jittered(value: number): number {
  return value * (0.8 + 0.4 * Math.random());
}
