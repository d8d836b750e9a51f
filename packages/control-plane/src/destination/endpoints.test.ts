import { describe, expect, test } from "bun:test";
import * as make from "./testing/objects.ts";
import { EndpointsClient, type ObjectEntry, statusOf, World } from "./testing/world.ts";

const SVC = "svc.ns.svc.cluster.local:80";

/** A service `svc` with a slice of these endpoints, each of a pod of its name. */
function cluster(endpoints: readonly make.EndpointInit[], serviceInit: make.ServiceInit = {}): ObjectEntry[] {
  const pods = endpoints.filter(({ pod }) => pod !== undefined);
  return [
    ["services", make.service("svc", serviceInit)],
    ["endpointslices", make.slice("svc-1", endpoints)],
    ...pods.map(({ pod = "", ip }): ObjectEntry => ["pods", make.pod(pod, { ip })]),
  ];
}

const ONE = { ip: "10.1.0.1", pod: "p1" };
const TWO = { ip: "10.1.0.2", pod: "p2" };
const THREE = { ip: "10.1.0.3", pod: "p3" };
const slice = (...endpoints: make.EndpointInit[]): ObjectEntry => ["endpointslices", make.slice("svc-1", endpoints)];

describe("which endpoints a service has", () => {
  interface Row {
    name: string;
    objects: readonly ObjectEntry[];
    path?: string;
    want: string[];
  }
  const web: ObjectEntry = [
    "services",
    make.service("svc", { ports: [{ port: 80, name: "web", targetPort: "http" }] }),
  ];
  const rows: Row[] = [
    { name: "those of its slice", objects: cluster([ONE, TWO]), want: ["10.1.0.1:8080", "10.1.0.2:8080"] },
    {
      name: "those that are ready, or of which nothing is said",
      objects: cluster([ONE, { ...TWO, ready: false }, { ...THREE, ready: null }]),
      want: ["10.1.0.1:8080", "10.1.0.3:8080"],
    },
    {
      name: "those of several slices",
      objects: [
        ...cluster([ONE]),
        ["endpointslices", make.slice("svc-2", [TWO], { ports: [{ port: 9090 }] })],
        ["pods", make.pod("p2")],
      ],
      want: ["10.1.0.1:8080", "10.1.0.2:9090"],
    },
    {
      name: "not those of another service",
      objects: [...cluster([ONE]), ["endpointslices", make.slice("other-1", [TWO], { of: "other" })]],
      want: ["10.1.0.1:8080"],
    },
    {
      name: "those of a slice that only its owner gives it",
      objects: [...cluster([]), ["endpointslices", make.slice("x", [ONE], { owner: "svc" })], ["pods", make.pod("p1")]],
      want: ["10.1.0.1:8080"],
    },
    { name: "not those of pods that are not there", objects: cluster([ONE, TWO]).slice(0, 3), want: ["10.1.0.1:8080"] },
    { name: "those that are no pods", objects: cluster([{ ip: "10.9.0.1" }]), want: ["10.9.0.1:8080"] },
    {
      name: "those of external workloads",
      objects: [
        ...cluster([
          { ip: "10.9.0.1", workload: "w1" },
          { ip: "10.9.0.2", workload: "gone" },
        ]),
        ["externalworkloads", make.externalWorkload("w1", { ip: "10.9.0.1" })],
      ],
      want: ["10.9.0.1:8080"],
    },
    {
      name: "by the name of the service's port, whatever it is in each slice",
      objects: [
        web,
        [
          "endpointslices",
          make.slice("a", [ONE], {
            ports: [
              { name: "web", port: 8001 },
              { name: "x", port: 1 },
            ],
          }),
        ],
        ["endpointslices", make.slice("b", [TWO], { ports: [{ name: "web", port: 8002 }] })],
        ["endpointslices", make.slice("c", [THREE], { ports: [{ name: "other", port: 8003 }] })],
        ["pods", make.pod("p1")],
        ["pods", make.pod("p2")],
        ["pods", make.pod("p3")],
      ],
      want: ["10.1.0.1:8001", "10.1.0.2:8002"],
    },
    {
      name: "by its number where the service does not declare the port",
      objects: cluster([ONE]),
      path: "svc.ns.svc.cluster.local:5555",
      want: ["10.1.0.1:5555"],
    },
    {
      name: "none where a slice has no ports",
      objects: [
        ...cluster([]),
        ["endpointslices", make.slice("svc-1", [ONE], { ports: null })],
        ["pods", make.pod("p1")],
      ],
      path: "svc.ns.svc.cluster.local:5555",
      want: [],
    },
    {
      name: "none where the slice's port has no number",
      objects: [
        ...cluster([]),
        ["endpointslices", make.slice("svc-1", [ONE], { ports: [{}] })],
        ["pods", make.pod("p1")],
      ],
      want: [],
    },
    {
      name: "port 80 where none is asked for",
      objects: cluster([ONE]),
      path: "svc.ns.svc.cluster.local",
      want: ["10.1.0.1:8080"],
    },
    {
      name: "with a dot at the name's end",
      objects: cluster([ONE]),
      path: "svc.ns.svc.cluster.local.:80",
      want: ["10.1.0.1:8080"],
    },
    {
      name: "one pod by its hostname",
      objects: cluster([
        { ...ONE, hostname: "p-0" },
        { ...TWO, hostname: "p-1" },
      ]),
      path: "p-1.svc.ns.svc.cluster.local:80",
      want: ["10.1.0.2:8080"],
    },
    {
      name: "none by a hostname that nobody has",
      objects: cluster([ONE]),
      path: "p-9.svc.ns.svc.cluster.local:80",
      want: [],
    },
    {
      name: "a pod's IPv6 address rather than its IPv4 address",
      objects: [...cluster([ONE, TWO]), ["endpointslices", make.slice("svc-6", [{ ip: "fd00::1", pod: "p1" }])]],
      want: ["10.1.0.2:8080", "[fd00::1]:8080"],
    },
    {
      name: "not a pod that was there before under the same name",
      objects: [
        slice({ ...ONE, uid: "old" }),
        ["services", make.service("svc")],
        ["pods", make.pod("p1", { uid: "new" })],
      ],
      want: [],
    },
    {
      name: "an address once, though two slices name it",
      objects: [...cluster([ONE]), ["endpointslices", make.slice("svc-2", [ONE])]],
      want: ["10.1.0.1:8080"],
    },
  ];
  for (const { name, objects, path = SVC, want } of rows) {
    test(name, () => {
      const client = new World(objects).endpoints(path);
      expect(client.addresses).toEqual(want);
      expect(client.news()).toHaveLength(1);
      expect(client.exists).toBe(true);
    });
  }

  test("IPv4 only, where IPv6 is off", () => {
    const objects: ObjectEntry[] = [
      ...cluster([ONE]),
      ["endpointslices", make.slice("svc-6", [{ ip: "fd00::1", pod: "p1" }])],
    ];
    expect(new World(objects, { ipv6: false }).endpoints(SVC).addresses).toEqual(["10.1.0.1:8080"]);
  });
});

