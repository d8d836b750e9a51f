import { expect, test } from "bun:test";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { ScriptedPlane } from "../testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:80";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

// Were such a connection used again, the next client would take them for the beginning of its response.
const MOMENTS = [
  { name: "in one piece with it", afterMs: 0, bodyAfterMs: 5 },
  { name: "while the rest of the request comes", afterMs: 10, bodyAfterMs: 20 },
  { name: "when the connection is idle", afterMs: 30, bodyAfterMs: 5 },
];

test.each(MOMENTS)("a connection whose server sends bytes behind its response, $name, is not used again", (moment) => {
  const { afterMs, bodyAfterMs } = moment;
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const proxy = new ScriptedPlane(kernel);
  const servers: ScriptedPeer[] = [];
  kernel.onConnect(TARGET, (server) => {
    servers.push(server);
    server.onEnd = () => server.close();
    server.onData = () => {
      server.onData = () => undefined;
      const unasked = servers.length === 1 ? "HTTP/1.1 2" : "";
      server.send(afterMs === 0 ? OK + unasked : OK);
      if (afterMs > 0) kernel.after(afterMs, () => server.send(unasked));
    };
  });
  const client = proxy.client("outbound", TARGET);
  client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n12");
  kernel.after(bodyAfterMs, () => client.send("34"));
  kernel.after(60, () => client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
  proxy.run(() => client.receivedBytes >= 2 * OK.length, 5000);
  expect(client.receivedText()).toBe(OK + OK);
  expect(servers.length).toBe(2);
  client.end();
  proxy.settle();
  kernel.assertNothingOpen();
});
