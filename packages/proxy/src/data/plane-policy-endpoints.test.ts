import { describe, expect, test } from "bun:test";
import type { FailureAccrual } from "@bowline/model";
import {
  answer,
  DiscoveredWorld,
  endpoint,
  GET,
  GRPC,
  httpPolicy,
  httpRule,
  ok,
  POST,
} from "./testing/discovered-world.case.test.ts";
import type { PeerStream } from "./testing/http2-peer.case.test.ts";
import { sumOf } from "./testing/plane-world.case.test.ts";

const policy = httpPolicy([httpRule()]);
const RAW_GET = "GET / HTTP/1.1\r\nhost: web.test\r\n\r\n";

function asks(world: DiscoveredWorld, client: ReturnType<DiscoveredWorld["client"]>, count: number): PeerStream[] {
  const streams = Array.from({ length: count }, () => client.open(GET, true)!);
  world.runFor(20);
  return streams;
}

describe("an endpoint that goes", () => {
  test("gets nothing more; what runs on it ends, and then its connections", () => {
    const world = new DiscoveredWorld();
    const held: PeerStream[] = [];
    const servers = world.serve("10.1.0.1", (stream) => held.push(stream));
    world.serve("10.1.0.2", ok);
    const client = world.discovered({ policy }, ["10.1.0.1"]);
    const running = asks(world, client, 3);
    world.endpoints({ kind: "delta", add: [endpoint("10.1.0.2")], remove: ["10.1.0.1:8080"] });
    const later = asks(world, client, 20);
    expect([held.length, later.every(({ status }) => status === 200)]).toEqual([3, true]);
    expect(servers[0]!.gone).toBe(false);
    for (const stream of held) ok(stream);
    world.run(() => running.every(({ over }) => over) && servers[0]!.gone, 100);
    expect(running.map(({ status }) => status)).toEqual([200, 200, 200]);
    client.close();
    world.settle();
  });

  test("leaves what waited for its connection to the others", () => {
    const world = new DiscoveredWorld();
    world.kernel.onConnect("10.1.0.1:8080", "silence");
    world.serve("10.1.0.2", ok);
    const client = world.discovered({ policy }, ["10.1.0.1"]);
    const waiting = asks(world, client, 5);
    world.endpoints({ kind: "reset", endpoints: [] });
    world.runFor(50);
    expect(waiting.some(({ over }) => over)).toBe(false);
    world.reset(["10.1.0.2"]);
    world.run(() => waiting.every(({ over }) => over), 50);
    expect(waiting.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    client.close();
    world.settle();
  });

  test("while another changes: what waited goes to what that has become", () => {
    const world = new DiscoveredWorld();
    world.kernel.onConnect("10.1.0.1:8080", "silence");
    const servers = world.serve("10.1.0.2", ok);
    const client = world.discovered({ policy }, ["10.1.0.2"]);
    world.fetch(client);
    world.reset(["10.1.0.1", "10.1.0.2"]);
    const streams = asks(world, client, 40);
    expect(streams.some(({ over }) => !over)).toBe(true);
    const before = servers[0]!.streams.length;
    world.endpoints({ kind: "reset", endpoints: [endpoint("10.1.0.2", { labels: { pod: "another" } })] });
    world.run(() => streams.every(({ status }) => status === 200), 50);
    expect([servers[0]!.streams.length, servers.length]).toEqual([before, 2]);
    expect(sumOf(world.plane, "response_total", { dst_pod: "another" })).toBe(41 - before);
    client.close();
    world.settle();
  });
});

test("an address that another pod has taken over is another endpoint", () => {
  const world = new DiscoveredWorld();
  const servers = world.serve("10.1.0.1", ok);
  const client = world.discovered({ policy }, ["10.1.0.1"]);
  for (let n = 0; n < 3; n++) world.fetch(client);
  world.endpoints({ kind: "delta", add: [endpoint("10.1.0.1", { labels: { pod: "new" } })], remove: [] });
  for (let n = 0; n < 3; n++) world.fetch(client);
  expect(servers.map(({ streams }) => streams.length)).toEqual([3, 3]);
  expect(sumOf(world.plane, "request_total", { dst_pod: "new" })).toBe(3);
  // What is said again changes nothing.
  world.endpoints({ kind: "reset", endpoints: [endpoint("10.1.0.1", { labels: { pod: "new" } })] });
  world.fetch(client);
  expect(servers).toHaveLength(2);
  client.close();
  world.settle();
});

describe("endpoints out of reach", () => {
  test("are passed over, for HTTP/2 and for HTTP/1, and come back", () => {
    const world = new DiscoveredWorld();
    world.kernel.onConnect("10.1.0.1:8080", "refuse");
    world.serve("10.1.0.2", ok);
    const client = world.discovered({ policy }, ["10.1.0.1", "10.1.0.2"]);
    const streams = asks(world, client, 50);
    world.run(() => streams.every(({ over }) => over), 100);
    expect(streams.filter(({ status }) => status !== 200)).toHaveLength(0);
    world.serve("10.1.0.1", ok);
    world.runFor(5000);
    world.served.length = 0;
    for (let n = 0; n < 40; n++) world.fetch(client);
    expect(new Set(world.served).size).toBe(2);
    client.close();
    world.settle();
  });

  test("all of them: requests fail after the failfast time, then at once, and go again when one is back", () => {
    const world = new DiscoveredWorld();
    world.kernel.onConnect("10.1.0.1:8080", "refuse");
    const client = world.discovered({ policy }, ["10.1.0.1"]);
    const plain = client.open(GET, true)!;
    const call = client.open(GRPC, true)!;
    world.runFor(2900);
    expect([plain.over, call.over]).toEqual([false, false]);
    world.runFor(200);
    expect([plain.status, call.status, call.header("grpc-status")]).toEqual([504, 200, "4"]);
    const next = world.client();
    world.run(() => next.engine.settingsSeen);
    const soon = asks(world, next, 2);
    expect(soon.map(({ status }) => status)).toEqual([504, 504]);
    world.reset(["10.1.0.2"]);
    world.serve("10.1.0.2", ok);
    const last = world.client();
    world.run(() => last.engine.settingsSeen);
    expect(world.fetch(last).status).toBe(200);
    for (const one of [client, next, last]) one.close();
    world.settle();
  });

  test("none known, or a queue that is full", () => {
    const world = new DiscoveredWorld();
    const client = world.discovered({ policy }, []);
    const streams = asks(world, client, 100);
    expect(streams.some(({ over }) => over)).toBe(false);
    const refused = client.open(GET, true)!;
    world.runFor(20);
    expect([refused.status, refused.header("l5d-proxy-error-cause")]).toEqual([503, "load-shed"]);
    world.run(() => streams.every(({ over }) => over), 3100);
    expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([504]));
    client.close();
    world.settle();
  });
});

