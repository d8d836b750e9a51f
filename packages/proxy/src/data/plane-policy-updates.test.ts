import { describe, expect, test } from "bun:test";
import type { Backend, OutboundPolicy } from "@bowline/model";
import { ErrorCode, Role } from "@bowline/wire";
import {
  balance,
  DiscoveredWorld,
  endpoint,
  GET,
  httpPolicy,
  httpRule,
  meta,
  OK,
  ok,
  POST,
  profile,
  to,
} from "./testing/discovered-world.case.test.ts";
import { type Fields, Http2Peer, PEER_SETTINGS, type PeerStream } from "./testing/http2-peer.case.test.ts";
import { streamBytes, sumOf } from "./testing/plane-world.case.test.ts";

const ENDPOINT = "10.1.0.1";
const RETAIN_MS = 600_000;
/** Not the queue that a balancer of the usual policies has: with it there is another balancer. */
const QUEUE = { capacity: 7, failfastTimeoutMs: 3000 };

function forwardPolicy(ip: string): OutboundPolicy {
  const backend = {
    meta: meta("Pod", "web"),
    queue: { capacity: 100, failfastTimeoutMs: 3000 },
    dispatcher: { kind: "forward" as const, endpoint: endpoint(ip) },
  };
  return httpPolicy([httpRule({ backends: to(backend) })]);
}

function opaquePolicy(backend: Backend = balance()): OutboundPolicy {
  const backends = { kind: "first" as const, backends: [{ backend, filters: [] }] };
  const routes = [{ meta: meta("TCPRoute", "opaque"), filters: [], backends }];
  return { meta: meta("Service", "web"), protocol: { kind: "opaque", routes } };
}

/** Lets the time pass after which series that nobody uses are dropped, with somebody looking now and then. */
function idle(world: DiscoveredWorld): void {
  for (let n = 0; n < 3; n++) {
    world.runFor(RETAIN_MS / 2 + 1000);
    world.plane.snapshot();
  }
}

describe("an endpoint that a policy or a profile names", () => {
  const WORDS = [
    { name: "policy", outbound: { policy: forwardPolicy(ENDPOINT) } },
    { name: "profile", outbound: { profile: profile({ endpoint: endpoint(ENDPOINT) }) } },
  ];

  test.each(WORDS)("of a $name is served after a long idle time, too", ({ outbound }) => {
    const world = new DiscoveredWorld();
    world.serve(ENDPOINT, ok);
    const client = world.discovered(outbound, []);
    expect(world.fetch(client).status).toBe(200);
    idle(world);
    expect(world.fetch(client).status).toBe(200);
    client.close();
    world.settle();
  });

  test.each(WORDS)("of a $name keeps its connection while the rest of the word changes", ({ outbound }) => {
    const world = new DiscoveredWorld();
    const servers = world.serve(ENDPOINT, ok);
    const client = world.discovered(outbound, []);
    for (let n = 0; n < 20; n++) {
      expect(world.fetch(client).status).toBe(200);
      world.tell({ ...outbound, profile: { ...profile(), ...outbound.profile, parent: meta("Service", `web-${n}`) } });
    }
    expect(servers).toHaveLength(1);
    client.close();
    world.settle();
  });

  test("gets no request once it is not the one any more, and its connection is closed", () => {
    const world = new DiscoveredWorld();
    const servers = world.serve(ENDPOINT, ok);
    world.serve("10.1.0.2", ok);
    const client = world.discovered({ policy: forwardPolicy(ENDPOINT) }, []);
    expect(world.fetch(client).status).toBe(200);
    world.tell({ policy: forwardPolicy("10.1.0.2") });
    world.runFor(100);
    expect(servers[0]!.gone).toBe(true);
    expect(world.fetch(client).status).toBe(200);
    expect(world.served).toEqual([ENDPOINT, "10.1.0.2"]);
    client.close();
    world.settle();
  });
});

