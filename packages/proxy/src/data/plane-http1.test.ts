import { expect, test } from "bun:test";
import type { Direction } from "@bowline/contracts";
import type { ScriptedPeer } from "@bowline/testkit";
import { assert, constantFrom, integer, nat, oneof, property, record } from "fast-check";
import { Http1Play } from "./testing/http1-play.case.test.ts";
import {
  HTTP_TARGETS,
  type Session,
  type SessionChoice,
  sessionChoices,
  sessionsOf,
} from "./testing/http1-script.case.test.ts";
import { affordableBytes, kernelOf, runs, ScriptedPlane, sumOf } from "./testing/plane-world.case.test.ts";

const directions = constantFrom<Direction>("inbound", "outbound");
const targetsAsTheyAre = new Map(HTTP_TARGETS.map((target) => [target, target]));

function closesSilently(sessions: readonly Session[]): boolean {
  return sessions.some(({ requests }) => requests.some(({ response }) => response.afterwards === "silent"));
}

test("every request reaches a server once and as it was sent, every response its client, in order", () => {
  assert(
    property(record({ seed: integer(), direction: directions, choices: sessionChoices }), (world) => {
      const { seed, direction, choices } = world;
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel);
      const sessions = sessionsOf(choices, direction, affordableBytes(kernel.adversity));
      const connect = (target: string) => proxy.client(direction, target);
      const play = new Http1Play(kernel, sessions, connect, targetsAsTheyAre);
      proxy.run(() => play.over);
      proxy.settle();
      const silentCloses = closesSilently(sessions);
      play.judge({ silentCloses, draining: false });
      judgeCounts(proxy, play, direction, silentCloses);
      kernel.assertNothingOpen();
    }),
    runs(120),
  );
}, 600_000);

function judgeCounts(proxy: ScriptedPlane, play: Http1Play, direction: Direction, silentCloses: boolean): void {
  const { plane } = proxy;
  const asked = play.requests.length;
  expect([sumOf(plane, "request_total", { direction }), sumOf(plane, "response_total", { direction })]).toEqual([
    asked,
    asked,
  ]);
  const byStatus = new Map<number, number>();
  for (const { response } of play.answers.values()) {
    const status = Number(response.head.slice(9, 12));
    byStatus.set(status, (byStatus.get(status) ?? 0) + (/^x-answers:/im.test(response.head) ? 1 : 0));
  }
  for (const [status, count] of byStatus) {
    expect(sumOf(plane, "response_total", { direction, status_code: String(status) })).toBe(count);
  }
  const received = play.clients.reduce((sum, client) => sum + client.receivedBytes, 0);
  expect(sumOf(plane, "tcp_write_bytes_total", { direction, peer: "src" })).toBe(received);
  // What goes to a connection that is being closed, and what follows an early answer, may stay unread.
  if (silentCloses || play.clients.some(({ connections }) => connections > 1)) return;
  if (play.requests.some(({ response }) => response.early)) return;
  const sent = play.clients.reduce((sum, client) => sum + client.sentBytes, 0);
  expect(sumOf(plane, "tcp_read_bytes_total", { direction, peer: "src" })).toBe(sent);
  expect(sumOf(plane, "tcp_read_bytes_total", { direction, peer: "dst" })).toBe(play.serverSentBytes);
  expect(sumOf(plane, "tcp_write_bytes_total", { direction, peer: "dst" })).toBe(play.serverReadBytes);
}

test("through two proxies, one after the other, it is the same", () => {
  assert(
    property(record({ seed: integer(), choices: sessionChoices }), ({ seed, choices }) => {
      const kernel = kernelOf(seed);
      const outbound = new ScriptedPlane(kernel);
      const env = { LINKERD2_PROXY_INBOUND_FORWARD: "tcp://127.0.0.1:9000" };
      const inbound = new ScriptedPlane(kernel, { env, outbound: "10.1.0.1:4140", inbound: "10.1.0.1:8080" });
      // Neither may sleep over what the other has to do.
      const turn = (): void => {
        outbound.plane.reactor.turn(1);
        inbound.plane.reactor.turn(1);
      };
      const spoken = choices.map((session) => ({ ...session, exchanges: session.exchanges.map(withoutSilence) }));
      const sessions = sessionsOf(spoken, "inbound", affordableBytes(kernel.adversity) / 2);
      const connect = (): ScriptedPeer => outbound.client("outbound", "10.1.0.1:8080");
      const play = new Http1Play(kernel, sessions, connect, new Map([["", "127.0.0.1:9000"]]));
      kernel.run(turn, () => play.over && outbound.plane.open === 0);
      kernel.runFor(turn, 5000);
      outbound.assertSettled();
      inbound.assertSettled();
      play.judge({ silentCloses: false, draining: false });
      kernel.assertNothingOpen();
    }),
    runs(40),
  );
}, 600_000);

/** What a server that closes without a word does to requests is told for one proxy. */
function withoutSilence(choice: SessionChoice["exchanges"][number]): SessionChoice["exchanges"][number] {
  const { response } = choice;
  return {
    ...choice,
    response: { ...response, afterwards: response.afterwards === "silent" ? "keep" : response.afterwards },
  };
}

test("a proxy that drains completes what is in flight, says so, and closes what is idle", () => {
  const moment = oneof(nat(20), nat(300), nat(3000));
  assert(
    property(record({ seed: integer(), direction: directions, choices: sessionChoices, moment }), (world) => {
      const { seed, direction, choices } = world;
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel);
      const sessions = sessionsOf(choices, direction, affordableBytes(kernel.adversity));
      const connect = (target: string): ScriptedPeer => proxy.client(direction, target);
      const play = new Http1Play(kernel, sessions, connect, targetsAsTheyAre);
      kernel.after(world.moment, () => {
        play.mayReset = true;
        proxy.plane.drain();
      });
      proxy.run(() => play.mayReset && proxy.plane.open === 0);
      // What the proxy has closed is still on its way to clients that read slowly.
      kernel.runFor(proxy.turn, 20_000);
      proxy.assertSettled();
      play.judge({ silentCloses: closesSilently(sessions), draining: true });
      kernel.assertNothingOpen();
    }),
    runs(80),
  );
}, 600_000);
