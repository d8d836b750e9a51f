import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { GrpcError, GrpcStatus } from "@bowline/grpc";
import { ScriptedSource } from "./testing/scripted-source.ts";
import { SimulatedClock } from "./testing/simulated-clock.ts";
import { type StreamLimits, Watch } from "./watch.ts";

const NO_LIMITS: StreamLimits = { initialTimeoutMs: null, idleTimeoutMs: null, lifetimeMs: null };
const CHART_LIMITS: StreamLimits = { initialTimeoutMs: 3_000, idleTimeoutMs: 300_000, lifetimeMs: 3_600_000 };

let clock: SimulatedClock;
let source: ScriptedSource<string, string>;
let heard: string[];
let watch: Watch<string, string>;

function startWatch(limits: StreamLimits, options: { jitter?: number; random?: number } = {}): void {
  watch = new Watch(
    source,
    "request",
    (code) => code === GrpcStatus.InvalidArgument,
    {
      onItem: (item, first) => void heard.push(first ? `first ${item}` : item),
      onAway: (failure) => void heard.push(`away ${failure?.code ?? "in good order"}`),
      onFinal: (failure) => void heard.push(`final ${failure.code}`),
    },
    {
      limits,
      backoff: { minMs: 100, maxMs: 60_000, jitter: options.jitter ?? 0, respectRetryAfter: false },
      clock,
      random: () => options.random ?? 0,
    },
  );
  watch.start();
}

beforeEach(() => {
  clock = new SimulatedClock();
  source = new ScriptedSource();
  heard = [];
});

afterEach(() => {
  watch.stop();
  expect({ timers: clock.armed, streams: source.held }).toEqual({ timers: 0, streams: 0 });
});

describe("a stream", () => {
  test("brings items, the first of each subscription marked", async () => {
    startWatch(NO_LIMITS);
    source.last.send("a", "b");
    await clock.pass(0);
    source.last.end();
    await clock.pass(100);
    source.last.send("c", "d");
    await clock.pass(0);
    expect(heard).toEqual(["first a", "b", "away in good order", "first c", "d"]);
    expect(source.streams.map(({ request }) => request)).toEqual(["request", "request"]);
  });

  test("that was stopped says nothing more", async () => {
    startWatch(NO_LIMITS);
    source.last.send("a");
    await clock.pass(0);
    watch.stop();
    source.last.send("b");
    source.last.end(new GrpcError(GrpcStatus.Unavailable, "gone"));
    await clock.pass(100_000);
    expect(heard).toEqual(["first a"]);
    expect(source.streams.length).toBe(1);
  });

  test("is asked for once more only when its observer fails", async () => {
    startWatch(NO_LIMITS);
    watch.stop();
    let calls = 0;
    watch = new Watch(
      source,
      "request",
      () => false,
      {
        onItem() {
          calls += 1;
          throw new TypeError("a bug");
        },
        onAway: (failure) => void heard.push(`${failure?.code} ${failure?.message}`),
        onFinal: () => {},
      },
      {
        limits: NO_LIMITS,
        backoff: { minMs: 100, maxMs: 100, jitter: 0, respectRetryAfter: false },
        clock,
        random: () => 0,
      },
    );
    watch.start();
    source.last.send("a", "b");
    await clock.pass(0);
    expect({ calls, heard, held: source.held }).toEqual({ calls: 1, heard: ["2 UNKNOWN: a bug"], held: 0 });
  });
});

