import { expect, test } from "bun:test";
import { CALM, ScriptedIo } from "@bowline/testkit";
import { ScriptedPlane, streamBytes } from "../testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:80";
const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const BODY = streamBytes(1, 120_000);
const LEAVES_AFTER_MS = 50;

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

// Who resets after it has ended has said all there is, and the kernel still has it: Linux calls that reset EPIPE.
test("a response is passed on in full though its server, which had ended, resets while a slow client takes it", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: { ...CALM, latencyMsMax: 1, socketBufferBytes: [20_000] } });
  const proxy = new ScriptedPlane(kernel);
  const head = "HTTP/1.1 201 Created\r\n\r\n";
  kernel.onConnect(TARGET, (server) => {
    server.onData = () => {
      server.onData = () => undefined;
      server.send(head);
      server.send(BODY);
      server.end();
      const leave = (): void => {
        if (server.unsentBytes > 0) kernel.after(1, leave);
        // The rest of the request meets a closed socket.
        else kernel.after(LEAVES_AFTER_MS, () => server.close());
      };
      leave();
    };
  });
  const client = proxy.client("outbound", TARGET);
  client.readSlowly(1000, 100);
  client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  const sendOn = (): void => {
    if (client.finished) return;
    client.send("1\r\nx\r\n");
    kernel.after(20, sendOn);
  };
  sendOn();
  client.onEnd = () => client.close();
  proxy.run(() => client.finished);
  expect(client.errno).toBe(0);
  const answer = `HTTP/1.1 201 Created\r\nconnection: close\r\n\r\n`;
  expect(client.receivedText()).toStartWith(answer);
  expect(client.receivedBytes).toBe(answer.length + BODY.length);
  proxy.settle();
  kernel.assertNothingOpen();
});
