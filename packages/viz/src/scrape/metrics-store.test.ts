import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HISTORY_SCRAPES } from "./growth-rings.ts";
import { MetricsStore, WINDOW_MAX_MS } from "./metrics-store.ts";

const SELECTION = { match: [{ label: "direction", is: "inbound" }], groupBy: ["deployment"] } as const;
const LABELS = { namespace: "emojivoto", deployment: "web", pod: "web-1" };

/** A store whose clock the test moves, in seconds. */
function storeAt(startSeconds: number): { store: MetricsStore; clock: { seconds: number } } {
  const clock = { seconds: startSeconds };
  return { clock, store: new MetricsStore({ now: () => clock.seconds * 1000, staleMs: 20_000 }) };
}

function page(counts: {
  success?: number;
  failure?: number;
  buckets?: readonly number[];
  open?: number;
  read?: number;
  started?: number;
}): string {
  const lines = [`process_start_time_seconds ${counts.started ?? 1}`];
  const line = (name: string, labels: string, value: number | undefined): void => {
    if (value !== undefined) lines.push(`${name}{direction="inbound",${labels}} ${value}`);
  };
  line("response_total", 'classification="success"', counts.success);
  line("response_total", 'classification="failure"', counts.failure);
  line("tcp_open_connections", 'peer="src"', counts.open);
  line("tcp_read_bytes_total", 'peer="src"', counts.read);
  if (counts.buckets !== undefined) {
    lines.unshift("# TYPE response_latency_ms histogram");
    const bounds = ["1", "10", "100", "+Inf"];
    let sum = 0;
    for (const [i, count] of counts.buckets.entries()) {
      sum += count;
      line("response_latency_ms_bucket", `le="${bounds[i]}"`, sum);
    }
    line("response_latency_ms_sum", "", 0);
    line("response_latency_ms_count", "", sum);
  }
  return `${lines.join("\n").replaceAll(",}", "}")}\n`;
}

async function responses(store: MetricsStore, windowMs = 60_000): Promise<unknown> {
  return (await store.responses(SELECTION, windowMs)).map(({ value }) => value);
}

describe("responses in a window", () => {
  test("are what the counters grew by since the last scrape before it", async () => {
    const { store, clock } = storeAt(1000);
    for (const success of [100, 150, 250, 270]) {
      expect(store.add("a", LABELS, page({ success, failure: success / 10 }))).toBeNull();
      clock.seconds += 30;
    }
    // Now is 1120; the window begins at 1060, where the counter was at 250.
    expect(await responses(store)).toEqual([{ success: 20, failure: 2, seconds: 30 }]);
  });

  test("begin with the first scrape when there is none before the window, and count the time since", async () => {
    const { store, clock } = storeAt(1000);
    store.add("a", LABELS, page({ success: 100 }));
    clock.seconds += 10;
    store.add("a", LABELS, page({ success: 150 }));
    expect(await responses(store)).toEqual([{ success: 50, failure: 0, seconds: 10 }]);
  });

  test("of a process that began within the window are all of them", async () => {
    const { store } = storeAt(1000);
    store.add("a", LABELS, page({ success: 40, started: 980 }));
    expect(await responses(store)).toEqual([{ success: 40, failure: 0, seconds: 20 }]);
  });

  test("count from zero again when a proxy was restarted", async () => {
    const { store, clock } = storeAt(1000);
    for (const success of [500, 510, 3, 7]) {
      store.add("a", LABELS, page({ success }));
      clock.seconds += 10;
    }
    expect(await responses(store)).toEqual([{ success: 17, failure: 0, seconds: 30 }]);
  });

  test("count a series from zero that was not on earlier pages", async () => {
    const { store, clock } = storeAt(1000);
    store.add("a", LABELS, page({ success: 5 }));
    clock.seconds += 10;
    store.add("a", LABELS, page({ success: 5, failure: 3 }));
    expect(await responses(store)).toEqual([{ success: 0, failure: 3, seconds: 10 }]);
  });

  test("add up over the pods of a group, and are kept apart between groups", async () => {
    const { store, clock } = storeAt(1000);
    const targets = {
      a: LABELS,
      b: { ...LABELS, pod: "web-2" },
      c: { ...LABELS, deployment: "voting", pod: "voting-1" },
    };
    for (const success of [0, 60]) {
      for (const [id, labels] of Object.entries(targets)) store.add(id, labels, page({ success }));
      clock.seconds += 30;
    }
    expect(await store.responses(SELECTION, 60_000)).toEqual([
      { group: { deployment: "web" }, value: { success: 120, failure: 0, seconds: 30 } },
      { group: { deployment: "voting" }, value: { success: 60, failure: 0, seconds: 30 } },
    ]);
  });

  test("are right after more scrapes than are remembered", async () => {
    const { store, clock } = storeAt(1000);
    for (let scrape = 0; scrape < 3 * HISTORY_SCRAPES; scrape++) {
      store.add("a", LABELS, page({ success: scrape * 5 }));
      clock.seconds += 5;
    }
    clock.seconds -= 5;
    expect(await responses(store)).toEqual([{ success: 60, failure: 0, seconds: 60 }]);
    expect(await responses(store, WINDOW_MAX_MS)).toEqual([{ success: 600, failure: 0, seconds: 600 }]);
  });
});

