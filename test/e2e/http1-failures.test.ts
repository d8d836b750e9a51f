import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectTcp, type TcpPeer, TcpServer, waitFor } from "@bowline/testkit";
import { blackhole, counted, Mesh, ROUTES, type Route } from "./mesh.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.start({ LINKERD2_PROXY_HTTP1_HEAD_TIMEOUT: "500ms" });
}, 30_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

/** How a request fails, what its client is told, and where it counts. */
interface Row {
  readonly name: string;
  readonly routes: readonly Route[];
  /** Makes it fail: given what the client sends, on an own connection. */
  readonly fail: (route: Route, client: (app: { port: number }) => Promise<TcpPeer>) => Promise<TcpPeer>;
  readonly status: number;
  readonly cause: string;
  readonly error: string;
  /** The `error` label of *_http_errors_total. */
  readonly label: string;
  /** Whoever sent the request may know what was wrong with it. */
  readonly clientFault?: boolean;
}

const rows: Row[] = [
  {
    name: "nobody listens",
    routes: ["inbound", "outbound"],
    fail: async (route, connect) => send(await connect({ port: mesh.port(route) }), GET),
    status: 502,
    cause: "connect-refused",
    error: "connection refused (10.77.0.2:PORT)",
    label: "i/o",
  },
  {
    name: "nobody answers",
    routes: ["inbound", "outbound"],
    fail: async (route, connect) => {
      const port = mesh.port(route);
      if (route === "outbound") {
        await blackhole(mesh.server, port);
      } else {
        // Only the proxy's own connections: the client's are on their way to the same port.
        const drop = ["OUTPUT", "-p", "tcp", "--dport", String(port), "-j", "DROP"];
        await mesh.server.namespace.run(["iptables", "-A", ...drop]);
      }
      return send(await connect({ port }), GET);
    },
    status: 504,
    cause: "connect-timeout",
    error: "connect timed out (10.77.0.2:PORT)",
    label: "i/o",
  },
  {
    name: "the server closes without an answer",
    routes: ["inbound", "outbound"],
    fail: (route, connect) => withApp(route, connect, (server) => server.close()),
    status: 502,
    cause: "upstream-closed",
    error: "connection closed before a response (10.77.0.2:PORT)",
    label: "i/o",
  },
  {
    name: "the server resets without an answer",
    routes: ["inbound", "outbound"],
    fail: (route, connect) => withApp(route, connect, (server) => server.reset()),
    status: 502,
    cause: "upstream-reset",
    error: "connection reset before a response (10.77.0.2:PORT)",
    label: "i/o",
  },
  {
    name: "the answer is not HTTP",
    routes: ["inbound", "outbound"],
    fail: (route, connect) => withApp(route, connect, (server) => server.send("220 smtp.example ESMTP\r\n\r\n")),
    status: 502,
    cause: "bad-response",
    error: "the response is not valid HTTP",
    label: "unexpected",
  },
  {
    name: "the server closes within its response head",
    routes: ["inbound", "outbound"],
    fail: (route, connect) =>
      withApp(route, connect, (server) => {
        server.send("HTTP/1.1 200 OK\r\nX-A: ");
        server.finish();
      }),
    status: 502,
    cause: "bad-response",
    error: "the response is not valid HTTP (connection ended within the response head)",
    label: "unexpected",
  },
  {
    name: "the request is malformed",
    routes: ["inbound", "outbound"],
    fail: async (route, connect) =>
      send(await connect({ port: mesh.port(route) }), "GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n"),
    status: 400,
    cause: "bad-request",
    error: "the request is not valid HTTP",
    label: "unexpected",
    clientFault: true,
  },
  {
    name: "the request head is larger than 64 KiB",
    routes: ["inbound", "outbound"],
    fail: async (route, connect) =>
      send(
        await connect({ port: mesh.port(route) }),
        `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${"x".repeat(66_000)}\r\n\r\n`,
      ),
    status: 431,
    cause: "head-too-large",
    error: "the request head is too large",
    label: "unexpected",
    clientFault: true,
  },
  {
    name: "the request has more than 256 fields",
    routes: ["inbound", "outbound"],
    fail: async (route, connect) =>
      send(await connect({ port: mesh.port(route) }), `GET / HTTP/1.1\r\nHost: a\r\n${"X-A: 1\r\n".repeat(256)}\r\n`),
    status: 431,
    cause: "head-too-large",
    error: "the request head is too large",
    label: "unexpected",
    clientFault: true,
  },
  {
    name: "the request head never ends",
    routes: ["inbound", "outbound"],
    fail: async (route, connect) => send(await connect({ port: mesh.port(route) }), "GET / HTTP/1.1\r\nHost: a\r\nX"),
    status: 408,
    cause: "head-timeout",
    error: "the request head did not arrive in time",
    label: "unexpected",
    clientFault: true,
  },
  {
    name: "the request is addressed to the inbound proxy itself",
    routes: ["inbound"],
    fail: async () => send(await connectTcp(mesh.client.namespace, mesh.server.v4, 4143), GET),
    status: 403,
    cause: "inbound-loop",
    error: "",
    label: "unexpected",
  },
  {
    name: "the request is addressed to the outbound proxy itself",
    routes: ["outbound"],
    fail: async () => send(await connectTcp(mesh.client.namespace, "127.0.0.1", 4140), GET),
    status: 502,
    cause: "outbound-loop",
    error: "the request is addressed to the proxy itself (127.0.0.1:4140)",
    label: "i/o",
  },
];

