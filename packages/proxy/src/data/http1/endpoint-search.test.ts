import { expect, test } from "bun:test";
import type { EndpointsUpdate } from "@bowline/model";
import { CALM, ScriptedIo } from "@bowline/testkit";
import { endpointAt, outboundTo } from "../testing/meshed-pair.case.test.ts";
import { ScriptedPlane } from "../testing/plane-world.case.test.ts";

const APP = "10.1.0.9:9000";
const SERVICE = "10.96.0.1:80";
const REQUEST = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";

/** A proxy whose control plane knows the service at once, and says `update` about its endpoints after a while. */
function world(update: EndpointsUpdate): { kernel: ScriptedIo; proxy: ScriptedPlane } {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const proxy = new ScriptedPlane(kernel);
  proxy.plane.discover((message) => {
    const { discovery } = proxy.plane.outbound;
    if (message.kind === "discover") discovery?.onOutbound(message.target, outboundTo(null, "svc.test"));
    if (message.kind === "resolve") kernel.after(100, () => discovery?.onEndpoints(message.path, update));
  });
  return { kernel, proxy };
}

test("another protocol is asked for as soon as there is an endpoint to ask", () => {
  const { kernel, proxy } = world({ kind: "reset", endpoints: [endpointAt(APP)] });
  const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => {
      if (app.receivedText() === REQUEST) app.send(switched);
    };
  });
  const client = proxy.client("outbound", SERVICE);
  client.send(REQUEST);
  const gone = proxy.client("outbound", SERVICE);
  gone.send(REQUEST);
  kernel.after(50, () => gone.reset());
  proxy.run(() => client.receivedText() === switched, 5000);
  client.close();
  proxy.settle();
});

test("without endpoints a request for another protocol fails as others do", () => {
  const { proxy } = world({ kind: "gone", exists: false });
  const client = proxy.client("outbound", SERVICE);
  client.send(REQUEST);
  client.onEnd = () => client.close();
  proxy.run(() => client.finished, 20_000);
  expect(client.receivedText()).toStartWith("HTTP/1.1 504 Gateway Timeout\r\n");
  proxy.settle();
});