describe("what cannot be followed", () => {
  const rows: { name: string; path: string; objects?: readonly ObjectEntry[]; want: string }[] = [
    { name: "a name that is no service's", path: "linkerd.io", want: "INVALID_ARGUMENT" },
    { name: "an address", path: "10.0.0.1:80", want: "INVALID_ARGUMENT" },
    { name: "a service that is not there", path: SVC, want: "NOT_FOUND" },
    {
      name: "a service in another namespace",
      path: "svc.other.svc.cluster.local:80",
      objects: cluster([ONE]),
      want: "NOT_FOUND",
    },
    {
      name: "a service that is but a name",
      path: SVC,
      objects: [["services", make.service("svc", { type: "ExternalName" })]],
      want: "INVALID_ARGUMENT",
    },
    {
      name: "a service of a cluster that is not linked",
      path: SVC,
      objects: cluster([], {
        labels: {
          "multicluster.linkerd.io/remote-discovery": "east",
          "multicluster.linkerd.io/remote-service": "svc",
        },
      }),
      want: "NOT_FOUND",
    },
    {
      name: "a service of another cluster without its name there",
      path: SVC,
      objects: cluster([], { labels: { "multicluster.linkerd.io/remote-discovery": "east" } }),
      want: "FAILED_PRECONDITION",
    },
  ];
  for (const { name, path, objects = [], want } of rows) {
    test(`${name}: ${want}`, () => {
      const world = new World(objects);
      expect(statusOf(() => world.endpoints(path))).toBe(want);
      expect([world.discovery.followed, world.index.topics]).toEqual([0, 0]);
    });
  }
});

