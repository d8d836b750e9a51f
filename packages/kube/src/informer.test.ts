import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rejectionOf, waitFor } from "@bowline/testkit";
import fc from "fast-check";
import { KubeClient } from "./client.ts";
import { Informer, type InformerOptions } from "./informer.ts";
import type { Change } from "./informer-store.ts";
import { RESOURCES } from "./resources.ts";
import { FakeCollection } from "./testing/fake-collection.ts";
import { plainConfig, type ScriptedServer, startScriptedServer } from "./testing/scripted-server.ts";
import type { ConfigMap } from "./types.ts";

let api: FakeCollection;
let server: ScriptedServer;
let client: KubeClient;
const started = new Set<Informer<ConfigMap>>();

beforeEach(async () => {
  api = new FakeCollection();
  server = await startScriptedServer(api.answer);
  client = new KubeClient(plainConfig(server.url));
});
afterEach(async () => {
  for (const informer of started) await informer.stop();
  started.clear();
  await server[Symbol.asyncDispose]();
});

function inform(options: InformerOptions<ConfigMap> = {}): Informer<ConfigMap> {
  const backoff = { minMs: 2, maxMs: 10 };
  const informer = new Informer<ConfigMap>(client, RESOURCES.configmaps, { backoff, ...options });
  started.add(informer);
  informer.start();
  return informer;
}

async function until(condition: () => boolean, what = "the condition"): Promise<void> {
  await waitFor(condition, { what, intervalMs: 1 });
}

/** What somebody who only hears of changes believes; complains of changes that can't be. */
class Follower {
  readonly seen: string[] = [];
  readonly #objects = new Map<string, ConfigMap>();

