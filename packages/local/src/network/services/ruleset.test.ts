import { describe, expect, test } from "bun:test";
import type { EndpointSlice, Service } from "@bowline/kube";
import { podWithHostPort, service, slice } from "../testing/watched-objects.ts";
import { rulesetOf, transaction } from "./ruleset.ts";
import { staleFlows } from "./stale-flows.ts";
import { hostPortTranslations, serviceTranslations } from "./translations.ts";

const NODE = ["10.244.0.1", "fd00:10:244::1"];
const PORTS = [{ name: "http", port: 8080 }];
const WEB = service("web", { clusterIPs: ["10.96.0.20"], ports: [{ name: "http", port: 80, protocol: "TCP" }] });

function endpoint(ip: string, conditions: object = { ready: true }): EndpointSlice["endpoints"][number] {
  return { addresses: [ip], conditions };
}

describe("where a service's connections go", () => {
  const A = endpoint("10.244.0.2");
  const B = endpoint("10.244.0.3");
  const NOT_READY = endpoint("10.244.0.4", { ready: false, serving: false, terminating: false });
  const LEAVING = endpoint("10.244.0.5", { ready: false, serving: true, terminating: true });
  const LEFT = endpoint("10.244.0.6", { ready: false, serving: false, terminating: true });
  const rows: { name: string; spec?: Service["spec"]; slices: EndpointSlice[]; want: string[] }[] = [
    {
      name: "ready endpoints",
      slices: [slice("web", { ports: PORTS, endpoints: [B, A, NOT_READY, LEAVING] })],
      want: ["10.244.0.2:8080", "10.244.0.3:8080"],
    },
    {
      name: "unknown readiness counts as ready",
      slices: [slice("web", { ports: PORTS, endpoints: [endpoint("10.244.0.9", {})] })],
      want: ["10.244.0.9:8080"],
    },
    {
      name: "leaving ones that serve, when none is ready",
      slices: [slice("web", { ports: PORTS, endpoints: [NOT_READY, LEAVING, LEFT] })],
      want: ["10.244.0.5:8080"],
    },
    { name: "nobody", slices: [slice("web", { ports: PORTS, endpoints: [NOT_READY] })], want: [] },
    {
      name: "ports by name",
      slices: [
        slice("web", {
          ports: [
            { name: "admin", port: 1 },
            { name: "http", port: 2 },
          ],
          endpoints: [A],
        }),
      ],
      want: ["10.244.0.2:2"],
    },
    {
      name: "no port of that name",
      slices: [slice("web", { ports: [{ name: "admin", port: 1 }], endpoints: [A] })],
      want: [],
    },
    {
      name: "protocols apart",
      slices: [slice("web", { ports: [{ name: "http", port: 1, protocol: "UDP" }], endpoints: [A] })],
      want: [],
    },
    {
      name: "the family of the address",
      slices: [slice("web", { addressType: "IPv6", ports: PORTS, endpoints: [endpoint("fd00:10:244::2")] })],
      want: [],
    },
    {
      name: "headless",
      spec: { clusterIP: "None", clusterIPs: ["None"], ports: [{ port: 80 }] },
      slices: [slice("web", { ports: PORTS, endpoints: [A] })],
      want: [],
    },
    { name: "external name", spec: { type: "ExternalName", externalName: "x.test" }, slices: [], want: [] },
  ];
  test.each(rows)("$name", ({ spec, slices, want }) => {
    const found = serviceTranslations(spec === undefined ? WEB : service("web", spec), slices);
    expect(found.flatMap(({ backends }) => backends.map(({ ip, port }) => `${ip}:${port}`))).toEqual(want);
  });

  test("a host port is the node's, for as long as the pod runs", () => {
    const pod = podWithHostPort("p", "10.244.0.7", 80, 8088);
    expect(hostPortTranslations(pod, NODE)).toEqual([
      {
        key: "default/p/host/tcp/8088/v4",
        ip: "10.244.0.1",
        protocol: "tcp",
        port: 8088,
        backends: [{ ip: "10.244.0.7", port: 80 }],
        affinitySeconds: null,
      },
    ]);
    expect(hostPortTranslations({ ...pod, status: { ...pod.status, phase: "Succeeded" } }, NODE)).toEqual([]);
  });
});

