import { randomBytes } from "node:crypto";
import { ApiError, type KubeObject } from "@bowline/kube";
import type { Exchange } from "../http/exchange.ts";
import type { ServerParts } from "../parts.ts";
import type { Store } from "../storage/store.ts";
import { showList, type Target, viewOf } from "./objects.ts";
import { type Selection, selectionOf } from "./selection.ts";

/** How long the rest of a list that was begun can be asked for. */
const SNAPSHOT_MS = 300_000;
const SNAPSHOTS_MAX = 64;

/** What is left of a list, and its version. The objects are the store's own, so keeping them costs next to nothing. */
interface Snapshot {
  readonly rest: readonly KubeObject[];
  readonly version: string;
  readonly type: string;
  readonly untilMs: number;
}

/** Lists that were begun with a limit: all pages show the same moment. */
export class Snapshots {
  readonly #open: Map<string, Snapshot> = new Map();

  keep(type: string, version: string, rest: readonly KubeObject[]): string {
    for (const [token, { untilMs }] of this.#open) {
      if (this.#open.size < SNAPSHOTS_MAX && untilMs > Date.now()) break;
      this.#open.delete(token);
    }
    const token = randomBytes(12).toString("base64url");
    this.#open.set(token, { rest, version, type, untilMs: Date.now() + SNAPSHOT_MS });
    return token;
  }

  /** Throws ApiError 410 for a list that is no longer kept. It may be asked for again, so it stays. */
  find(type: string, token: string): Snapshot {
    const snapshot = this.#open.get(token);
    if (snapshot !== undefined && snapshot.type === type && snapshot.untilMs > Date.now()) return snapshot;
    throw ApiError.expired(
      "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.",
    );
  }
}

/** GET of a collection. */
export function serveList(parts: ServerParts, snapshots: Snapshots, exchange: Exchange, target: Target): void {
  const view = viewOf(exchange);
  const selection = selectionOf(target.type, target.namespace, exchange.query, target.name);
  const { query } = exchange;
  const token = query.get("continue") ?? "";
  const key = target.type.storedAs;
  const { rest, version } =
    token === "" ? fromStore(parts.store, target, selection, query) : snapshots.find(key, token);
  const limit = limitOf(query);
  const page = limit === 0 ? rest : rest.slice(0, limit);
  const left = rest.slice(page.length);
  const metadata: Record<string, unknown> = { resourceVersion: version };
  if (left.length > 0) {
    metadata["continue"] = snapshots.keep(key, version, left);
    // With a selector, Kubernetes does not know how many are left, and says nothing.
    if (!query.get("labelSelector") && !query.get("fieldSelector")) metadata["remainingItemCount"] = left.length;
  }
  exchange.send(200, showList(target, page, view, metadata), view.format);
}

/** Objects of the store that a list or the beginning of a watch is about. */
export function selected(store: Store, type: string, selection: Selection): KubeObject[] {
  if (
    selection.name !== undefined &&
    (selection.namespace !== "" || store.get(type, "", selection.name) !== undefined)
  ) {
    const object = store.get(type, selection.namespace, selection.name);
    return object !== undefined && selection.matches(object) ? [object] : [];
  }
  return store.list(type, selection.namespace).filter((object) => selection.matches(object));
}

/** Throws ApiError 400 for what is no version, 504 for one that is yet to come. */
function parseVersion(text: string, current: number): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw ApiError.badRequest(
      `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  const version = Number(text);
  if (version <= current) return version;
  const message = `Too large resource version: ${version}, current: ${current}`;
  throw new ApiError(504, "Timeout", message, {
    retryAfterSeconds: 1,
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
  });
}

function fromStore(
  store: Store,
  target: Target,
  selection: Selection,
  query: URLSearchParams,
): { rest: readonly KubeObject[]; version: string } {
  const text = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  if (match !== "" && match !== "Exact" && match !== "NotOlderThan") {
    throw ApiError.badRequest(
      `resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan"`,
    );
  }
  if (match !== "" && text === "") {
    throw ApiError.badRequest(
      "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
    );
  }
  if (text !== "") {
    const version = parseVersion(text, store.version);
    // Only the present is kept.
    if (match === "Exact" && version !== store.version)
      throw ApiError.expired(`The resourceVersion for the provided list is too old: ${version}`);
  }
  return { rest: selected(store, target.type.storedAs, selection), version: String(store.version) };
}

function limitOf(query: URLSearchParams): number {
  const text = query.get("limit") ?? "0";
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw ApiError.badRequest(`limit: Invalid value: ${JSON.stringify(text)}`);
}
