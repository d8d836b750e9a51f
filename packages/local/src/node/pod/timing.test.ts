import { expect, test } from "bun:test";
import { Alarm } from "./alarm.ts";
import { Deadline } from "./deadline.ts";
import { StatusWriter } from "./status-writer.ts";

test("an alarm goes off for the first who asked, once", async () => {
  let rings = 0;
  const rung = Promise.withResolvers<void>();
  const alarm = new Alarm(() => {
    rings += 1;
    rung.resolve();
  });
  alarm.in(60_000);
  alarm.in(5);
  alarm.in(30_000);
  await rung.promise;
  expect(rings).toBe(1);
  const again = Promise.withResolvers<void>();
  const second = new Alarm(() => again.resolve());
  second.in(60_000);
  second.clear();
  second.in(5);
  await again.promise;
});

test("a deadline comes sooner, never later; 0 means force", async () => {
  const deadline = new Deadline(60_000);
  deadline.shorten(5);
  deadline.shorten(30_000);
  await deadline.reached;
  expect(deadline.remainingMs).toBe(0);
  expect(deadline.isForced).toBe(false);
  deadline.shorten(0);
  await deadline.forced;
  expect(deadline.isForced).toBe(true);
  expect(new Deadline(0).isForced).toBe(true);
});

test("many wishes while something is written are one more writing, with the last state", async () => {
  const written: number[] = [];
  const gates: (() => void)[] = [];
  let state = 0;
  const writer = new StatusWriter(
    async () => {
      const now = state;
      await new Promise<void>((resolve) => gates.push(resolve));
      written.push(now);
    },
    () => undefined,
  );
  const all = [1, 2, 3].map((value) => {
    state = value;
    return writer.request();
  });
  while (gates.length > 0) {
    gates.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
  }
  await Promise.all(all);
  expect(written).toEqual([1, 3]);
});

test("what fails is told, and the next wish is granted", async () => {
  const errors: unknown[] = [];
  let fail = true;
  const writer = new StatusWriter(
    () => (fail ? Promise.reject(new Error("no")) : Promise.resolve()),
    (error) => errors.push(error),
  );
  await writer.request();
  fail = false;
  await writer.request();
  expect(errors).toHaveLength(1);
});
