import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type KubeObject, RESOURCES, type ResourceRef, resourcePath } from "@bowline/kube";
import type { ObjectKind } from "../objects.ts";

/** As much of an API server as informers need: lists and watches of all namespaces, and discovery. */
export class FakeApi {
  readonly #objects = new Map<ObjectKind, Map<string, KubeObject>>();
  readonly #watchers = new Map<ObjectKind, Set<ServerResponse>>();
  readonly #server: Server;
  #version = 1;
  /** Lists wait while this is set. */
  #held: (() => void)[] | null = null;

  /** @param kinds those that it has */
  constructor(kinds: readonly ObjectKind[]) {
    for (const kind of kinds) this.add(kind);
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.release();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** A kind that there was not. */
  add(kind: ObjectKind): void {
    this.#objects.set(kind, new Map());
    this.#watchers.set(kind, new Set());
  }

  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const answer of held) answer();
  }

  put(kind: ObjectKind, object: object): void {
    const made = this.#stamp(kind, object);
    const known = this.#objects.get(kind);
    const key = `${made.metadata.namespace ?? ""}/${made.metadata.name}`;
    this.#say(kind, known?.has(key) === true ? "MODIFIED" : "ADDED", made);
    known?.set(key, made);
  }

  remove(kind: ObjectKind, object: object): void {
    const made = this.#stamp(kind, object);
    if (this.#objects.get(kind)?.delete(`${made.metadata.namespace ?? ""}/${made.metadata.name}`) === true) {
      this.#say(kind, "DELETED", made);
    }
  }

  #stamp(kind: ObjectKind, object: object): KubeObject {
    const { metadata, ...rest } = object as Pick<KubeObject, "metadata">;
    const { group, version, kind: name } = RESOURCES[kind];
    return {
      apiVersion: group === "" ? version : `${group}/${version}`,
      kind: name,
      ...rest,
      metadata: {
        ...metadata,
        uid: metadata.uid ?? metadata.name,
        resourceVersion: String(++this.#version),
        managedFields: [{ time: new Date().toISOString() }],
      },
    };
  }

  #say(kind: ObjectKind, type: string, object: KubeObject): void {
    for (const watcher of this.#watchers.get(kind) ?? []) watcher.write(`${JSON.stringify({ type, object })}\n`);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "", "http://api");
    const kind = [...this.#objects.keys()].find((one) => resourcePath(RESOURCES[one]) === url.pathname);
    if (kind === undefined) {
      this.#discover(url.pathname, response);
      return;
    }
    if (url.searchParams.get("watch") !== null) {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      this.#watchers.get(kind)?.add(response);
      response.on("close", () => this.#watchers.get(kind)?.delete(response));
      return;
    }
    const list = (): void => {
      const items = [...(this.#objects.get(kind)?.values() ?? [])];
      send(response, 200, {
        kind: "List",
        apiVersion: "v1",
        metadata: { resourceVersion: String(this.#version) },
        items,
      });
    };
    if (this.#held === null) list();
    else this.#held.push(list);
  }

  #discover(path: string, response: ServerResponse): void {
    const kinds = [...this.#objects.keys()].map((kind) => RESOURCES[kind]);
    const versionOf = ({ group, version }: ResourceRef): string => (group === "" ? version : `${group}/${version}`);
    const groupVersion = path.replace(/^\/apis?\//, "");
    const resources = kinds
      .filter((ref) => versionOf(ref) === groupVersion)
      .map(({ plural, kind, namespaced }) => ({ name: plural, kind, namespaced, verbs: ["list", "watch"] }));
    const groups = [...new Set(kinds.filter(({ group }) => group !== "").map(versionOf))].map((one) => ({
      name: one.split("/")[0],
      versions: [{ groupVersion: one }],
    }));
    if (path === "/api") send(response, 200, { versions: ["v1"] });
    else if (path === "/apis") send(response, 200, { groups });
    else send(response, resources.length > 0 ? 200 : 404, { groupVersion, resources });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
