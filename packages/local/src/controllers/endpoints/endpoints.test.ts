import { describe, expect, test } from "bun:test";
import type { EndpointSlice, Endpoints, Pod, Service } from "@bowline/kube";
import { type Harness, startHarness } from "../testing/harness.ts";
import { deployment, pod, service, template } from "../testing/objects.ts";
import { PLAY_NODE, setPod } from "../testing/play-node.ts";

function slices({ api }: Harness, name = "web"): EndpointSlice[] {
  const labelSelector = { matchLabels: { "kubernetes.io/service-name": name } };
  return api.list<EndpointSlice>("endpointslices.discovery.k8s.io", { labelSelector });
}

function endpoints(cluster: Harness, name = "web"): EndpointSlice["endpoints"] {
  return slices(cluster, name).flatMap((slice) => slice.endpoints);
}

function ready(cluster: Harness, name = "web"): (string | undefined)[] {
  const up = endpoints(cluster, name).filter(({ conditions }) => conditions?.ready);
  return up.map(({ targetRef }) => targetRef?.name);
}

const IPV4: Partial<Service["spec"]> = { ipFamilies: ["IPv4"], clusterIP: "10.96.0.7" };

describe("the endpoints of a Service", () => {
  test("are its pods, with all that is known of them", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("services", service("web", IPV4));
    await cluster.until("the empty slice", () => slices(cluster).length === 1);
    const spec = { containers: [{ name: "app", image: "app:1" }], hostname: "one", subdomain: "web" };
    await cluster.api.create("pods", pod("one", { app: "web" }, { spec }));
    await cluster.api.create("pods", pod("other", { app: "db" }));
    await cluster.until("the endpoint", () => ready(cluster).length === 1);
    const [slice] = slices(cluster);
    const owner = cluster.api.get<Pod>("pods", "default", "one");
    expect(slice).toMatchObject({
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: [
        {
          addresses: [owner?.status?.podIP ?? ""],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: "one",
          nodeName: PLAY_NODE,
          zone: "local",
          targetRef: { kind: "Pod", namespace: "default", name: "one", uid: owner?.metadata.uid ?? "" },
        },
      ],
    });
    expect(slice?.metadata.labels).toMatchObject({
      "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    });
    expect(slice?.metadata.ownerReferences?.[0]).toMatchObject({ kind: "Service", name: "web", controller: true });
    expect(cluster.api.get<Endpoints>("endpoints", "default", "web")?.subsets).toEqual([
      {
        addresses: [expect.objectContaining({ ip: owner?.status?.podIP ?? "", hostname: "one", nodeName: PLAY_NODE })],
        ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      },
    ]);
  });

  test("follow readiness and the end of pods at once", async () => {
    await using cluster = await startHarness({ delayMs: () => 30 });
    await cluster.api.create("services", service("web", IPV4));
    const one = await cluster.api.create("pods", pod("one", { app: "web" }));
    await cluster.until("readiness", () => ready(cluster).length === 1);
    const begun = performance.now();
    await setPod(cluster.api, one, "unready");
    await cluster.until("its loss", () => ready(cluster).length === 0);
    expect(performance.now() - begun).toBeLessThan(500);
    expect(endpoints(cluster)[0]?.conditions).toEqual({ ready: false, serving: false, terminating: false });
    expect(cluster.api.get<Endpoints>("endpoints", "default", "web")?.subsets?.[0]?.notReadyAddresses).toHaveLength(1);
    await setPod(cluster.api, one, "ready");
    await cluster.until("its return", () => ready(cluster).length === 1);
    await cluster.api.delete("pods", "default", "one");
    await cluster.until("its ending", () => endpoints(cluster)[0]?.conditions?.terminating === true);
    expect(endpoints(cluster)[0]?.conditions).toEqual({ ready: false, serving: true, terminating: true });
    await cluster.until("its end", () => endpoints(cluster).length === 0);
    expect(slices(cluster)).toHaveLength(1);
  });

  test("name each pod's own number for a named port, and leave out what a pod does not have", async () => {
    await using cluster = await startHarness();
    const ports = [
      { name: "http", port: 80, targetPort: "web", protocol: "TCP", appProtocol: "kubernetes.io/h2c" },
      { name: "udp", port: 53, protocol: "UDP" },
    ];
    await cluster.api.create("services", service("web", { ...IPV4, ports }));
    const withPort = (containerPort: number): Partial<Pod> => ({
      spec: { containers: [{ name: "app", image: "app:1", ports: [{ name: "web", containerPort }] }] },
    });
    await cluster.api.create("pods", pod("a", { app: "web" }, withPort(8080)));
    await cluster.api.create("pods", pod("b", { app: "web" }, withPort(9090)));
    await cluster.api.create("pods", pod("c", { app: "web" }));
    await cluster.until("three endpoints", () => ready(cluster).length === 3);
    const held = slices(cluster).map(({ ports: has, endpoints: all }) => [
      all[0]?.targetRef?.name,
      ...(has ?? []).map(({ name, port, appProtocol }) => `${name} ${port} ${appProtocol ?? "-"}`),
    ]);
    expect(new Set(held)).toEqual(
      new Set([
        ["a", "http 8080 kubernetes.io/h2c", "udp 53 -"],
        ["b", "http 9090 kubernetes.io/h2c", "udp 53 -"],
        ["c", "udp 53 -"],
      ]),
    );
  });

  test("of both families are told in slices of their own", async () => {
    await using cluster = await startHarness({ families: ["IPv4", "IPv6"] });
    await cluster.api.create("services", service("web", { ipFamilies: ["IPv6", "IPv4"] }));
    await cluster.api.create("pods", pod("one", { app: "web" }));
    await cluster.until("both", () => ready(cluster).length === 2);
    const families = slices(cluster).map(
      ({ addressType, endpoints: [one] }) => [addressType, one?.addresses[0]] as const,
    );
    const ips = cluster.api.get<Pod>("pods", "default", "one")?.status?.podIPs?.map(({ ip }) => ip) ?? [];
    expect(new Map(families)).toEqual(
      new Map([
        ["IPv4", ips[0]],
        ["IPv6", ips[1]],
      ]),
    );
    const subset = cluster.api.get<Endpoints>("endpoints", "default", "web")?.subsets?.[0];
    expect(subset?.addresses?.[0]?.ip).toBe(ips[1] ?? "");
  });

  test("of a headless Service are marked, and told before they are ready where that is asked for", async () => {
    await using cluster = await startHarness({ behave: () => "unready" });
    await cluster.api.create(
      "services",
      service("web", { clusterIP: "None", ports: [], publishNotReadyAddresses: true }),
    );
    await cluster.api.create("pods", pod("one", { app: "web" }));
    await cluster.until("the endpoint", () => ready(cluster).length === 1);
    const [slice] = slices(cluster);
    expect(slice?.metadata.labels).toMatchObject({ "service.kubernetes.io/headless": "" });
    expect(slice?.ports).toEqual([]);
    expect(slice?.endpoints[0]?.conditions).toEqual({ ready: true, serving: false, terminating: false });
  });

  test("are no more than a hundred to a slice", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("services", service("web", IPV4));
    await cluster.api.create("deployments.apps", deployment("web", 120));
    await cluster.until("all", () => ready(cluster).length === 120);
    expect(slices(cluster).every(({ endpoints: all }) => all.length <= 100)).toBe(true);
    expect(new Set(ready(cluster)).size).toBe(120);
  }, 30_000);

  test("follow a change of selector or ports, and go with the Service", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("services", service("web", IPV4));
    await cluster.api.create("pods", pod("one", { app: "web" }));
    await cluster.api.create("pods", pod("two", { app: "db" }));
    await cluster.until("the endpoint", () => ready(cluster)[0] === "one");
    const edit = (spec: Partial<Service["spec"]>) =>
      cluster.api.change<Service>("services", "default", "web", (draft) => {
        if (draft.spec !== undefined) Object.assign(draft.spec, spec);
      });
    await edit({ selector: { app: "db" } });
    await cluster.until("the other pod", () => ready(cluster)[0] === "two" && ready(cluster).length === 1);
    await edit({ ports: [{ name: "http", port: 80, targetPort: 9999 }] });
    await cluster.until("the other port", () => slices(cluster)[0]?.ports?.[0]?.port === 9999);
    await cluster.api.delete("services", "default", "web");
    await cluster.until("their end", () => slices(cluster).length === 0);
    await cluster.until("the old form's end", () => cluster.api.get("endpoints", "default", "web") === undefined);
  });

  test("that people write for a Service without selector are left alone and mirrored", async () => {
    await using cluster = await startHarness();
    const bare = service("ext", { ipFamilies: ["IPv4"] });
    delete bare.spec?.selector;
    await cluster.api.create("services", bare);
    const own = { name: "ext-by-hand", namespace: "default", labels: { "kubernetes.io/service-name": "ext" } };
    await cluster.api.create("endpointslices.discovery.k8s.io", {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: own,
      addressType: "IPv4",
      endpoints: [{ addresses: ["192.0.2.1"] }],
      ports: [],
    });
    await cluster.api.create<Endpoints>("endpoints", {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { name: "ext", namespace: "default" },
      subsets: [{ addresses: [{ ip: "192.0.2.9" }], ports: [{ name: "http", port: 8080 }] }],
    });
    await cluster.until("the mirror", () => slices(cluster, "ext").length === 2);
    const addresses = endpoints(cluster, "ext").map(({ addresses: [ip] }) => ip);
    expect(new Set(addresses)).toEqual(new Set(["192.0.2.1", "192.0.2.9"]));
    await cluster.api.delete("endpoints", "default", "ext");
    await cluster.until("the mirror's end", () => slices(cluster, "ext").length === 1);
    expect(slices(cluster, "ext")[0]?.metadata.name).toBe("ext-by-hand");
  });

  test("settle: once all is told, nothing is written", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("services", service("web", IPV4));
    await cluster.api.create("deployments.apps", deployment("web", 3, { template: template({ app: "web" }) }));
    await cluster.until("all", () => ready(cluster).length === 3);
    await cluster.until("peace", async () => {
      const { version } = cluster.api;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return version === cluster.api.version;
    });
    const { version } = cluster.api;
    cluster.restart();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(cluster.api.version).toBe(version);
  });
});
