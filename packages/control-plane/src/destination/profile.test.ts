import { describe, expect, test } from "bun:test";
import type { RouteSpec, ServiceProfileSpec } from "./objects.ts";
import * as make from "./testing/objects.ts";
import { type ObjectEntry, statusOf, World } from "./testing/world.ts";

const NAME = "svc.ns.svc.cluster.local";
const PATH = `${NAME}:80`;
const ROUTE: RouteSpec = { name: "r", condition: { pathRegex: "/a" } };
const DEFAULT_BUDGET = { retryRatio: Math.fround(0.2), minRetriesPerSecond: 10, ttl: "10s" };

const svc = (init: make.ServiceInit = {}): ObjectEntry => [
  "services",
  make.service("svc", { clusterIps: ["10.96.0.1", "fd00:96::1"], ...init }),
];
const profileOf = (namespace: string, route: string): ObjectEntry => {
  return ["serviceprofiles", make.serviceProfile(NAME, { routes: [{ ...ROUTE, name: route }] }, namespace)];
};
const routesOf = (profile: Record<string, unknown>): unknown => {
  const routes = (profile["routes"] ?? []) as { metricsLabels: { route: string } }[];
  return routes.map(({ metricsLabels }) => metricsLabels.route);
};

describe("the profile of a service", () => {
  const want = {
    fullyQualifiedName: NAME,
    retryBudget: DEFAULT_BUDGET,
    parentRef: { resource: { group: "core", kind: "Service", name: "svc", namespace: "ns", port: 80 } },
    profileRef: { resource: { group: "linkerd.io" } },
  };
  for (const path of [PATH, `${NAME}.:80`, NAME, "10.96.0.1:80", "[fd00:96::1]:80", "[fd00:96:0::1]"]) {
    test(`by ${path}`, () => {
      expect(new World([svc()]).profile(path).messages).toEqual([want]);
    });
  }

  test("refers to its ServiceProfile", () => {
    const { last } = new World([svc(), profileOf("ns", "r")]).profile(PATH);
    expect(last["profileRef"]).toEqual({
      resource: { group: "linkerd.io", kind: "ServiceProfile", name: NAME, namespace: "ns" },
    });
    expect(last["fullyQualifiedName"]).toBe(NAME);
  });

  const preferences: { name: string; token: string; profiles: ObjectEntry[]; want: string[] }[] = [
    {
      name: "the service's",
      token: "",
      profiles: [profileOf("ns", "server"), profileOf("client", "client")],
      want: ["server"],
    },
    {
      name: "the client's, where its namespace is known",
      token: '{"ns":"client"}',
      profiles: [profileOf("ns", "server"), profileOf("client", "client")],
      want: ["client"],
    },
    {
      name: "the client's, by an old token",
      token: "ns:client",
      profiles: [profileOf("ns", "s"), profileOf("client", "c")],
      want: ["c"],
    },
    {
      name: "the service's, where the client has none",
      token: "ns:client",
      profiles: [profileOf("ns", "s")],
      want: ["s"],
    },
    { name: "none of other namespaces", token: "", profiles: [profileOf("client", "c")], want: [] },
  ];
  for (const { name, token, profiles, want: routes } of preferences) {
    test(`is ${name}`, () => {
      expect(routesOf(new World([svc(), ...profiles]).profile(PATH, token).last)).toEqual(routes);
    });
  }

  test("of a port that the service does not declare is empty, until it does", () => {
    const world = new World([svc()]);
    const client = world.profile(`${NAME}:81`);
    expect(client.messages).toEqual([{}]);
    world.put(svc({ ports: [{ port: 81 }] }));
    expect(client.last["fullyQualifiedName"]).toBe(NAME);
  });

  const opaque: { name: string; annotation?: string; ports: make.ServiceInit["ports"]; port: number; want: boolean }[] =
    [
      { name: "a default port", ports: [{ port: 3306 }], port: 3306, want: true },
      { name: "another port", ports: [{ port: 80 }], port: 80, want: false },
      { name: "an annotated port", annotation: "80", ports: [{ port: 80 }], port: 80, want: true },
      { name: "a port in an annotated range", annotation: "1,70-90", ports: [{ port: 80 }], port: 80, want: true },
      { name: "an annotated port's name", annotation: "web", ports: [{ port: 80, name: "web" }], port: 80, want: true },
      {
        name: "a default port where others are annotated",
        annotation: "80",
        ports: [{ port: 3306 }],
        port: 3306,
        want: false,
      },
      {
        name: "a default port where none is annotated",
        annotation: "",
        ports: [{ port: 3306 }],
        port: 3306,
        want: false,
      },
    ];
  for (const { name, annotation, ports, port, want: isOpaque } of opaque) {
    test(`${name} is ${isOpaque ? "" : "not "}opaque`, () => {
      const annotations = annotation === undefined ? {} : { "config.linkerd.io/opaque-ports": annotation };
      const world = new World([svc({ ports: ports ?? [], annotations })]);
      expect(world.profile(`${NAME}:${port}`).opaque).toBe(isOpaque);
      expect(world.profile(`10.96.0.1:${port}`).opaque).toBe(isOpaque);
    });
  }

  test("that cannot be followed is as none, and is reported", () => {
    const broken: ObjectEntry = [
      "serviceprofiles",
      make.serviceProfile(NAME, { routes: [{ ...ROUTE, condition: {} }] }),
    ];
    const world = new World([svc(), broken]);
    const client = world.profile(PATH);
    expect(routesOf(client.last)).toEqual([]);
    expect(world.faults).toEqual([`ServiceProfile ns/${NAME} is not used: spec.routes[0].condition: no field is set`]);
    world.put(profileOf("ns", "mended"));
    expect(routesOf(client.last)).toEqual(["mended"]);
  });

  const junk: unknown[] = [
    { routes: "none" },
    { routes: [null] },
    { routes: [{ name: "r", condition: { all: "x" } }] },
    { routes: [{ name: "r", condition: { method: 1 } }] },
    { retryBudget: { retryRatio: "x", ttl: "1s" } },
    { retryBudget: { retryRatio: 1, ttl: 1 } },
    { dstOverrides: [{ authority: "a", weight: 1e30 }] },
  ];
  test.each(junk)("of %j is as none", (spec) => {
    const world = new World([svc()]);
    const client = world.profile(PATH);
    world.put(["serviceprofiles", make.serviceProfile(NAME, spec as ServiceProfileSpec)]);
    expect(client.last["fullyQualifiedName"]).toBe(NAME);
    expect(routesOf(client.last)).toEqual([]);
    expect(world.faults).toHaveLength(1);
  });

  test("is told anew when it is another, and only then", () => {
    const world = new World([svc()]);
    const client = world.profile(PATH, "ns:client");
    const seen = (): unknown => [client.messages.length, routesOf(client.last), client.opaque];
    world.put(profileOf("ns", "server"));
    expect(seen()).toEqual([2, ["server"], false]);
    world.put(profileOf("ns", "server"), svc());
    expect(seen()).toEqual([2, ["server"], false]);
    world.put(profileOf("client", "client"));
    expect(seen()).toEqual([3, ["client"], false]);
    world.remove(profileOf("ns", "server"));
    expect(seen()).toEqual([3, ["client"], false]);
    world.remove(profileOf("client", "client"));
    expect(seen()).toEqual([4, [], false]);
    world.put(svc({ annotations: { "config.linkerd.io/opaque-ports": "80" } }));
    expect(seen()).toEqual([5, [], true]);
  });

  test("ends with the service", () => {
    const world = new World([svc()]);
    const client = world.profile(PATH);
    world.remove(svc());
    expect(client.failure?.message).toBe("NOT_FOUND: no service ns/svc");
    client.stop();
    expect([world.discovery.followed, world.index.topics]).toEqual([0, 0]);
  });
});

