import { describe, expect, test } from "bun:test";
import type { HttpFilter, HttpRule } from "@bowline/model";
import {
  answer,
  balance,
  DiscoveredWorld,
  endpoint,
  GET,
  GRPC,
  grpcPolicy,
  grpcRule,
  httpPolicy,
  httpRule,
  meta,
  OK,
  ok,
  PATH,
  POST,
  profile,
  profileRoute,
  SERVICE,
  to,
} from "./testing/discovered-world.case.test.ts";
import type { Fields, PeerStream } from "./testing/http2-peer.case.test.ts";
import { sumOf } from "./testing/plane-world.case.test.ts";

const OTHER = "other.test.svc.cluster.local:8080";

function at(path: string): Fields {
  return GET.map(([name, value]) => (name === ":path" ? [name, path] : [name, value]));
}

describe("where requests go", () => {
  test("over all endpoints of a service, without a control plane's word only once there is one", () => {
    const world = new DiscoveredWorld();
    for (const ip of ["10.1.0.1", "10.1.0.2"]) world.serve(ip, ok);
    const client = world.client();
    const first = client.open(GET, true)!;
    world.runFor(1500);
    expect([world.asked, first.over]).toEqual([[{ kind: "discover", target: SERVICE }], false]);
    world.tell({ policy: httpPolicy([httpRule()]) });
    world.runFor(500);
    expect([world.asked.at(-1), first.over]).toEqual([{ kind: "resolve", path: PATH }, false]);
    world.reset(["10.1.0.1", "10.1.0.2"]);
    world.run(() => first.over);
    for (let n = 0; n < 40; n++) expect(world.fetch(client).status).toBe(200);
    expect(new Set(world.served).size).toBe(2);
    client.close();
    world.settle();
    expect(world.asked.slice(2)).toEqual([
      { kind: "undiscover", target: SERVICE },
      { kind: "unresolve", path: PATH },
    ]);
  });

  test("by the route that matches, 404 by none", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", ok);
    world.serve("10.2.0.1", ok);
    const path = (kind: "prefix" | "exact", text: string): HttpRule["matches"][number] => ({
      path: { kind, path: text },
      headers: [],
      query: [],
      method: null,
    });
    const rules = [
      httpRule({ matches: [path("prefix", "/other")], backends: to(balance(OTHER)) }),
      httpRule({ matches: [path("exact", "/one")] }),
    ];
    const client = world.discovered({ policy: httpPolicy(rules) }, ["10.1.0.1"]);
    world.reset(["10.2.0.1"], OTHER);
    const seen = ["/other/x", "/one", "/other", "/two"].map((text) => world.fetch(client, at(text)).status);
    expect([seen, world.served]).toEqual([
      [200, 200, 200, 404],
      ["10.2.0.1", "10.1.0.1", "10.2.0.1"],
    ]);
    client.close();
    world.settle();
  });

  test("by weight", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", ok);
    world.serve("10.2.0.1", ok);
    const backends = {
      kind: "random" as const,
      backends: [
        { backend: balance(), filters: [], weight: 3 },
        { backend: balance(OTHER), filters: [], weight: 1 },
      ],
    };
    const client = world.discovered({ policy: httpPolicy([httpRule({ backends })]) }, ["10.1.0.1"]);
    world.reset(["10.2.0.1"], OTHER);
    for (let n = 0; n < 400; n++) world.fetch(client);
    const few = world.served.filter((ip) => ip === "10.2.0.1").length;
    expect(few).toBeGreaterThan(55);
    expect(few).toBeLessThan(150);
    client.close();
    world.settle();
  });

  test("to the one endpoint that a profile names, or where they were going", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.7", ok);
    world.serve("10.96.0.1", ok);
    const client = world.discovered({ profile: profile({ endpoint: endpoint("10.1.0.7") }) }, []);
    expect(world.fetch(client).status).toBe(200);
    world.tell({});
    expect(world.fetch(client).status).toBe(200);
    expect(world.served).toEqual(["10.1.0.7", "10.96.0.1"]);
    client.close();
    world.settle();
  });

  test("by the newest policy, also on connections that are open", () => {
    const world = new DiscoveredWorld();
    const held: PeerStream[] = [];
    world.serve("10.1.0.1", (stream) => held.push(stream));
    world.serve("10.2.0.1", ok);
    const client = world.discovered({ policy: httpPolicy([httpRule()]) }, ["10.1.0.1"]);
    const running = client.open(GET, true)!;
    world.run(() => held.length === 1);
    world.tell({ policy: httpPolicy([httpRule({ backends: to(balance(OTHER)) })]) });
    world.reset(["10.2.0.1"], OTHER);
    expect(world.asked.at(-1)).toEqual({ kind: "resolve", path: OTHER });
    expect(world.fetch(client).status).toBe(200);
    // What goes by the old policy still may have to go again.
    expect(world.asked.at(-1)).toEqual({ kind: "resolve", path: OTHER });
    ok(held[0]!);
    world.run(() => running.over);
    expect(world.asked.at(-1)).toEqual({ kind: "unresolve", path: PATH });
    expect([running.status, world.served]).toEqual([200, ["10.1.0.1", "10.2.0.1"]]);
    client.close();
    world.settle();
  });

  const FAILURES = [
    { name: "an invalid policy", outbound: { invalid: "bad" }, status: 500, grpc: "13" },
    { name: "a policy that cannot be followed", outbound: { policy: badPolicy() }, status: 500, grpc: "13" },
    {
      name: "a backend without a dispatcher",
      outbound: {
        policy: httpPolicy([
          httpRule({ backends: to({ ...balance(), dispatcher: { kind: "fail", message: "no such service" } }) }),
        ]),
      },
      status: 502,
      grpc: "14",
    },
    {
      name: "a rule without backends",
      outbound: { policy: httpPolicy([httpRule({ backends: { kind: "empty" } })]) },
      status: 503,
      grpc: "14",
    },
  ] as const;

  for (const { name, outbound, status, grpc } of FAILURES) {
    test(`nowhere: ${name} is answered ${status}, or grpc-status ${grpc}`, () => {
      const world = new DiscoveredWorld();
      world.discovered(outbound, []).close();
      const plain = world.client();
      expect(world.fetch(plain).status).toBe(status);
      plain.close();
      const other = world.client();
      const call = world.fetch(other, GRPC, new Uint8Array(3));
      expect([call.status, call.header("grpc-status")]).toEqual([200, grpc]);
      other.close();
      world.settle();
    });
  }

  test("connections of bytes are balanced, too, and wait for an endpoint", () => {
    const world = new DiscoveredWorld();
    for (const ip of ["10.1.0.1", "10.1.0.2"]) {
      world.kernel.onConnect(`${ip}:8080`, (server) => {
        world.served.push(ip);
        server.onData = (bytes) => server.send(bytes);
        server.onEnd = () => server.end();
      });
    }
    const early = world.raw();
    early.send("\u0000\u0001hello");
    world.run(() => world.asked.length === 1);
    world.tell({ policy: httpPolicy([httpRule()]) });
    world.runFor(200);
    expect(early.receivedBytes).toBe(0);
    world.reset(["10.1.0.1", "10.1.0.2"]);
    world.run(() => early.receivedBytes === 7);
    const others = Array.from({ length: 20 }, () => {
      const client = world.raw();
      client.send("\u0000\u0001bytes");
      return client;
    });
    world.run(() => others.every(({ receivedBytes }) => receivedBytes === 7));
    expect(new Set(world.served).size).toBe(2);
    for (const client of [early, ...others]) client.end();
    world.settle();
  });
});