describe("clients are told", () => {
  test("of a service without endpoints, and of those it gets", () => {
    const world = new World(cluster([]));
    const client = world.endpoints(SVC);
    expect(client.news()).toEqual(["none of a service"]);
    world.put(["pods", make.pod("p1")], slice(ONE));
    expect(client.news()).toEqual(["add 10.1.0.1:8080"]);
  });

  test("of nothing but the difference", () => {
    const world = new World([...cluster([ONE, TWO]), ["pods", make.pod("p3")]]);
    const client = world.endpoints(SVC);
    client.news();
    world.put(slice(ONE, TWO, THREE));
    expect(client.news()).toEqual(["add 10.1.0.3:8080"]);
    world.put(slice(ONE, THREE));
    expect(client.news()).toEqual(["remove 10.1.0.2:8080"]);
    world.put(slice(ONE, THREE));
    world.put(slice(THREE, ONE));
    expect(client.news()).toEqual([]);
  });

  test("first of new endpoints, then of those that are gone", () => {
    const world = new World([...cluster([ONE]), ["pods", make.pod("p2")]]);
    const client = world.endpoints(SVC);
    client.news();
    world.put(slice(TWO));
    expect(client.news()).toEqual(["add 10.1.0.2:8080", "remove 10.1.0.1:8080"]);
  });

  const deletions: { name: string; change: (world: World) => void; want: string[] }[] = [
    { name: "the slice goes", change: (world) => world.remove(slice(ONE)), want: ["remove 10.1.0.1:8080"] },
    { name: "the pod goes", change: (world) => world.remove(["pods", make.pod("p1")]), want: ["remove 10.1.0.1:8080"] },
    {
      name: "the service goes",
      change: (world) => world.remove(["services", make.service("svc")]),
      want: ["none and no service"],
    },
    {
      name: "the service goes and its slices after it",
      change: (world) => world.remove(["services", make.service("svc")]).remove(slice(ONE)),
      want: ["none and no service"],
    },
    {
      name: "the service becomes but a name",
      change: (world) => world.put(["services", make.service("svc", { type: "ExternalName" })]),
      want: ["none and no service"],
    },
    {
      name: "the endpoint is not ready any more",
      change: (world) => world.put(slice({ ...ONE, ready: false })),
      want: ["remove 10.1.0.1:8080"],
    },
    {
      name: "the slice is given to another service",
      change: (world) => world.put(["endpointslices", make.slice("svc-1", [ONE], { of: "other" })]),
      want: ["remove 10.1.0.1:8080"],
    },
    {
      name: "the service's port has another name",
      change: (world) => world.put(["services", make.service("svc", { ports: [{ port: 80, name: "x" }] })]),
      want: ["remove 10.1.0.1:8080"],
    },
  ];
  for (const { name, change, want } of deletions) {
    test(`when ${name}, and when it is back`, () => {
      const world = new World(cluster([ONE]));
      const client = world.endpoints(SVC);
      client.news();
      change(world);
      expect(client.news()).toEqual(want);
      expect(client.addresses).toEqual([]);
      world.put(...cluster([ONE]));
      expect(client.news()).toEqual(["add 10.1.0.1:8080"]);
      expect(client.exists).toBe(true);
    });
  }

  test("that a service without endpoints is back", () => {
    const world = new World(cluster([]));
    const client = world.endpoints(SVC);
    world.remove(["services", make.service("svc")]);
    world.put(["services", make.service("svc")]);
    expect(client.news()).toEqual(["none of a service", "none and no service", "none of a service"]);
  });

  test("of what is different about an endpoint", () => {
    const world = new World(cluster([ONE]));
    const client = world.endpoints(SVC);
    expect(client.labels("10.1.0.1:8080")["control_plane_ns"]).toBeUndefined();
    client.news();
    world.put(["pods", make.pod("p1", { meshed: "linkerd" })]);
    expect(client.news()).toEqual(["add 10.1.0.1:8080"]);
    expect(client.labels("10.1.0.1:8080")["control_plane_ns"]).toBe("linkerd");
    world.put(["pods", make.pod("p1", { meshed: "linkerd", annotations: { unrelated: "1" } })]);
    expect(client.news()).toEqual([]);
  });

  test("of the pod that has an address now, not of the one that had it", () => {
    const world = new World([
      ...cluster([ONE]),
      ["pods", make.pod("p2", { created: "2026-01-02T00:00:00Z" })],
      ["endpointslices", make.slice("svc-2", [{ ip: "10.1.0.1", pod: "p2" }])],
    ]);
    const client = world.endpoints(SVC);
    expect(client.labels("10.1.0.1:8080")["pod"]).toBe("p2");
    client.news();
    world.put(slice());
    expect(client.news()).toEqual([]);
    world.put(slice(ONE)).remove(["pods", make.pod("p2")]);
    expect(client.news()).toEqual(["add 10.1.0.1:8080"]);
    expect(client.labels("10.1.0.1:8080")["pod"]).toBe("p1");
  });

  test("in several messages of what is too much for one", () => {
    const endpoints = Array.from({ length: 2_500 }, (_, at) => ({ ip: `10.${at >> 8}.${at & 255}.1`, pod: `p${at}` }));
    const client = new World(cluster(endpoints)).endpoints(SVC);
    expect(client.log.map((line) => line.split(" ").length - 1)).toEqual([1_000, 1_000, 500]);
    expect(client.known.size).toBe(2_500);
  });
});

