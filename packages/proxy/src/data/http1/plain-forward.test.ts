import { expect, test } from "bun:test";
import { CALM, ScriptedIo } from "@bowline/testkit";
import { endpointAt, outboundTo } from "../testing/meshed-pair.case.test.ts";
import { ScriptedPlane } from "../testing/plane-world.case.test.ts";

const TARGET = "10.1.0.9:9000";
const REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Mixed-Case:  1\r\n\r\n";
const RESPONSE = "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n";

const WORDS = [
  { name: "nothing", outbound: { profile: null, policy: null, invalid: null }, asItIs: true },
  { name: "no more than that it is there", outbound: outboundTo(null), asItIs: true },
  { name: "an endpoint", outbound: outboundTo(endpointAt(TARGET)), asItIs: false },
];

test.each(WORDS)(
  "of a destination the control plane knows $name: bytes as they are: $asItIs",
  ({ outbound, asItIs }) => {
    const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
    const proxy = new ScriptedPlane(kernel);
    proxy.plane.discover((message) => {
      if (message.kind !== "discover") return;
      kernel.after(1, () => proxy.plane.outbound.discovery?.onOutbound(message.target, outbound));
    });
    let arrived = "";
    kernel.onConnect(TARGET, (app) => {
      app.onEnd = () => app.close();
      app.onData = () => {
        arrived = app.receivedText();
        app.send(RESPONSE);
      };
    });
    const client = proxy.client("outbound", TARGET);
    client.send(REQUEST);
    proxy.run(() => client.receivedText().endsWith("\r\n\r\n"), 5000);
    expect([arrived === REQUEST, client.receivedText() === RESPONSE]).toEqual([asItIs, asItIs]);
    expect(arrived.toLowerCase().replace(/ +/g, " ")).toBe(REQUEST.toLowerCase().replace(/ +/g, " "));
    client.close();
    proxy.settle();
  },
);