function badPolicy(): ReturnType<typeof httpPolicy> {
  const match = { path: { kind: "regex" as const, regex: "(" }, headers: [], query: [], method: null };
  return httpPolicy([httpRule({ matches: [match] })]);
}

describe("filters", () => {
  test("answer by themselves: failures and redirects", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", ok);
    const exact = (path: string): HttpRule["matches"] => [
      { path: { kind: "exact", path }, headers: [], query: [], method: null },
    ];
    const always = { numerator: 1, denominator: 1 };
    const redirect: HttpFilter = {
      kind: "redirect",
      scheme: "https",
      host: "new.test",
      port: null,
      path: { kind: "full", path: "/moved" },
      status: 302,
    };
    const rules = [
      httpRule({ matches: exact("/fail"), filters: [{ kind: "fail", status: 418, message: "no", ratio: always }] }),
      httpRule({ matches: exact("/gone"), filters: [redirect] }),
      httpRule({ matches: exact("/") }),
    ];
    const client = world.discovered({ policy: httpPolicy(rules) }, ["10.1.0.1"]);
    expect(world.fetch(client, at("/fail")).status).toBe(418);
    const moved = world.fetch(client, at("/gone"), new Uint8Array(100));
    expect([moved.status, moved.header("location")]).toEqual([302, "https://new.test:8080/moved"]);
    const call = world.fetch(client, [...at("/fail"), ["content-type", "application/grpc"]]);
    expect([call.status, call.header("grpc-status")]).toEqual([200, "9"]);
    expect(world.served).toEqual([]);
    expect(world.fetch(client).status).toBe(200);
    client.close();
    world.settle();
  });

  test("change heads both ways, those of a backend once per try", () => {
    const world = new DiscoveredWorld();
    const heads: Fields[] = [];
    world.serve("10.1.0.1", (stream) => {
      heads.push(stream.head!);
      if (heads.length === 1) stream.sendHead([[":status", "503"]], true);
      else if (heads.length === 2) stream.reset(7);
      else stream.sendHead([...OK, ["server", "secret"], ["x-kept", "1"]], true);
    });
    const route: HttpFilter = {
      kind: "request-headers",
      add: [["x-added", "route"]],
      set: [["x-set", "new"]],
      remove: ["x-gone"],
    };
    const backend: HttpFilter = { kind: "request-headers", add: [["x-added", "backend"]], set: [], remove: [] };
    const response: HttpFilter = { kind: "response-headers", add: [["x-by", "proxy"]], set: [], remove: ["server"] };
    const rule = httpRule({
      filters: [route, response],
      backends: to(balance(), [backend]),
      retry: retry({ statuses: [{ min: 503, max: 503 }] }),
    });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const stream = world.fetch(client, [...GET, ["x-set", "old"], ["x-gone", "1"], ["x-own", "1"]]);
    expect(stream.head).toEqual([...OK, ["x-kept", "1"], ["x-by", "proxy"]]);
    for (const head of heads) {
      expect(head.slice(4)).toEqual([
        ["x-own", "1"],
        ["x-added", "route"],
        ["x-set", "new"],
        ["x-added", "backend"],
      ]);
    }
    expect(heads).toHaveLength(3);
    client.close();
    world.settle();
  });
});