describe("zones and nodes", () => {
  const zoned = (ip: string, pod: string, zone: string, hints?: readonly string[]): make.EndpointInit => {
    return { ip, pod, zone, node: `node-${zone}`, ...(hints === undefined ? {} : { hints }) };
  };
  const nodes: ObjectEntry[] = ["a", "b"].map((zone) => ["nodes", make.node(`node-${zone}`, zone)]);
  const from = (zone: string): string => JSON.stringify({ ns: "x", nodeName: `node-${zone}` });

  interface Row {
    name: string;
    endpoints: make.EndpointInit[];
    local?: boolean;
    client: string;
    want: string[];
  }
  const hinted = [zoned("10.1.0.1", "p1", "a", ["a"]), zoned("10.1.0.2", "p2", "b", ["b"])];
  const rows: Row[] = [
    { name: "hints for the client's zone hold", endpoints: hinted, client: from("a"), want: ["10.1.0.1:8080"] },
    {
      name: "hints do not hold when one endpoint has none",
      endpoints: [...hinted, zoned("10.1.0.3", "p3", "b")],
      client: from("a"),
      want: ["10.1.0.1:8080", "10.1.0.2:8080", "10.1.0.3:8080"],
    },
    {
      name: "hints do not hold when none is for the client's zone",
      endpoints: hinted,
      client: from("c"),
      want: ["10.1.0.1:8080", "10.1.0.2:8080"],
    },
    {
      name: "hints do not hold for a client of no node",
      endpoints: hinted,
      client: "",
      want: ["10.1.0.1:8080", "10.1.0.2:8080"],
    },
    {
      name: "an endpoint may be hinted to several zones",
      endpoints: [zoned("10.1.0.1", "p1", "a", ["a", "b"]), zoned("10.1.0.2", "p2", "b", ["b"])],
      client: from("b"),
      want: ["10.1.0.1:8080", "10.1.0.2:8080"],
    },
    {
      name: "a local service's endpoints are those of the client's node, whatever the hints",
      endpoints: [zoned("10.1.0.1", "p1", "a", ["b"]), zoned("10.1.0.2", "p2", "b", ["a"])],
      local: true,
      client: from("a"),
      want: ["10.1.0.1:8080"],
    },
    { name: "a local service may have none", endpoints: hinted, local: true, client: from("c"), want: [] },
  ];
  for (const { name, endpoints, local = false, client, want } of rows) {
    test(name, () => {
      const world = new World([...cluster(endpoints, { local }), ...nodes]);
      expect(world.endpoints(SVC, client).addresses).toEqual(want);
    });
  }

  test("endpoints say whether they are in the client's zone", () => {
    const endpoints = [zoned("10.1.0.1", "p1", "a"), zoned("10.1.0.2", "p2", "b"), { ...THREE, node: "node-a" }];
    const world = new World([...cluster(endpoints), ...nodes], { zoneWeights: true });
    const client = world.endpoints(SVC, from("a"));
    const seen = client.addresses.map((address) => {
      const { zone, zone_locality: locality } = client.labels(address);
      return [zone, locality, client.at(address)["weight"]];
    });
    expect(seen).toEqual([
      ["a", "local", 100_000],
      ["b", "remote", 10_000],
      ["", "unknown", 10_000],
    ]);
    expect(world.endpoints(SVC).labels("10.1.0.1:8080")["zone_locality"]).toBe("unknown");
  });

  test("a client's endpoints are others when its node gets a zone, or its service becomes local", () => {
    const world = new World(cluster(hinted));
    const client = world.endpoints(SVC, from("a"));
    expect(client.addresses).toEqual(["10.1.0.1:8080", "10.1.0.2:8080"]);
    client.news();
    world.put(...nodes);
    expect(client.news()).toEqual(["add 10.1.0.1:8080", "remove 10.1.0.2:8080"]);
    const [local] = cluster(hinted, { local: true });
    if (local === undefined) throw new Error("no service");
    world.put(["nodes", make.node("node-a", "b")], local);
    expect(client.addresses).toEqual(["10.1.0.1:8080"]);
    expect(client.labels("10.1.0.1:8080")["zone_locality"]).toBe("remote");
    world.put(["services", make.service("svc")]);
    expect(client.addresses).toEqual(["10.1.0.2:8080"]);
  });

  test("a change of one hint may change what all clients use", () => {
    const world = new World([...cluster(hinted), ...nodes]);
    const [a, b] = [world.endpoints(SVC, from("a")), world.endpoints(SVC, from("b"))];
    world.put(slice(zoned("10.1.0.1", "p1", "a", ["a"]), zoned("10.1.0.2", "p2", "b")));
    expect([a.addresses, b.addresses]).toEqual([
      ["10.1.0.1:8080", "10.1.0.2:8080"],
      ["10.1.0.1:8080", "10.1.0.2:8080"],
    ]);
    world.put(slice(...hinted));
    expect([a.addresses, b.addresses]).toEqual([["10.1.0.1:8080"], ["10.1.0.2:8080"]]);
  });
});

