import { describe, expect, test } from "bun:test";
import { array, assert, constantFrom, double, integer, oneof, property, record } from "fast-check";
import { Timer, type TimerOwner, TimerWheel } from "./timer-wheel.ts";

const TICK_MS = 4;
const TURN_MS = 1024 * TICK_MS;

/** Fires into a list; may do something with the wheel while it fires, as owners do. */
class Recorder implements TimerOwner {
  readonly fired: number[] = [];
  meanwhile: (kind: number) => void = () => undefined;

  onTimer(kind: number): void {
    this.fired.push(kind);
    this.meanwhile(kind);
  }
}

test.each([
  { name: "in this tick", delayMs: 0 },
  { name: "soon", delayMs: 10 },
  { name: "one ms short of a turn", delayMs: TURN_MS - 1 },
  { name: "exactly a turn", delayMs: TURN_MS },
  { name: "just over a turn", delayMs: TURN_MS + 1 },
  { name: "many turns", delayMs: 10 * TURN_MS + 123 },
  { name: "an hour", delayMs: 3_600_000 },
])("a deadline $name fires once, never early and at most a tick late", ({ delayMs }) => {
  const startMs = 1001.3;
  const wheel = new TimerWheel(startMs);
  const recorder = new Recorder();
  const timer = new Timer(recorder, 1);
  wheel.schedule(timer, startMs, delayMs);
  // As the reactor does: wait as long as the wheel says, at most half a second.
  let nowMs = startMs;
  while (recorder.fired.length === 0) {
    nowMs += Math.max(0.1, wheel.delayMs(nowMs, 500));
    wheel.advance(nowMs);
    expect(nowMs).toBeLessThan(startMs + delayMs + 2 * TICK_MS);
  }
  expect(nowMs).toBeGreaterThanOrEqual(startMs + delayMs);
  wheel.advance(nowMs + 2 * TURN_MS);
  expect(recorder.fired).toEqual([1]);
  expect(timer.scheduled).toBe(false);
});

describe("while timers fire", () => {
  test("an owner may restart the same timer at once, and it comes in a later tick", () => {
    const wheel = new TimerWheel(0);
    const recorder = new Recorder();
    const timer = new Timer(recorder, 1);
    recorder.meanwhile = () => wheel.schedule(timer, 100, 0);
    wheel.schedule(timer, 0, 100);
    wheel.advance(100);
    expect(recorder.fired).toEqual([1]);
    wheel.advance(104);
    expect(recorder.fired).toEqual([1, 1]);
  });

  test("an owner may cancel another that is due at the same moment", () => {
    const wheel = new TimerWheel(0);
    const recorder = new Recorder();
    const timers = [0, 1, 2].map((kind) => new Timer(recorder, kind));
    for (const timer of timers) wheel.schedule(timer, 0, 10);
    recorder.meanwhile = (kind) => {
      if (kind === 0) timers[1]!.cancel();
    };
    wheel.advance(12);
    expect(recorder.fired).toEqual([0, 2]);
  });

  test("an owner may schedule into the slot that fires now, a turn ahead", () => {
    const wheel = new TimerWheel(0);
    const recorder = new Recorder();
    const later = new Timer(recorder, 2);
    recorder.meanwhile = (kind) => {
      if (kind === 1) wheel.schedule(later, 12, TURN_MS);
    };
    wheel.schedule(new Timer(recorder, 1), 0, 12);
    wheel.advance(12);
    wheel.advance(11 + TURN_MS);
    expect(recorder.fired).toEqual([1]);
    wheel.advance(12 + TURN_MS);
    expect(recorder.fired).toEqual([1, 2]);
  });
});

