import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectTcp, type TcpPeer, TcpServer } from "@bowline/testkit";
import { endpoint } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, type Service } from "./discovery-world.ts";
import { counted, initPod, type RunningProxy, startProxy } from "./mesh.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";

/**
 * Two pods, each with a proxy, of which the client's knows that the server's takes HTTP/2:
 *
 *     client ── HTTP/1 ──▶ outbound proxy ── HTTP/2 ──▶ inbound proxy ── HTTP/1 ──▶ app
 */
let world: DiscoveryWorld;
let inbound: RunningProxy;

beforeAll(async () => {
  world = await DiscoveryWorld.start();
  await initPod(world.server.namespace);
  inbound = await startProxy(world.server);
}, 30_000);

afterAll(async () => {
  inbound?.process.kill("SIGKILL");
  await world?.[Symbol.asyncDispose]();
});

/** A service whose one endpoint is at the address, in the server's pod. */
function serviceAt(address: string): Service {
  const service = world.service();
  const protocolHint = { protocol: { case: "h2", value: {} } } as const;
  service.destination.add(endpoint(address, { protocolHint }));
  return service;
}

/** A service with a raw app behind it, which decides by `onOpen` what it does. */
function open(onOpen?: (peer: TcpPeer) => void): { app: TcpServer; service: Service } {
  const address = world.address();
  const app = TcpServer.listen(world.server.namespace, world.server.v4, Number(address.split(":")[1]), onOpen);
  return { app, service: serviceAt(address) };
}

function connect({ vip }: Service): Promise<TcpPeer> {
  const [ip = "", port] = vip.split(":");
  return connectTcp(world.client.namespace, ip, Number(port));
}

interface Row {
  readonly name: string;
  readonly request: string;
  readonly seen?: string;
  readonly response?: string;
  readonly got?: string;
}

const ROWS: readonly Row[] = [
  { name: "a plain GET", request: GET },
  {
    name: "HTTP/1.0 with Host, answered in HTTP/1.0",
    request: "GET / HTTP/1.0\r\nhost: a.test\r\n\r\n",
    response: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    got: "HTTP/1.0 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
  },
  {
    name: "HTTP/1.0 without Host",
    request: "GET / HTTP/1.0\r\nx-a: 1\r\n\r\n",
    got: "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
  },
  { name: "an absolute URI that differs from Host", request: "GET http://a.test/ HTTP/1.1\r\nhost: b.test\r\n\r\n" },
  {
    name: "what only proxies say is neither taken from an application nor shown to it",
    request: "GET / HTTP/1.1\r\nhost: a.test\r\nl5d-orig-proto: HTTP/1.0\r\n\r\n",
    seen: GET,
    response: "HTTP/1.1 200 OK\r\nl5d-orig-proto: HTTP/1.0\r\ncontent-length: 2\r\n\r\nok",
    got: OK,
  },
  {
    name: "chunks and trailers, both ways",
    request: "PUT / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n",
    seen: "PUT / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
    got: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n",
  },
  {
    name: "HEAD",
    request: "HEAD / HTTP/1.1\r\nhost: a.test\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n",
  },
  { name: "204", request: GET, response: "HTTP/1.1 204 No Content\r\n\r\n" },
];

describe("HTTP/1 between two proxies goes over HTTP/2 and comes out as it went in", () => {
  test.each(ROWS)("$name", async ({ request, seen = request, response = OK, got = response }) => {
    const { app, service } = open();
    using _ = app;
    const client = await connect(service);
    client.send(request);
    const server = await app.next();
    expect(await server.takeBytes(seen.length)).toBe(seen);
    server.send(response);
    expect(await client.takeBytes(got.length)).toBe(got);
    client.finish();
    expect(await client.untilEnded()).toBe("end");
    expect([client.take(), server.take()]).toEqual(["", ""]);
    client.close();
  });

  test("a megabyte each way", async () => {
    const body = "0123456789abcdef".repeat(65_536);
    const { app, service } = open();
    using _ = app;
    const client = await connect(service);
    const request = `POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    client.send(request);
    const server = await app.next();
    expect((await server.takeBytes(request.length)) === request).toBe(true);
    const response = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    server.send(response);
    expect((await client.takeBytes(response.length)) === response).toBe(true);
    client.close();
  });

  test("many clients share one connection between the proxies", async () => {
    const { app, service } = open((peer) => {
      void peer.takeUntil("\r\n\r\n").then(() => peer.send(OK));
    });
    using _ = app;
    const target = `${world.server.v4}:${app.port}`;
    const before = await counted(world.proxy, "tcp_open_total", { peer: "dst", target_addr: target });
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(service)));
    for (const client of clients) client.send(GET);
    for (const client of clients) expect(await client.takeBytes(OK.length)).toBe(OK);
    expect((await counted(world.proxy, "tcp_open_total", { peer: "dst", target_addr: target })) - before).toBe(1);
    for (const client of clients) client.close();
  });

  test("another protocol is asked for over HTTP/1", async () => {
    const { app, service } = open();
    using _ = app;
    const first = await connect(service);
    first.send(GET.replace("a.test", "first.test"));
    (await app.next()).send(OK);
    expect(await first.takeBytes(OK.length)).toBe(OK);
    first.close();
    const client = await connect(service);
    const request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    client.send(request);
    const server = await app.next();
    expect(await server.takeBytes(request.length)).toBe(request);
    const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
    server.send(`${switched}hello`);
    expect(await client.takeBytes(switched.length + 5)).toBe(`${switched}hello`);
    client.send("bytes");
    expect(await server.takeBytes(5)).toBe("bytes");
    client.close();
  });
});

describe("what goes wrong behind the second proxy", () => {
  test("nothing listens: 502", async () => {
    const client = await connect(serviceAt(world.address()));
    client.send(GET);
    expect(await client.takeUntil("\r\n\r\n")).toStartWith("HTTP/1.1 502 Bad Gateway\r\n");
    client.close();
  });

  test("a reset in place of a response: 502", async () => {
    const { app, service } = open();
    using _ = app;
    const client = await connect(service);
    client.send(GET);
    (await app.next()).reset();
    expect(await client.takeUntil("\r\n\r\n")).toStartWith("HTTP/1.1 502 Bad Gateway\r\n");
    client.close();
  });

  test("an end within a response: the client's connection is reset", async () => {
    const { app, service } = open();
    using _ = app;
    const client = await connect(service);
    client.send(GET);
    const server = await app.next();
    await server.takeUntil("\r\n\r\n");
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
    server.finish();
    expect(await client.untilEnded()).not.toBe("end");
    client.close();
  });
});
