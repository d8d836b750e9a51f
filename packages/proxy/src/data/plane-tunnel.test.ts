import { expect, test } from "bun:test";
import type { ScriptedPeer } from "@bowline/testkit";
import { assert, constantFrom, integer, nat, oneof, property, record } from "fast-check";
import {
  affordableBytes,
  isPrefix,
  kernelOf,
  runs,
  ScriptedPlane,
  streamBytes,
  sumOf,
} from "./testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:80";

interface Handshake {
  readonly request: string;
  /** What the server sends, and what of it reaches the client. */
  readonly response: string;
  readonly wanted: string;
  readonly status: number;
}

const HANDSHAKES: readonly Handshake[] = [
  {
    request:
      "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
    response: "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    wanted: "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    status: 101,
  },
  {
    request: "POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 5\r\n\r\nhello",
    response: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    wanted: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    status: 101,
  },
  {
    request: "CONNECT b.test:443 HTTP/1.1\r\nhost: b.test:443\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\nx: y\r\n\r\n",
    wanted: "HTTP/1.1 200 OK\r\nx: y\r\n\r\n",
    status: 200,
  },
];

test("a tunnel passes all bytes of both sides, those sent early too", () => {
  const bytes = oneof(nat(30), nat(3000), nat(300_000));
  const world = record({
    seed: integer(),
    handshake: constantFrom(...HANDSHAKES),
    clientEarly: bytes,
    clientLater: bytes,
    serverEarly: bytes,
    serverLater: bytes,
    gapMs: constantFrom(0, 1, 50),
    endsFirst: constantFrom("client" as const, "server" as const),
    clientReads: constantFrom("all" as const, "slowly" as const),
  });
  assert(
    property(world, ({ seed, handshake, endsFirst, gapMs, ...lines }) => {
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel);
      const share = Math.floor(affordableBytes(kernel.adversity) / 8);
      const upward = streamBytes(1, Math.min(lines.clientEarly + lines.clientLater, share));
      const downward = streamBytes(2, Math.min(lines.serverEarly + lines.serverLater, share));
      let server: ScriptedPeer | null = null;
      kernel.onConnect(TARGET, (peer) => {
        server = peer;
        answer(peer);
      });
      const client = proxy.client("outbound", TARGET);
      if (lines.clientReads === "slowly") client.readSlowly(9000, 2);
      client.send(Buffer.concat([Buffer.from(handshake.request), upward.subarray(0, lines.clientEarly)]));
      kernel.after(gapMs, () => {
        client.send(upward.subarray(lines.clientEarly));
        if (endsFirst === "client") client.end();
        else client.onEnd = () => client.end();
      });
      proxy.run(() => client.finished && server?.finished === true);
      proxy.settle();
      const wanted = Buffer.concat([Buffer.from(handshake.wanted), downward]);
      expect(client.received().length).toBe(wanted.length);
      expect(isPrefix(client.received(), wanted)).toBe(true);
      const arrived = (server as unknown as ScriptedPeer).received();
      expect(arrived.length).toBe(handshake.request.length + upward.length);
      expect(isPrefix(arrived, Buffer.concat([Buffer.from(handshake.request), upward]))).toBe(true);
      expect([client.errno, (server as unknown as ScriptedPeer).errno]).toEqual([0, 0]);
      expect(sumOf(proxy.plane, "response_total", { status_code: String(handshake.status) })).toBe(1);
      kernel.assertNothingOpen();

      function answer(peer: ScriptedPeer): void {
        peer.onData = () => {
          if (peer.receivedBytes < handshake.request.length) return;
          peer.onData = () => undefined;
          peer.send(Buffer.concat([Buffer.from(handshake.response), downward.subarray(0, lines.serverEarly)]));
          kernel.after(gapMs, () => {
            peer.send(downward.subarray(lines.serverEarly));
            if (endsFirst === "server" || peer.ended) peer.end();
            else peer.onEnd = () => peer.end();
          });
        };
      }
    }),
    runs(120),
  );
}, 600_000);

test("an upgrade that the server declines is an ordinary exchange, and the connection goes on", () => {
  for (let seed = 0; seed < 15; seed++) {
    const kernel = kernelOf(seed);
    const proxy = new ScriptedPlane(kernel);
    kernel.onConnect(TARGET, (server) => {
      server.onEnd = () => server.close();
      let answered = 0;
      server.onData = () => {
        const requests = server.receivedText().split("\r\n\r\n").length - 1;
        for (; answered < requests; answered++) server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno");
      };
    });
    const client = proxy.client("outbound", TARGET);
    client.send("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    const one = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno";
    proxy.run(() => client.receivedText() === one + one, 60_000);
    client.end();
    proxy.settle();
    kernel.assertNothingOpen();
  }
});