describe("from one ruleset to the next", () => {
  const two = rules(WEB, slice("web", { ports: PORTS, endpoints: [endpoint("10.244.0.2"), endpoint("10.244.0.3")] }));
  const one = rules(WEB, slice("web", { ports: PORTS, endpoints: [endpoint("10.244.0.3")] }));
  const none = rules(WEB);

  function rules(of: Service, ...slices: EndpointSlice[]): ReturnType<typeof rulesetOf> {
    return rulesetOf(serviceTranslations(of, slices), NODE);
  }

  test("without knowing the first, the table is made anew", () => {
    const script = transaction(null, one);
    expect(script).toStartWith("add table inet bowline\ndelete table inet bowline\nadd table inet bowline\n");
    expect(script).toContain(
      "add rule inet bowline svc-default/web/tcp/80/v4 meta l4proto tcp dnat ip to 10.244.0.3:8080\n",
    );
  });

  test("nothing, where nothing changed", () => {
    expect(transaction(two, two)).toBe("");
  });

  test("endpoints that change leave the rest alone", () => {
    expect(transaction(two, one).split("\n")).toEqual([
      "add chain inet bowline svc-default/web/tcp/80/v4",
      "flush chain inet bowline svc-default/web/tcp/80/v4",
      "add rule inet bowline svc-default/web/tcp/80/v4 meta l4proto tcp dnat ip to 10.244.0.3:8080",
      "delete element inet bowline hairpin4 { 10.244.0.2 . 10.244.0.2 }",
      "",
    ]);
  });

  test("a service that loses its last endpoint is taken out", () => {
    expect(transaction(one, none).split("\n")).toEqual([
      "flush chain inet bowline svc-default/web/tcp/80/v4",
      "delete element inet bowline services4 { 10.96.0.20 . tcp . 80 }",
      "delete element inet bowline hairpin4 { 10.244.0.3 . 10.244.0.3 }",
      "delete chain inet bowline svc-default/web/tcp/80/v4",
      "",
    ]);
  });

  test("clients with affinity are kept for endpoints that stay", () => {
    const sticky = service("web", { ...WEB.spec, sessionAffinity: "ClientIP" });
    const before = rules(
      sticky,
      slice("web", { ports: PORTS, endpoints: [endpoint("10.244.0.2"), endpoint("10.244.0.3")] }),
    );
    const after = rules(
      sticky,
      slice("web", { ports: PORTS, endpoints: [endpoint("10.244.0.3"), endpoint("10.244.0.4")] }),
    );
    const sets = transaction(before, after)
      .split("\n")
      .filter((line) => line.includes(" set "));
    expect(sets).toEqual([
      "add set inet bowline aff-default/web/tcp/80/v4/10.244.0.4/8080 { type ipv4_addr; flags dynamic,timeout; timeout 10800s; }",
      "delete set inet bowline aff-default/web/tcp/80/v4/10.244.0.2/8080",
    ]);
  });
});

test("UDP flows are forgotten when their endpoint goes, and when a service gets its first", () => {
  const dns = service("dns", { clusterIPs: ["10.96.0.30"], ports: [{ port: 53, protocol: "UDP" }] });
  const to = (...ips: string[]): ReturnType<typeof serviceTranslations> =>
    serviceTranslations(dns, [
      slice("dns", { ports: [{ port: 53, protocol: "UDP" }], endpoints: ips.map((ip) => endpoint(ip)) }),
    ]);
  const flow = { ip: "10.96.0.30", port: 53 };
  expect(staleFlows([], to("10.244.0.2"))).toEqual([{ ...flow, backend: undefined }]);
  expect(staleFlows(to("10.244.0.2"), to("10.244.0.2", "10.244.0.3"))).toEqual([]);
  expect(staleFlows(to("10.244.0.2", "10.244.0.3"), to("10.244.0.3"))).toEqual([
    { ...flow, backend: { ip: "10.244.0.2", port: 53 } },
  ]);
});
