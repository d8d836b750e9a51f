import { expect, test } from "bun:test";
import { CALM, ScriptedIo } from "@bowline/testkit";
import { ScriptedPlane, sumOf } from "./testing/plane-world.case.test.ts";

test("an upstream connection opened early that is told readable but is not decides nothing", () => {
  for (let seed = 0; seed < 20; seed++) {
    const kernel = new ScriptedIo({ seed, adversity: { ...CALM, spuriousWake: 0.9 } });
    const proxy = new ScriptedPlane(kernel);
    let arrived = "";
    kernel.onConnect("10.1.0.1:80", (server) => {
      server.onData = () => {
        arrived = server.receivedText();
        if (arrived.endsWith("\r\n\r\n")) server.send("HTTP/1.1 204 No Content\r\n\r\n");
      };
      server.onEnd = () => server.close();
    });
    const client = proxy.client("inbound", "10.1.0.1:80");
    // Longer than the wait before the early connection.
    client.send("GET / HTT");
    kernel.after(60, () => client.send("P/1.1\r\nHost: a\r\nConnection: x\r\nx: hop\r\n\r\n"));
    proxy.run(() => client.receivedBytes > 0);
    expect(arrived).toBe("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.end();
    proxy.settle();
    expect(sumOf(proxy.plane, "inbound_tcp_detect_http_results_total", { result: "http/1" })).toBe(1);
  }
});

test("an upstream connection opened early that its server ends within the request's head is replaced", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const proxy = new ScriptedPlane(kernel);
  let connections = 0;
  kernel.onConnect("10.1.0.1:80", (server) => {
    connections += 1;
    if (connections === 1) kernel.after(30, () => server.close());
    server.onData = () => server.send("HTTP/1.1 204 No Content\r\n\r\n");
    server.onEnd = () => server.close();
  });
  const client = proxy.client("outbound", "10.1.0.1:80");
  kernel.after(20, () => client.send("GET / HTTP/1.1\r\nHost: "));
  kernel.after(80, () => client.send("a\r\n\r\n"));
  proxy.run(() => client.receivedBytes > 0);
  expect(client.receivedText()).toBe("HTTP/1.1 204 No Content\r\n\r\n");
  expect(connections).toBe(2);
  client.end();
  proxy.settle();
});