describe("HTTP/1 requests", () => {
  test("are balanced one by one", () => {
    const world = new DiscoveredWorld();
    for (const ip of ["10.1.0.1", "10.1.0.2"]) {
      world.kernel.onConnect(`${ip}:8080`, (server) => {
        server.onData = () => {
          world.served.push(ip);
          server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        };
        server.onEnd = () => server.close();
      });
    }
    const client = world.raw();
    client.send(RAW_GET);
    world.run(() => world.asked.length > 0);
    world.tell({ policy });
    world.reset(["10.1.0.1", "10.1.0.2"]);
    for (let n = 1; n < 40; n++) {
      world.run(() => client.receivedText().split("200 OK").length > n);
      client.send(RAW_GET);
    }
    world.run(() => client.receivedText().split("200 OK").length > 40);
    expect(world.served).toHaveLength(40);
    expect(new Set(world.served).size).toBe(2);
    client.end();
    world.settle();
  });
});

test("a server that speaks first is heard soon after its address is known, however late that is", () => {
  const greeting = "220 mail.test ESMTP\r\n";
  const world = new DiscoveredWorld();
  world.kernel.onConnect("10.1.0.1:8080", (server) => {
    server.send(greeting);
    server.onEnd = () => server.close();
  });
  const client = world.raw();
  world.run(() => world.asked.length > 0);
  world.tell({ policy });
  world.runFor(1_000);
  world.reset(["10.1.0.1"]);
  world.run(() => client.receivedText() === greeting, 250);
  expect(client.receivedText()).toBe(greeting);
  client.end();
  world.settle();
});