function retry(over: Partial<NonNullable<HttpRule["retry"]>> = {}): NonNullable<HttpRule["retry"]> {
  return {
    retriesMax: 2,
    requestBytesMax: 64 * 1024,
    statuses: [{ min: 500, max: 599 }],
    timeoutMs: null,
    backoff: null,
    ...over,
  };
}

describe("retries", () => {
  /** A server that answers each request with the next of these statuses, the last one for ever. */
  function statuses(...list: number[]): (stream: PeerStream) => void {
    let n = 0;
    return (stream) => answer([[":status", String(list[Math.min(n++, list.length - 1)])]])(stream);
  }

  test("by status, with the body, as often as the policy says", () => {
    const world = new DiscoveredWorld();
    const bodies: number[] = [];
    const reply = statuses(500, 502, 200, 503);
    world.serve("10.1.0.1", (stream) => {
      reply(stream);
      const end = stream.onEnd;
      stream.onEnd = () => {
        bodies.push(stream.bodyBytes);
        end();
      };
    });
    const client = world.discovered({ policy: httpPolicy([httpRule({ retry: retry() })]) }, ["10.1.0.1"]);
    expect(world.fetch(client, POST, new Uint8Array(20_000)).status).toBe(200);
    expect(bodies).toEqual([20_000, 20_000, 20_000]);
    expect(world.fetch(client, POST, new Uint8Array(10)).status).toBe(503);
    expect(bodies).toHaveLength(6);
    expect(sumOf(world.plane, "outbound_http_route_retry_requests_total")).toBe(4);
    expect(sumOf(world.plane, "outbound_http_route_retry_limit_exceeded_total")).toBe(1);
    expect(sumOf(world.plane, "request_total")).toBe(6);
    expect(sumOf(world.plane, "response_total")).toBe(6);
    client.close();
    world.settle();
  });

  test("not of a request that is larger than the policy allows, or not all there", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", (stream) => stream.sendHead([[":status", "500"]], true));
    const rule = httpRule({ retry: retry({ requestBytesMax: 1000 }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const large = client.open(POST, false)!;
    large.sendBody(new Uint8Array(1001), true);
    const unfinished = client.open(POST, false)!;
    unfinished.sendBody(new Uint8Array(10));
    world.run(() => large.over && unfinished.over);
    unfinished.reset();
    expect([large.status, unfinished.status, world.served.length]).toEqual([500, 500, 2]);
    client.close();
    world.settle();
  });

  test("wait for the backoff", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", statuses(500, 500, 200));
    const backoff = { minMs: 200, maxMs: 1000, jitter: 0, respectRetryAfter: false };
    const rule = httpRule({ retry: retry({ backoff }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const stream = client.open(GET, true)!;
    world.runFor(150);
    expect(world.served).toHaveLength(1);
    world.runFor(100);
    expect(world.served).toHaveLength(2);
    world.runFor(300);
    expect(world.served).toHaveLength(2);
    world.run(() => stream.over, 100);
    expect(stream.status).toBe(200);
    client.close();
    world.settle();
  });

  test("when a try takes too long, also one that has found no connection yet", () => {
    const world = new DiscoveredWorld();
    let tries = 0;
    world.serve("10.1.0.1", (stream) => {
      tries += 1;
      if (tries === 3) ok(stream);
    });
    const rule = httpRule({ retry: retry({ retriesMax: 4, timeoutMs: 300 }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const stream = client.open(GET, true)!;
    world.runFor(700);
    expect([stream.status, tries]).toEqual([200, 3]);
    world.kernel.onConnect("10.1.0.2:8080", "silence");
    world.reset(["10.1.0.2"]);
    const waiting = client.open(GET, true)!;
    const waitingToo = client.open(GET, true)!;
    world.runFor(900);
    world.serve("10.1.0.3", ok);
    world.reset(["10.1.0.3"]);
    world.run(() => waiting.over && waitingToo.over);
    expect([waiting.status, waitingToo.status]).toEqual([200, 200]);
    client.close();
    world.settle();
  });

  test("are counted once each, also the one that took too long for all that it was the last", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", () => undefined);
    const rule = httpRule({ retry: retry({ retriesMax: 2, timeoutMs: 100 }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const unfinished = client.open(POST, false)!;
    world.run(() => unfinished.over);
    expect(unfinished.status).toBe(504);
    const tries = "outbound_http_route_backend_response_statuses_total";
    expect([sumOf(world.plane, tries), sumOf(world.plane, tries, { error: "RESPONSE_HEADERS_TIMEOUT" })]).toEqual([
      1, 1,
    ]);
    client.close();
    world.settle();
  });

  for (const where of ["head", "trailers"] as const) {
    test(`of gRPC by the status in the ${where}`, () => {
      const world = new DiscoveredWorld();
      let tries = 0;
      world.serve("10.1.0.1", (stream) => {
        stream.onEnd = () => {
          tries += 1;
          const status: Fields = [["grpc-status", tries < 3 ? "14" : "0"]];
          const head: Fields = [...OK, ["content-type", "application/grpc"]];
          if (where === "head") stream.sendHead([...head, ...status], true);
          else stream.respond(head, new Uint8Array(0), status);
        };
      });
      const rule = grpcRule({
        retry: { retriesMax: 3, requestBytesMax: 1000, codes: [14], timeoutMs: null, backoff: null },
      });
      const client = world.discovered({ policy: grpcPolicy([rule]) }, ["10.1.0.1"]);
      const call = world.fetch(client, GRPC, new Uint8Array(5));
      expect([tries, call.header("grpc-status") ?? call.trailer("grpc-status")]).toEqual([3, "0"]);
      client.close();
      world.settle();
    });
  }

  test("of a profile's route come out of its budget", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", statuses(500));
    const retryBudget = { ratio: 0, minPerSecond: 1, ttlMs: 10_000 };
    const client = world.discovered(
      { profile: profile({ routes: [profileRoute({ retryable: true })], retryBudget }) },
      ["10.1.0.1"],
    );
    for (let n = 0; n < 10; n++) expect(world.fetch(client).status).toBe(500);
    // Ten a window of ten seconds, whatever the requests.
    expect(world.served).toHaveLength(20);
    expect(sumOf(world.plane, "route_actual_request_total")).toBe(20);
    expect(sumOf(world.plane, "route_request_total")).toBe(10);
    client.close();
    world.settle();
  });
});

describe("timeouts", () => {
  const hang = (): void => undefined;

  test("of the whole request, before and behind the response's head", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", (stream) => {
      if (stream.header("x-begin") !== null) stream.sendHead(OK, false);
    });
    const timeouts = { requestMs: 500, responseMs: null, idleMs: null };
    const client = world.discovered({ policy: httpPolicy([httpRule({ timeouts })]) }, ["10.1.0.1"]);
    const plain = client.open(GET, true)!;
    const begun = client.open([...GET, ["x-begin", "1"]], true)!;
    const call = client.open([...GRPC, ["x-begin", "1"]], false)!;
    world.runFor(450);
    expect([plain.over, begun.over, call.over]).toEqual([false, false, false]);
    world.runFor(100);
    expect([plain.status, begun.status, begun.complete, begun.resetCode]).toEqual([504, 200, false, 8]);
    expect([call.status, call.trailer("grpc-status")]).toEqual([200, "4"]);
    // What it goes on to send is nobody's.
    call.sendBody(new Uint8Array(100), true);
    world.runFor(100);
    client.close();
    world.settle();
  });

  test("of the response begin with the request's end", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", hang);
    const timeouts = { requestMs: null, responseMs: 500, idleMs: null };
    const client = world.discovered({ policy: httpPolicy([httpRule({ timeouts })]) }, ["10.1.0.1"]);
    const stream = client.open(POST, false)!;
    world.runFor(2000);
    expect(stream.over).toBe(false);
    stream.sendBody(new Uint8Array(10), true);
    world.runFor(450);
    expect(stream.over).toBe(false);
    world.runFor(100);
    expect(stream.status).toBe(504);
    client.close();
    world.settle();
  });

  test("of silence end with any frame", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", hang);
    const timeouts = { requestMs: null, responseMs: null, idleMs: 500 };
    const client = world.discovered({ policy: httpPolicy([httpRule({ timeouts })]) }, ["10.1.0.1"]);
    const stream = client.open(POST, false)!;
    for (let n = 0; n < 5; n++) {
      world.runFor(400);
      stream.sendBody(new Uint8Array(10));
    }
    expect(stream.over).toBe(false);
    world.runFor(600);
    expect(stream.status).toBe(504);
    client.close();
    world.settle();
  });

  test("of a profile's route", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", hang);
    const client = world.discovered({ profile: profile({ routes: [profileRoute({ timeoutMs: 300 })] }) }, ["10.1.0.1"]);
    const stream = client.open(GET, true)!;
    world.runFor(350);
    expect([stream.status, stream.header("l5d-proxy-error-cause")]).toEqual([504, "route-timeout"]);
    client.close();
    world.settle();
  });
});

test("profiles split traffic by their overrides", () => {
  const world = new DiscoveredWorld();
  world.serve("10.1.0.1", ok);
  world.serve("10.2.0.1", ok);
  const overrides = [
    { authority: PATH, weight: 1, backend: meta("Service", "web") },
    { authority: OTHER, weight: 1, backend: meta("Service", "other") },
  ];
  const client = world.discovered({ profile: profile({ overrides }) }, ["10.1.0.1"]);
  world.reset(["10.2.0.1"], OTHER);
  for (let n = 0; n < 100; n++) world.fetch(client);
  const share = world.served.filter((ip) => ip === "10.2.0.1").length;
  expect(Math.abs(share - 50)).toBeLessThan(30);
  client.close();
  world.settle();
});
