import { expect, test } from "bun:test";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { ScriptedPlane, streamBytes } from "../testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:80";
const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const BODY = streamBytes(1, 120_000);

// RFC 9112 §9.6: what arrives on a closed connection is answered with a reset, which takes the response away.
const CLIENTS = [
  { name: "sends on once all of it is with the proxy", sends: "on", ends: false, readEveryMs: 10 },
  { name: "sends on, and reads for longer than is lingered", sends: "on", ends: false, readEveryMs: 300 },
  {
    name: "had sent another request, and reads for longer than is lingered",
    sends: "ahead",
    ends: false,
    readEveryMs: 1000,
  },
  {
    name: "has ended its direction, and reads for longer than it may stand still",
    sends: "",
    ends: true,
    readEveryMs: 3000,
  },
];

test.each(CLIENTS)("a client that $name gets all of the last response", ({ sends, ends, readEveryMs }) => {
  const adversity = { ...CALM, latencyMsMax: 1, socketBufferBytes: [20_000] };
  const kernel = new ScriptedIo({ seed: 1, adversity });
  const proxy = new ScriptedPlane(kernel);
  kernel.onConnect(TARGET, (server) => {
    server.onEnd = () => server.close();
    server.onData = () => {
      server.onData = () => undefined;
      server.send(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY.length}\r\n\r\n`), BODY]));
    };
  });
  const client = proxy.client("outbound", TARGET);
  client.readSlowly(3000, readEveryMs);
  client.send(REQUEST);
  if (ends) client.end();
  const sendOn = (): void => {
    if (client.finished) return;
    // At most two socket buffers and what the proxy holds are on their way then.
    if (client.receivedBytes > 75_000) client.send("G");
    kernel.after(2, sendOn);
  };
  if (sends === "on") sendOn();
  if (sends === "ahead") kernel.after(5, () => client.send(REQUEST));
  client.onEnd = () => client.close();
  proxy.run(() => client.finished);
  expect(client.errno).toBe(0);
  const head = `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${BODY.length}\r\n\r\n`;
  expect(client.receivedText()).toStartWith(head);
  expect(client.receivedBytes).toBe(head.length + BODY.length);
  proxy.settle();
  kernel.assertNothingOpen();
});

test("a client that has ended is waited for while its request is on the way to a slow server", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: { ...CALM, latencyMsMax: 1, socketBufferBytes: [20_000] } });
  const proxy = new ScriptedPlane(kernel);
  const request = `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${BODY.length}\r\n\r\n`;
  const response = "HTTP/1.1 204 No Content\r\n\r\n";
  kernel.onConnect(TARGET, (server) => {
    server.readSlowly(2000, 500);
    server.onEnd = () => server.close();
    server.onData = () => {
      if (server.receivedBytes === request.length + BODY.length) server.send(response);
    };
  });
  const client = proxy.client("outbound", TARGET);
  client.send(request);
  client.send(BODY);
  client.end();
  client.onEnd = () => client.close();
  proxy.run(() => client.finished);
  expect([client.receivedText(), client.errno]).toEqual([response, 0]);
  proxy.settle();
  kernel.assertNothingOpen();
});

// Who resets after it has ended has said all there is, and our kernel has it: Linux calls that reset EPIPE.
const SENDERS = [
  { sends: "a little", pieceBytes: 1 },
  { sends: "more than its server takes", pieceBytes: 5000 },
];

test.each(SENDERS)("a slow client that sends $sends gets all that came before a reset", ({ pieceBytes }) => {
  const kernel = new ScriptedIo({ seed: 1, adversity: { ...CALM, latencyMsMax: 1, socketBufferBytes: [20_000] } });
  const proxy = new ScriptedPlane(kernel);
  // As much as finds room on its way to a client that reads nothing, so that the server's end does, too.
  const body = BODY.subarray(0, 55_000);
  let server: ScriptedPeer | null = null;
  kernel.onConnect(TARGET, (peer) => {
    server = peer;
    peer.onData = () => {
      peer.onData = () => undefined;
      peer.pauseReading();
      peer.send("HTTP/1.1 201 Created\r\n\r\n");
      peer.send(body);
      peer.end();
      kernel.after(200, () => peer.close());
    };
  });
  const client = proxy.client("outbound", TARGET);
  client.pauseReading();
  client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  const piece = `${pieceBytes.toString(16)}\r\n${"x".repeat(pieceBytes)}\r\n`;
  const sendOn = (): void => {
    if (client.finished) return;
    client.send(piece);
    kernel.after(20, sendOn);
  };
  sendOn();
  client.onEnd = () => client.close();
  kernel.after(500, () => client.readSlowly(3000, 100));
  proxy.run(() => client.finished);
  expect([client.errno, server!.finished]).toEqual([0, true]);
  const head = "HTTP/1.1 201 Created\r\nconnection: close\r\n\r\n";
  expect(client.receivedText()).toStartWith(head);
  expect(client.receivedBytes).toBe(head.length + body.length);
  proxy.settle();
  kernel.assertNothingOpen();
});
