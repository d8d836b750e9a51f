import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectTcp, type TcpPeer, TcpServer } from "@bowline/testkit";
import { blackhole, counted, Mesh, ROUTES } from "./mesh.ts";

const GREETING = "5.7.42-bowline\x00\x0a";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.start({
    LINKERD2_PROXY_INBOUND_DETECT_TIMEOUT: "1s",
    LINKERD2_PROXY_OUTBOUND_DETECT_TIMEOUT: "1s",
  });
}, 30_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

/** A connection whose first bytes no protocol begins with, seen from both ends. */
async function opaque(app: TcpServer): Promise<{ client: TcpPeer; server: TcpPeer }> {
  const client = await mesh.connect(app);
  client.send("\x00hello");
  const server = await app.next();
  expect(await server.takeBytes(6)).toBe("\x00hello");
  return { client, server };
}

for (const route of ROUTES) {
  describe(route, () => {
    test("bytes pass both ways as they are", async () => {
      using app = mesh.app(route);
      const { client, server } = await opaque(app);
      const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
      server.send(all);
      expect(await client.takeBytes(256)).toBe(all);
      client.send(all);
      expect(await server.takeBytes(256)).toBe(all);
    });

    test("the client ends its direction: the server sees that, and can still answer", async () => {
      using app = mesh.app(route);
      const { client, server } = await opaque(app);
      client.finish();
      expect(await server.untilEnded()).toBe("end");
      server.send("after your end");
      expect(await client.takeUntil("end")).toBe("after your end");
      server.finish();
      expect(await client.untilEnded()).toBe("end");
    });

    test("the server ends its direction: the client sees that, and can still send", async () => {
      using app = mesh.app(route);
      const { client, server } = await opaque(app);
      server.send("bye");
      server.finish();
      expect(await client.takeAll()).toBe("bye");
      expect(client.ended).toBe("end");
      client.send("one more thing");
      expect(await server.takeUntil("thing")).toBe("one more thing");
      client.finish();
      expect(await server.untilEnded()).toBe("end");
    });

    test("a reset is a reset on the other side, from either", async () => {
      using app = mesh.app(route);
      const first = await opaque(app);
      first.client.reset();
      expect(await first.server.untilEnded()).toBe("reset");
      const second = await opaque(app);
      second.server.reset();
      expect(await second.client.untilEnded()).toBe("reset");
    });

    test("what was sent before an end arrives, however large", async () => {
      using app = mesh.app(route);
      const { client, server } = await opaque(app);
      const bytes = new Uint8Array(4_000_000).map((_, i) => (i * 7) % 251);
      client.send(bytes);
      client.finish();
      server.send(bytes);
      server.finish();
      expect(Bun.hash(Buffer.from(await server.takeAll(), "latin1"))).toBe(Bun.hash(bytes));
      expect(Bun.hash(Buffer.from(await client.takeAll(), "latin1"))).toBe(Bun.hash(bytes));
      expect([client.ended, server.ended]).toEqual(["end", "end"]);
    });

    test("a server that speaks first is heard within 50 ms of connecting", async () => {
      using app = mesh.app(route, (peer) => peer.send(GREETING));
      const client = await mesh.connect(app);
      expect(await client.takeBytes(GREETING.length)).toBe(GREETING);
      expect(client.firstByteMs - client.openedMs).toBeLessThan(50);
      // The conversation goes on as it began.
      const server = await app.next();
      client.send("EHLO client\r\n");
      expect(await server.takeUntil("\r\n")).toBe("EHLO client\r\n");
      server.send("250 hello\r\n");
      expect(await client.takeUntil("\r\n")).toBe("250 hello\r\n");
    });

    test("a server that speaks first and hears a client that looks like HTTP", async () => {
      using app = mesh.app(route, (peer) => peer.send("220 ready\r\n"));
      const client = await mesh.connect(app);
      await client.takeUntil("ready\r\n");
      client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
      const server = await app.next();
      expect(await server.takeUntil("\r\n\r\n")).toBe("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    });

    test("a client that takes its time is still understood as HTTP", async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      // Long enough for the proxy to have opened the connection to the app.
      const server = await app.next();
      await Bun.sleep(100);
      client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nX: 1\r\n\r\n");
      expect(await server.takeUntil("\r\n\r\n")).toBe("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      server.send("HTTP/1.1 204 No Content\r\n\r\n");
      expect(await client.takeUntil("\r\n\r\n")).toBe("HTTP/1.1 204 No Content\r\n\r\n");
      expect(app.accepted).toHaveLength(1);
    });

    test("a client that ends without a word still hears its server", async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      client.finish();
      const server = await app.next();
      expect(await server.untilEnded()).toBe("end");
      server.send("Sun Nov 22 23:02:26 UTC\r\n");
      server.finish();
      expect(await client.takeAll()).toBe("Sun Nov 22 23:02:26 UTC\r\n");
      expect(client.ended).toBe("end");
    });

    test("a line that begins like a request and is none passes as it is", async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      client.send("GET the milk\r\n");
      const server = await app.next();
      expect(await server.takeUntil("\r\n")).toBe("GET the milk\r\n");
    });

    test("half a request line, and no more of it: after the detect timeout it passes as it is", async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      client.send("GET /half");
      const server = await app.next();
      expect(await server.takeUntil("half")).toBe("GET /half");
      server.send("what?");
      expect(await client.takeUntil("what?")).toBe("what?");
    });

    test("nobody listens: the client's connection is reset", async () => {
      const client = await mesh.connect({ port: mesh.port(route) });
      client.send("\x00hello");
      expect(await client.untilEnded()).toBe("reset");
    });
  });
}

