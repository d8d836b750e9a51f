import { expect, test } from "bun:test";
import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import { assert, integer, nat, oneof, property, record } from "fast-check";
import { Http1Play } from "./testing/http1-play.case.test.ts";
import { type SessionChoice, sessionChoices, sessionsOf } from "./testing/http1-script.case.test.ts";
import { APP, MeshedPair, SERVER } from "./testing/meshed-pair.case.test.ts";
import { affordableBytes, kernelOf, runs, sumOf } from "./testing/plane-world.case.test.ts";

test.each(["h2", null] as const)(
  "HTTP/1 through two proxies, hint %s, says what it said",
  (hint) => {
    assert(
      property(record({ seed: integer(), choices: sessionChoices }), ({ seed, choices }) => {
        const kernel = kernelOf(seed);
        const pair = new MeshedPair(kernel, hint);
        const spoken = choices.map((session) => inTime(kernel, session, spokenOut));
        const sessions = sessionsOf(spoken, "inbound", affordableBytes(kernel.adversity) / 2);
        const connect = (): ScriptedPeer => pair.outbound.client("outbound", SERVER);
        const play = new Http1Play(kernel, sessions, connect, new Map([["", APP]]));
        kernel.run(pair.turn, () => play.over && pair.outbound.plane.open === 0, { forMsMax: 600_000 });
        play.judge({ silentCloses: false, draining: false, translated: true });
        const asked = play.requests.length;
        for (const { plane } of [pair.outbound, pair.inbound]) {
          expect([sumOf(plane, "request_total"), sumOf(plane, "response_total")]).toEqual([asked, asked]);
        }
        pair.settle();
      }),
      runs(40),
    );
  },
  600_000,
);

test("servers that close without a word: requests over HTTP/2 are repeated as those on HTTP/1 are", () => {
  assert(
    property(record({ seed: integer(), choices: sessionChoices }), ({ seed, choices }) => {
      const kernel = kernelOf(seed);
      const pair = new MeshedPair(kernel);
      const patient = choices.map((session) => inTime(kernel, session, inTurn));
      const sessions = sessionsOf(patient, "inbound", affordableBytes(kernel.adversity) / 2);
      const connect = (): ScriptedPeer => pair.outbound.client("outbound", SERVER);
      const play = new Http1Play(kernel, sessions, connect, new Map([["", APP]]));
      kernel.run(pair.turn, () => play.over && pair.outbound.plane.open === 0, { forMsMax: 600_000 });
      play.judge({ silentCloses: true, draining: false, translated: true });
      pair.settle();
    }),
    runs(30),
  );
}, 600_000);

test("the first proxy drains: what is in flight over HTTP/2 is completed", () => {
  const moment = oneof(nat(20), nat(300), nat(3000));
  assert(
    property(record({ seed: integer(), choices: sessionChoices, moment }), ({ seed, choices, moment: atMs }) => {
      const kernel = kernelOf(seed);
      const pair = new MeshedPair(kernel);
      const spoken = choices.map((session) => inTime(kernel, session, spokenOut));
      const sessions = sessionsOf(spoken, "inbound", affordableBytes(kernel.adversity) / 2);
      const connect = (): ScriptedPeer => pair.outbound.client("outbound", SERVER);
      const play = new Http1Play(kernel, sessions, connect, new Map([["", APP]]));
      kernel.after(atMs, () => {
        play.mayReset = true;
        pair.outbound.plane.drain();
      });
      kernel.run(pair.turn, () => play.mayReset && pair.outbound.plane.open === 0, { forMsMax: 600_000 });
      // What the proxy has closed is still on its way to clients that read slowly.
      kernel.runFor(pair.turn, 20_000);
      play.judge({ silentCloses: false, draining: true, translated: true });
      pair.settle();
    }),
    runs(30),
  );
}, 600_000);

/**
 * A client that has ended its direction is given up when its response makes no progress for ten seconds. Where buffers
 * hold a few bytes, two proxies need longer than that for a large head: those clients wait.
 */
function inTime(
  kernel: ScriptedIo,
  session: SessionChoice,
  change: (choice: SessionChoice["exchanges"][number]) => SessionChoice["exchanges"][number],
): SessionChoice {
  const slow = Math.min(...kernel.adversity.socketBufferBytes) < 4096;
  const ending = slow && session.ending === "end early" ? "end" : session.ending;
  return { ...session, ending, exchanges: session.exchanges.map(change) };
}

/**
 * What a server that closes without a word does to requests is told elsewhere. One that closes while it is sent a request
 * ends the client's connection, too, which over HTTP/2 nothing has announced.
 */
function spokenOut(choice: SessionChoice["exchanges"][number]): SessionChoice["exchanges"][number] {
  const { response } = choice;
  return {
    ...choice,
    response: {
      ...response,
      early: response.early && response.framing !== "close",
      afterwards: response.afterwards === "silent" ? "keep" : response.afterwards,
    },
  };
}

/** An early answer and a close without a word together may cost a client its connection, by right. */
function inTurn(choice: SessionChoice["exchanges"][number]): SessionChoice["exchanges"][number] {
  return { ...choice, response: { ...choice.response, early: false } };
}