describe("requests that are under way when the policy changes", () => {
  const other = { ...balance(), queue: QUEUE };

  test("wait on for an endpoint", () => {
    const world = new DiscoveredWorld();
    world.serve(ENDPOINT, ok);
    const client = world.discovered({ policy: httpPolicy([httpRule()]) }, []);
    const waiting = client.open(GET, true)!;
    world.runFor(500);
    world.tell({ policy: httpPolicy([httpRule({ backends: to(other) })]) });
    world.runFor(500);
    expect(waiting.over).toBe(false);
    world.reset([ENDPOINT]);
    world.run(() => waiting.over);
    expect(waiting.status).toBe(200);
    client.close();
    world.settle();
  });

  test("wait on as connections of bytes, too", () => {
    const world = new DiscoveredWorld();
    world.kernel.onConnect(`${ENDPOINT}:8080`, (server) => {
      server.onData = (bytes) => server.send(bytes);
      server.onEnd = () => server.close();
    });
    const peers = [world.raw(), world.raw()];
    for (const peer of peers) peer.send("\0hello");
    world.run(() => world.asked.length > 0);
    world.tell({ policy: opaquePolicy() });
    world.runFor(300);
    world.tell({ policy: opaquePolicy(other) });
    world.runFor(300);
    expect(peers.map(({ finished }) => finished)).toEqual([false, false]);
    peers[1]!.reset();
    world.runFor(300);
    world.reset([ENDPOINT]);
    world.run(() => peers[0]!.receivedBytes > 0);
    peers[0]!.close();
    world.settle();
  });

  test("are sent again", () => {
    const world = new DiscoveredWorld();
    const retry = { retriesMax: 3, requestBytesMax: 65536, statuses: [{ min: 500, max: 599 }], timeoutMs: null };
    const backoff = { minMs: 1000, maxMs: 1000, jitter: 0, respectRetryAfter: false };
    let served = 0;
    world.serve(ENDPOINT, (stream) => {
      served += 1;
      stream.sendHead(served === 1 ? [[":status", "503"]] : OK, true);
    });
    const client = world.discovered({ policy: httpPolicy([httpRule({ retry: { ...retry, backoff } as never })]) }, [
      ENDPOINT,
    ]);
    const asked = client.open(GET, true)!;
    world.run(() => served === 1);
    world.runFor(100);
    world.tell({ policy: httpPolicy([httpRule({ backends: to(other) })]) });
    world.run(() => asked.over);
    expect(asked.status).toBe(200);
    client.close();
    world.settle();
  });

  test("count however long they take", () => {
    const world = new DiscoveredWorld();
    world.serve(ENDPOINT, () => undefined);
    const client = world.discovered({ policy: httpPolicy([httpRule()]) }, [ENDPOINT]);
    const long = client.open(GET, true)!;
    world.run(() => world.served.length === 1);
    world.tell({ policy: httpPolicy([httpRule({ backends: to(other) })]) });
    idle(world);
    client.close();
    world.settle();
    expect(long.over).toBe(true);
  });
});

test("a connection that speaks HTTP is served on when its service becomes opaque", () => {
  const world = new DiscoveredWorld();
  world.serve(ENDPOINT, ok);
  const client = world.discovered({ policy: httpPolicy([httpRule()]) }, [ENDPOINT]);
  expect(world.fetch(client).status).toBe(200);
  world.tell({ policy: opaquePolicy() });
  const next = client.open(GET, true)!;
  world.runFor(100);
  world.reset([ENDPOINT]);
  world.run(() => next.over);
  expect(next.status).toBe(200);
  client.close();
  world.settle();
});

describe("series", () => {
  test("of a balancer say what there is while another takes its place, and nothing when it is gone", () => {
    const world = new DiscoveredWorld();
    world.serve(ENDPOINT, () => undefined);
    const client = world.discovered({ policy: httpPolicy([httpRule()]) }, [ENDPOINT]);
    const counted = (): readonly number[] =>
      ["ready", "pending"].map((state) =>
        sumOf(world.plane, "outbound_http_balancer_endpoints", { endpoint_state: state }),
      );
    const asked = client.open(GET, true)!;
    world.run(() => world.served.length === 1);
    expect(counted()).toEqual([1, 0]);
    world.tell({ policy: httpPolicy([httpRule({ backends: to({ ...balance(), queue: QUEUE }) })]) });
    world.reset([ENDPOINT, "10.1.0.2"]);
    // Those of both: the request that is under way may have to go again by the old one.
    expect(counted()).toEqual([4, 0]);
    asked.reset();
    world.run(() => counted()[0] === 2);
    client.close();
    world.settle();
    expect(counted()).toEqual([0, 0]);
  });

  test("of endpoints that get no connection are not made", () => {
    const world = new DiscoveredWorld();
    world.serve(ENDPOINT, ok);
    const client = world.discovered({ policy: httpPolicy([httpRule()]) }, [ENDPOINT]);
    const lines = (): number => world.plane.snapshot().families.reduce((sum, { series }) => sum + series.length, 0);
    world.fetch(client);
    const before = lines();
    const rest = Array.from({ length: 1000 }, (_, n) => `10.2.${n >> 8}.${n & 255}`);
    world.reset([ENDPOINT, ...rest]);
    expect(lines()).toBe(before);
    world.reset([ENDPOINT]);
    client.close();
    world.settle();
  });

  /** How many groups of series there are that were made from now on. */
  function countGroups({ plane: { registry } }: DiscoveredWorld): () => number {
    let groups = 0;
    const make = registry.group.bind(registry);
    registry.group = (onDrop) => {
      groups += 1;
      return make(() => {
        groups -= 1;
        onDrop?.();
      });
    };
    return () => groups;
  }

  test("are not kept twice, however often the policy changes and whether or not anybody looks", () => {
    const world = new DiscoveredWorld();
    world.serve(ENDPOINT, ok);
    const client = world.discovered({ policy: httpPolicy([httpRule()]) }, [ENDPOINT]);
    const groups = countGroups(world);
    for (let n = 0; n < 200; n++) {
      const timeouts = { requestMs: 1000 + n, responseMs: null, idleMs: null };
      world.tell({ policy: httpPolicy([httpRule({ timeouts })]) });
      if (n % 20 === 0) world.fetch(client);
    }
    expect(groups()).toBeLessThan(3);
    client.close();
    world.settle();
  });

  test("of an endpoint that comes and goes are kept once in the long run, also while it gets requests and nobody looks", () => {
    const world = new DiscoveredWorld();
    world.serve(ENDPOINT, ok);
    world.serve("10.1.0.2", ok);
    const client = world.discovered({ policy: httpPolicy([httpRule()]) }, [ENDPOINT]);
    const groups = countGroups(world);
    for (let n = 0; n < 50; n++) {
      world.reset(n % 2 === 0 ? [ENDPOINT, "10.1.0.2"] : [ENDPOINT]);
      world.fetch(client);
    }
    world.reset(["10.1.0.2"]);
    for (let n = 0; n < 12; n++) {
      world.runFor(RETAIN_MS / 10);
      expect(world.fetch(client).status).toBe(200);
    }
    expect(groups()).toBeLessThan(3);
    client.close();
    world.settle();
  });
});