describe("what has no profile", () => {
  const rows: { name: string; path: string; objects?: ObjectEntry[]; want: string }[] = [
    { name: "a name that is no service's", path: "linkerd.io:80", want: "INVALID_ARGUMENT" },
    { name: "a port that is none", path: `${NAME}:x`, want: "INVALID_ARGUMENT" },
    { name: "a service that is not there", path: PATH, want: "NOT_FOUND" },
    {
      name: "a service that is but a name",
      path: PATH,
      objects: [svc({ type: "ExternalName" })],
      want: "INVALID_ARGUMENT",
    },
    { name: "a hostname that no pod has", path: `p-0.${PATH}`, objects: [svc()], want: "NOT_FOUND" },
    {
      name: "a cluster IP of two services",
      path: "10.96.0.1:80",
      objects: [svc(), ["services", make.service("svc2", { clusterIps: ["10.96.0.1"] })]],
      want: "FAILED_PRECONDITION",
    },
    {
      name: "an address of two pods",
      path: "10.1.0.1:80",
      objects: [
        ["pods", make.pod("p1", { ip: "10.1.0.1" })],
        ["pods", make.pod("p2", { ip: "10.1.0.1" })],
      ],
      want: "FAILED_PRECONDITION",
    },
    {
      name: "a host port of two pods",
      path: "10.2.0.1:7777",
      objects: ["p1", "p2"].map((name) => [
        "pods",
        make.pod(name, { hostIp: "10.2.0.1", ports: [{ containerPort: 80, hostPort: 7777 }] }),
      ]),
      want: "FAILED_PRECONDITION",
    },
  ];
  for (const { name, path, objects = [], want } of rows) {
    test(`${name}: ${want}`, () => {
      const world = new World(objects);
      expect(statusOf(() => world.profile(path))).toBe(want);
      expect([world.discovery.followed, world.index.topics]).toEqual([0, 0]);
    });
  }

  test("what two pods have for a moment does not end a stream", () => {
    const [one, two] = ["p1", "p2"].map((name): ObjectEntry => ["pods", make.pod(name, { ip: "10.1.0.1" })]);
    if (one === undefined || two === undefined) throw new Error("no pods");
    const world = new World([one]);
    const client = world.profile("10.1.0.1:80");
    world.put(two);
    expect(client.failure).toBeNull();
    expect(statusOf(() => world.profile("10.1.0.1:80"))).toBe("FAILED_PRECONDITION");
    world.remove(one);
    expect(client.labels["pod"]).toBe("p2");
    expect(world.profile("10.1.0.1:80").labels["pod"]).toBe("p2");
  });
});

