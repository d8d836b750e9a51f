import { expect, test } from "bun:test";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { APP, MeshedPair, SERVER } from "../testing/meshed-pair.case.test.ts";
import { sumOf } from "../testing/plane-world.case.test.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const OK_CLOSE = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

interface Row {
  readonly name: string;
  readonly request: string;
  /** What the application gets; the same as `request` unless given. */
  readonly seen?: string;
  readonly response?: string;
  /** What the client gets; the same as `response` unless given. */
  readonly got?: string;
  /** The application ends its direction after its response. */
  readonly ends?: boolean;
}

const get = (...fields: string[]): string => ["GET /a?b=%20 HTTP/1.1", "host: a.test", ...fields, "", ""].join("\r\n");

const ROWS: readonly Row[] = [
  { name: "a plain GET", request: get("x-a: 1") },
  {
    name: "names in capitals become lower-case, values stay",
    request: "GET / HTTP/1.1\r\nHost: A.test\r\nX-Mixed-Case:  Two Words \r\nACCEPT: */*\r\n\r\n",
    seen: "GET / HTTP/1.1\r\nhost: A.test\r\nx-mixed-case: Two Words\r\naccept: */*\r\n\r\n",
    response: "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\nX-Up: Case\r\n\r\n",
    got: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-up: Case\r\n\r\n",
  },
  {
    name: "HTTP/1.0 with Host keeps its version",
    request: "GET / HTTP/1.0\r\nhost: a.test\r\n\r\n",
    response: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    got: "HTTP/1.0 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
  },
  {
    name: "HTTP/1.0 without Host gets none",
    request: "GET / HTTP/1.0\r\nx-a: 1\r\n\r\n",
    got: OK_CLOSE,
  },
  {
    name: "HTTP/1.0 that asks for keep-alive has it",
    request: "GET / HTTP/1.0\r\nhost: a.test\r\nconnection: keep-alive\r\n\r\n",
    seen: "GET / HTTP/1.0\r\nhost: a.test\r\n\r\n",
    got: "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
  },
  {
    name: "HTTP/1.1 that asks for close has it",
    request: get("connection: close"),
    seen: get(),
    got: OK_CLOSE,
  },
  { name: "HTTP/1.1 without Host", request: "GET / HTTP/1.1\r\nx-a: 1\r\n\r\n" },
  { name: "an empty Host", request: "GET / HTTP/1.1\r\nhost: \r\n\r\n" },
  {
    name: "an absolute URI that differs from Host",
    request: "GET http://a.test:80/x?y HTTP/1.1\r\nhost: b.test\r\n\r\n",
  },
  {
    name: "an absolute URI of another scheme, HTTP/1.0, without Host",
    request: "GET foo://a.test/ HTTP/1.0\r\nx-a: 1\r\n\r\n",
    got: OK_CLOSE,
  },
  {
    name: "an absolute URI with a query and no path",
    request: "GET http://a.test?q HTTP/1.1\r\nhost: a.test\r\n\r\n",
    seen: "GET http://a.test/?q HTTP/1.1\r\nhost: a.test\r\n\r\n",
  },
  {
    name: "an absolute URI with neither",
    request: "GET http://a.test HTTP/1.1\r\nhost: a.test\r\n\r\n",
    seen: "GET http://a.test/ HTTP/1.1\r\nhost: a.test\r\n\r\n",
  },
  { name: "OPTIONS for the server as a whole", request: "OPTIONS * HTTP/1.1\r\nhost: a.test\r\n\r\n" },
  { name: "a method nobody knows", request: "BREW /pot HTTP/1.1\r\nhost: a.test\r\n\r\n" },
  {
    name: "fields of the hop, and those that Connection names, end with it, both ways",
    request: get("connection: x-hop, close, te", "x-hop: 1", "keep-alive: 3", "proxy-connection: x", "te: gzip"),
    seen: get(),
    response: "HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: 3\r\ncontent-length: 2\r\n\r\nok",
    got: OK_CLOSE,
  },
  {
    name: "an upgrade to h2c is taken out, and what goes with it",
    request: get("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    seen: get(),
  },
  {
    name: "l5d-orig-proto is the proxies' own: neither side can say it, nor sees it",
    request: get("l5d-orig-proto: HTTP/1.0; absolute-form"),
    seen: get(),
    response: "HTTP/1.1 200 OK\r\nl5d-orig-proto: HTTP/1.0\r\ncontent-length: 2\r\n\r\nok",
    got: OK,
  },
  {
    name: "a body with a length, both ways",
    request: "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 11\r\n\r\nhello\x00\r\n\r\n\xff",
    response: "HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\n\x00\x01\x02\r\n",
  },
  {
    name: "a length said twice goes on once",
    request: "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
    seen: "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 1\r\n\r\nx",
  },
  {
    name: "chunks and trailers, both ways",
    request: `PUT / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n0a\r\n0123456789\r\n0\r\nX-Sum: 7 \r\nx-more:\r\n\r\n`,
    seen: `PUT / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\nf\r\nhello0123456789\r\n0\r\nx-sum: 7\r\nx-more: \r\n\r\n`,
    response:
      "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\nA\r\n0123456789\r\n0;l\r\nX-Sum: 1\r\n\r\n",
    got: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\na0123456789\r\n0\r\nx-sum: 1\r\n\r\n",
  },
  {
    name: "chunks without data stay chunks",
    request: "POST / HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  },
  {
    name: "chunks for a client of HTTP/1.0 end with its connection, trailers left out",
    request: "GET / HTTP/1.0\r\nhost: a.test\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    got: "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
  },
  { name: "a request without a body gets no framing", request: "POST / HTTP/1.1\r\nhost: a.test\r\n\r\n" },
  {
    name: "a length of 0 stays, both ways",
    request: "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 0\r\n\r\n",
    response: "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
  },
  { name: "204 has no framing", request: get(), response: "HTTP/1.1 204 No Content\r\n\r\n" },
  {
    name: "304 may have a length",
    request: get(),
    response: "HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\n\r\n",
  },
  {
    name: "HEAD may have a length",
    request: "HEAD / HTTP/1.1\r\nhost: a.test\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n",
  },
  {
    name: "HEAD may have none",
    request: "HEAD / HTTP/1.1\r\nhost: a.test\r\n\r\n",
    response: "HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n",
  },
  {
    name: "a body that ends with its connection goes on in chunks",
    request: get(),
    response: "HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\nto the end",
    got: "HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\na\r\nto the end\r\n0\r\n\r\n",
    ends: true,
  },
  {
    name: "one of HTTP/1.0 ends with the client's connection",
    request: get(),
    response: "HTTP/1.0 200 OK\r\nx-a: 1\r\n\r\nto the end",
    got: "HTTP/1.0 200 OK\r\nconnection: close\r\nx-a: 1\r\n\r\nto the end",
    ends: true,
  },
  {
    name: "interim responses go on, reason phrases are the usual ones",
    request: get(),
    response: `HTTP/1.1 103 Wait\r\nLink: </a>\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\nHTTP/1.1 299 Odd\r\ncontent-length: 0\r\n\r\n`,
    got: "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n",
  },
  {
    name: "interim responses are not for HTTP/1.0",
    request: "GET / HTTP/1.0\r\nhost: a.test\r\n\r\n",
    response: `HTTP/1.1 103 Wait\r\nlink: </a>\r\n\r\n${OK}`,
    got: OK_CLOSE,
  },
  {
    name: "fields of one name stay apart and in order; cookies are one field",
    request: get("x-b: 1", "cookie: a=1", "x-a: 2", "x-b: 3", "cookie: b=2"),
    seen: get("x-b: 1", "cookie: a=1; b=2", "x-a: 2", "x-b: 3"),
    response: "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n",
  },
];

interface Outcome {
  readonly seen: string;
  readonly got: string;
}

/**
 * Client connections, one after the other, through two proxies to one application, which answers each whole request. Heads
 * that come again are translated once, so each is sent as often as it takes to be one of those.
 */
function exchanges({ request, response = OK, seen = request, ends = false }: Row): Outcome[] {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const pair = new MeshedPair(kernel);
  let arrived = "";
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = (bytes) => {
      arrived += Buffer.from(bytes).toString("latin1");
      if (arrived !== seen) return;
      app.send(Buffer.from(response, "latin1"));
      if (ends) app.end();
    };
  });
  const outcomes: Outcome[] = [];
  for (let i = 0; i < 4; i++) {
    arrived = "";
    const client = pair.outbound.client("outbound", SERVER);
    client.send(Buffer.from(request, "latin1"));
    client.onEnd = () => client.close();
    kernel.runFor(pair.turn, 200);
    outcomes.push({ seen: arrived, got: client.receivedText() });
    if (!client.finished) client.close();
  }
  pair.settle();
  expect(sumOf(pair.inbound.plane, "tcp_open_total", { direction: "inbound", peer: "src" })).toBe(1);
  return outcomes;
}

