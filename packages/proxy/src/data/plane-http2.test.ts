import { expect, test } from "bun:test";
import type { Direction } from "@bowline/contracts";
import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import { type Arbitrary, array, assert, constantFrom, integer, nat, oneof, option, property, record } from "fast-check";
import { Http2Play, runTo, type ServerConduct } from "./testing/http2-play.case.test.ts";
import { connectionChoice, exchangeChoices, exchangeOf } from "./testing/http2-script.case.test.ts";
import { affordableBytes, kernelOf, runs, ScriptedPlane, sumOf } from "./testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:8080";
/** Between two proxies nothing stays open for long. */
const IDLE = {
  LINKERD2_PROXY_INBOUND_DISCOVERY_IDLE_TIMEOUT: "1s",
  LINKERD2_PROXY_OUTBOUND_DISCOVERY_IDLE_TIMEOUT: "1s",
};
const directions = constantFrom<Direction>("inbound", "outbound");
const conduct = record({
  allows: connectionChoice,
  goAwayAfter: option(
    nat({ max: 3 }).map((n) => n + 1),
    { freq: 3, nil: null },
  ),
  dieAfterMs: option(nat(400), { freq: 6, nil: null }),
});

type Generated<A> = A extends Arbitrary<infer T> ? T : never;

const clientChoice = record({ allows: connectionChoice, exchanges: exchangeChoices });
const clientChoices = array(clientChoice, { minLength: 1, maxLength: 3 });

/** Starts what the choices say. */
function start(
  kernel: ScriptedIo,
  how: ServerConduct,
  choices: Generated<typeof clientChoices>,
  connect: () => ScriptedPeer,
): Http2Play {
  const play = new Http2Play(kernel, how);
  const count = choices.reduce((sum, { exchanges }) => sum + exchanges.length, 0);
  const bytesMax = affordableBytes(kernel.adversity) / count;
  let id = 0;
  for (const { allows, exchanges } of choices) {
    const scripts = exchanges.map((choice) => exchangeOf(choice, id++, bytesMax));
    play.play(connect, allows, scripts);
  }
  return play;
}

test("every exchange arrives as it was sent, or ends as one side wanted it", () => {
  const world = record({ seed: integer(), direction: directions, conduct, choices: clientChoices });
  assert(
    property(world, ({ seed, direction, conduct: how, choices }) => {
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel);
      const play = start(kernel, how, choices, () => proxy.client(direction, TARGET));
      play.serveAt(TARGET);
      runTo(play, (until) => proxy.run(until));
      kernel.runFor(proxy.turn, 2000);
      play.leave();
      proxy.settle();
      play.judge();
      judgeCounts(proxy, play, direction);
      kernel.assertNothingOpen();
    }),
    runs(100),
  );
}, 600_000);

test("through two proxies, one after the other, it is the same", () => {
  const world = record({ seed: integer(), conduct, choices: clientChoices });
  assert(
    property(world, ({ seed, conduct: how, choices }) => {
      const kernel = kernelOf(seed);
      const outbound = new ScriptedPlane(kernel, { env: IDLE });
      const env = { LINKERD2_PROXY_INBOUND_FORWARD: "tcp://127.0.0.1:9000", ...IDLE };
      const inbound = new ScriptedPlane(kernel, { env, outbound: "10.1.0.1:4140", inbound: TARGET });
      // Neither may sleep over what the other has to do.
      const turn = (): void => {
        outbound.plane.reactor.turn(1);
        inbound.plane.reactor.turn(1);
      };
      const play = start(kernel, how, choices, () => outbound.client("outbound", TARGET));
      play.serveAt("127.0.0.1:9000");
      runTo(play, (until) => kernel.run(turn, until));
      kernel.runFor(turn, 2000);
      play.leave();
      kernel.run(turn, () => outbound.plane.open === 0);
      kernel.runFor(turn, 5000);
      outbound.assertSettled();
      inbound.assertSettled();
      play.judge();
      kernel.assertNothingOpen();
    }),
    runs(40),
  );
}, 600_000);

test("a proxy that drains completes what it has taken, says that it takes no more, and closes", () => {
  const moment = oneof(nat(20), nat(300), nat(1000));
  const world = record({ seed: integer(), direction: directions, conduct, choices: clientChoices, moment });
  assert(
    property(world, ({ seed, direction, conduct: how, choices, moment: atMs }) => {
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel);
      const play = start(kernel, how, choices, () => proxy.client(direction, TARGET));
      play.serveAt(TARGET);
      kernel.after(atMs, () => {
        proxy.plane.drain();
        play.stop();
      });
      runTo(play, (until) => proxy.run(() => play.stopped && until()));
      proxy.run(() => proxy.plane.open === 0);
      for (const client of play.clients) client.close();
      proxy.settle();
      kernel.assertNothingOpen();
      play.judge();
    }),
    runs(60),
  );
}, 600_000);

test("whatever the network loses, nothing hangs or leaks, and no byte is wrong", () => {
  const losses = record({ networkReset: constantFrom(0, 0.3, 1), fdShortage: constantFrom(0, 0.1, 0.5) });
  const world = record({ seed: integer(), direction: directions, conduct, choices: clientChoices, losses });
  assert(
    property(world, ({ seed, direction, conduct: how, choices, losses: lost }) => {
      const kernel = kernelOf(seed, lost);
      const proxy = new ScriptedPlane(kernel);
      const play = start(kernel, { ...how, lossy: true }, choices, () => proxy.client(direction, TARGET));
      play.serveAt(TARGET);
      runTo(play, (until) => proxy.run(until));
      kernel.runFor(proxy.turn, 2000);
      play.leave();
      proxy.settle();
      play.judge();
      kernel.assertNothingOpen();
    }),
    runs(60),
  );
}, 600_000);

function judgeCounts({ plane }: ScriptedPlane, play: Http2Play, direction: Direction): void {
  const responses = sumOf(plane, "response_total", { direction });
  const requests = sumOf(plane, "request_total", { direction });
  expect(responses <= requests).toBe(true);
  if (!play.plain) return;
  expect([requests, responses]).toEqual([play.scripts.length, play.scripts.length]);
  for (const status of [200, 204, 304, 404, 500]) {
    const counted = sumOf(plane, "response_total", { direction, status_code: String(status) });
    expect([status, counted]).toEqual([status, play.answered(status)]);
  }
}
