import { describe, expect, test } from "bun:test";
import type { Direction } from "@bowline/contracts";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { DEFAULT_HTTP2_SETTINGS, ErrorCode, FrameType, type Http2Settings, PREFACE, Role } from "@bowline/wire";
import type { Env } from "../config.ts";
import { type Fields, Http2Peer, PEER_SETTINGS, type PeerStream, serveHttp2 } from "./testing/http2-peer.case.test.ts";
import { ScriptedPlane, streamBytes, sumOf } from "./testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:8080";
const GET: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":authority", "web.test"],
  [":path", "/"],
];
const POST: Fields = [[":method", "POST"], ...GET.slice(1)];
const OK: Fields = [[":status", "200"]];

/** RFC 9113 §6.7. */
const PING = new Uint8Array(17);
PING.set([0, 0, 8, FrameType.Ping]);

/** A calm world: what happens in it is the test's doing. */
class CalmWorld {
  readonly kernel: ScriptedIo = new ScriptedIo({ seed: 1, adversity: CALM });
  readonly proxy: ScriptedPlane;

  constructor(env: Env = {}) {
    this.proxy = new ScriptedPlane(this.kernel, { env });
  }

  /** A client that knows what the proxy allows. */
  client(direction: Direction = "outbound", settings: Http2Settings = PEER_SETTINGS): Http2Peer {
    const client = new Http2Peer(this.kernel, this.proxy.client(direction, TARGET), Role.Client, settings);
    this.run(() => client.engine.settingsSeen);
    return client;
  }

  run(until: () => boolean, forMsMax?: number): void {
    this.proxy.run(until, forMsMax);
  }

  runFor(ms: number): void {
    this.kernel.runFor(this.proxy.turn, ms);
  }

  settle(): void {
    this.proxy.settle();
    this.kernel.assertNothingOpen();
  }
}

const echo = (stream: PeerStream): void => {
  stream.sendHead(OK, false);
  stream.onData = (bytes) => stream.sendBody(bytes);
  stream.onEnd = () => stream.sendBody(new Uint8Array(0), true);
};
const ok = (stream: PeerStream): void => stream.respond(OK, new Uint8Array(0));
const silent = (): void => undefined;

function ask(client: Http2Peer, count: number, head: Fields = GET): PeerStream[] {
  return Array.from({ length: count }, () => client.open(head, true)!);
}

function failed(streams: readonly PeerStream[]): number[] {
  return streams.map(({ status }) => status).filter((status) => status !== 200);
}

