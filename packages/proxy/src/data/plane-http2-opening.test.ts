import { expect, test } from "bun:test";
import { CALM, ScriptedIo } from "@bowline/testkit";
import { Role } from "@bowline/wire";
import { type Fields, Http2Peer, type PeerStream, serveHttp2 } from "./testing/http2-peer.case.test.ts";
import { ScriptedPlane, streamBytes, sumOf } from "./testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:8080";
const GET: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "web.test"],
  [":path", "/"],
];
const OK: Fields = [[":status", "200"]];

for (const direction of ["inbound", "outbound"] as const) {
  test(`${direction}, a client that is slow to begin is served as HTTP/2 though its server speaks first`, () => {
    const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
    const proxy = new ScriptedPlane(kernel);
    // Like every server of HTTP/2, it says its SETTINGS as soon as somebody connects.
    const servers = serveHttp2(kernel, TARGET, (stream) => stream.sendHead(OK, true));
    const peer = proxy.client(direction, TARGET);
    kernel.runFor(() => proxy.plane.reactor.turn(2), 200);
    expect(servers).toHaveLength(1);
    const client = new Http2Peer(kernel, peer, Role.Client);
    const stream = client.open(GET, true)!;
    proxy.run(() => stream.over);
    expect(stream.status).toBe(200);
    expect(sumOf(proxy.plane, "request_total", { direction })).toBe(1);
    client.close();
    proxy.settle();
    kernel.assertNothingOpen();
  });

  test(`${direction}, a tunnel of extended CONNECT passes bytes both ways until both have ended`, () => {
    const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
    const proxy = new ScriptedPlane(kernel);
    const tunnels: PeerStream[] = [];
    serveHttp2(kernel, TARGET, (stream) => {
      tunnels.push(stream);
      stream.sendHead(OK, false);
    });
    const client = new Http2Peer(kernel, proxy.client(direction, TARGET), Role.Client);
    proxy.run(() => client.engine.settingsSeen);
    const connect: Fields = [[":method", "CONNECT"], [":protocol", "websocket"], ...GET.slice(1)];
    const stream = client.open(connect, false)!;
    proxy.run(() => tunnels.length === 1 && stream.head !== null);
    const tunnel = tunnels[0]!;
    expect(tunnel.head).toEqual(connect);
    stream.sendBody(streamBytes(1, 100_000));
    tunnel.sendBody(streamBytes(2, 100_000));
    proxy.run(() => tunnel.bodyBytes === 100_000 && stream.bodyBytes === 100_000);
    stream.sendBody(new Uint8Array(0), true);
    proxy.run(() => tunnel.complete);
    tunnel.sendBody(streamBytes(3, 10), true);
    proxy.run(() => stream.complete);
    expect(Buffer.compare(tunnel.body(), streamBytes(1, 100_000))).toBe(0);
    expect(stream.bodyBytes).toBe(100_010);
    client.close();
    proxy.settle();
    kernel.assertNothingOpen();
  });
}
