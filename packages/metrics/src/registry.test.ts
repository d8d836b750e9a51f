import { describe, expect, test } from "bun:test";
import type { Family } from "./family.ts";
import { Registry } from "./registry.ts";
import { mergeSnapshots, type Snapshot } from "./snapshot.ts";

const REQUESTS: Family = { name: "request_total", help: "Requests.", kind: "counter", style: "classic" };
const OPEN: Family = { name: "tcp_open_connections", help: "Open.", kind: "gauge", style: "classic" };
const LATENCY: Family = { name: "latency_ms", help: "L.", kind: "histogram", style: "classic", bounds: [1, 10] };

const RETAIN_MS = 600;

/** `family{labels}` of every series, in page order. */
function seriesOf(registry: Registry): string[] {
  return registry
    .snapshot()
    .families.flatMap(({ family, series }) => series.map((one) => `${family.name}{${one.labels}}`));
}

describe("Registry", () => {
  test("the same family and labels are the same instrument", () => {
    const registry = new Registry();
    registry.counter(REQUESTS, 'a="1"').value += 2;
    registry.counter(REQUESTS, 'a="1"').value += 3;
    registry.counter(REQUESTS, 'a="2"').value += 1;
    expect(registry.snapshot()).toEqual({
      families: [
        {
          family: REQUESTS,
          series: [
            { labels: 'a="1"', value: 5, buckets: null },
            { labels: 'a="2"', value: 1, buckets: null },
          ],
        },
      ],
    });
  });

  test("families stand in the declared order, later ones after, empty ones not at all", () => {
    const registry = new Registry([LATENCY, OPEN]);
    registry.counter(REQUESTS);
    registry.gauge(OPEN);
    expect(seriesOf(registry)).toEqual(["tcp_open_connections{}", "request_total{}"]);
    registry.histogram(LATENCY);
    expect(seriesOf(registry)).toEqual(["latency_ms{}", "tcp_open_connections{}", "request_total{}"]);
  });

  test("a series can be removed and made anew", () => {
    const registry = new Registry();
    const first = registry.counter(REQUESTS);
    registry.remove(REQUESTS);
    expect(seriesOf(registry)).toEqual([]);
    expect(registry.counter(REQUESTS)).not.toBe(first);
  });

  test("a snapshot is plain data and keeps its moment", () => {
    const registry = new Registry();
    const histogram = registry.histogram(LATENCY, 'a="1"');
    histogram.observe(5);
    const snapshot = registry.snapshot();
    histogram.observe(50);
    expect(structuredClone(snapshot)).toEqual(snapshot);
    expect(snapshot.families[0]?.series).toEqual([{ labels: 'a="1"', value: 5, buckets: [0, 1, 0] }]);
  });

  const bad: { name: string; family: Family }[] = [
    { name: "the wrong kind", family: OPEN },
    { name: "a bad name", family: { ...REQUESTS, name: "no spaces" } },
    { name: "bounds of a counter", family: { ...REQUESTS, name: "x", bounds: [1] } },
  ];
  for (const { name, family } of bad) {
    test(`${name} is our bug`, () => {
      expect(() => new Registry().counter(family)).toThrow();
    });
  }

  test.each([[[2, 1]], [[1, 1]], [[Number.POSITIVE_INFINITY]]])("bounds %p are our bug", (bounds) => {
    expect(() => new Registry().histogram({ ...LATENCY, bounds })).toThrow();
  });
});

