import { describe, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { startWorkQueue } from "./work-queue.ts";

describe("a work queue", () => {
  test("works on a key once for many additions before it begins, and once more for those while it runs", async () => {
    const begun: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const queue = startWorkQueue({
      name: "test",
      warn: () => undefined,
      reconcile: async (key) => {
        begun.push(key);
        await promise;
      },
    });
    for (let i = 0; i < 5; i++) queue.add("a");
    await waitFor(() => begun.length === 1, { what: "the first run" });
    for (let i = 0; i < 5; i++) queue.add("a");
    expect(begun).toEqual(["a"]);
    resolve();
    await waitFor(() => begun.length === 2, { what: "the second run" });
    queue.stop();
    expect(begun).toEqual(["a", "a"]);
  });

  test("a key that fails is tried again, later and later, and holds up no other", async () => {
    const times: number[] = [];
    const done: string[] = [];
    const warnings: string[] = [];
    const queue = startWorkQueue({
      name: "test",
      workers: 1,
      warn: (line) => warnings.push(line),
      reconcile: async (key) => {
        if (key !== "bad") {
          done.push(key);
          return;
        }
        times.push(performance.now());
        if (times.length < 4) throw new Error("not yet");
      },
    });
    queue.add("bad");
    for (let i = 0; i < 20; i++) queue.add(`good${i}`);
    await waitFor(() => done.length === 20, { what: "the other keys" });
    expect(times.length).toBeLessThan(4);
    await waitFor(() => times.length === 4, { what: "the fourth try" });
    queue.stop();
    const waits = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    expect(waits[2]!).toBeGreaterThan(waits[0]!);
    expect(warnings[0]).toContain("test: bad: Error: not yet");
  });

  test("of several delays the shortest counts, and nothing runs after the stop", async () => {
    const runs: string[] = [];
    const queue = startWorkQueue({
      name: "test",
      warn: () => undefined,
      reconcile: async (key) => {
        runs.push(key);
      },
    });
    const begun = performance.now();
    queue.addAfter("a", 60_000);
    queue.addAfter("a", 20);
    queue.addAfter("a", 60_000);
    await waitFor(() => runs.length === 1, { what: "the run" });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(19);
    queue.add("b");
    queue.addAfter("c", 0);
    queue.stop();
    queue.add("d");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(runs).toEqual(["a"]);
  });
});
