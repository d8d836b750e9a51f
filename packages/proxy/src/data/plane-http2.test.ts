import { expect, test } from "bun:test";
import type { Direction } from "@bowline/contracts";
import { assert, constantFrom, integer, nat, option, property, record } from "fast-check";
import { Http2Play } from "./testing/http2-play.case.test.ts";
import { connectionChoice, exchangeChoices, exchangeOf } from "./testing/http2-script.case.test.ts";
import { affordableBytes, kernelOf, runs, ScriptedPlane, sumOf } from "./testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:8080";
const directions = constantFrom<Direction>("inbound", "outbound");
const conduct = record({
  allows: connectionChoice,
  goAwayAfter: option(
    nat({ max: 3 }).map((n) => n + 1),
    { freq: 3, nil: null },
  ),
  dieAfterMs: option(nat(400), { freq: 6, nil: null }),
});

test("every exchange arrives as it was sent, or ends as one side wanted it", () => {
  const world = record({
    seed: integer(),
    direction: directions,
    conduct,
    clients: record({ allows: connectionChoice, exchanges: exchangeChoices }),
    others: record({ allows: connectionChoice, exchanges: exchangeChoices }),
  });
  assert(
    property(world, ({ seed, direction, conduct: how, clients, others }) => {
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel);
      const play = new Http2Play(kernel, how);
      play.serveAt(TARGET);
      const count = clients.exchanges.length + others.exchanges.length;
      const bytesMax = affordableBytes(kernel.adversity) / count;
      let id = 0;
      for (const { allows, exchanges } of [clients, others]) {
        const scripts = exchanges.map((choice) => exchangeOf(choice, id++, bytesMax));
        play.play(() => proxy.client(direction, TARGET), allows, scripts);
      }
      runTo(proxy, play);
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

/** Runs until every exchange is over; says which is not when that does not happen. */
function runTo(proxy: ScriptedPlane, play: Http2Play): void {
  try {
    proxy.run(() => play.over);
  } catch (error) {
    throw new Error(`pending:\n${play.pending}`, { cause: error });
  }
}
