import type { ServerResponse } from "node:http";
import type { ConfigMap } from "../types.ts";
import { type Script, sendJson } from "./scripted-server.ts";

interface LoggedEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly version: number;
  readonly object: ConfigMap;
}

/** ConfigMaps as an API server keeps them: versions, list, watch from a version, 410 for what is forgotten. */
export class FakeCollection {
  readonly objects: Map<string, ConfigMap> = new Map();
  lists: number = 0;
  watches: number = 0;
  /** Answers with this code instead, while it is set. */
  failWith: number | undefined;
  /** Changes made while this is set are never told to a watcher. */
  losing: boolean = false;
  #version = 1;
  #uids = 0;
  #log: LoggedEvent[] = [];
  #oldest = 1;
  readonly #watchers = new Set<ServerResponse>();

  get watchers(): number {
    return this.#watchers.size;
  }

  put(name: string, value: string): void {
    const old = this.objects.get(name);
    const uid = old?.metadata.uid ?? `uid-${++this.#uids}`;
    const metadata = { name, namespace: "shop", uid, resourceVersion: String(++this.#version) };
    const object: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { value } };
    this.objects.set(name, object);
    this.#say({ type: old === undefined ? "ADDED" : "MODIFIED", version: this.#version, object });
  }

  remove(name: string): void {
    const old = this.objects.get(name);
    if (old === undefined) return;
    this.objects.delete(name);
    const object = { ...old, metadata: { ...old.metadata, resourceVersion: String(++this.#version) } };
    this.#say({ type: "DELETED", version: this.#version, object });
  }

  bookmark(): void {
    const object = { kind: "ConfigMap", apiVersion: "v1", metadata: { resourceVersion: String(this.#version) } };
    for (const watcher of this.#watchers) watcher.write(line("BOOKMARK", object));
  }

  /** Forgets the past: watches from an older version are refused with 410 from now on. */
  compact(): void {
    this.#log = [];
    this.#oldest = this.#version;
  }

  /** Ends watches in order, as a server does after some minutes. */
  endWatches(): void {
    this.#endWatches();
  }

  /** Tells running watches that their version is too old. */
  expireWatches(): void {
    const status = { kind: "Status", code: 410, reason: "Expired", message: "too old" };
    this.#endWatches(line("ERROR", status));
  }

  readonly answer: Script = ({ query }, response) => {
    if (this.failWith !== undefined) {
      sendJson(response, this.failWith, {});
      return;
    }
    if (query["watch"] === undefined) {
      this.lists++;
      const metadata = { resourceVersion: String(this.#version) };
      sendJson(response, 200, { kind: "ConfigMapList", apiVersion: "v1", metadata, items: [...this.objects.values()] });
      return;
    }
    this.watches++;
    this.#beginWatch(Number(query["resourceVersion"]), response);
  };

  #beginWatch(version: number, response: ServerResponse): void {
    if (version < this.#oldest) {
      sendJson(response, 410, { kind: "Status", code: 410, reason: "Expired", message: "too old" });
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const event of this.#log) if (event.version > version) response.write(line(event.type, event.object));
    this.#watchers.add(response);
    response.on("close", () => this.#watchers.delete(response));
  }

  #endWatches(last = ""): void {
    for (const watcher of this.#watchers) watcher.end(last);
    this.#watchers.clear();
  }

  #say(event: LoggedEvent): void {
    if (this.losing) return;
    this.#log.push(event);
    for (const watcher of this.#watchers) watcher.write(line(event.type, event.object));
  }
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}
