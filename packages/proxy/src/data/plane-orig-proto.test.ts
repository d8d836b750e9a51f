import { expect, test } from "bun:test";
import type { ScriptedPeer } from "@bowline/testkit";
import { assert, integer, property, record } from "fast-check";
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
        const spoken = choices.map((session) => ({ ...session, exchanges: session.exchanges.map(spokenOut) }));
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
