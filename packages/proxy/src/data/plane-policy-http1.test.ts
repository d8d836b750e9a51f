import { expect, test } from "bun:test";
import type { ScriptedPeer } from "@bowline/testkit";
import {
  answer,
  DiscoveredWorld,
  httpPolicy,
  httpRetry,
  httpRule,
  PATH,
} from "./testing/discovered-world.case.test.ts";

const BODY = "x".repeat(3000);
const POST = `POST /a HTTP/1.1\r\nhost: web.test\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;
const GET = "GET /a HTTP/1.1\r\nhost: web.test\r\n\r\n";

/** What HTTP/1 servers of a world do with the nth request to come. */
type Reply = (server: ScriptedPeer, nth: number) => void;

function serveHttp1(world: DiscoveredWorld, ip: string, reply: Reply): string[] {
  const requests: string[] = [];
  world.kernel.onConnect(`${ip}:8080`, (server) => {
    let text = "";
    server.onData = (bytes) => {
      text += Buffer.from(bytes).toString("latin1");
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (!text.includes("\r\n\r\n") || text.length < text.indexOf("\r\n\r\n") + 4 + length) return;
      requests.push(text);
      text = "";
      reply(server, requests.length);
    };
    server.onEnd = () => server.close();
  });
  return requests;
}

function say(server: ScriptedPeer, status: string, body = ""): void {
  server.send(`HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}

function ask(world: DiscoveredWorld, rule: Parameters<typeof httpRule>[0], request: string): ScriptedPeer {
  const client = world.raw();
  client.send(request);
  world.run(() => world.asked.length > 0);
  world.tell({ policy: httpPolicy([httpRule(rule)]) });
  world.reset(["10.1.0.1"]);
  return client;
}

function ended(world: DiscoveredWorld, client: ScriptedPeer): void {
  client.end();
  world.settle();
}

test("a request is tried again by its response's status, with its body", () => {
  const world = new DiscoveredWorld();
  const requests = serveHttp1(world, "10.1.0.1", (server, nth) => say(server, nth < 3 ? "503 No" : "200 OK", "done"));
  const client = ask(world, { retry: httpRetry() }, POST);
  world.run(() => client.receivedText().endsWith("done"));
  expect(client.receivedText()).toStartWith("HTTP/1.1 200 OK\r\n");
  expect(requests.map((request) => request.endsWith(BODY))).toEqual([true, true, true]);
  ended(world, client);
});

test("a request that takes too long is answered 504, and the next one on its connection is served", () => {
  const world = new DiscoveredWorld();
  serveHttp1(world, "10.1.0.1", (server, nth) => {
    if (nth > 1) say(server, "200 OK", "late");
  });
  const timeouts = { requestMs: 300, responseMs: null, idleMs: null };
  const client = ask(world, { timeouts }, GET);
  world.run(() => client.receivedText().endsWith("\r\n\r\n"), 400);
  expect(client.receivedText()).toStartWith("HTTP/1.1 504 ");
  expect(client.receivedText()).not.toContain("connection: close");
  client.send(GET);
  world.run(() => client.receivedText().endsWith("late"), 400);
  ended(world, client);
});

test("a response that takes too long to end is cut off", () => {
  const world = new DiscoveredWorld();
  serveHttp1(world, "10.1.0.1", (server) => server.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"));
  const timeouts = { requestMs: 300, responseMs: null, idleMs: null };
  const client = ask(world, { timeouts }, GET);
  world.run(() => client.errno !== 0 || client.ended, 400);
  expect(client.receivedText()).toEndWith("half");
  ended(world, client);
});

test("a request that no route matches is answered 404, and the next one is looked at again", () => {
  const world = new DiscoveredWorld();
  serveHttp1(world, "10.1.0.1", (server) => say(server, "200 OK", "here"));
  const matches = [{ path: { kind: "exact" as const, path: "/b" }, headers: [], query: [], method: null }];
  const client = ask(world, { matches }, GET);
  world.run(() => client.receivedText().endsWith("\r\n\r\n"));
  expect(client.receivedText()).toStartWith("HTTP/1.1 404 ");
  client.send(GET.replace("/a", "/b"));
  world.run(() => client.receivedText().endsWith("here"));
  ended(world, client);
});

test("a request goes over HTTP/2 to an endpoint in the mesh, and as HTTP/1 to the next that is not", () => {
  const world = new DiscoveredWorld();
  const protocols: (string | null)[] = [];
  world.serve("10.1.0.1", (stream) => {
    protocols.push(stream.header("l5d-orig-proto"));
    answer([[":status", "503"]])(stream);
  });
  const requests = serveHttp1(world, "10.1.0.2", (server) => say(server, "200 OK", "done"));
  const client = ask(world, { retry: httpRetry({ backoff: slow() }) }, POST);
  world.reset(["10.1.0.1"], PATH, { hint: "h2" });
  world.run(() => protocols.length === 1);
  world.reset(["10.1.0.2"]);
  world.run(() => client.receivedText().endsWith("done"));
  expect([protocols, requests.length]).toEqual([["HTTP/1.1"], 1]);
  expect(requests[0]).toEndWith(BODY);
  expect(requests[0]).not.toContain("l5d-orig-proto");
  ended(world, client);
});

function slow(): { minMs: number; maxMs: number; jitter: number; respectRetryAfter: boolean } {
  return { minMs: 200, maxMs: 200, jitter: 0, respectRetryAfter: false };
}
