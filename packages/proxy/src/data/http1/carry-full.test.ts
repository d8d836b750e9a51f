import { expect, test } from "bun:test";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { ScriptedPlane } from "../testing/plane-world.case.test.ts";

// What is kept of a head fills a pool buffer of 4096 bytes, headroom included, with the first digit of a chunk's size:
// the buffer is full, and all that must stay of it is that digit.
const KEPT_BYTES = 4096 - 1024;
const BODY = `10\r\n${"b".repeat(16)}\r\n0\r\n\r\n`;

function headOf(start: string): string {
  const before = `${start}\r\ntransfer-encoding: chunked\r\nx-padding: `;
  return `${before}${"p".repeat(KEPT_BYTES - 1 - before.length - 4)}\r\n\r\n`;
}

/** Sends a piece of the head, so that it has to be kept, then the rest. */
function sendInTwo(kernel: ScriptedIo, peer: ScriptedPeer, text: string): void {
  peer.send(text.slice(0, 1000));
  kernel.after(5, () => peer.send(text.slice(1000)));
}

test("a chunk line cut off at the end of a full buffer goes on in the next read", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const proxy = new ScriptedPlane(kernel);
  const request = headOf("POST / HTTP/1.1\r\nhost: a") + BODY;
  const response = headOf("HTTP/1.1 200 OK") + BODY;
  let arrived = "";
  kernel.onConnect("10.1.0.1:80", (server) => {
    server.onEnd = () => server.close();
    server.onData = () => {
      arrived = server.receivedText();
      if (arrived.endsWith("0\r\n\r\n")) sendInTwo(kernel, server, response);
    };
  });
  const client = proxy.client("outbound", "10.1.0.1:80");
  sendInTwo(kernel, client, request);
  proxy.run(() => client.receivedBytes === response.length, 2000);
  expect(arrived).toBe(request);
  expect(client.receivedText()).toBe(response);
  client.end();
  proxy.settle();
  kernel.assertNothingOpen();
});
