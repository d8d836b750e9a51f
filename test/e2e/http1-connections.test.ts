import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TcpPeer, type TcpServer, waitFor } from "@bowline/testkit";
import { counted, frozen, Mesh, ROUTES } from "./mesh.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.start();
}, 30_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

/** One request and its whole answer on `client`, which the app on `server` (or its next connection) gives. */
async function exchange(app: TcpServer, client: TcpPeer, request: string, server?: TcpPeer): Promise<TcpPeer> {
  client.send(request);
  const answering = server ?? (await app.next());
  await answering.takeUntil("\r\n\r\n");
  answering.send(OK);
  expect(await client.takeUntil("\r\n\r\nok")).toBe(OK);
  return answering;
}

function get(host: string, path = "/"): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

for (const route of ROUTES) {
  describe(route, () => {
    describe("connections to the app", () => {
      test("one serves all requests for a Host, from one client after another", async () => {
        using app = mesh.app(route);
        const first = await mesh.connect(app);
        const server = await exchange(app, first, get("a.example"));
        await exchange(app, first, get("a.example", "/2"), server);
        const second = await mesh.connect(app);
        await exchange(app, second, get("a.example", "/3"), server);
        expect(app.accepted).toHaveLength(1);
      });

      test("each Host has its own", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        const a = await exchange(app, client, get("a.example"));
        const b = await exchange(app, client, get("b.example"));
        await exchange(app, client, get("a.example"), a);
        await exchange(app, client, get("b.example"), b);
        expect(app.accepted).toHaveLength(2);
      });

      test("requests without Host share none, nor do those of HTTP/1.0", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        for (let i = 0; i < 2; i++) await exchange(app, client, "GET / HTTP/1.1\r\nX-A: 1\r\n\r\n");
        for (let i = 0; i < 2; i++) {
          client.send("GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n");
          const server = await app.next();
          await server.takeUntil("\r\n\r\n");
          server.send(OK);
          await client.takeUntil("\r\n\r\nok");
          // The request was HTTP/1.0, so nothing more comes.
          expect(await server.untilEnded()).toBe("end");
        }
        expect(app.accepted).toHaveLength(4);
      });

      test("requests at the same time have one each", async () => {
        using app = mesh.app(route);
        const clients = [await mesh.connect(app), await mesh.connect(app), await mesh.connect(app)];
        for (const client of clients) client.send(get("a.example"));
        const servers = [await app.next(), await app.next(), await app.next()];
        for (const server of servers) await server.takeUntil("\r\n\r\n");
        for (const server of servers) server.send(OK);
        for (const client of clients) expect(await client.takeUntil("\r\n\r\nok")).toBe(OK);
      });

      test("an idle one is closed after a while", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        const server = await exchange(app, client, get("a.example"));
        // LINKERD2_PROXY_*_HTTP1_CONNECTION_POOL_IDLE_TIMEOUT is 3 s by default.
        expect(await server.untilEnded(10_000)).toBe("end");
        expect(client.ended).toBeNull();
        await exchange(app, client, get("a.example"));
      }, 15_000);

      test("the client's end reaches a server in the middle of its response", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        client.send(get("a.example"));
        const server = await app.next();
        await server.takeUntil("\r\n\r\n");
        server.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
        await client.takeUntil("some");
        client.reset();
        expect(await server.untilEnded()).toBe("reset");
      });
    });

    describe("pipelining", () => {
      test("requests in one segment are answered in order", async () => {
        using app = mesh.app(route, respondEach);
        const client = await mesh.connect(app);
        client.send(
          `${get("a", "/1")}POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${get("b", "/3")}HEAD /4 HTTP/1.1\r\nHost: a\r\n\r\n${get("a", "/5")}`,
        );
        const answers = await client.takeUntil("/5|");
        expect(answers.replaceAll(/HTTP\/1.1 200 OK\r\nContent-Length: \d+\r\n\r\n/g, "> ")).toBe(
          "> GET /1|> POST /2|> GET /3|> > GET /5|",
        );
      });

      test("a hundred requests, more than are read ahead", async () => {
        using app = mesh.app(route, respondEach);
        const client = await mesh.connect(app);
        const padding = "p".repeat(1_000);
        let sent = "";
        for (let i = 0; i < 100; i++) sent += `GET /${i} HTTP/1.1\r\nHost: a\r\nX-Padding: ${padding}\r\n\r\n`;
        client.send(sent);
        const answers = await client.takeUntil("GET /99|");
        expect([...(answers.match(/GET \/\d+\|/g) ?? [])]).toEqual(Array.from({ length: 100 }, (_, i) => `GET /${i}|`));
      });

      test("a client that ends its direction still gets the answers it waits for", async () => {
        using app = mesh.app(route, respondEach);
        const client = await mesh.connect(app);
        client.send(get("a", "/1") + get("a", "/2"));
        client.finish();
        const answers = await client.takeAll();
        expect(client.ended).toBe("end");
        expect([...(answers.match(/GET \/\d+\|/g) ?? [])]).toEqual(["GET /1|", "GET /2|"]);
      });
    });

    describe("a pooled connection that was closing when the request went out", () => {
      test("a server that closes after each response costs no request", async () => {
        using app = mesh.app(route, (peer) => {
          peer.onBytes = () => {
            peer.send(OK);
            peer.finish();
          };
        });
        const client = await mesh.connect(app);
        for (let i = 0; i < 50; i++) {
          client.send(get("a.example", `/${i}`));
          expect(await client.takeUntil("\r\n\r\nok")).toBe(OK);
        }
        expect(app.accepted.length).toBe(50);
      });

      for (const [name, request] of [
        ["GET", get("a.example", "/again")],
        ["PUT with a body", "PUT /again HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody"],
      ] as const) {
        test(`${name} that a server read and then reset is sent again on a new connection`, async () => {
          const proxy = route === "outbound" ? mesh.outbound : mesh.inbound;
          const direction = route === "outbound" ? "outbound" : "inbound";
          const before = await counted(proxy, "http1_replayed_requests_total", { direction });
          using app = mesh.app(route);
          const client = await mesh.connect(app);
          const old = await exchange(app, client, get("a.example"));
          client.send(request);
          expect(await old.takeUntil("/again")).toStartWith(request.slice(0, 4));
          old.reset();
          const fresh = await app.next();
          expect(await fresh.takeBytes(request.length)).toBe(request);
          fresh.send(OK);
          expect(await client.takeUntil("\r\n\r\nok")).toBe(OK);
          expect(await counted(proxy, "http1_replayed_requests_total", { direction })).toBe(before + 1);
        });
      }

      test("POST that the server has read is not: 502", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        const old = await exchange(app, client, get("a.example"));
        client.send("POST /once HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody");
        await old.takeUntil("body");
        old.reset();
        expect(await client.takeUntil("\r\n\r\n")).toStartWith("HTTP/1.1 502 ");
        expect(app.accepted).toHaveLength(1);
      });

      test("a request on a connection of its own is not either: the server may always fail that way", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        client.send(get("a.example"));
        const server = await app.next();
        await server.takeUntil("\r\n\r\n");
        server.reset();
        expect(await client.takeUntil("\r\n\r\n")).toStartWith("HTTP/1.1 502 ");
        expect(app.accepted).toHaveLength(1);
      });
    });

    describe("tunnels", () => {
      test("an upgrade: headers pass, then bytes both ways, each direction with its own end", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        const request = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\n";
        // What the client sends before it knows waits for the answer.
        client.send(`${request}early`);
        const server = await app.next();
        expect(await server.takeBytes(request.length)).toBe(request);
        const answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        server.send(`${answer}first`);
        expect(await client.takeBytes(answer.length + 5)).toBe(`${answer}first`);
        expect(await server.takeUntil("early")).toBe("early");
        client.send("\x00\xff ping");
        expect(await server.takeUntil("ping")).toBe("\x00\xff ping");
        client.finish();
        expect(await server.untilEnded()).toBe("end");
        server.send("last words");
        server.finish();
        expect(await client.takeAll()).toBe("last words");
        expect(client.ended).toBe("end");
      });

      test("an upgrade that is refused is an ordinary response", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
        const server = await app.next();
        expect(await server.takeUntil("\r\n\r\n")).toContain("Upgrade: chat\r\n");
        server.send("HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno");
        expect(await client.takeUntil("no")).toBe("HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno");
        await exchange(app, client, get("a"));
      });

      test("CONNECT: bytes both ways, framing fields of the 200 removed", async () => {
        using app = mesh.app(route);
        const client = await mesh.connect(app);
        const request = "CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n";
        client.send(request);
        const server = await app.next();
        expect(await server.takeBytes(request.length)).toBe(request);
        server.send("HTTP/1.1 200 Fine\r\nContent-Length: 7\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
        expect(await client.takeUntil("\r\n\r\n")).toBe("HTTP/1.1 200 Fine\r\nX-A: 1\r\n\r\n");
        client.send("GET / HTTP/1.1\r\n\r\n");
        expect(await server.takeUntil("\r\n\r\n")).toBe("GET / HTTP/1.1\r\n\r\n");
        server.reset();
        expect(await client.untilEnded()).toBe("reset");
      });

      for (const [name, request] of [
        ["CONNECT over HTTP/1.0", "CONNECT a.example:443 HTTP/1.0\r\nHost: a.example:443\r\n\r\n"],
        ["CONNECT with a path", "CONNECT /path HTTP/1.1\r\nHost: a.example\r\n\r\n"],
        ["CONNECT with a URL", "CONNECT http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"],
        ["GET with an authority", "GET a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"],
      ] as const) {
        test(`${name} is a bad request`, async () => {
          using app = mesh.app(route);
          const client = await mesh.connect(app);
          client.send(request);
          expect(await client.takeAll()).toStartWith("HTTP/1.1 400 ");
          expect(app.accepted.every((peer) => peer.receivedBytes === 0)).toBe(true);
        });
      }
    });

    test("an answer before the whole body: the client gets it, whole, and the connection ends", async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
      const server = await app.next();
      await server.takeUntil("\r\n\r\n");
      server.send("HTTP/1.1 413 Too Much\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
      server.close();
      // Still uploading, as curl would be.
      for (let i = 0; i < 20; i++) client.send(new Uint8Array(65_536));
      const answer = await client.takeUntil("big");
      expect(answer).toStartWith("HTTP/1.1 413 Too Much\r\n");
      await client.untilEnded();
    });
  });
}

