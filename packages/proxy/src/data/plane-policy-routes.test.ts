import { describe, expect, test } from "bun:test";
import type { HttpFilter, HttpRule } from "@bowline/model";
import {
  balance,
  DiscoveredWorld,
  endpoint,
  GET,
  GRPC,
  httpPolicy,
  httpRetry,
  httpRule,
  meta,
  OK,
  ok,
  PATH,
  profile,
  SERVICE,
  to,
} from "./testing/discovered-world.case.test.ts";
import type { Fields, PeerStream } from "./testing/http2-peer.case.test.ts";

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
      retry: httpRetry({ statuses: [{ min: 503, max: 503 }] }),
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
