import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Store } from "../storage/store.ts";
import { sweepEvents } from "./event-expiry.ts";

test("events go an hour after they were last seen", () => {
  const directory = mkdtempSync(join(tmpdir(), "bowline-events-"));
  const store = new Store(join(directory, "cluster.sqlite"));
  const nowMs = Date.parse("2030-01-01T12:00:00Z");
  const rows: [name: string, times: object, kept: boolean][] = [
    ["fresh", { lastTimestamp: "2030-01-01T11:30:00Z" }, true],
    ["old", { lastTimestamp: "2030-01-01T10:30:00Z" }, false],
    [
      "repeated",
      { eventTime: "2030-01-01T09:00:00.000000Z", series: { lastObservedTime: "2030-01-01T11:59:00.000000Z" } },
      true,
    ],
    ["once", { eventTime: "2030-01-01T09:00:00.000000Z", lastTimestamp: null }, false],
  ];
  for (const [name, times] of rows) {
    const metadata = { name, namespace: "default", creationTimestamp: "2030-01-01T09:00:00Z" };
    store.insert("events", { apiVersion: "v1", kind: "Event", metadata, ...times });
  }
  sweepEvents(store, nowMs);
  const kept = store.list("events").map(({ metadata }) => metadata.name);
  expect(kept).toEqual(rows.filter(([, , stays]) => stays).map(([name]) => name));
  store.close();
  rmSync(directory, { recursive: true, force: true });
});
