import { expect, test } from "bun:test";
import type { EndpointMeta } from "@bowline/model";
import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import { assert, integer, property, record } from "fast-check";
import { Http1Play } from "./testing/http1-play.case.test.ts";
import { type SessionChoice, sessionChoices, sessionsOf } from "./testing/http1-script.case.test.ts";
import { affordableBytes, kernelOf, runs, ScriptedPlane, sumOf } from "./testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:8080";
const APP = "127.0.0.1:9000";

/** Two proxies, one behind the other, of which the first knows that the second takes HTTP/1 as HTTP/2. */
class MeshedPair {
  readonly outbound: ScriptedPlane;
  readonly inbound: ScriptedPlane;

  constructor(kernel: ScriptedIo, hint: EndpointMeta["hint"] = "h2") {
    this.outbound = new ScriptedPlane(kernel);
    const env = { LINKERD2_PROXY_INBOUND_FORWARD: `tcp://${APP}` };
    this.inbound = new ScriptedPlane(kernel, { env, outbound: "10.1.0.1:4140", inbound: TARGET });
    const { plane } = this.outbound;
    plane.discover((message) => {
      if (message.kind !== "discover") return;
      const { target } = message;
      kernel.after(1, () => plane.outbound.discovery?.onOutbound(target, outboundTo(target, hint)));
    });
  }

  /** Neither may sleep over what the other has to do. */
  turn = (): void => {
    this.outbound.plane.reactor.turn(1);
    this.inbound.plane.reactor.turn(1);
  };
}

function outboundTo(target: string, hint: EndpointMeta["hint"]): Parameters<DiscoveryAnswer>[1] {
  const [ip = "", port] = target.split(":");
  const endpoint: EndpointMeta = {
    ip,
    port: Number(port),
    weight: 10_000,
    labels: {},
    tlsIdentity: null,
    hint,
    opaqueTransportPort: null,
    authorityOverride: null,
    http2: null,
  };
  const profile = {
    name: "",
    opaque: false,
    routes: [],
    retryBudget: null,
    overrides: [],
    endpoint,
    parent: null,
    profileRef: null,
  };
  return { profile, policy: null, invalid: null };
}

type DiscoveryAnswer = NonNullable<ScriptedPlane["plane"]["outbound"]["discovery"]>["onOutbound"];

test.each(["h2", null] as const)(
  "HTTP/1 through two proxies, hint %s, says what it said",
  (hint) => {
    assert(
      property(record({ seed: integer(), choices: sessionChoices }), ({ seed, choices }) => {
        const kernel = kernelOf(seed);
        const pair = new MeshedPair(kernel, hint);
        const spoken = choices.map((session) => ({ ...session, exchanges: session.exchanges.map(spokenOut) }));
        const sessions = sessionsOf(spoken, "inbound", affordableBytes(kernel.adversity) / 2);
        const connect = (): ScriptedPeer => pair.outbound.client("outbound", TARGET);
        const play = new Http1Play(kernel, sessions, connect, new Map([["", APP]]));
        kernel.run(pair.turn, () => play.over && pair.outbound.plane.open === 0, { forMsMax: 600_000 });
        play.judge({ silentCloses: false, draining: false, translated: true });
        const asked = play.requests.length;
        for (const { plane } of [pair.outbound, pair.inbound]) {
          expect([sumOf(plane, "request_total"), sumOf(plane, "response_total")]).toEqual([asked, asked]);
        }
        kernel.run(pair.turn, () => pair.inbound.plane.open === 0, { forMsMax: 600_000 });
        kernel.runFor(pair.turn, 5000);
        pair.outbound.assertSettled();
        pair.inbound.assertSettled();
        kernel.assertNothingOpen();
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
