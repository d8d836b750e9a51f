import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:tls";
import { RunningApi, type SentEvent } from "../testing/running-api.ts";

let api: RunningApi;

beforeAll(async () => {
  api = await RunningApi.start();
});

afterAll(async () => {
  await api.stop();
});

let namespaces = 0;

/** Path of the ConfigMaps of a namespace that nothing else uses. */
async function newPath(): Promise<string> {
  const name = `watched-${namespaces++}`;
  await api.ask("POST", "/api/v1/namespaces", { body: { apiVersion: "v1", kind: "Namespace", metadata: { name } } });
  return `/api/v1/namespaces/${name}/configmaps`;
}

function configMap(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels } };
}

async function take(events: AsyncGenerator<SentEvent>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const next = await events.next();
    if (next.done === true) break;
    taken.push(`${next.value.type} ${next.value.object.metadata.name ?? ""}`.trim());
  }
  return taken;
}

async function versionOf(path: string): Promise<string> {
  return (await api.ask("GET", path)).body.metadata.resourceVersion ?? "";
}

describe("a watch", () => {
  test("begins with what there is and goes on with changes", async () => {
    const path = await newPath();
    await api.ask("POST", path, { body: configMap("a") });
    const events = api.watch(`${path}?watch=true`);
    expect(await take(events, 1)).toEqual(["ADDED a"]);
    await api.ask("POST", path, { body: configMap("b") });
    await api.ask("PUT", `${path}/a`, { body: configMap("a", { x: "y" }) });
    await api.ask("DELETE", `${path}/b`);
    expect(await take(events, 3)).toEqual(["ADDED b", "MODIFIED a", "DELETED b"]);
    await events.return(undefined);
  });

  test("from a version misses and repeats nothing", async () => {
    const path = await newPath();
    await api.ask("POST", path, { body: configMap("before") });
    const version = await versionOf(path);
    for (const name of ["a", "b", "c"]) await api.ask("POST", path, { body: configMap(name) });
    const events = api.watch(`${path}?watch=1&resourceVersion=${version}`);
    expect(await take(events, 3)).toEqual(["ADDED a", "ADDED b", "ADDED c"]);
    await api.ask("DELETE", `${path}/before`);
    expect(await take(events, 1)).toEqual(["DELETED before"]);
    await events.return(undefined);
  });

  test("with a selector tells of what comes into it and leaves it", async () => {
    const path = await newPath();
    await api.ask("POST", path, { body: configMap("a", { app: "x" }) });
    const version = await versionOf(path);
    const events = api.watch(`${path}?watch=1&labelSelector=app%3Dx&resourceVersion=${version}`);
    const steps: [name: string, app: string][] = [
      ["a", "y"],
      ["b", "x"],
      ["a", "x"],
      ["b", "x2"],
    ];
    for (const [name, app] of steps) {
      const answer = await api.ask("PUT", `${path}/${name}`, { body: configMap(name, { app }) });
      if (answer.code === 404) await api.ask("POST", path, { body: configMap(name, { app }) });
    }
    await api.ask("DELETE", `${path}/a`);
    expect(await take(events, 5)).toEqual(["DELETED a", "ADDED b", "ADDED a", "DELETED b", "DELETED a"]);
    await events.return(undefined);
  });

  test("as client-go begins one instead of a list, ends the beginning with a bookmark", async () => {
    const path = await newPath();
    await api.ask("POST", path, { body: configMap("a") });
    const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    const events = api.watch(`${path}?${query}`);
    expect(await take(events, 1)).toEqual(["ADDED a"]);
    const { value } = (await events.next()) as { value: SentEvent };
    expect(value.type).toBe("BOOKMARK");
    expect(value.object.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
    expect(value.object.metadata.resourceVersion).toBe(await versionOf(path));
    await events.return(undefined);
    expect((await api.ask("GET", `${path}?watch=1&sendInitialEvents=true`)).code).toBe(400);
  });

  test("as a table names its columns once", async () => {
    const path = await newPath();
    const version = await versionOf(path);
    const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    const events = api.watch(`${path}?watch=1&resourceVersion=${version}`, { headers });
    await api.ask("POST", path, { body: configMap("a") });
    await api.ask("POST", path, { body: configMap("b") });
    const tables = [await events.next(), await events.next()].map(({ value }) => (value as SentEvent).object);
    expect(tables.map(({ kind }) => kind)).toEqual(["Table", "Table"]);
    const columns = tables.map((table) => (table["columnDefinitions"] as unknown[] | undefined)?.length ?? 0);
    expect(columns[0]).toBeGreaterThan(0);
    expect(columns[1]).toBe(0);
    expect(tables[1]?.["rows"]).toEqual([
      expect.objectContaining({ cells: expect.arrayContaining(["b"]) as string[] }),
    ]);
    await events.return(undefined);
  });

  test("ends in good order when its time is over", async () => {
    const path = await newPath();
    const events = api.watch(`${path}?watch=1&timeoutSeconds=1`);
    expect(await take(events, 1)).toEqual([]);
  });

  test("from a version of before a restart, or one to come, is told to begin anew", async () => {
    const own = await RunningApi.start();
    const version = (await own.ask("GET", "/api/v1/namespaces")).body.metadata.resourceVersion;
    await own.ask("POST", "/api/v1/namespaces/default/configmaps", { body: configMap("a") });
    const again = await own.restart();
    const old = await again.ask("GET", `/api/v1/namespaces?watch=1&resourceVersion=${version}`);
    expect([old.code, old.body.reason]).toEqual([410, "Expired"]);
    const future = await again.ask("GET", "/api/v1/namespaces?watch=1&resourceVersion=999999");
    expect([future.code, future.body.reason]).toEqual([410, "Expired"]);
    expect((await again.ask("GET", "/api/v1/namespaces/default/configmaps/a")).code).toBe(200);
    await again.stop();
  });

  test("of one who does not read is cut off before it fills the memory", async () => {
    const path = await newPath();
    const socket = connect({ host: "127.0.0.1", port: api.server.port, ca: api.server.caPem });
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.on("close", () => resolve());
    socket.on("error", () => resolve());
    const lines = [`GET ${path}?watch=1 HTTP/1.1`, "Host: x", `Authorization: Bearer ${api.server.adminToken}`];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    socket.pause();
    const data = { text: "x".repeat(1_000_000) };
    await api.ask("POST", path, { body: configMap("big") });
    for (let i = 0; i < 60; i++) {
      const body = { ...configMap("big"), data: { ...data, i: String(i) } };
      expect((await api.ask("PUT", `${path}/big`, { body })).code).toBe(200);
    }
    socket.resume();
    await closed;
    // It got some of the sixty megabytes, and then a broken connection in place of an end.
    expect(socket.bytesRead).toBeLessThan(50_000_000);
  }, 20_000);

  test("of many who leave at once leaves nothing behind", async () => {
    const path = await newPath();
    const watches = Array.from({ length: 40 }, () => api.watch(`${path}?watch=1`));
    await api.ask("POST", path, { body: configMap("a") });
    await Promise.all(watches.map((events) => take(events, 1)));
    await Promise.all(watches.map((events) => events.return(undefined)));
    await api.ask("DELETE", `${path}/a`);
    expect((await api.ask("GET", path)).body.items).toEqual([]);
    expect(api.warnings).toEqual([]);
  });
});