describe("back-off", () => {
  /** Fails every stream for a while; the times at which it was asked. */
  async function askedAt(whileMs: number, stepMs: number): Promise<number[]> {
    const times: number[] = [];
    for (let ended = 0; clock.nowMs() <= whileMs; await clock.pass(stepMs)) {
      if (source.streams.length === ended) continue;
      times.push(clock.nowMs());
      source.last.end(new GrpcError(GrpcStatus.Unavailable, "away"));
      ended = source.streams.length;
    }
    return times;
  }

  test("doubles from the minimum to the maximum", async () => {
    startWatch(NO_LIMITS);
    const times = await askedAt(300_000, 100);
    const delays = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000]);
  });

  const jitters = [
    { name: "none", jitter: 0, random: 0.9, delayMs: 100 },
    { name: "half of a tenth", jitter: 0.1, random: 0.5, delayMs: 105 },
    { name: "half of twice", jitter: 2, random: 0.5, delayMs: 200 },
  ];
  test.each(jitters)("adds jitter: $name", async ({ jitter, random, delayMs }) => {
    startWatch(NO_LIMITS, { jitter, random });
    source.last.end(new GrpcError(GrpcStatus.Unavailable, "away"));
    await clock.pass(delayMs - 1);
    expect(source.streams.length).toBe(1);
    await clock.pass(1);
    expect(source.streams.length).toBe(2);
  });

  test("starts anew after a stream that brought something and lasted", async () => {
    startWatch(NO_LIMITS);
    for (const waitMs of [100, 200, 400]) {
      source.last.end(new GrpcError(GrpcStatus.Unavailable, "away"));
      await clock.pass(waitMs);
    }
    source.last.send("a");
    await clock.pass(400);
    source.last.end();
    await clock.pass(100);
    expect(source.streams.length).toBe(5);
  });

  test("starts anew after a long outage and a stream of a second", async () => {
    startWatch(NO_LIMITS);
    await askedAt(60_000, 100);
    await clock.pass(60_000);
    const asked = source.streams.length;
    source.last.send("a");
    await clock.pass(1_000);
    source.last.end();
    await clock.pass(100);
    expect(source.streams.length).toBe(asked + 1);
  });

  test("goes on growing when the server answers and hangs up at once", async () => {
    startWatch(NO_LIMITS);
    for (const waitMs of [100, 200, 400, 800]) {
      const asked = source.streams.length;
      source.last.send("a");
      source.last.end();
      await clock.pass(waitMs - 1);
      expect(source.streams.length).toBe(asked);
      await clock.pass(1);
      expect(source.streams.length).toBe(asked + 1);
    }
  });
});

describe("a status", () => {
  test("that is final ends the watch", async () => {
    startWatch(CHART_LIMITS);
    source.last.end(new GrpcError(GrpcStatus.InvalidArgument, "no"));
    await clock.pass(1_000_000);
    expect(heard).toEqual(["final 3"]);
    expect(source.streams.length).toBe(1);
  });

  test("that is final ends it after items, too", async () => {
    startWatch(NO_LIMITS);
    source.last.send("a");
    source.last.end(new GrpcError(GrpcStatus.InvalidArgument, "no"));
    await clock.pass(1_000_000);
    expect(heard).toEqual(["first a", "final 3"]);
  });

  test("of another kind is followed by another try", async () => {
    startWatch(NO_LIMITS);
    source.last.end(new GrpcError(GrpcStatus.Unavailable, "away"));
    await clock.pass(100);
    source.last.send("a");
    await clock.pass(0);
    expect(heard).toEqual(["away 14", "first a"]);
  });
});

describe("limits", () => {
  test("the first item is waited for 3 seconds, as the chart says", async () => {
    startWatch(CHART_LIMITS);
    await clock.pass(2_999);
    expect(heard).toEqual([]);
    await clock.pass(1);
    expect({ heard, cancelled: source.streams[0]?.cancelled }).toEqual({ heard: ["away 4"], cancelled: true });
    await clock.pass(100);
    expect(source.streams.length).toBe(2);
  });

  test("the first item lifts that limit", async () => {
    startWatch(CHART_LIMITS);
    await clock.pass(2_900);
    source.last.send("a");
    await clock.pass(200_000);
    expect(heard).toEqual(["first a"]);
  });

  test("an idle stream is ended in good order", async () => {
    startWatch(CHART_LIMITS);
    source.last.send("a");
    await clock.pass(299_000);
    source.last.send("b");
    await clock.pass(299_999);
    expect(heard).toEqual(["first a", "b"]);
    await clock.pass(1);
    expect(heard).toEqual(["first a", "b", "away in good order"]);
    expect(source.streams[0]?.cancelled).toBe(true);
    await clock.pass(100);
    expect(source.streams.length).toBe(2);
  });

  test("the idle limit stands in for a missing initial one", async () => {
    startWatch({ ...NO_LIMITS, idleTimeoutMs: 5_000 });
    await clock.pass(5_000);
    expect(heard).toEqual(["away 4"]);
  });

  test("no stream lives longer than its lifetime", async () => {
    startWatch(CHART_LIMITS);
    for (let minute = 0; minute < 59; minute++) {
      source.last.send("a");
      await clock.pass(60_000);
    }
    expect({ streams: source.streams.length, last: heard.at(-1) }).toEqual({ streams: 1, last: "a" });
    await clock.pass(60_000);
    expect(heard.at(-1)).toBe("away in good order");
  });

  test("without limits a silent stream stays", async () => {
    startWatch(NO_LIMITS);
    await clock.pass(10_000_000);
    expect({ heard, streams: source.streams.length, armed: clock.armed }).toEqual({ heard: [], streams: 1, armed: 0 });
  });
});