test("a connect timeout resets the client's connection, and is counted", async () => {
  const port = mesh.port("outbound");
  await blackhole(mesh.server, port);
  const client = await mesh.connect({ port });
  client.send("\x00hello");
  expect(await client.untilEnded()).toBe("reset");
  const { outbound } = mesh;
  expect(await counted(outbound, "outbound_tcp_errors_total", { target_port: port, error: "i/o" })).toBe(1);
});

test("an opaque port is not looked into: what looks like HTTP passes as it is, and counts as opaque", async () => {
  await using plain = await Mesh.start({
    LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION: "30000-39999",
  });
  using app = plain.app("inbound");
  expect(app.port).toBe(30_000);
  const client = await plain.connect(app);
  const server = await app.next();
  client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  expect(await server.takeUntil("\r\n\r\n")).toBe("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  const labels = { peer: "src", target_port: app.port, no_tls_reason: "port_skipped" };
  expect(await counted(plain.inbound, "tcp_open_total", labels)).toBe(1);
}, 30_000);

describe("allowed addresses", () => {
  test("inbound connections to another address than LINKERD2_PROXY_INBOUND_IPS are reset and counted", async () => {
    await using strict = await Mesh.start({ LINKERD2_PROXY_INBOUND_IPS: "10.99.0.1" });
    using app = strict.app("inbound");
    const client = await strict.connect(app);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await client.untilEnded()).toBe("reset");
    expect(app.accepted).toHaveLength(0);
    expect(await counted(strict.inbound, "inbound_tcp_errors_total", { error: "unexpected" })).toBe(1);
  }, 30_000);
});

test("a ClientHello that never completes ends the inbound connection, and is counted", async () => {
  using app = mesh.app("inbound");
  const client = await mesh.connect(app);
  client.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
  expect(await client.untilEnded()).toBe("reset");
  const labels = { target_port: app.port, error: "tls detection timeout" };
  expect(await counted(mesh.inbound, "inbound_tcp_errors_total", labels)).toBe(1);
});

test("IPv6: bytes and requests pass two proxies", async () => {
  const port = mesh.port("two proxies");
  await using six = await Mesh.start({
    LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS: "127.0.0.1:4140,[::1]:4140",
    LINKERD2_PROXY_INBOUND_LISTEN_ADDR: "[::]:4143",
  });
  // A new link takes about a second to learn its neighbours, longer than the proxy waits for a connection.
  (await connectTcp(six.client.namespace, six.server.v6, six.port("inbound"))).close();
  using app = TcpServer.listen(six.server.namespace, "::", port);
  const client = await connectTcp(six.client.namespace, six.server.v6, port);
  client.send("\x00hello");
  const server = await app.next();
  expect(await server.takeBytes(6)).toBe("\x00hello");
  server.send(GREETING);
  expect(await client.takeBytes(GREETING.length)).toBe(GREETING);
  client.reset();
  expect(await server.untilEnded()).toBe("reset");

  const caller = await connectTcp(six.client.namespace, six.server.v6, port);
  caller.send("GET / HTTP/1.1\r\nHost: [fd77::2]\r\nKeep-Alive: 1\r\n\r\n");
  const answering = await app.next();
  expect(await answering.takeUntil("\r\n\r\n")).toBe("GET / HTTP/1.1\r\nHost: [fd77::2]\r\n\r\n");
  answering.send("HTTP/1.1 204 No Content\r\n\r\n");
  expect(await caller.takeUntil("\r\n\r\n")).toBe("HTTP/1.1 204 No Content\r\n\r\n");
  for (const [proxy, direction] of [
    [six.outbound, "outbound"],
    [six.inbound, "inbound"],
  ] as const) {
    const labels = { direction, target_addr: `[${six.server.v6}]:${port}`, target_ip: six.server.v6 };
    expect(await counted(proxy, "request_total", labels)).toBe(1);
    expect(await counted(proxy, "tcp_open_total", { ...labels, peer: "src" })).toBe(2);
  }
  // IPv4 reaches the same listeners.
  const old = await connectTcp(six.client.namespace, six.server.v4, port);
  old.send("\x00four");
  const last = await app.next();
  expect(await last.takeUntil("four")).toBe("\x00four");
  expect(await counted(six.inbound, "tcp_open_total", { peer: "src", target_ip: six.server.v4 })).toBe(1);
}, 30_000);