describe("the profile of an address", () => {
  const meshed = make.pod("p1", { ips: ["10.1.0.1", "fd00::1"], meshed: "linkerd", serviceAccount: "sa" });

  for (const [path, address] of [
    ["10.1.0.1:8080", { ip: { ipv4: 0x0a010001 }, port: 8080 }],
    ["[fd00::1]:8080", { ip: { ipv6: { first: "18230571291595767808", last: "1" } }, port: 8080 }],
  ] as const) {
    test(`of a pod, ${path}, is its endpoint`, () => {
      expect(new World([["pods", meshed]]).profile(path).messages).toEqual([
        {
          retryBudget: DEFAULT_BUDGET,
          endpoint: {
            addr: address,
            weight: 10_000,
            metricLabels: { pod: "p1", serviceaccount: "sa", control_plane_ns: "linkerd", zone: "", namespace: "ns" },
            protocolHint: { h2: {} },
            tlsIdentity: {
              dnsLikeIdentity: { name: "sa.ns.serviceaccount.identity.linkerd.trust.domain" },
              serverName: { name: "sa.ns.serviceaccount.identity.linkerd.trust.domain" },
            },
          },
        },
      ]);
    });
  }

  test("of nobody is the bare address", () => {
    const client = new World().profile("172.0.0.1:1234");
    expect(client.last).toEqual({
      endpoint: { addr: { ip: { ipv4: 0xac000001 }, port: 1234 }, weight: 10_000 },
      retryBudget: DEFAULT_BUDGET,
    });
    expect(new World().profile("172.0.0.1:3306").opaque).toBe(true);
  });

  const nobodies: { name: string; object: ObjectEntry; path?: string }[] = [
    { name: "a pod that is ending", object: ["pods", make.pod("p1", { ip: "10.1.0.1", deleted: true })] },
    { name: "a pod that has ended", object: ["pods", make.pod("p1", { ip: "10.1.0.1", phase: "Succeeded" })] },
    { name: "a pod that failed", object: ["pods", make.pod("p1", { ip: "10.1.0.1", phase: "Failed" })] },
    { name: "a pod that does not run yet", object: ["pods", make.pod("p1", { ip: "10.1.0.1", phase: "Pending" })] },
    { name: "a pod of the node's network", object: ["pods", make.pod("p1", { ip: "10.1.0.1", hostNetwork: true })] },
    {
      name: "another port of a node",
      object: ["pods", make.pod("p1", { hostIp: "10.1.0.1", ports: [{ containerPort: 80, hostPort: 7777 }] })],
    },
    {
      name: "another port of an external workload",
      object: ["externalworkloads", make.externalWorkload("w1", { ip: "10.1.0.1", ports: [{ containerPort: 81 }] })],
    },
  ];
  for (const { name, object } of nobodies) {
    test(`of ${name} is that of nobody`, () => {
      const client = new World([object]).profile("10.1.0.1:80");
      expect(client.endpoint).toEqual({ addr: { ip: { ipv4: 0x0a010001 }, port: 80 }, weight: 10_000 });
    });
  }

  test("follows the pod that comes, changes and goes", () => {
    const world = new World();
    const client = world.profile("10.1.0.1:8080");
    const pods = (): unknown => [client.messages.length, client.labels?.["pod"]];
    world.put(["pods", make.pod("p1", { ip: "10.1.0.1", phase: "Pending" })]);
    expect(pods()).toEqual([1, undefined]);
    world.put(["pods", make.pod("p1", { ip: "10.1.0.1" })]);
    expect(pods()).toEqual([2, "p1"]);
    world.put(["pods", make.pod("p1", { ip: "10.1.0.1", annotations: { any: "thing" } })]);
    expect(pods()).toEqual([2, "p1"]);
    world.put(
      ["pods", make.pod("p1", { ip: "10.1.0.1", deleted: true })],
      ["pods", make.pod("p2", { ip: "10.1.0.1" })],
    );
    expect(pods()).toEqual([3, "p2"]);
    world.remove(["pods", make.pod("p2")]);
    expect(pods()).toEqual([4, undefined]);
  });

  test("becomes a service's with its cluster IP", () => {
    const world = new World();
    const client = world.profile("10.96.0.1:80");
    world.put(svc());
    expect(client.last["fullyQualifiedName"]).toBe(NAME);
    world.put(profileOf("ns", "r"));
    expect(routesOf(client.last)).toEqual(["r"]);
    world.remove(svc());
    expect(client.last["fullyQualifiedName"]).toBeUndefined();
  });

  test("behind a node's port is the pod's, with the node's address", () => {
    const host = (name: string): ObjectEntry => {
      const ports = [{ name: `nginx-${name}`, containerPort: 80, hostPort: 7777 }];
      return [
        "pods",
        make.pod(name, { ip: "10.1.0.9", hostIp: "10.2.0.1", meshed: "linkerd", labels: { app: name }, ports }),
      ];
    };
    const world = new World([host("h1")], { transportHeader: true });
    const client = world.profile("10.2.0.1:7777");
    expect(client.labels["pod"]).toBe("h1");
    expect(client.endpoint["addr"]).toEqual({ ip: { ipv4: 0x0a020001 }, port: 7777 });
    // Nothing listens on the node at the proxy's port.
    expect(client.endpoint["protocolHint"]).toEqual({ h2: {} });
    world.remove(host("h1"));
    expect(client.labels).toBeUndefined();
    world.put(host("h2"));
    expect([client.labels["pod"], client.opaque]).toEqual(["h2", false]);
    for (const port of ["nginx-h2", 80, 7777]) {
      const server: ObjectEntry = [
        "servers",
        make.server("s", { podSelector: { matchLabels: { app: "h2" } }, port, proxyProtocol: "opaque" }),
      ];
      world.put(server);
      expect(client.opaque).toBe(true);
      world.remove(server);
      expect(client.opaque).toBe(false);
    }
  });

  test("of a pod by its hostname, ready or not", () => {
    const world = new World([
      svc(),
      ["endpointslices", make.slice("svc-1", [{ ip: "10.1.0.1", pod: "p1", hostname: "p-1", ready: false }])],
      ["pods", make.pod("p1", { ip: "10.1.0.1", meshed: "linkerd" })],
    ]);
    const client = world.profile(`p-1.${PATH}`);
    expect([client.labels["pod"], client.labels["namespace"]]).toEqual(["p1", "ns"]);
    expect(client.endpoint["addr"]).toEqual({ ip: { ipv4: 0x0a010001 }, port: 80 });
    world.put(["pods", make.pod("p1", { ip: "10.1.0.2", meshed: "linkerd" })]);
    expect(client.endpoint["addr"]).toEqual({ ip: { ipv4: 0x0a010002 }, port: 80 });
    world.remove(["endpointslices", make.slice("svc-1", [])]);
    expect(client.failure?.message).toBe("NOT_FOUND: service ns/svc has no pod of the name p-1");
  });

  test("of an external workload is its endpoint", () => {
    const ports = [{ containerPort: 80 }, { name: "linkerd-proxy", containerPort: 4243 }];
    const workload = make.externalWorkload("w1", {
      ip: "10.9.0.1",
      ports,
      owner: { kind: "WorkloadGroup", name: "g" },
    });
    const world = new World([["externalworkloads", workload]], { transportHeader: true });
    const client = world.profile("10.9.0.1:80");
    expect(client.endpoint).toMatchObject({
      metricLabels: { external_workload: "w1", workloadgroup: "g", zone: "", namespace: "ns" },
      protocolHint: { h2: {}, opaqueTransport: { inboundPort: 4243 } },
      tlsIdentity: { uriLikeIdentity: { uri: "spiffe://root/w1" }, serverName: { name: "w1.example" } },
    });
    world.put(["servers", make.server("s", { externalWorkloadSelector: {}, port: 80, proxyProtocol: "opaque" })]);
    expect(client.opaque).toBe(true);
    expect(client.endpoint["protocolHint"]).toEqual({ opaque: {}, opaqueTransport: { inboundPort: 4243 } });
  });
});
