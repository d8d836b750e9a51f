import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeObject } from "@bowline/kube";
import fc from "fast-check";
import type { Change } from "./change-log.ts";
import { Store } from "./store.ts";

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function newPath(): string {
  const directory = mkdtempSync(join(tmpdir(), "bowline-store-"));
  directories.push(directory);
  return join(directory, "cluster.sqlite");
}

function object(namespace: string, name: string, value = 0): KubeObject {
  return { apiVersion: "v1", kind: "Thing", metadata: { namespace, name }, value };
}

describe("writes", () => {
  test("count one version up each, and give it to the object", () => {
    const store = new Store(newPath());
    const first = store.version;
    const a = store.insert("things", object("ns", "a"));
    expect(a?.metadata.resourceVersion).toBe(String(first + 1));
    expect(store.insert("things", object("ns", "a"))).toBeUndefined();
    const changed = store.replace("things", a!, object("ns", "a", 1));
    expect(changed?.metadata.resourceVersion).toBe(String(first + 2));
    expect(store.replace("things", a!, object("ns", "a", 2))).toBeUndefined();
    expect(store.remove("things", a!)).toBeUndefined();
    expect(store.remove("things", changed!)?.metadata.resourceVersion).toBe(String(first + 3));
    expect(store.list("things")).toEqual([]);
    expect(store.version).toBe(first + 3);
    store.close();
  });

  test("freeze what they store, through and through", () => {
    const store = new Store(newPath());
    const stored = store.insert("things", { ...object("ns", "a"), spec: { list: [{ deep: 1 }] } })!;
    const { list } = stored["spec"] as { list: { deep: number }[] };
    expect(() => {
      list[0]!.deep = 2;
    }).toThrow(TypeError);
    store.close();
  });
});

describe("reads", () => {
  test("are in order, by namespace and by owner", () => {
    const store = new Store(newPath());
    const owned = { ...object("b", "2"), metadata: { namespace: "b", name: "2", ownerReferences: [owner("u1")] } };
    store.insert("things", object("b", "10"));
    store.insert("things", owned);
    store.insert("things", object("a", "3"));
    store.insert("others", object("a", "0"));
    const names = (objects: KubeObject[]): string[] =>
      objects.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    expect(names(store.list("things"))).toEqual(["a/3", "b/10", "b/2"]);
    expect(names(store.list("things", "b"))).toEqual(["b/10", "b/2"]);
    expect(names(store.list("things", "c"))).toEqual([]);
    expect(names(store.ownedBy("things", "u1"))).toEqual(["b/2"]);
    const old = store.get("things", "b", "2")!;
    store.replace("things", old, { ...old, metadata: { ...old.metadata, ownerReferences: [owner("u2")] } });
    expect(store.ownedBy("things", "u1")).toEqual([]);
    expect(names(store.ownedBy("things", "u2"))).toEqual(["b/2"]);
    store.close();
  });

  test("of past changes give those of the type after a version, or nothing when some are forgotten", () => {
    const store = new Store(newPath(), { changesMax: 4 });
    const start = store.version;
    for (let i = 0; i < 3; i++) store.insert("things", object("ns", `t${i}`));
    store.insert("others", object("ns", "o"));
    const after = (version: number): string[] | undefined =>
      store.changesAfter(version, "things")?.map((change) => change.object.metadata.name);
    expect(after(start)).toEqual(["t0", "t1", "t2"]);
    expect(after(start + 2)).toEqual(["t2"]);
    expect(after(start + 4)).toEqual([]);
    store.insert("things", object("ns", "t3"));
    expect(after(start)).toBeUndefined();
    expect(after(start + 1)).toEqual(["t1", "t2", "t3"]);
    store.close();
  });
});

type Step = readonly [kind: "put" | "drop" | "reopen", namespace: string, name: string];

const steps = fc.array(
  fc.tuple(
    fc.constantFrom("put", "put", "put", "drop", "reopen"),
    fc.constantFrom("a", "b"),
    fc.constantFrom("x", "y", "z"),
  ) as fc.Arbitrary<Step>,
  { maxLength: 30 },
);

describe("a store", () => {
  test("holds what a map would, over any writes and re-openings, and tells each change once", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const path = newPath();
        let store = new Store(path);
        const model = new Map<string, string>();
        const told = new Map<string, string>();
        const listen = (): (() => void) => store.listen("things", (change) => note(told, change));
        let unlisten = listen();
        for (const [kind, namespace, name] of list) {
          const old = store.get("things", namespace, name);
          if (kind === "put") {
            const stored =
              old === undefined ? store.insert("things", object(namespace, name)) : store.replace("things", old, old);
            model.set(`${namespace}/${name}`, stored!.metadata.resourceVersion!);
          } else if (kind === "drop" && old !== undefined) {
            store.remove("things", old);
            model.delete(`${namespace}/${name}`);
          } else if (kind === "reopen") {
            const { version } = store;
            unlisten();
            store.close();
            store = new Store(path);
            expect(store.version).toBe(version);
            unlisten = listen();
          }
        }
        const stored = new Map(
          store
            .list("things")
            .map((each) => [`${each.metadata.namespace}/${each.metadata.name}`, each.metadata.resourceVersion!]),
        );
        store.close();
        expect(stored).toEqual(model);
        expect(told).toEqual(model);
      }),
      { numRuns: 25 },
    );
  });

  test("refuses to be opened twice", () => {
    const path = newPath();
    const store = new Store(path);
    const script = `import { Store } from ${JSON.stringify(join(import.meta.dir, "store.ts"))}; new Store(${JSON.stringify(path)});`;
    const second = Bun.spawnSync([process.execPath, "-e", script], { stderr: "pipe" });
    expect(second.exitCode).not.toBe(0);
    expect(second.stderr.toString()).toContain("cannot open the cluster's state");
    store.close();
  });

  test("has every write that was acknowledged before a kill -9", async () => {
    const path = newPath();
    const script = `
      import { Store } from ${JSON.stringify(join(import.meta.dir, "store.ts"))};
      const store = new Store(${JSON.stringify(path)});
      let object = store.insert("things", { apiVersion: "v1", kind: "Thing", metadata: { name: "counter" }, text: "x".repeat(2000) });
      for (;;) {
        object = store.replace("things", object, object);
        process.stdout.write(object.metadata.resourceVersion + "\\n");
        if (Number(object.metadata.resourceVersion) % 50 === 0) await Bun.sleep(0);
      }`;
    for (let round = 0; round < 3; round++) {
      rmSync(path, { force: true });
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
      let acknowledged = 0;
      let text = "";
      for await (const chunk of child.stdout) {
        text += new TextDecoder().decode(chunk);
        const lines = text.split("\n");
        acknowledged = Number(lines.at(-2) ?? "0");
        if (acknowledged > 200 * (round + 1)) child.kill("SIGKILL");
      }
      await child.exited;
      const store = new Store(path);
      const { version } = store;
      const stored = Number(store.get("things", "", "counter")?.metadata.resourceVersion);
      store.close();
      expect(acknowledged).toBeGreaterThan(200);
      expect(stored).toBeGreaterThanOrEqual(acknowledged);
      expect(version).toBe(stored);
      for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
    }
  }, 20_000);
});

function owner(uid: string): { apiVersion: string; kind: string; name: string; uid: string } {
  return { apiVersion: "v1", kind: "Owner", name: "o", uid };
}

function note(told: Map<string, string>, { kind, object: { metadata } }: Change): void {
  const key = `${metadata.namespace}/${metadata.name}`;
  if (kind === "DELETED") told.delete(key);
  else told.set(key, metadata.resourceVersion!);
}
