import { expect, test } from "bun:test";
import { CALM, ScriptedIo } from "@bowline/testkit";
import { ScriptedPlane } from "./testing/plane-world.case.test.ts";

const APP = "127.0.0.1:9000";
const LISTENER = "10.0.0.1:4143";
const RETAIN_MS = 600_000;

test("connections without an original destination go to the application, however long there was none", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const proxy = new ScriptedPlane(kernel, {
    env: { LINKERD2_PROXY_INBOUND_FORWARD: `tcp://${APP}` },
    inbound: LISTENER,
  });
  kernel.onConnect(APP, (server) => {
    server.onData = () => server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    server.onEnd = () => server.close();
  });
  for (let n = 0; n < 3; n++) {
    const client = proxy.client("inbound", LISTENER);
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    proxy.run(() => client.receivedBytes > 0);
    expect(client.receivedText()).toStartWith("HTTP/1.1 200 OK\r\n");
    client.close();
    proxy.settle();
    // Series that nobody uses go when they are looked at.
    for (let looks = 0; looks < 3; looks++) {
      kernel.runFor(proxy.turn, RETAIN_MS / 2 + 1000);
      proxy.plane.snapshot();
    }
  }
  kernel.assertNothingOpen();
});