for (const row of rows) {
  for (const route of row.routes) {
    test(`${route}: ${row.name}: ${row.status}`, async () => {
      const direction = route === "inbound" ? "inbound" : "outbound";
      const proxy = mesh.firstProxy(route);
      const count = (name: string, labels: Record<string, string>): Promise<number> => counted(proxy, name, labels);
      const failures = await count("proxy_failures_total", { direction, cause: row.cause });
      const errors = await count(`${direction}_http_errors_total`, { error: row.label });
      let port = 0;
      const client = await row.fail(route, (app) => {
        port = app.port;
        return mesh.connect(app);
      });
      const answer = await client.takeAll();
      expect(client.ended).toBe("end");
      expect(answer).toStartWith(`HTTP/1.1 ${row.status} `);
      const fields = fieldsOf(answer);
      expect(fields).toMatchObject({ "content-length": "0", connection: "close" });
      if (route === "outbound" || row.clientFault) {
        expect(fields["l5d-proxy-error-cause"]).toBe(row.cause);
        expect(fields["l5d-proxy-error"]).toStartWith(row.error.replace("PORT", String(port)));
      } else {
        expect(Object.keys(fields).filter((name) => name.startsWith("l5d-"))).toEqual([]);
      }
      expect(answer).toEndWith("\r\n\r\n");
      expect(await count("proxy_failures_total", { direction, cause: row.cause })).toBe(failures + 1);
      expect(await count(`${direction}_http_errors_total`, { error: row.label })).toBe(errors + 1);
    });
  }
}

test("two proxies: what the inbound one synthesised reaches the client, without its remarks", async () => {
  const client = send(await mesh.connect({ port: mesh.port("two proxies") }), GET);
  const answer = await client.takeUntil("\r\n\r\n");
  expect(answer).toStartWith("HTTP/1.1 502 ");
  expect(answer).not.toContain("l5d-");
});

test("the informational headers can be switched off", async () => {
  await using quiet = await Mesh.start({ LINKERD2_PROXY_OUTBOUND_DISABLE_INFORMATIONAL_HEADERS: "true" });
  const client = send(await quiet.connect({ port: quiet.port("outbound") }), GET);
  const answer = await client.takeAll();
  expect(answer).toStartWith("HTTP/1.1 502 ");
  expect(answer).not.toContain("l5d-");
}, 30_000);

