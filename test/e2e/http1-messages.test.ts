import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Mesh, ROUTES, type Route } from "./mesh.ts";

/** What one side sends and what arrives at the other; as sent where nothing else is said. */
interface Row {
  readonly name: string;
  readonly request: string;
  readonly seen?: string | Readonly<Record<Route, string>>;
  readonly response?: string;
  readonly got?: string | Readonly<Record<Route, string>>;
  /** The app closes after its response. */
  readonly appCloses?: boolean;
  /** The client's connection is closed after the response. */
  readonly closes?: boolean;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HOST = "Host: app.example\r\n";

const rows: Row[] = [
  {
    name: "a plain GET arrives as it was sent: names, order, spacing, repeated fields, nothing added",
    request: `GET /a%20b;c?d=%C3%A9&e HTTP/1.1\r\n${HOST}X-A:  1\r\nx-a: 2 \r\nACCEPT:*/*\r\nX-Empty:\r\n\r\n`,
    response: "HTTP/1.1 200 Fine Thanks\r\nX-B:  1\r\nx-b: 2 \r\nSET-COOKIE:a=b\r\nContent-Length: 0\r\n\r\n",
  },
  {
    name: "bytes above 0x7f in values",
    request: `GET / HTTP/1.1\r\n${HOST}X-Name: J\xf6rg \xc3\xa9\r\n\r\n`,
    response: "HTTP/1.1 200 \xd6k\r\nX-Name: J\xf6rg\r\nContent-Length: 0\r\n\r\n",
  },
  { name: "a status without a reason", request: get(), response: "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n" },
  { name: "a method nobody has heard of", request: `BREW /pot HTTP/1.1\r\n${HOST}\r\n`, response: OK },
  { name: "OPTIONS *", request: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, response: OK },
  {
    name: "hop-by-hop fields and those that Connection names are removed, both ways",
    request: `GET / HTTP/1.1\r\nConnection: keep-alive, X-Named\r\n${HOST}X-Named: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 1\r\nproxy-connection: keep-alive\r\nUpgrade: chat\r\nconnection: x-OTHER\r\nX-Other: 1\r\nX-Last: 1\r\n\r\n`,
    seen: `GET / HTTP/1.1\r\n${HOST}X-Kept: 1\r\nX-Last: 1\r\n\r\n`,
    response:
      "HTTP/1.1 200 OK\r\nX-Gone: 1\r\nX-Kept: 1\r\nConnection: x-gone\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nContent-Length: 2\r\nUpgrade: h2c\r\n\r\nok",
    got: "HTTP/1.1 200 OK\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok",
  },
  {
    name: "Connection cannot name what frames or routes the message",
    request: `POST / HTTP/1.1\r\n${HOST}Connection: content-length, host\r\nContent-Length: 2\r\n\r\nhi`,
    seen: `POST / HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`,
    response: OK,
  },
  {
    name: "an upgrade to h2c is not passed on",
    request: `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
    seen: get(),
    response: OK,
  },
  {
    name: "absolute-form stays, and may differ from Host",
    request: `GET http://other.example:81/x HTTP/1.1\r\n${HOST}\r\n`,
    response: OK,
  },
  {
    name: "HTTP/1.0 with Host keeps its version, and ends the connection",
    request: `GET / HTTP/1.0\r\n${HOST}\r\n`,
    response: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    got: "HTTP/1.0 200 OK\r\nconnection: close\r\nContent-Length: 2\r\n\r\nok",
    closes: true,
  },
  {
    name: "HTTP/1.0 without Host gets none",
    request: "GET / HTTP/1.0\r\nX-A: 1\r\n\r\n",
    response: OK,
    got: OK.replace("\r\n", "\r\nconnection: close\r\n"),
    closes: true,
  },
  {
    name: "HTTP/1.0 that asks for keep-alive has it",
    request: `GET / HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`,
    seen: `GET / HTTP/1.0\r\n${HOST}\r\n`,
    response: OK,
    // A request that arrives without the word for it gets `close` from the second proxy; the first says what holds.
    got: OK.replace("\r\n", "\r\nconnection: keep-alive\r\n"),
  },
  {
    name: "HTTP/1.1 that asks for close has it",
    request: `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
    seen: get(),
    response: OK,
    got: OK.replace("\r\n", "\r\nconnection: close\r\n"),
    closes: true,
  },
  {
    name: "an app that closes does not end the client's connection",
    request: get(),
    response: OK.replace("\r\n", "\r\nConnection: close\r\n"),
    got: OK,
    appCloses: true,
  },
  { name: "HTTP/1.1 without Host", request: "GET / HTTP/1.1\r\nX-A: 1\r\n\r\n", response: OK },
  { name: "an empty Host", request: "GET / HTTP/1.1\r\nHost:\r\n\r\n", response: OK },
  {
    name: "a body with a length, both ways",
    request: `POST / HTTP/1.1\r\n${HOST}Content-Length: 11\r\n\r\nhello\x00\r\n\r\n\xff`,
    response: "HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\n\x00\x01\x02\r\n",
  },
  {
    name: "chunks, extensions and trailers, both ways, byte for byte",
    request: `PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;ext=1\r\nhello\r\n000a\r\n0123456789\r\n0\r\nX-Sum: 7\r\nX-More: 8\r\n\r\n`,
    response:
      "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\nA\r\n0123456789\r\n0;last\r\nx-sum: 1\r\n\r\n",
  },
  {
    name: "a request without a body gets no framing",
    request: `POST / HTTP/1.1\r\n${HOST}\r\n`,
    response: OK,
  },
  {
    name: "content-length: 0 stays, both ways",
    request: `POST / HTTP/1.1\r\n${HOST}content-length: 0\r\n\r\n`,
    response: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
  },
  {
    name: "HEAD keeps the length of what is not sent",
    request: `HEAD / HTTP/1.1\r\n${HOST}\r\n`,
    response: "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
  },
  {
    name: "HEAD keeps chunked, too",
    request: `HEAD / HTTP/1.1\r\n${HOST}\r\n`,
    response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
  },
  { name: "204", request: get(), response: "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n" },
  {
    name: "304 with the length of what it stands for",
    request: get(),
    response: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 77\r\n\r\n',
  },
  {
    name: "103 before the response",
    request: get(),
    response: `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n${OK}`,
  },
  {
    name: "no 103 for HTTP/1.0",
    request: `GET / HTTP/1.0\r\n${HOST}\r\n`,
    response: `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${OK}`,
    got: OK.replace("\r\n", "\r\nconnection: close\r\n"),
    closes: true,
  },
  {
    name: "a response that ends by close, HTTP/1.1",
    request: get(),
    response: "HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nwho knows how long",
    got: "HTTP/1.1 200 OK\r\nconnection: close\r\nX-A: 1\r\n\r\nwho knows how long",
    appCloses: true,
    closes: true,
  },
  {
    name: "a response that ends by close, HTTP/1.0 both ways",
    request: `GET / HTTP/1.0\r\n${HOST}\r\n`,
    response: "HTTP/1.0 200 OK\r\n\r\nuntil the end",
    got: "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nuntil the end",
    appCloses: true,
    closes: true,
  },
  {
    name: "a head of 60 KiB and a body of 300 KiB",
    request: `POST /${"p".repeat(8_000)} HTTP/1.1\r\n${HOST}X-Long: ${"x".repeat(52_000)}\r\nContent-Length: 300000\r\n\r\n${"b".repeat(300_000)}`,
    response: `HTTP/1.1 200 OK\r\nX-Long: ${"y".repeat(60_000)}\r\nContent-Length: 300000\r\n\r\n${"c".repeat(300_000)}`,
  },
  {
    name: "256 fields",
    request: `GET / HTTP/1.1\r\n${HOST}${fields(255)}\r\n`,
    response: `HTTP/1.1 200 OK\r\n${fields(255)}Content-Length: 2\r\n\r\nok`,
  },
  {
    name: "l5d-client-id is for the inbound proxy to set",
    request: `GET / HTTP/1.1\r\n${HOST}L5d-Client-Id: root.example\r\nX-A: 1\r\n\r\n`,
    seen: {
      inbound: `GET / HTTP/1.1\r\n${HOST}X-A: 1\r\n\r\n`,
      outbound: `GET / HTTP/1.1\r\n${HOST}L5d-Client-Id: root.example\r\nX-A: 1\r\n\r\n`,
      "two proxies": `GET / HTTP/1.1\r\n${HOST}X-A: 1\r\n\r\n`,
    },
    response: OK,
  },
  {
    name: "what the next proxy says of its errors is not for the client",
    request: get(),
    response:
      "HTTP/1.1 200 OK\r\nL5d-Proxy-Error: made up\r\nX-A: 1\r\nl5d-proxy-connection: close\r\nContent-Length: 0\r\n\r\n",
    got: {
      inbound:
        "HTTP/1.1 200 OK\r\nL5d-Proxy-Error: made up\r\nX-A: 1\r\nl5d-proxy-connection: close\r\nContent-Length: 0\r\n\r\n",
      outbound: "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
      "two proxies": "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
    },
  },
];

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.start();
}, 30_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

for (const route of ROUTES) {
  describe(route, () => {
    for (const row of rows) {
      test(row.name, () => pass(route, row, false));
    }

    test("all of it in single bytes", async () => {
      for (const row of rows)
        if (row.request.length + (row.response?.length ?? 0) < 1_000) await pass(route, row, true);
    }, 30_000);

    test("100-continue goes to the client before the body comes", async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      const head = `POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`;
      client.send(head);
      const server = await app.next();
      expect(await server.takeBytes(head.length)).toBe(head);
      server.send("HTTP/1.1 100 Continue\r\n\r\n");
      expect(await client.takeUntil("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
      client.send("body");
      expect(await server.takeBytes(4)).toBe("body");
      server.send(OK);
      expect(await client.takeBytes(OK.length)).toBe(OK);
    });

    test("417 in place of the body", async () => {
      using app = mesh.app(route);
      const client = await mesh.connect(app);
      client.send(`POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
      const server = await app.next();
      await server.takeUntil("\r\n\r\n");
      server.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
      expect(await client.takeUntil("\r\n\r\n")).toStartWith("HTTP/1.1 417 ");
    });
  });
}