describe("a breaker", () => {
  const accrual: FailureAccrual = {
    kind: "consecutive",
    failuresMax: 3,
    backoff: { minMs: 1000, maxMs: 10_000, jitter: 0, respectRetryAfter: false },
    readyEndpointsMin: 0,
  };
  const guarded = httpPolicy([httpRule()], accrual);
  const bad = answer([[":status", "500"]]);

  test("takes an endpoint out after failures in a row, probes it with one request, and takes it back", () => {
    const world = new DiscoveredWorld();
    let well = false;
    world.serve("10.1.0.1", (stream) => (well ? ok : bad)(stream));
    world.serve("10.1.0.2", ok);
    const client = world.discovered({ policy: guarded }, ["10.1.0.1", "10.1.0.2"]);
    const failures = (): number => world.served.filter((ip) => ip === "10.1.0.1").length;
    for (let n = 0; n < 60; n++) world.fetch(client);
    expect(failures()).toBe(3);
    // One request each time the backoff is over: 1, 2 and 4 s.
    for (const [waitMs, wanted] of [
      [1100, 4],
      [1000, 4],
      [1100, 5],
      [3000, 5],
      [1100, 6],
    ] as const) {
      world.runFor(waitMs);
      for (let n = 0; n < 30; n++) world.fetch(client);
      expect([waitMs, failures()]).toEqual([waitMs, wanted]);
    }
    well = true;
    world.runFor(8100);
    asks(world, client, 60);
    asks(world, client, 60);
    expect(failures()).toBeGreaterThan(15);
    client.close();
    world.settle();
  });

  test("of the only endpoint lets requests wait for its probe", () => {
    const world = new DiscoveredWorld();
    let well = false;
    world.serve("10.1.0.1", (stream) => (well ? ok : bad)(stream));
    const client = world.discovered({ policy: guarded }, ["10.1.0.1"]);
    for (let n = 0; n < 3; n++) expect(world.fetch(client).status).toBe(500);
    well = true;
    const waiting = asks(world, client, 5);
    expect(waiting.some(({ over }) => over)).toBe(false);
    world.run(() => waiting.every(({ over }) => over), 1200);
    expect(waiting.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    client.close();
    world.settle();
  });

  test("whose probe is given up by its client, or whose endpoint goes meanwhile, does not stick", () => {
    const world = new DiscoveredWorld();
    let mode: (stream: PeerStream) => void = bad;
    world.serve("10.1.0.1", (stream) => mode(stream));
    const client = world.discovered({ policy: guarded }, ["10.1.0.1"]);
    for (let n = 0; n < 3; n++) world.fetch(client);
    mode = () => undefined;
    const probe = client.open(GET, true)!;
    world.run(() => world.served.length === 4, 1500);
    const behind = client.open(GET, true)!;
    world.runFor(20);
    probe.reset();
    mode = ok;
    world.run(() => behind.over, 5000);
    expect(behind.status).toBe(200);
    mode = bad;
    for (let n = 0; n < 3; n++) world.fetch(client);
    world.reset([]);
    world.serve("10.1.0.2", ok);
    world.reset(["10.1.0.2"]);
    expect(world.fetch(client, POST, new Uint8Array(5)).status).toBe(200);
    client.close();
    world.settle();
  });
});
