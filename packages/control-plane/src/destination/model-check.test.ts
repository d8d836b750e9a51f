import { expect, test } from "bun:test";
import fc from "fast-check";
import * as make from "./testing/objects.ts";
import { EndpointsClient, type ObjectEntry, statusOf, World } from "./testing/world.ts";

// Any sequence of events must leave clients that followed it where a client stands that asks a fresh index, which was
// given what there is in the end.

const IPS = ["10.1.0.1", "10.1.0.2", "fd00::1"];
const ZONES = ["a", "b"];
const PODS = ["p1", "p2", "p3"];
const CLIENTS = ["", '{"ns":"client","nodeName":"n1"}', '{"ns":"ns","nodeName":"n2"}'];
const PATHS = ["svc.ns.svc.cluster.local:80", "svc.ns.svc.cluster.local:81", "h1.svc.ns.svc.cluster.local:80"];
const PROFILES = [PATHS[0] ?? "", "10.1.0.1:8080", "10.96.0.1:80", "[fd00::1]:3306", "10.2.0.1:7777", "10.9.0.1:80"];

const one = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });

/** An object without the fields that are undefined. */
function given<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

const endpoint = fc
  .record({
    ip: one(IPS),
    pod: one([...PODS, ...PODS, undefined]),
    workload: one([undefined, undefined, undefined, "w1"]),
    ready: one([true, true, true, false, null]),
    hostname: maybe(fc.constant("h1")),
    zone: maybe(one(ZONES)),
    hints: fc.subarray(ZONES),
    node: maybe(one(["n1", "n2"])),
    uid: one([undefined, undefined, undefined, "u1", "u2"]),
  })
  .map((fields) => given<make.EndpointInit>(fields));

/** Hints come from a controller, which gives them to all endpoints of a slice, or to none. */
const endpoints = fc
  .tuple(fc.array(endpoint, { maxLength: 4 }), fc.boolean())
  .map(([all, hinted]) => (hinted ? all : all.map((one) => given<make.EndpointInit>({ ...one, hints: undefined }))));

const object: fc.Arbitrary<ObjectEntry> = fc.oneof(
  fc
    .record({
      ports: one([
        [{ port: 80 }],
        [{ port: 80 }],
        [{ port: 80, name: "web" }],
        [{ port: 80 }, { port: 81, name: "web" }],
      ]),
      type: one(["ClusterIP", "ClusterIP", "ClusterIP", "ExternalName"]),
      local: fc.boolean(),
      clusterIps: one([["10.96.0.1"], []]),
      annotations: one([{}, { "config.linkerd.io/opaque-ports": "80" }]),
    })
    .map((init): ObjectEntry => ["services", make.service("svc", init)]),
  fc
    .tuple(one(["s1", "s2"]), endpoints, one(["svc", "svc", "svc", "other"]), one([undefined, undefined, "web"]))
    .map(([name, all, of, port]): ObjectEntry => {
      const ports = [given<{ port: number; name?: string }>({ port: 8080, name: port })];
      return ["endpointslices", make.slice(name, all, { of, ports })];
    }),
  fc
    .record({
      ip: maybe(one(IPS)),
      uid: one([undefined, undefined, "u1", "u2"]),
      meshed: maybe(fc.constant("linkerd")),
      created: maybe(one(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])),
      phase: one(["Running", "Running", "Pending", "Failed"]),
      deleted: fc.boolean(),
      hostIp: maybe(fc.constant("10.2.0.1")),
      ports: one([[], [{ name: "web", containerPort: 8080, hostPort: 7777 }]]),
      owner: maybe(
        one([
          { kind: "ReplicaSet", name: "rs" },
          { kind: "Job", name: "job" },
        ]),
      ),
      labels: one([{}, { app: "a" }]),
    })
    .chain((init) => one(PODS).map((name): ObjectEntry => ["pods", make.pod(name, given<make.PodInit>(init))])),
  one<ObjectEntry>([
    ["replicasets", make.replicaSet("rs")],
    ["replicasets", make.replicaSet("rs", "web")],
    ["jobs", make.job("job")],
    ["jobs", make.job("job", "cron")],
    ["nodes", make.node("n1", "a")],
    ["nodes", make.node("n1", "b")],
    ["nodes", make.node("n1")],
    ["nodes", make.node("n2", "b")],
    ["servers", make.server("srv", { podSelector: {}, port: 8080, proxyProtocol: "opaque" })],
    [
      "servers",
      make.server("srv", { podSelector: { matchLabels: { app: "a" } }, port: "web", proxyProtocol: "opaque" }),
    ],
    ["servers", make.server("srv", { externalWorkloadSelector: {}, port: 80, proxyProtocol: "opaque" })],
    ["externalworkloads", make.externalWorkload("w1", { ip: "10.9.0.1", ports: [{ containerPort: 80 }] })],
    ["externalworkloads", make.externalWorkload("w1", { ip: "10.9.0.2", ports: [{ containerPort: 80 }] })],
    [
      "serviceprofiles",
      make.serviceProfile("svc.ns.svc.cluster.local", { routes: [{ name: "r", condition: { method: "GET" } }] }),
    ],
    [
      "serviceprofiles",
      make.serviceProfile("svc.ns.svc.cluster.local", { dstOverrides: [{ authority: "x", weight: 1 }] }, "client"),
    ],
    ["serviceprofiles", make.serviceProfile("svc.ns.svc.cluster.local", { routes: [{ name: "broken" }] })],
  ]),
);