/** Sends the row through a connection of its own and compares both ends. */
async function pass(route: Route, row: Row, singly: boolean): Promise<void> {
  const response = row.response ?? OK;
  const seen = pick(row.seen ?? row.request, route);
  const got = pick(row.got ?? response, route);
  using app = mesh.app(route);
  const client = await mesh.connect(app);
  await sendParts(client, row.request, singly);
  const server = await app.next();
  expect(await server.takeBytes(seen.length)).toBe(seen);
  await sendParts(server, response, singly);
  if (row.appCloses) server.finish();
  expect(await client.takeBytes(got.length)).toBe(got);
  if (!row.closes) {
    expect(client.ended).toBeNull();
    client.finish();
  }
  expect(await client.untilEnded()).toBe("end");
  expect(client.take()).toBe("");
  expect(server.take()).toBe("");
  expect(app.accepted).toHaveLength(1);
  client.close();
}

/** `singly`: a segment a byte, as far as the kernel goes along. */
async function sendParts(
  peer: { send(bytes: string): void; untilSent(): Promise<void> },
  bytes: string,
  singly: boolean,
): Promise<void> {
  if (!singly) {
    peer.send(bytes);
    return;
  }
  for (const byte of bytes) {
    peer.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function pick(text: string | Readonly<Record<Route, string>>, route: Route): string {
  return typeof text === "string" ? text : text[route];
}

function get(): string {
  return `GET / HTTP/1.1\r\n${HOST}\r\n`;
}

function fields(count: number): string {
  return Array.from({ length: count }, (_, i) => `X-Field-${i}: ${i}\r\n`).join("");
}