describe("groups of series", () => {
  test("go once their values have stood still for longer than the retention", () => {
    const registry = new Registry();
    let dropped = 0;
    const group = registry.group(() => dropped++);
    const counter = group.counter(REQUESTS, 'a="1"');
    group.histogram(LATENCY, 'a="1"');
    registry.counter(REQUESTS, 'a="stays"');

    expect(registry.expire(1000, RETAIN_MS)).toBe(0);
    counter.value += 1;
    expect(registry.expire(1500, RETAIN_MS)).toBe(0);
    expect(registry.expire(2100, RETAIN_MS)).toBe(0);
    expect(group.dropped).toBe(false);
    expect(registry.expire(2101, RETAIN_MS)).toBe(1);
    expect(seriesOf(registry)).toEqual(['request_total{a="stays"}']);
    expect({ dropped, state: group.dropped }).toEqual({ dropped: 1, state: true });
    expect(registry.expire(9000, RETAIN_MS)).toBe(0);
    expect(() => group.pin()).toThrow();
    expect(() => group.counter(REQUESTS)).toThrow();
  });

  test("are used while pinned, and for the retention after", () => {
    const registry = new Registry();
    const group = registry.group();
    group.gauge(OPEN).value = 1;
    group.pin();
    group.pin();
    registry.expire(0, RETAIN_MS);
    expect(registry.expire(5000, RETAIN_MS)).toBe(0);
    group.unpin();
    expect(registry.expire(10_000, RETAIN_MS)).toBe(0);
    group.unpin();
    expect(() => group.unpin()).toThrow();
    expect(registry.expire(10_600, RETAIN_MS)).toBe(0);
    expect(registry.expire(10_601, RETAIN_MS)).toBe(1);
  });

  test("retired, go at once when others stand for all of their series, and else expire", () => {
    const registry = new Registry();
    const [old, other] = [registry.group(), registry.group()];
    for (const group of [old, other]) {
      group.counter(REQUESTS, 'a="1"').value += 1;
      group.pin();
    }
    old.retire();
    expect([old.dropped, seriesOf(registry)]).toEqual([true, ['request_total{a="1"}']]);
    other.retire();
    expect([other.dropped, seriesOf(registry)]).toEqual([false, ['request_total{a="1"}']]);
    registry.expire(0, RETAIN_MS);
    expect([registry.expire(RETAIN_MS + 1, RETAIN_MS), seriesOf(registry)]).toEqual([1, []]);
  });

  test("unpinned for the retention, expire although others' doing changes their values", () => {
    const registry = new Registry();
    const [old, other] = [registry.group(), registry.group()];
    old.counter(REQUESTS);
    const shared = other.counter(REQUESTS);
    other.pin();
    let dropped = 0;
    for (let nowMs = 0; nowMs <= 2 * RETAIN_MS; nowMs += RETAIN_MS / 4) {
      shared.value += 1;
      dropped += registry.expire(nowMs, RETAIN_MS);
    }
    expect([dropped, old.dropped, other.dropped]).toEqual([1, true, false]);
    expect(seriesOf(registry)).toEqual(["request_total{}"]);
  });

  const changes: { name: string; change: (group: ReturnType<Registry["group"]>) => void }[] = [
    { name: "a counter", change: (group) => (group.counter(REQUESTS).value += 1) },
    { name: "a gauge", change: (group) => (group.gauge(OPEN).value -= 1) },
    { name: "an observation of 0", change: (group) => group.histogram(LATENCY).observe(0) },
    {
      name: "a connection that closes: one count up, the gauge down",
      change: (group) => {
        group.counter(REQUESTS).value += 1;
        group.gauge(OPEN).value -= 1;
      },
    },
  ];
  for (const { name, change } of changes) {
    test(`are used by ${name}`, () => {
      const registry = new Registry();
      const group = registry.group();
      group.counter(REQUESTS);
      group.gauge(OPEN).value = 1;
      group.histogram(LATENCY);
      registry.expire(0, RETAIN_MS);
      change(group);
      expect(registry.expire(1000, RETAIN_MS)).toBe(0);
      expect(registry.expire(2000, RETAIN_MS)).toBe(1);
    });
  }

  test("share a series: it goes with the last of them, or never if asked for outside", () => {
    const registry = new Registry();
    const [a, b] = [registry.group(), registry.group()];
    expect(a.counter(REQUESTS, 'x="1"')).toBe(b.counter(REQUESTS, 'x="1"'));
    a.counter(REQUESTS, 'x="1"');
    a.counter(REQUESTS, 'x="2"');
    registry.counter(REQUESTS, 'x="2"');
    b.pin();
    registry.expire(0, RETAIN_MS);
    expect(registry.expire(1000, RETAIN_MS)).toBe(1);
    expect(seriesOf(registry)).toEqual(['request_total{x="1"}', 'request_total{x="2"}']);
    b.unpin();
    expect(registry.expire(2000, RETAIN_MS)).toBe(1);
    expect(seriesOf(registry)).toEqual(['request_total{x="2"}']);
  });
});

describe("mergeSnapshots", () => {
  test("sums equal series of several threads and keeps the rest, in order of appearance", () => {
    const thread = (n: number): Snapshot => {
      const registry = new Registry([REQUESTS, OPEN, LATENCY]);
      registry.counter(REQUESTS, 'a="shared"').value = n;
      registry.counter(REQUESTS, `a="${n}"`).value = n;
      registry.gauge(OPEN).value = 10 * n;
      const histogram = registry.histogram(LATENCY);
      histogram.observe(n);
      histogram.observe(100);
      return registry.snapshot();
    };
    expect(mergeSnapshots([thread(1), thread(2)])).toEqual({
      families: [
        {
          family: REQUESTS,
          series: [
            { labels: 'a="shared"', value: 3, buckets: null },
            { labels: 'a="1"', value: 1, buckets: null },
            { labels: 'a="2"', value: 2, buckets: null },
          ],
        },
        { family: OPEN, series: [{ labels: "", value: 30, buckets: null }] },
        { family: LATENCY, series: [{ labels: "", value: 203, buckets: [1, 1, 2] }] },
      ],
    });
  });

  test("takes the greatest where a sum would say nothing", () => {
    const since: Family = { name: "since_seconds", help: "When", kind: "gauge", style: "openmetrics", merge: "max" };
    const thread = (value: number): Snapshot => {
      const registry = new Registry();
      registry.gauge(since).value = value;
      return registry.snapshot();
    };
    for (const [a, b] of [
      [7, 5],
      [5, 7],
    ] as const) {
      const [only] = mergeSnapshots([thread(a), thread(b)]).families;
      expect(only?.series).toEqual([{ labels: "", value: 7, buckets: null }]);
    }
  });

  test("of nothing is nothing", () => {
    expect(mergeSnapshots([])).toEqual({ families: [] });
  });
});