describe("a slow reader", () => {
  const body = streamBytes(7, 3_000_000);

  test("of a response stalls no other stream, and no more is kept than its server's window lets in", () => {
    const world = new CalmWorld();
    const [server] = [serveHttp2(world.kernel, TARGET, (stream) => stream.respond(OK, body))];
    const client = world.client();
    const slow = client.open(GET, true)!;
    slow.holdsBack = true;
    world.run(() => slow.bodyBytes >= 65_535);
    world.runFor(1000);
    const before = world.proxy.lentBytes;
    for (let n = 0; n < 20; n++) {
      const quick = client.open(GET, true)!;
      world.run(() => quick.complete);
      expect(quick.bodyBytes).toBe(body.length);
    }
    expect(slow.bodyBytes).toBe(65_535);
    // What the proxy has of it is what it has let its server send: an adaptive window at most, or what was there before.
    expect(world.proxy.lentBytes).toBeLessThanOrEqual(
      Math.max(before, 2 * DEFAULT_HTTP2_SETTINGS.initialStreamWindowBytes),
    );
    slow.holdsBack = false;
    slow.take(Number.POSITIVE_INFINITY);
    world.run(() => slow.complete);
    expect(Buffer.compare(slow.body(), body)).toBe(0);
    expect(server).toHaveLength(1);
    client.close();
    world.settle();
  });

  test("of a request stalls no other stream", () => {
    const world = new CalmWorld();
    serveHttp2(world.kernel, TARGET, (stream) => {
      stream.holdsBack = stream.header("x-slow") !== null;
      stream.onEnd = () => ok(stream);
    });
    const client = world.client();
    const slow = client.open([...POST, ["x-slow", "1"]], false)!;
    slow.sendBody(body, true);
    world.runFor(500);
    const before = world.proxy.lentBytes;
    for (let n = 0; n < 20; n++) {
      const quick = client.open(POST, false)!;
      quick.sendBody(body, true);
      world.run(() => quick.complete);
    }
    expect(slow.head).toBeNull();
    expect(world.proxy.lentBytes).toBeLessThanOrEqual(
      Math.max(before, 2 * DEFAULT_HTTP2_SETTINGS.initialStreamWindowBytes),
    );
    client.close();
    world.settle();
  });

  test("that was a fast one before stalls no other stream", () => {
    const world = new CalmWorld();
    const endless = (stream: PeerStream): void => {
      stream.sendHead(OK, false);
      stream.sendBody(new Uint8Array(60_000_000));
    };
    serveHttp2(world.kernel, TARGET, (stream) => {
      if (stream.header("x-endless") === null) stream.respond(OK, body);
      else endless(stream);
    });
    const client = world.client();
    const fast = client.open([...GET, ["x-endless", "1"]], true)!;
    world.run(() => fast.bodyBytes > 20_000_000);
    fast.holdsBack = true;
    world.runFor(500);
    const quick = client.open(GET, true)!;
    world.run(() => quick.complete, 10_000);
    client.close();
    world.settle();
  });

  test("of very many responses stalls no other client, and fills no memory", () => {
    const world = new CalmWorld();
    serveHttp2(world.kernel, TARGET, (stream) => stream.respond(OK, body));
    const greedy = world.client();
    for (let n = 0; n < 400; n++) greedy.open(GET, true)!.holdsBack = true;
    world.runFor(1000);
    expect(world.proxy.lentBytes).toBeLessThan(16 << 20);
    const modest = world.client();
    for (let n = 0; n < 5; n++) {
      const quick = modest.open(GET, true)!;
      world.run(() => quick.complete, 1000);
      expect(quick.bodyBytes).toBe(body.length);
    }
    greedy.close();
    modest.close();
    world.settle();
  });

  test("that never opens its window is cut off after five minutes, its server told, its neighbour served", () => {
    const world = new CalmWorld();
    const servers = serveHttp2(world.kernel, TARGET, (stream) => stream.respond(OK, body));
    const client = world.client("inbound");
    const slow = client.open(GET, true)!;
    slow.holdsBack = true;
    world.run(() => slow.resetCode !== null, 302_000);
    expect(slow.resetCode).toBe(ErrorCode.EnhanceYourCalm);
    const quick = client.open(GET, true)!;
    world.run(() => quick.complete);
    expect(servers[0]!.streams[0]!.resetCode).not.toBeNull();
    client.close();
    world.settle();
  });
});

