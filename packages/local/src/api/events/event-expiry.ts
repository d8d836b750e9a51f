import type { Event, KubeObject } from "@bowline/kube";
import type { Store } from "../storage/store.ts";

/** How long Kubernetes keeps events. */
const EVENT_LIFE_MS = 3_600_000;
const SWEEP_MS = 60_000;

/** Removes events that have not happened again for an hour. Returns what stops it. */
export function expireEvents(store: Store): () => void {
  const timer = setInterval(() => sweepEvents(store, Date.now()), SWEEP_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** One sweep, as of `nowMs`. */
export function sweepEvents(store: Store, nowMs: number): void {
  for (const event of store.list("events")) {
    if (nowMs - lastSeenMs(event) > EVENT_LIFE_MS) store.remove("events", event);
  }
}

function lastSeenMs(object: KubeObject): number {
  const event = object as Event & { series?: { lastObservedTime?: string } };
  const times = [
    event.series?.lastObservedTime,
    event.lastTimestamp,
    event.eventTime,
    event.metadata.creationTimestamp,
  ];
  return Math.max(...times.map((time) => (typeof time === "string" ? Date.parse(time) : 0)));
}
