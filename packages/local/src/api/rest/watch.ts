import type { ServerResponse } from "node:http";
import { ApiError, type KubeObject } from "@bowline/kube";
import type { Exchange } from "../http/exchange.ts";
import { isSet } from "../http/request-info.ts";
import type { ServerParts } from "../parts.ts";
import type { Change } from "../storage/change-log.ts";
import { selected } from "./list.ts";
import { partial, showTable, type Target, type View, viewOf } from "./objects.ts";
import { type Selection, selectionOf } from "./selection.ts";

const BOOKMARK_MS = 60_000;
/** Kubernetes picks between this and twice as much, so that not everybody comes back at the same time. */
const LIFE_MS_MIN = 1_800_000;
/** What a client may be behind before it is cut off; it then lists again. */
const BEHIND_BYTES_MAX = 16 * 1024 * 1024;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

type EventType = Change["kind"] | "BOOKMARK";

/** GET of a collection with `watch`: changes, one JSON object a line, until either side has enough. */
export function serveWatch(parts: ServerParts, exchange: Exchange, target: Target): void {
  const { store } = parts;
  const { query, response } = exchange;
  const view = viewOf(exchange);
  const selection = selectionOf(target.type, target.namespace, query, target.name);
  const start = startOf(query);
  const key = target.type.storedAs;
  const past = start.version === undefined ? [] : changesSince(parts, key, start.version);
  exchange.setWarnings();
  response.writeHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
  response.flushHeaders();
  const watch = new WatchStream(response, target, selection, view);
  if (start.version === undefined) {
    for (const object of selected(store, key, selection)) watch.send("ADDED", object);
    if (start.tellsEnd) watch.sendBookmark(store.version, true);
  }
  for (const change of past) watch.tell(change);
  const unlisten = store.listen(key, (change) => {
    try {
      watch.tell(change);
    } catch (error) {
      // The write has been made, and the others are still to hear of it: only this watch is over.
      parts.warn(
        `a watch of ${key} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      watch.abort();
    }
  });
  watch.until(unlisten);
  limitWatch(parts, query, target, watch);
}

/** Bookmarks while it lasts, and an end when its time is over, the server closes, or its type is no more. */
function limitWatch(
  { store, registry, closing }: ServerParts,
  query: URLSearchParams,
  target: Target,
  watch: WatchStream,
): void {
  const close = (): void => watch.close();
  if (isSet(query, "allowWatchBookmarks")) {
    const bookmarks = setInterval(() => watch.sendBookmark(store.version, false), BOOKMARK_MS);
    watch.until(() => clearInterval(bookmarks));
  }
  const life = setTimeout(close, lifeMsOf(query));
  watch.until(() => clearTimeout(life));
  closing.addEventListener("abort", close);
  watch.until(() => closing.removeEventListener("abort", close));
  const { custom, group, plural } = target.type;
  if (!custom) return;
  const unlisten = registry.onChange(() => {
    // Not at once: that the objects of the type are gone is still to be told.
    if (registry.find(group, plural) === undefined) setImmediate(close);
  });
  watch.until(unlisten);
}

/** One client's stream of events. Lines collect and go out together at the turn's end, unless the client is behind. */
class WatchStream {
  readonly #response: ServerResponse;
  readonly #target: Target;
  readonly #selection: Selection;
  readonly #view: View;
  readonly #cleanups: (() => void)[] = [];
  #lines: string[] = [];
  #bytes = 0;
  #scheduled = false;
  #blocked = false;
  #closed = false;
  #headless = false;

  constructor(response: ServerResponse, target: Target, selection: Selection, view: View) {
    this.#response = response;
    this.#target = target;
    this.#selection = selection;
    this.#view = view;
    response.on("drain", () => {
      this.#blocked = false;
      this.#flush();
    });
    response.on("close", () => this.#stop());
    response.on("error", () => this.#stop());
  }

  /** Runs `cleanup` when the stream has ended, at once if it has. */
  until(cleanup: () => void): void {
    if (this.#closed) cleanup();
    else this.#cleanups.push(cleanup);
  }

  /** What a change is to this client: an object may come into its selection, and leave it. */
  tell({ kind, object, old }: Change): void {
    const { matches } = this.#selection;
    const before = old !== undefined && matches(old);
    const after = kind !== "DELETED" && matches(object);
    if (after) this.send(before ? "MODIFIED" : "ADDED", object);
    else if (before && kind === "DELETED") this.send("DELETED", object);
    else if (before) this.send("DELETED", { ...old, metadata: { ...old.metadata, ...versionOf(object) } });
  }

  send(type: EventType, object: KubeObject): void {
    if (this.#closed) return;
    this.#push(this.#lineOf(type, object));
  }

  sendBookmark(version: number, initialEnd: boolean): void {
    if (this.#closed) return;
    const { type, version: spoken } = this.#target;
    const apiVersion = type.group === "" ? spoken : `${type.group}/${spoken}`;
    const annotations = initialEnd ? { annotations: { [INITIAL_EVENTS_END]: "true" } } : {};
    const metadata = { resourceVersion: String(version), creationTimestamp: null, ...annotations };
    const table = this.#view.as === "Table";
    const object = table
      ? showTable(this.#target, [], this.#view, metadata, this.#headless)
      : { kind: type.kind, apiVersion, metadata };
    this.#push(`${JSON.stringify({ type: "BOOKMARK", object })}\n`);
  }

  /** Ends the stream in good order, after what is still to be sent. */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#response.end();
    this.#stop();
  }

  /** Cuts the connection: the client is to begin anew. */
  abort(): void {
    this.#response.destroy();
    this.#stop();
  }

  #lineOf(type: EventType, object: KubeObject): string {
    if (this.#view.as === "Table") {
      const { resourceVersion } = object.metadata;
      const table = showTable(this.#target, [object], this.#view, { resourceVersion }, this.#headless);
      this.#headless = true;
      return `${JSON.stringify({ type, object: table })}\n`;
    }
    if (this.#view.as !== "") return `${JSON.stringify({ type, object: partial(object, this.#view) })}\n`;
    return `{"type":"${type}","object":${textOf(this.#target.type.fromStored(object, this.#target.version))}}\n`;
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#bytes += line.length;
    if (this.#bytes > BEHIND_BYTES_MAX && this.#blocked) {
      this.abort();
      return;
    }
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed || this.#blocked || this.#lines.length === 0) return;
    const text = this.#lines.join("");
    this.#lines = [];
    this.#bytes = 0;
    this.#blocked = !this.#response.write(text);
  }

  #stop(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lines = [];
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }
}

/** Of objects as they are told to many watchers at a time; the objects never change. */
const TEXTS: WeakMap<KubeObject, string> = new WeakMap();

function textOf(object: KubeObject): string {
  let text = TEXTS.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    TEXTS.set(object, text);
  }
  return text;
}

function versionOf({ metadata }: KubeObject): { resourceVersion?: string } {
  return metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion };
}

/** Where to begin: after a version, or (undefined) with what there is now. */
interface WatchStart {
  readonly version: string | undefined;
  /** Whether the client wants to be told when it has heard of everything there is. */
  readonly tellsEnd: boolean;
}

function startOf(query: URLSearchParams): WatchStart {
  const version = query.get("resourceVersion") ?? "";
  const initial = query.get("sendInitialEvents");
  const match = query.get("resourceVersionMatch") ?? "";
  if (initial === null) {
    if (match !== "")
      throw ApiError.badRequest("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    return { version: version === "" || version === "0" ? undefined : version, tellsEnd: false };
  }
  if (match !== "NotOlderThan") {
    throw ApiError.badRequest(
      "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    );
  }
  if (isSet(query, "sendInitialEvents")) return { version: undefined, tellsEnd: isSet(query, "allowWatchBookmarks") };
  // "From now on": what there is is not told.
  return { version: version === "" || version === "0" ? "now" : version, tellsEnd: false };
}

function changesSince({ store }: ServerParts, type: string, start: string): Change[] {
  if (start === "now") return [];
  if (!/^\d{1,15}$/.test(start)) throw ApiError.badRequest(`invalid resource version ${JSON.stringify(start)}`);
  const version = Number(start);
  // A version that is yet to come is another cluster's: the client has to begin anew as well.
  const changes = version > store.version ? undefined : store.changesAfter(version, type);
  if (changes === undefined) throw ApiError.expired(`too old resource version: ${version} (${store.version})`);
  return changes;
}

function lifeMsOf(query: URLSearchParams): number {
  const seconds = Number(query.get("timeoutSeconds") ?? "0");
  return seconds > 0 ? Math.min(seconds * 1000, 2 ** 31 - 1) : LIFE_MS_MIN * (1 + Math.random());
}