test.each(ROWS)("over HTTP/2: $name", (row) => {
  const { request, seen = request, response = OK, got = response } = row;
  for (const outcome of exchanges(row)) expect(outcome).toEqual({ seen, got });
});

test("a client that waits to be told to send its body is told by the application", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const pair = new MeshedPair(kernel);
  const head = "POST / HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => {
      const text = app.receivedText();
      if (text === head) app.send("HTTP/1.1 100 Continue\r\n\r\n");
      else if (text === `${head}body`) app.send(OK);
    };
  });
  const client = pair.outbound.client("outbound", SERVER);
  client.send(head);
  client.onData = () => {
    if (client.receivedText() === "HTTP/1.1 100 Continue\r\n\r\n") client.send("body");
  };
  kernel.runFor(pair.turn, 500);
  expect(client.receivedText()).toBe(`HTTP/1.1 100 Continue\r\n\r\n${OK}`);
  client.close();
  pair.settle();
});

test("requests of many clients share a connection between the proxies, and one per Host to the application", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const pair = new MeshedPair(kernel);
  let connections = 0;
  kernel.onConnect(APP, (app) => {
    connections += 1;
    app.onEnd = () => app.close();
    app.onData = () => app.send(OK);
  });
  const hosts = ["a.test", "b.test", "a.test", "b.test", "a.test"];
  const clients: ScriptedPeer[] = [];
  for (const host of hosts) {
    const client = pair.outbound.client("outbound", SERVER);
    client.send(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    clients.push(client);
    kernel.runFor(pair.turn, 50);
  }
  expect(clients.map((client) => client.receivedText())).toEqual(hosts.map(() => OK));
  expect(connections).toBe(2);
  expect(sumOf(pair.inbound.plane, "tcp_open_total", { peer: "src" })).toBe(1);
  for (const client of clients) client.close();
  pair.settle();
});

test("another protocol is asked for on an HTTP/1 connection between the proxies", () => {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  const pair = new MeshedPair(kernel);
  const request = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
  const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => {
      if (app.receivedText() === request) app.send(`${switched}hello`);
      else if (app.receivedText() === `${request}bytes`) app.send("\0back");
    };
  });
  const client = pair.outbound.client("outbound", SERVER);
  client.send(request);
  client.onData = () => {
    if (client.receivedText() === `${switched}hello`) client.send("bytes");
  };
  kernel.runFor(pair.turn, 500);
  expect(client.receivedText()).toBe(`${switched}hello\0back`);
  client.close();
  pair.settle();
});
