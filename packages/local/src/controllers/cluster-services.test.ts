import { describe, expect, test } from "bun:test";
import type { EndpointSlice, Endpoints, Service } from "@bowline/kube";
import { type Harness, startHarness } from "./testing/harness.ts";

const SLICES = "endpointslices.discovery.k8s.io";
const SERVICES = {
  apiServer: { clusterIps: ["10.96.0.1"], addresses: ["10.244.0.1"], port: 6443 },
  dns: { clusterIps: ["10.96.0.10"] },
};

function service({ api }: Harness, namespace: string, name: string): Service | undefined {
  return api.get<Service>("services", namespace, name);
}

describe("the cluster's own Services", () => {
  test("stand for the API server and the DNS", async () => {
    await using cluster = await startHarness({ services: SERVICES });
    await cluster.until(
      "both",
      () => service(cluster, "kube-system", "kube-dns") && cluster.api.get(SLICES, "default", "kubernetes"),
    );
    expect(service(cluster, "default", "kubernetes")?.spec).toMatchObject({
      clusterIP: "10.96.0.1",
      ports: [{ name: "https", port: 443, targetPort: 6443 }],
    });
    expect(service(cluster, "kube-system", "kube-dns")?.spec).toMatchObject({
      clusterIP: "10.96.0.10",
      ports: [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53, protocol: "TCP" },
      ],
    });
    expect(cluster.api.get<EndpointSlice>(SLICES, "default", "kubernetes")).toMatchObject({
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.244.0.1"], conditions: { ready: true } }],
      ports: [{ name: "https", port: 6443, protocol: "TCP" }],
    });
    expect(cluster.api.get<Endpoints>("endpoints", "default", "kubernetes")?.subsets).toEqual([
      { addresses: [{ ip: "10.244.0.1" }], ports: [{ name: "https", port: 6443, protocol: "TCP" }] },
    ]);
    expect(cluster.warnings).toEqual([]);
  });

  test("come back when they are deleted or changed", async () => {
    await using cluster = await startHarness({ services: SERVICES });
    const slice = () => cluster.api.get<EndpointSlice>(SLICES, "default", "kubernetes");
    await cluster.until("the slice", slice);
    await cluster.api.change<EndpointSlice>(SLICES, "default", "kubernetes", (draft) => {
      draft.endpoints = [];
    });
    await cluster.until("the endpoint", () => slice()?.endpoints.length === 1);
    const { uid } = service(cluster, "default", "kubernetes")?.metadata ?? {};
    await cluster.api.delete("services", "default", "kubernetes");
    await cluster.until("a new one", () => {
      const found = service(cluster, "default", "kubernetes");
      return found !== undefined && found.metadata.uid !== uid && found.spec?.clusterIP === "10.96.0.1";
    });
    await cluster.until(
      "its endpoints",
      () => slice()?.endpoints.length === 1 && cluster.api.get("endpoints", "default", "kubernetes"),
    );
  });
});