describe("a connection's opening and end", () => {
  test("a client that does not get to its first request is given up", () => {
    const world = new CalmWorld({ LINKERD2_PROXY_INBOUND_DETECT_TIMEOUT: "10s" });
    const client = world.proxy.client("inbound", TARGET);
    client.send(PREFACE);
    world.runFor(1000);
    expect(world.proxy.plane.open).toBe(1);
    world.run(() => world.proxy.plane.open === 0, 60_000);
    expect(client.ended || client.errno !== 0).toBe(true);
    client.close();
    world.settle();
  });

  test("a flood is answered with GOAWAY, and others go on", () => {
    const world = new CalmWorld();
    serveHttp2(world.kernel, TARGET, silent);
    const flooding = world.client();
    const honest = world.client();
    const [held] = ask(honest, 1);
    world.runFor(10);
    for (let n = 0; n < 3000; n++) flooding.peer.send(PING);
    world.run(() => flooding.gone);
    expect(flooding.goAwayCode).toBe(ErrorCode.EnhanceYourCalm);
    expect([honest.gone, held!.over]).toEqual([false, false]);
    honest.close();
    world.settle();
  });

  for (const direction of ["inbound", "outbound"] as const) {
    test(`${direction}, a drain lets streams finish, takes what was on its way, and closes`, () => {
      const world = new CalmWorld();
      const answers: (() => void)[] = [];
      const servers = serveHttp2(world.kernel, TARGET, (stream) => answers.push(() => ok(stream)));
      const client = world.client(direction);
      const idle = world.client(direction);
      const early = ask(client, 3);
      world.run(() => answers.length === 3);
      world.proxy.plane.drain();
      const late = ask(client, 2);
      world.run(() => answers.length === 5 && client.goAways === 2);
      expect(client.goAwayCode).toBe(ErrorCode.NoError);
      expect([client.gone, idle.gone]).toEqual([false, true]);
      for (const answer of answers) answer();
      world.run(() => client.gone);
      expect([...early, ...late].map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      expect(servers).toHaveLength(1);
      world.settle();
    });
  }

  test("a drain does not cut off a slow client that sends on", () => {
    const kernel = new ScriptedIo({ seed: 1, adversity: { ...CALM, latencyMsMax: 1, socketBufferBytes: [20_000] } });
    const proxy = new ScriptedPlane(kernel);
    const body = streamBytes(1, 50_000);
    let answering: PeerStream | null = null;
    serveHttp2(kernel, TARGET, (stream) => {
      answering = stream;
      stream.sendHead(OK, false);
    });
    const peer = proxy.client("outbound", TARGET);
    const client = new Http2Peer(kernel, peer, Role.Client, PEER_SETTINGS);
    proxy.run(() => client.engine.settingsSeen);
    peer.readSlowly(500, 100);
    const stream = client.open(GET, true)!;
    const sendOn = (): void => {
      if (client.gone) return;
      peer.send(PING);
      kernel.after(200, sendOn);
    };
    sendOn();
    proxy.run(() => answering !== null);
    proxy.plane.drain();
    proxy.run(() => client.goAways === 2);
    answering!.sendBody(body, true);
    proxy.run(() => stream.over);
    expect([stream.resetCode, stream.bodyBytes]).toEqual([null, body.length]);
    proxy.run(() => client.gone);
    proxy.settle();
    kernel.assertNothingOpen();
  });

  test("a client that goes away has its streams finished first", () => {
    const world = new CalmWorld();
    const answers: (() => void)[] = [];
    serveHttp2(world.kernel, TARGET, (stream) => answers.push(() => ok(stream)));
    const client = world.client();
    const [stream] = ask(client, 1);
    world.run(() => answers.length === 1);
    client.engine.drain();
    client.flush();
    world.runFor(100);
    answers[0]!();
    world.run(() => client.gone);
    expect(stream!.status).toBe(200);
    world.settle();
  });

  test("PINGs go to clients as configured, and one that does not answer is given up", () => {
    const world = new CalmWorld({
      LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_INTERVAL: "10s",
      LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_TIMEOUT: "3s",
    });
    serveHttp2(world.kernel, TARGET, silent);
    const answering = world.client("inbound");
    ask(answering, 1);
    const deaf = world.client("inbound");
    const [stream] = ask(deaf, 1);
    world.runFor(100);
    deaf.peer.pauseReading();
    world.runFor(30_000);
    deaf.peer.resumeReading();
    world.run(() => deaf.gone, 1000);
    expect([answering.gone, stream!.resetCode === null]).toEqual([false, false]);
    answering.close();
    world.settle();
  });

  for (const [direction, idleMs] of [
    ["inbound", 90_000],
    ["outbound", 5000],
  ] as const) {
    test(`${direction}, an idle connection to a server closes after ${idleMs} ms, not while it is in use`, () => {
      const world = new CalmWorld();
      const servers = serveHttp2(world.kernel, TARGET, (stream) => {
        if (stream.header("x-hang") === null) ok(stream);
      });
      const client = world.client(direction);
      const hanging = client.open([...GET, ["x-hang", "1"]], true)!;
      world.runFor(2 * idleMs);
      expect(servers[0]!.gone).toBe(false);
      hanging.reset();
      world.runFor(idleMs - 1000);
      expect(servers[0]!.gone).toBe(false);
      world.runFor(2000);
      expect(servers[0]!.gone).toBe(true);
      const [again] = ask(client, 1);
      world.run(() => again!.complete);
      expect(servers).toHaveLength(2);
      client.close();
      world.settle();
    });
  }
});

describe("a server's stream limit", () => {
  function limited(world: CalmWorld, streamsMax: number, serve: (stream: PeerStream) => void): Http2Peer[] {
    return serveHttp2(world.kernel, TARGET, serve, { ...PEER_SETTINGS, concurrentStreamsMax: streamsMax });
  }

  test("has calls wait, then go on further connections, each within the limit", () => {
    const world = new CalmWorld();
    let most = 0;
    const servers = limited(world, 3, (stream) => {
      most = Math.max(most, stream.connection.engine.openStreams);
      world.kernel.after(20, () => ok(stream));
    });
    const client = world.client();
    const streams = ask(client, 200);
    world.run(() => streams.every(({ over }) => over));
    expect(failed(streams)).toEqual([]);
    expect(most).toBeLessThanOrEqual(3);
    expect(servers.length).toBeGreaterThan(1);
    expect(servers.length).toBeLessThanOrEqual(8);
    client.close();
    world.settle();
  });

  test("that is always used up fails nobody while the queue moves on", () => {
    const world = new CalmWorld();
    limited(world, 1, (stream) => world.kernel.after(100, () => ok(stream)));
    const client = world.client();
    const streams = ask(client, 500);
    world.run(() => streams.every(({ over }) => over));
    expect(failed(streams)).toEqual([]);
    client.close();
    world.settle();
  });

  test("counts no connection that its server ends, however long that takes", () => {
    const world = new CalmWorld();
    const hanging: PeerStream[] = [];
    const servers = serveHttp2(world.kernel, TARGET, (stream) => {
      if (stream.header("x-hang") === null) ok(stream);
      else hanging.push(stream);
    });
    const client = world.client();
    for (let n = 0; n < 12; n++) {
      ask(client, 1, [...GET, ["x-hang", "1"]]);
      world.run(() => hanging.length === n + 1);
      servers.at(-1)!.engine.goAway(ErrorCode.NoError);
      servers.at(-1)!.flush();
      const [quick] = ask(client, 1);
      world.run(() => quick!.over);
      expect([n, quick!.status]).toEqual([n, 200]);
    }
    client.close();
    world.settle();
  });

  test("is no failure of an endpoint that takes one connection only", () => {
    const world = new CalmWorld();
    for (const direction of ["inbound", "outbound"] as const) {
      const servers: Http2Peer[] = [];
      world.kernel.onConnect(TARGET, (peer) => {
        servers.push(serverOf(world.kernel, peer, (stream) => world.kernel.after(50, () => ok(stream))));
        world.kernel.onConnect(TARGET, "refuse");
      });
      const client = world.client(direction);
      const streams = ask(client, 20);
      world.run(() => streams.every(({ over }) => over));
      expect([direction, failed(streams)]).toEqual([direction, []]);
      client.close();
      for (const server of servers) server.close();
    }
    world.settle();
  });

  function serverOf(kernel: ScriptedIo, peer: ScriptedPeer, serve: (stream: PeerStream) => void): Http2Peer {
    const server = new Http2Peer(kernel, peer, Role.Server, { ...PEER_SETTINGS, concurrentStreamsMax: 2 });
    server.onStream = serve;
    return server;
  }
});

test("a server may break off as many calls as it likes: the others on its connection go on", () => {
  const world = new CalmWorld();
  const held: PeerStream[] = [];
  const servers = serveHttp2(world.kernel, TARGET, (stream) => {
    if (stream.header("x-hold") !== null) held.push(stream);
    else if (stream.header("x-early") === null) stream.reset(ErrorCode.Cancel);
    else {
      ok(stream);
      stream.stop();
    }
  });
  const client = world.client();
  const running = client.open([...GET, ["x-hold", "1"]], true)!;
  for (let n = 0; n < 3; n++) {
    const streams = Array.from(
      { length: 1500 },
      () => client.open(n === 1 ? [...POST, ["x-early", "1"]] : GET, n !== 1)!,
    );
    world.run(() => streams.every(({ over }) => over));
  }
  for (const stream of held) ok(stream);
  world.run(() => running.over);
  expect([running.status, servers.length]).toEqual([200, 1]);
  client.close();
  world.settle();
});

describe("a server that cannot be reached", () => {
  const GRPC: Fields = [...POST, ["content-type", "application/grpc"], ["te", "trailers"]];

  test("outbound, fails requests after the failfast time, the next at once, and is back when it is back", () => {
    const world = new CalmWorld({
      LINKERD2_PROXY_OUTBOUND_HTTP_FAILFAST_TIMEOUT: "2s",
      LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MIN: "100ms",
      LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_MAX: "500ms",
    });
    world.kernel.onConnect(TARGET, "refuse");
    const client = world.client();
    const [plain] = ask(client, 1);
    const [grpc] = ask(client, 1, GRPC);
    world.runFor(1900);
    expect([plain!.over, grpc!.over]).toEqual([false, false]);
    world.run(() => plain!.over && grpc!.over, 400);
    expect([plain!.status, grpc!.status, grpc!.header("grpc-status")]).toEqual([504, 200, "4"]);
    for (const waitMs of [100, 1000, 3000]) {
      world.runFor(waitMs);
      const next = world.client();
      const [soon] = ask(next, 1);
      world.runFor(50);
      expect([waitMs, soon!.status]).toEqual([waitMs, 504]);
      next.close();
    }
    serveHttp2(world.kernel, TARGET, ok);
    world.runFor(3000);
    const later = world.client();
    const [well] = ask(later, 1);
    world.runFor(100);
    expect(well!.status).toBe(200);
    later.close();
    client.close();
    world.settle();
  });

  test("inbound, is said to refuse at once", () => {
    const world = new CalmWorld();
    world.kernel.onConnect(TARGET, "refuse");
    const client = world.client("inbound");
    const [plain] = ask(client, 1);
    const [grpc] = ask(client, 1, GRPC);
    world.runFor(20);
    expect([plain!.status, grpc!.status, grpc!.header("grpc-status")]).toEqual([502, 200, "14"]);
    expect(sumOf(world.proxy.plane, "proxy_failures_total", { cause: "connect-refused" })).toBe(2);
    client.close();
    world.settle();
  });
});

test("requests for a server that refuses streams or goes away are sent again with their bodies", () => {
  const world = new CalmWorld();
  let seen = 0;
  serveHttp2(world.kernel, TARGET, (stream) => {
    seen += 1;
    if (seen <= 2) world.kernel.after(5, () => stream.reset(ErrorCode.RefusedStream));
    else echo(stream);
  });
  const client = world.client();
  const body = streamBytes(3, 30_000);
  const stream = client.open(POST, false)!;
  stream.sendBody(body.subarray(0, 20_000));
  world.kernel.after(30, () => {
    stream.sendBody(body.subarray(20_000));
    stream.sendTrailers([["x-end", "1"]]);
  });
  world.run(() => stream.over);
  expect([stream.status, seen]).toEqual([200, 3]);
  expect(Buffer.compare(stream.body(), body)).toBe(0);
  client.close();
  world.settle();
});

test("heads that take few bytes to send do not fill the memory: further streams are refused, and others' are not", () => {
  const world = new CalmWorld();
  const client = world.client();
  const other = world.client();
  const value = "x".repeat(3900);
  serveHttp2(world.kernel, TARGET, silent);
  const bomb = (n: number): PeerStream => {
    const head = GET.map(([name, text]) => [name, name === ":path" ? `/${n}` : text] as const);
    return client.open([...head, ...Array.from({ length: 15 }, () => ["x-bomb", value] as const)], true)!;
  };
  const streams: PeerStream[] = [];
  const { outbound } = world.proxy.plane;
  const refused = (): number => streams.filter(({ resetCode }) => resetCode === ErrorCode.RefusedStream).length;
  for (let n = 0; n < 320; n++) {
    streams.push(bomb(n));
    world.run(() => outbound.requestsInFlight + refused() === streams.length);
  }
  expect(refused()).toBeGreaterThan(20);
  expect(outbound.requestsInFlight).toBeGreaterThan(200);
  const before = outbound.requestsInFlight;
  ask(other, 1);
  world.run(() => outbound.requestsInFlight === before + 1);
  // What has ended takes nothing any more.
  for (const stream of streams) if (!stream.over) stream.reset();
  world.run(() => outbound.requestsInFlight === 1);
  bomb(1000);
  world.run(() => outbound.requestsInFlight === 2);
  client.close();
  other.close();
  world.settle();
});