  readonly hear = ({ type, object, old }: Change<ConfigMap>): void => {
    const { name } = object.metadata;
    this.seen.push(`${type} ${name}`);
    expect(old).toBe(this.#objects.get(name));
    expect(type === "ADDED").toBe(old === undefined);
    if (type === "DELETED") this.#objects.delete(name);
    else this.#objects.set(name, object);
  };

  get state(): Record<string, string> {
    return stateOf([...this.#objects.values()]);
  }
}

function stateOf(objects: readonly ConfigMap[]): Record<string, string> {
  const pairs = objects.map(({ metadata, data }) => [metadata.name, `${metadata.uid} ${data?.["value"]}`] as const);
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isCurrent(informer: Informer<ConfigMap>): boolean {
  return Bun.deepEquals(stateOf(informer.list()), stateOf([...api.objects.values()]));
}

test("a list, then changes, told with what was before", async () => {
  api.put("a", "1");
  const follower = new Follower();
  const informer = inform({ onChange: follower.hear });
  expect(informer.isSynced).toBe(false);
  await informer.synced;
  expect([informer.isSynced, informer.size]).toEqual([true, 1]);
  await until(() => api.watchers === 1, "the watch");
  api.put("a", "2");
  api.put("b", "1");
  api.bookmark();
  api.remove("a");
  await until(() => isCurrent(informer) && follower.seen.length === 4, "the changes");
  expect(follower.seen).toEqual(["ADDED a", "MODIFIED a", "ADDED b", "DELETED a"]);
  expect(informer.get("shop", "b")?.data).toEqual({ value: "1" });
  expect(informer.get("shop", "a")).toBeUndefined();
  expect(informer.list("shop")).toHaveLength(1);
  expect(informer.list("elsewhere")).toEqual([]);
  expect(api.lists).toBe(1);
});

test("who subscribes later hears of all there is, and who unsubscribes of nothing more", async () => {
  api.put("a", "1");
  const informer = inform();
  await informer.synced;
  const follower = new Follower();
  const unsubscribe = informer.subscribe(follower.hear);
  expect(follower.seen).toEqual(["ADDED a"]);
  unsubscribe();
  await until(() => api.watchers === 1);
  api.put("b", "1");
  await until(() => informer.size === 2);
  expect(follower.seen).toEqual(["ADDED a"]);
});

test("indexes follow changes", async () => {
  api.put("a", "x,y");
  api.put("b", "y");
  const informer = inform({ indexes: { part: ({ data }) => data?.["value"]?.split(",") ?? [] } });
  await informer.synced;
  const names = (key: string): string[] => informer.byIndex("part", key).map(({ metadata }) => metadata.name);
  expect([names("x"), names("y"), names("z")]).toEqual([["a"], ["a", "b"], []]);
  await until(() => api.watchers === 1);
  api.put("a", "z");
  api.remove("b");
  await until(() => isCurrent(informer));
  expect([names("x"), names("y"), names("z")]).toEqual([[], [], ["a"]]);
  expect(() => informer.byIndex("none", "x")).toThrow(/no index "none"/);
});

test("an object of the same name and another uid is two changes", async () => {
  api.put("a", "1");
  const follower = new Follower();
  const informer = inform({ onChange: follower.hear, relistMs: 20 });
  await informer.synced;
  await until(() => api.watchers === 1);
  api.losing = true;
  api.remove("a");
  api.put("a", "1");
  await until(() => isCurrent(informer));
  expect(follower.seen).toEqual(["ADDED a", "DELETED a", "ADDED a"]);
});

test("only what transform leaves is kept", async () => {
  api.put("a", "big");
  const informer = inform({
    transform: ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, metadata }) as ConfigMap,
  });
  await informer.synced;
  expect(informer.list()).toEqual([{ apiVersion: "v1", kind: "ConfigMap", metadata: expect.anything() }]);
});

describe("what goes wrong heals", () => {
  test("a dropped connection: the watch goes on where it was, without a list", async () => {
    const informer = inform();
    await informer.synced;
    for (const value of ["1", "2", "3"]) {
      await until(() => api.watchers === 1);
      server.dropConnections();
      api.put("a", value);
      await until(() => isCurrent(informer));
    }
    expect(api.lists).toBe(1);
  });

  test("410 at a watch's beginning, and in the middle of it", async () => {
    const errors: unknown[] = [];
    const informer = inform({ onError: (error) => errors.push(error) });
    await informer.synced;
    await until(() => api.watchers === 1);
    api.losing = true;
    api.put("a", "1");
    api.compact();
    api.endWatches();
    await until(() => isCurrent(informer), "the list after the first 410");
    await until(() => api.watchers === 1);
    api.put("b", "1");
    api.expireWatches();
    await until(() => isCurrent(informer), "the list after the second 410");
    expect(errors).toEqual([]);
  });

  test("a lost event, by the next list", async () => {
    const follower = new Follower();
    const informer = inform({ onChange: follower.hear, relistMs: 30 });
    await informer.synced;
    await until(() => api.watchers === 1);
    api.losing = true;
    api.put("a", "1");
    await until(() => isCurrent(informer));
    api.remove("a");
    await until(() => isCurrent(informer));
    expect(follower.seen).toEqual(["ADDED a", "DELETED a"]);
  });

  test("a server that fails for a while, which onError hears of", async () => {
    api.failWith = 500;
    const errors: unknown[] = [];
    const informer = inform({ onError: (error) => errors.push(error) });
    await until(() => errors.length >= 3);
    expect(errors[0]).toMatchObject({ name: "ApiError", code: 500 });
    expect(informer.isSynced).toBe(false);
    api.put("a", "1");
    api.failWith = undefined;
    await informer.synced;
    expect(informer.size).toBe(1);
  });

  test("a server that ends every watch at once is not asked without a pause", async () => {
    const informer = inform({ backoff: { minMs: 40, maxMs: 40 } });
    await informer.synced;
    const ending = setInterval(() => api.endWatches(), 1);
    const watchesBefore = api.watches;
    const beganMs = performance.now();
    await until(() => api.watches - watchesBefore >= 4);
    clearInterval(ending);
    expect(performance.now() - beganMs).toBeGreaterThan(3 * 40 * 0.8 - 5);
  });
});

test("stop ends the watch and the telling", async () => {
  const follower = new Follower();
  const informer = inform({ onChange: follower.hear });
  await informer.synced;
  await until(() => api.watchers === 1);
  await informer.stop();
  await until(() => api.watchers === 0, "the watch's end");
  api.put("a", "1");
  expect(follower.seen).toEqual([]);
});

test("an informer that is stopped before it has synced says so", async () => {
  api.failWith = 500;
  const informer = inform();
  await informer.stop();
  expect((await rejectionOf(informer.synced)).message).toMatch("the informer of configmaps was stopped");
});

const NAME = fc.constantFrom("a", "b", "c");
const STEP = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("put" as const), name: NAME, value: fc.constantFrom("1", "2") }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), name: NAME }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("drop", "end", "expire", "compact", "lose", "tell", "bookmark", "breathe", "break", "mend"),
    }),
  },
);

test("whatever happens, the copy becomes what the server has, and changes add up to it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 40 }), async (steps) => {
      api = new FakeCollection();
      server.script = api.answer;
      const follower = new Follower();
      const informer = inform({ onChange: follower.hear, relistMs: 15 });
      for (const step of steps) {
        switch (step.do) {
          case "put":
            api.put(step.name, step.value);
            break;
          case "remove":
            api.remove(step.name);
            break;
          case "drop":
            server.dropConnections();
            break;
          case "end":
            api.endWatches();
            break;
          case "expire":
            api.expireWatches();
            break;
          case "compact":
            api.compact();
            break;
          case "lose":
          case "tell":
            api.losing = step.do === "lose";
            break;
          case "bookmark":
            api.bookmark();
            break;
          case "break":
            api.failWith = 503;
            break;
          case "mend":
            api.failWith = undefined;
            break;
          default:
            await Bun.sleep(1);
        }
      }
      api.failWith = undefined;
      await until(() => informer.isSynced && isCurrent(informer), "the copy");
      expect(follower.state).toEqual(stateOf(informer.list()));
      await informer.stop();
      started.delete(informer);
    }),
    { numRuns: 60 },
  );
}, 30_000);