describe("POST to a server that had closed before", () => {
  for (const route of ["inbound", "outbound"] as const) {
    test(`${route}: it is sent again`, async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      const old = await exchange(app, client, get("a.example"));
      const request = "POST /safe HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody";
      // The proxy sees the request first and the server's end only when it has sent it on.
      await frozen(mesh.firstProxy(route), () => {
        client.send(request);
        old.close();
      });
      const fresh = await app.next();
      expect(await fresh.takeBytes(request.length)).toBe(request);
      fresh.send(OK);
      expect(await client.takeUntil("\r\n\r\nok")).toBe(OK);
      expect(old.take()).toBe("");
    });
  }
});

test("a client that ends its direction late still gets all of a response it takes slowly", async () => {
  await using narrow = await Mesh.start();
  const buffers = async (sizes: string): Promise<void> => {
    for (const { namespace } of [narrow.client, narrow.server]) {
      await namespace.run(["sysctl", "-qw", `net.ipv4.tcp_rmem=${sizes}`, `net.ipv4.tcp_wmem=${sizes}`]);
    }
  };
  // So little fits between client and proxy that the proxy holds some of the response itself.
  await buffers("4096 4096 4096");
  using app = narrow.app("inbound");
  const client = await narrow.connect(app);
  await buffers("4096 131072 131072");
  client.pause();
  client.send(get("a"));
  const server = await app.next();
  await server.takeUntil("\r\n\r\n");
  const body = "0123456789".repeat(4_500);
  server.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await waitFor(async () => (await counted(narrow.inbound, "response_total", { status_code: 200 })) === 1, {
    what: "the proxy to be done with the response",
  });
  client.finish();
  await Bun.sleep(20);
  client.resume();
  const answer = await client.takeAll();
  expect(client.ended).toBe("end");
  expect(answer.endsWith(`\r\n\r\n${body}`)).toBe(true);
}, 30_000);

/** Answers each request with its method and path and a bar. */
function respondEach(peer: TcpPeer): void {
  let unread = "";
  peer.onBytes = (bytes) => {
    unread += Buffer.from(bytes).toString("latin1");
    for (;;) {
      const match = /^(\S+) (\S+) HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(unread);
      if (match === null) return;
      const length = Number(/content-length: (\d+)/i.exec(match[0])?.[1] ?? 0);
      if (unread.length < match[0].length + length) return;
      unread = unread.slice(match[0].length + length);
      const body = `${match[1]} ${match[2]}|`;
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${match[1] === "HEAD" ? "" : body}`);
    }
  };
}