for (const route of ROUTES) {
  describe(`${route}: a response that breaks off is not taken for whole`, () => {
    const breaks: { name: string; head: string; how: (server: TcpPeer) => void }[] = [
      { name: "closed within its length", head: "Content-Length: 10", how: (server) => server.finish() },
      { name: "reset within its length", head: "Content-Length: 10", how: (server) => server.reset() },
      { name: "closed within its chunks", head: "Transfer-Encoding: chunked", how: (server) => server.finish() },
      { name: "a chunk that is none", head: "Transfer-Encoding: chunked", how: (server) => server.send("zz\r\n\r\n") },
      { name: "reset where it would end by close", head: "X-A: 1", how: (server) => server.reset() },
    ];
    for (const { name, head, how } of breaks) {
      test(name, async () => {
        using app = mesh.app(route);
        const client = send(await mesh.connect(app), GET);
        const server = await app.next();
        await server.takeUntil("\r\n\r\n");
        const part = head.startsWith("Transfer") ? "4\r\npart\r\n" : "part";
        server.send(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${part}`);
        await client.takeUntil("part");
        how(server);
        expect(await client.untilEnded()).toBe("reset");
        expect(await countOfTruncated(app, route)).toBe(1);
      });
    }
  });

  test(`${route}: a client that goes away within its request takes the server's connection with it`, async () => {
    using app = mesh.app(route);
    const client = send(await mesh.connect(app), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\npart");
    const server = await app.next();
    await server.takeUntil("part");
    client.close();
    expect(await server.untilEnded()).toBe("reset");
  });

  test(`${route}: a server that is not up yet is reached by the next request`, async () => {
    const port = mesh.port(route);
    const first = send(await mesh.connect({ port }), GET);
    expect(await first.takeUntil("\r\n\r\n")).toStartWith("HTTP/1.1 502 ");

    using app = TcpServer.listen(mesh.server.namespace, "0.0.0.0", port);
    const second = send(await mesh.connect({ port }), GET);
    await (await app.next()).takeUntil("\r\n\r\n");
    second.close();
  });
}

test("more requests in flight than allowed are answered 503, the others go on", async () => {
  await using small = await Mesh.start({ LINKERD2_PROXY_OUTBOUND_MAX_IN_FLIGHT: "2" });
  using app = small.app("outbound");
  const clients: TcpPeer[] = [];
  for (let i = 0; i < 2; i++) {
    clients.push(send(await small.connect(app), GET));
    await (await app.next()).takeUntil("\r\n\r\n");
  }
  const refused = send(await small.connect(app), GET);
  const answer = await refused.takeAll();
  expect(answer).toStartWith("HTTP/1.1 503 ");
  expect(fieldsOf(answer)["l5d-proxy-error-cause"]).toBe("load-shed");
  for (const server of app.accepted.slice(0, 2)) server.send("HTTP/1.1 204 No Content\r\n\r\n");
  for (const client of clients) expect(await client.takeUntil("\r\n\r\n")).toStartWith("HTTP/1.1 204 ");
  const next = send(await small.connect(app), GET);
  await waitFor(() => app.accepted.some((server) => server.text !== ""), { what: "the next request" });
  next.close();
}, 30_000);

function send(client: TcpPeer, bytes: string): TcpPeer {
  client.send(bytes);
  return client;
}

/** Sends a request to an app that reads it and then does `then`. */
async function withApp(
  route: Route,
  connect: (app: TcpServer) => Promise<TcpPeer>,
  then: (server: TcpPeer) => void,
): Promise<TcpPeer> {
  using app = mesh.app(route);
  const client = send(await connect(app), GET);
  const server = await app.next();
  await server.takeUntil("\r\n\r\n");
  then(server);
  await waitFor(() => client.receivedBytes > 0 || client.ended, { what: "an answer" });
  return client;
}

function countOfTruncated(app: TcpServer, route: Route): Promise<number> {
  const labels = { target_port: app.port, status_code: 200, classification: "failure", error: "unclassified" };
  return counted(mesh.firstProxy(route), "response_total", labels);
}

function fieldsOf(answer: string): Record<string, string> {
  return Object.fromEntries([...answer.matchAll(/^([\w-]+): (.*)\r$/gm)].map((match) => [match[1], match[2]]));
}
