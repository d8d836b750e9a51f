import { expect, test } from "bun:test";
import type { Direction } from "@bowline/contracts";
import { assert, constantFrom, integer, property, record } from "fast-check";
import { Http1Play } from "./testing/http1-play.case.test.ts";
import { HTTP_TARGETS, type Session, sessionChoices, sessionsOf } from "./testing/http1-script.case.test.ts";
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
      play.judge({ silentCloses, draining: false, direction });
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
  if (silentCloses || play.clients.some(({ connections }) => connections > 1)) return;
  const sent = play.clients.reduce((sum, client) => sum + client.sentBytes, 0);
  expect(sumOf(plane, "tcp_read_bytes_total", { direction, peer: "src" })).toBe(sent);
  expect(sumOf(plane, "tcp_read_bytes_total", { direction, peer: "dst" })).toBe(play.serverSentBytes);
  // A server that answers early may leave with the rest unread.
  if (play.requests.some(({ response }) => response.early)) return;
  expect(sumOf(plane, "tcp_write_bytes_total", { direction, peer: "dst" })).toBe(play.serverReadBytes);
}