type Event = { readonly kind: "put" | "remove"; readonly object: ObjectEntry; readonly flush: boolean };

/** Enough for most of what events do to be seen. */
const START: readonly ObjectEntry[] = [
  ["services", make.service("svc", { clusterIps: ["10.96.0.1"] })],
  [
    "endpointslices",
    make.slice("s1", [
      { ip: "10.1.0.1", pod: "p1", zone: "a", hints: ["a"] },
      { ip: "10.1.0.2", pod: "p2", hints: ["b"] },
    ]),
  ],
  ["pods", make.pod("p1", { ip: "10.1.0.1", created: "2026-01-01T00:00:00Z" })],
  ["pods", make.pod("p2", { ip: "10.1.0.2", meshed: "linkerd", labels: { app: "a" } })],
  ["pods", make.pod("p3", { ip: "10.1.0.3" })],
  ["nodes", make.node("n1", "a")],
  ["nodes", make.node("n2", "b")],
];

const event: fc.Arbitrary<Event> = fc.record({
  kind: one(["put", "put", "remove"] as const),
  object,
  flush: fc.boolean(),
});

/** The clients that can be made, by what they ask. */
function ask<T>(questions: readonly string[], make: (path: string, token: string) => T): Map<string, T> {
  const clients = new Map<string, T>();
  for (const path of questions) {
    for (const token of CLIENTS) {
      if (statusOf(() => clients.set(`${path} ${token}`, make(path, token))) !== "OK")
        clients.delete(`${path} ${token}`);
    }
  }
  return clients;
}

test("what clients know after any events is what a new client of a new index is told", () => {
  fc.assert(
    fc.property(fc.array(object, { maxLength: 6 }), fc.array(event, { maxLength: 12 }), (changes, events) => {
      const before = [...START, ...changes];
      const world = new World(before);
      const endpoints = ask(PATHS, (path, token) => world.endpoints(path, token));
      const profiles = ask(PROFILES, (path, token) => world.profile(path, token));
      const objects = new Map(before.map((entry) => [keyOf(entry), entry]));
      for (const { kind, object: entry, flush } of events) {
        if (kind === "put") {
          objects.set(keyOf(entry), entry);
          world.index.upsert(entry[0], entry[1]);
        } else {
          objects.delete(keyOf(entry));
          world.index.remove(entry[0], entry[1]);
        }
        if (flush) world.batch.flush();
      }
      world.batch.flush();
      const fresh = new World([...objects.values()]);
      for (const [question, client] of endpoints) {
        const [path = "", token = ""] = question.split(" ");
        if (statusOf(() => fresh.endpoints(path, token)) !== "OK") expect(client.exists).toBe(false);
        else expect(client.known).toEqual(new EndpointsClient(fresh.discovery, path, token).known);
      }
      for (const [question, client] of profiles) {
        const [path = "", token = ""] = question.split(" ");
        const status = statusOf(() => fresh.profile(path, token));
        if (status === "OK") expect([client.failure, client.last].at(-1)).toEqual(fresh.profile(path, token).last);
        else expect(statusOf(() => world.profile(path, token))).toBe(status);
      }
      for (const client of [...endpoints.values(), ...profiles.values()]) client.stop();
      expect([world.discovery.followed, world.index.topics]).toEqual([0, 0]);
    }),
    { numRuns: 300 },
  );
});

function keyOf([kind, { metadata }]: ObjectEntry): string {
  return `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;
}