describe("sharing", () => {
  test("all that is followed is let go with the last client", () => {
    const world = new World(cluster([ONE, TWO]));
    const clients = [world.endpoints(SVC), world.endpoints(SVC), world.endpoints("svc.ns.svc.cluster.local:81")];
    expect(world.discovery.followed).toBe(2);
    for (const client of clients) client.stop();
    expect([world.discovery.followed, world.index.topics]).toEqual([0, 0]);
    for (const client of clients) client.news();
    world.put(slice(ONE));
    expect(clients.flatMap((client) => client.news())).toEqual([]);
  });

  test("clients of the same view get the same bytes", () => {
    const world = new World([...cluster([ONE]), ["pods", make.pod("p2")]]);
    const got: Uint8Array[][] = [[], []];
    for (const frames of got) world.discovery.watchEndpoints(SVC, "", { send: (framed) => void frames.push(framed) });
    world.put(slice(ONE, TWO));
    expect(got[0]).toHaveLength(2);
    expect(got[0]?.every((frame, at) => frame === got[1]?.[at])).toBe(true);
  });

  test("a change is all that is looked at", () => {
    const services = Array.from({ length: 1_000 }, (_, at) => `svc-${at}`);
    const objects = services.flatMap((name, at): ObjectEntry[] => [
      ["services", make.service(name)],
      [
        "endpointslices",
        make.slice(`${name}-1`, [{ ip: `10.${at >> 8}.${at & 255}.1`, pod: `${name}-p` }], { of: name }),
      ],
      ["pods", make.pod(`${name}-p`)],
    ]);
    const world = new World(objects);
    const clients = services.map((name) => world.endpoints(`${name}.ns.svc.cluster.local:80`));
    for (const client of clients) client.news();
    const startMs = performance.now();
    for (let round = 0; round < 1_000; round++) {
      world.put([
        "endpointslices",
        make.slice("svc-7-1", [{ ip: "10.0.7.1", pod: "svc-7-p", ready: round % 2 === 0 }], { of: "svc-7" }),
      ]);
    }
    // Some ten milliseconds; going through all services each time would take seconds.
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(clients[7]?.news()).toHaveLength(999);
    expect(clients.every((client) => client.news().length === 0)).toBe(true);
    expect(new EndpointsClient(world.discovery, "svc-7.ns.svc.cluster.local:80", "").addresses).toEqual([]);
  });
});