const FALLBACKS = [
  { name: "no policy", known: null },
  { name: "a profile that names nothing", known: profile({ name: "" }) },
  { name: "a profile that names the loop", known: profile({ endpoint: { ...endpoint("127.0.0.1"), port: 4140 } }) },
];

test.each(FALLBACKS)("a connection back to the proxy is not made for $name", ({ known }) => {
  const world = new DiscoveredWorld();
  const loop = "127.0.0.1:4140";
  let loops = 0;
  world.kernel.onConnect(loop, () => {
    loops += 1;
  });
  const http1 = world.proxy.client("outbound", loop);
  const http2 = new Http2Peer(world.kernel, world.proxy.client("outbound", loop), Role.Client, PEER_SETTINGS);
  world.run(() => world.asked.length > 0);
  world.plane.outbound.discovery!.onOutbound(loop, { profile: known, policy: null, invalid: null });
  http1.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  world.run(() => http2.engine.settingsSeen);
  const stream = http2.open(GET, true)!;
  world.run(() => stream.over && http1.receivedBytes > 0);
  expect(http1.receivedText()).toStartWith("HTTP/1.1 502 ");
  expect([stream.status, loops]).toEqual([502, 0]);
  http1.close();
  http2.close();
  world.settle();
});

test("calls that leave a balancer's queue leave its length", () => {
  const world = new DiscoveredWorld();
  const client = world.discovered({ policy: httpPolicy([httpRule()]) }, []);
  const waiting = Array.from({ length: 5 }, () => client.open(GET, true)!);
  const length = (): number => sumOf(world.plane, "outbound_http_balancer_queue_length");
  world.run(() => length() === 5);
  for (const stream of waiting) stream.reset(ErrorCode.Cancel);
  world.run(() => length() === 0, 10_000);
  client.close();
  world.settle();
});

test("requests that their server does not read to the end take nothing from their client's connection", () => {
  const world = new DiscoveredWorld();
  const answered = streamBytes(1, 30_000);
  const small = { ...PEER_SETTINGS, initialStreamWindowBytes: 1000 };
  const serve = (stream: PeerStream): void => {
    if (stream.header(":path") === "/read") {
      stream.onEnd = () => ok(stream);
      return;
    }
    stream.holdsBack = true;
    stream.respond(OK, answered);
    // It has said all, and takes no more of the request.
    world.kernel.after(50, () => stream.stop());
  };
  world.serve(ENDPOINT, serve, small);
  world.discovered({ policy: httpPolicy([httpRule()]) }, [ENDPOINT]).close();
  const client = world.client(small);
  world.run(() => client.engine.settingsSeen);
  // The proxy keeps what comes, and gives the connection's window back for 8 MiB of it.
  for (let n = 0; n < 160; n++) {
    const stream = client.open(POST, false)!;
    stream.holdsBack = true;
    stream.sendBody(streamBytes(2, 60_000), true);
    world.runFor(100);
    stream.holdsBack = false;
    stream.take(Number.POSITIVE_INFINITY);
    world.run(() => stream.over);
  }
  const path: Fields = POST.map(([name, value]) => (name === ":path" ? [name, "/read"] : [name, value]));
  expect(world.fetch(client, path, streamBytes(3, 3_000_000)).status).toBe(200);
  client.close();
  world.settle();
});