test("after a stall of minutes everything due fires once, the rest stays", () => {
  const wheel = new TimerWheel(0);
  const recorder = new Recorder();
  const delays = [5, 3000, TURN_MS + 7, 60_000, 299_999, 300_000, 300_001, 400_000];
  delays.forEach((delayMs, kind) => {
    wheel.schedule(new Timer(recorder, kind), 0, delayMs);
  });
  wheel.advance(300_000);
  expect(recorder.fired.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
  wheel.advance(500_000);
  expect(recorder.fired.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("an empty wheel waits as long as it may", () => {
  const wheel = new TimerWheel(50);
  expect(wheel.delayMs(50, 500)).toBe(500);
  const timer = new Timer(new Recorder(), 0);
  wheel.schedule(timer, 50, 100);
  expect(wheel.delayMs(50, 500)).toBe(102);
  expect(wheel.delayMs(50, 30)).toBe(30);
  expect(wheel.delayMs(50, 0)).toBe(0);
});

/** What was told to the wheel, kept in a plain map: when each timer is due. */
interface Model {
  readonly dueMs: Map<number, number>;
  nowMs: number;
}

const TIMERS = 6;
const delay = oneof(
  integer({ min: 0, max: 20 }),
  double({ min: 0, max: TURN_MS * 3, noNaN: true }),
  constantFrom(TURN_MS - 4, TURN_MS, TURN_MS + 4, 2 * TURN_MS),
);
const command = oneof(
  record({ do: constantFrom("schedule" as const), kind: integer({ min: 0, max: TIMERS - 1 }), ms: delay }),
  record({ do: constantFrom("cancel" as const), kind: integer({ min: 0, max: TIMERS - 1 }), ms: constantFrom(0) }),
  record({ do: constantFrom("advance" as const), kind: constantFrom(0), ms: delay }),
  record({ do: constantFrom("wait" as const), kind: constantFrom(0), ms: constantFrom(0, 100, 500) }),
);

test("any sequence of commands fires what a sorted list of deadlines would", () => {
  assert(
    property(double({ min: 0, max: 1e7, noNaN: true }), array(command, { maxLength: 60 }), (startMs, commands) => {
      const wheel = new TimerWheel(startMs);
      const recorder = new Recorder();
      const timers = Array.from({ length: TIMERS }, (_, kind) => new Timer(recorder, kind));
      const model: Model = { dueMs: new Map(), nowMs: startMs };
      for (const { do: what, kind, ms } of commands) {
        if (what === "schedule") {
          wheel.schedule(timers[kind]!, model.nowMs, ms);
          model.dueMs.set(kind, model.nowMs + ms);
        } else if (what === "cancel") {
          timers[kind]!.cancel();
          model.dueMs.delete(kind);
        } else {
          model.nowMs += what === "wait" ? waitOf(wheel, model, ms) : ms;
          wheel.advance(model.nowMs);
          checkFired(recorder.fired.splice(0), model);
        }
        expect(timers.map((timer) => timer.scheduled)).toEqual(timers.map((_, i) => model.dueMs.has(i)));
      }
    }),
    { numRuns: 300 },
  );
});

/** The wait must not sleep over a deadline: until the tick in which the first one is due, or less. */
function waitOf(wheel: TimerWheel, model: Model, limitMs: number): number {
  const waitMs = wheel.delayMs(model.nowMs, limitMs);
  expect(waitMs).toBeGreaterThanOrEqual(0);
  expect(waitMs).toBeLessThanOrEqual(limitMs);
  const firstDueMs = Math.min(...model.dueMs.values());
  expect(waitMs).toBeLessThan(Math.max(0, firstDueMs - model.nowMs) + TICK_MS + 0.001);
  return waitMs;
}

function checkFired(fired: readonly number[], model: Model): void {
  const seen = new Set(fired);
  expect(seen.size).toBe(fired.length);
  for (const [kind, dueMs] of model.dueMs) {
    const lateMs = model.nowMs - dueMs;
    if (lateMs < 0) expect(seen.has(kind)).toBe(false);
    // In its first tick it may or may not have come; the sums of milliseconds are exact to a microsecond.
    else if (lateMs >= TICK_MS + 0.001) expect(seen.has(kind)).toBe(true);
    if (seen.delete(kind)) model.dueMs.delete(kind);
  }
  expect([...seen]).toEqual([]);
}