test("series that differ in labels nobody asks for are one, each counted from its own beginning", async () => {
  const { store, clock } = storeAt(1000);
  const line = (status: number, value: number): string =>
    `response_total{direction="inbound",status_code="${status}",classification="success"} ${value}\n`;
  for (const [ok, moved] of [
    [100, 1000],
    [110, 1001],
    [2, 1002],
  ] as const) {
    store.add("a", LABELS, line(200, ok) + line(301, moved));
    clock.seconds += 10;
  }
  expect(store.series).toBe(1);
  expect(await responses(store)).toEqual([{ success: 14, failure: 0, seconds: 20 }]);
  // One of them is gone, which is not a beginning of the other.
  store.add("a", LABELS, line(301, 1003));
  expect(await responses(store)).toEqual([{ success: 15, failure: 0, seconds: 30 }]);
});

test("a target's series move when its workload becomes known", async () => {
  const { store, clock } = storeAt(1000);
  store.add("a", { namespace: "emojivoto", pod: "web-1", replicaset: "web-abc" }, page({ success: 0 }));
  clock.seconds += 10;
  store.add("a", LABELS, page({ success: 5 }));
  expect((await store.responses(SELECTION, 60_000)).map(({ group }) => group)).toEqual([{ deployment: "web" }]);
  const byReplicaSet = { match: [{ label: "replicaset", present: true }], groupBy: ["replicaset"] } as const;
  expect(await store.responses(byReplicaSet, 60_000)).toEqual([]);
});

test("any history gives what a list of all scrapes would give", async () => {
  const scrapes = fc.array(fc.record({ a: fc.nat(50), b: fc.nat(3), restart: fc.nat(9) }), {
    minLength: 2,
    maxLength: 3 * HISTORY_SCRAPES,
  });
  await fc.assert(
    fc.asyncProperty(scrapes, fc.integer({ min: 15, max: 600 }), async (steps, windowSeconds) => {
      const { store, clock } = storeAt(10_000);
      let [success, failure] = [1000, 0];
      let started = 1;
      const grown: number[] = [];
      for (const [index, { a, b, restart }] of steps.entries()) {
        const restarted = restart === 0 && index > 0;
        success = restarted ? a : success + a;
        if (restarted) started = clock.seconds - 2;
        // A failure's series is on the page once there was one.
        failure = restarted ? b : failure + b;
        grown.push(a + b);
        store.add("a", LABELS, page({ success, started, ...(failure === 0 ? {} : { failure }) }));
        clock.seconds += 5;
      }
      clock.seconds -= 5;
      const scrapesInWindow = Math.min(Math.ceil(windowSeconds / 5), steps.length - 1, HISTORY_SCRAPES - 1);
      const want = grown.slice(steps.length - scrapesInWindow).reduce((sum, count) => sum + count, 0);
      const [found] = await store.responses(SELECTION, windowSeconds * 1000);
      expect((found?.value.success ?? 0) + (found?.value.failure ?? 0)).toBe(want);
    }),
    { numRuns: 40 },
  );
});

test("latencies are quantiles of what was observed in the window", async () => {
  const { store, clock } = storeAt(1000);
  store.add("a", LABELS, page({ buckets: [1000, 0, 0, 0] }));
  clock.seconds += 70;
  store.add("a", LABELS, page({ buckets: [1000, 50, 50, 0] }));
  const [latencies] = await store.latencies(SELECTION, 60_000);
  expect(latencies?.value.p50).toBeCloseTo(10);
  expect(latencies?.value.p95).toBeCloseTo(91);
});

test("connections are those of the last scrape, of proxies that still answer", async () => {
  const { store, clock } = storeAt(1000);
  store.add("a", LABELS, page({ open: 3 }));
  store.add("b", { ...LABELS, pod: "web-2" }, page({ open: 4 }));
  expect((await store.connections(SELECTION)).map(({ value }) => value)).toEqual([7]);
  clock.seconds += 30;
  store.add("a", LABELS, page({ open: 5 }));
  expect((await store.connections(SELECTION)).map(({ value }) => value)).toEqual([5]);
});

test("bytes are per second", async () => {
  const { store, clock } = storeAt(1000);
  store.add("a", LABELS, page({ read: 0 }));
  clock.seconds += 20;
  store.add("a", LABELS, page({ read: 4000 }));
  expect((await store.bytes(SELECTION, 60_000)).map(({ value }) => value)).toEqual([{ read: 200, written: 0 }]);
});

test("targets and series that no window reaches are forgotten", () => {
  const { store, clock } = storeAt(1000);
  store.add("a", LABELS, page({ success: 1, failure: 1 }));
  store.add("b", LABELS, page({ success: 1 }));
  expect([store.targets, store.series]).toEqual([2, 3]);
  for (let scrape = 0; scrape < HISTORY_SCRAPES; scrape++) {
    clock.seconds += 5;
    store.add("a", LABELS, page({ success: 1 }));
  }
  store.forgetOld();
  expect([store.targets, store.series]).toEqual([1, 1]);
});

test("a page that is none is refused with its line", () => {
  const { store } = storeAt(1000);
  expect(store.add("a", LABELS, "other 1\nresponse_total 1\nresponse_total{ 1\n")).toMatch(/, in line 2 of those/);
  expect(store.add("a", LABELS, "<html>Sign in</html>")).toBe("a page without metrics of a proxy");
});
