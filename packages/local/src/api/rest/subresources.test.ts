import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Deployment, Pod } from "@bowline/kube";
import { RunningApi } from "../testing/running-api.ts";

let api: RunningApi;

beforeAll(async () => {
  api = await RunningApi.start();
  const { api: cluster } = api.server;
  await cluster.create("serviceaccounts", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  });
  const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } };
  await cluster.create("deployments.apps", {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template },
  });
  for (const name of ["p1", "p2", "p3"]) {
    await cluster.create("pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", labels: { app: "web" } },
      spec: template.spec,
    });
  }
});

afterAll(async () => {
  await api.stop();
});

describe("scale", () => {
  const path = "/apis/apps/v1/namespaces/default/deployments/web/scale";
  const replicas = (): unknown => api.server.api.get<Deployment>("deployments.apps", "default", "web")?.spec?.replicas;

  test("shows, sets and patches the replicas", async () => {
    const { body } = await api.ask("GET", path);
    expect(body).toMatchObject({
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      spec: { replicas: 2 },
      status: { selector: "app=web" },
    });
    const put = await api.ask("PUT", path, { body: { ...body, spec: { replicas: 3 } } });
    expect([put.code, put.body.spec["replicas"], replicas()]).toEqual([200, 3, 3]);
    const patched = await api.ask("PATCH", path, {
      body: { spec: { replicas: 4 } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect([patched.code, replicas()]).toEqual([200, 4]);
    expect((await api.ask("PUT", path, { body: { ...body, spec: { replicas: 9 } } })).code).toBe(409);
    expect((await api.ask("POST", path, { body })).code).toBe(405);
    expect(replicas()).toBe(4);
  });
});

describe("status", () => {
  test("is written apart from the rest", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments/web";
    const { body } = await api.ask("GET", path);
    const changed = { ...body, spec: { ...body.spec, replicas: 77 }, status: { replicas: 5 } };
    const put = await api.ask("PUT", `${path}/status`, { body: changed });
    expect([put.code, put.body.spec["replicas"], put.body.status["replicas"]]).toEqual([200, body.spec["replicas"], 5]);
    expect((await api.ask("GET", `${path}/status`)).body.status["replicas"]).toBe(5);
    expect((await api.ask("GET", "/api/v1/namespaces/default/configmaps/x/status")).code).toBe(404);
  });
});

describe("binding", () => {
  test("assigns a pod once", async () => {
    const path = "/api/v1/namespaces/default/pods/p1/binding";
    const body = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "p1" },
      target: { kind: "Node", name: "bowline" },
    };
    expect((await api.ask("POST", path, { body })).code).toBe(201);
    expect(api.server.api.get<Pod>("pods", "default", "p1")?.spec?.nodeName).toBe("bowline");
    const again = await api.ask("POST", path, { body });
    expect([again.code, again.body.message.includes('pod p1 is already assigned to node "bowline"')]).toEqual([
      409,
      true,
    ]);
  });
});

describe("eviction", () => {
  const evict = (name: string): Promise<{ code: number; body: { message: string } }> =>
    api.ask("POST", `/api/v1/namespaces/default/pods/${name}/eviction`, {
      body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } },
    });

  test("heeds disruption budgets", async () => {
    const { api: cluster } = api.server;
    for (const name of ["p2", "p3"]) {
      const ready = { type: "Ready", status: "True" };
      await cluster.change<Pod>(
        "pods",
        "default",
        name,
        (pod) => {
          pod.status = { ...pod.status, phase: "Running", conditions: [ready] };
        },
        "status",
      );
    }
    await cluster.create("poddisruptionbudgets.policy", {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "web", namespace: "default" },
      spec: { minAvailable: 2, selector: { matchLabels: { app: "web" } } },
    });
    const refused = await evict("p2");
    expect([refused.code, refused.body.message]).toEqual([
      429,
      "Cannot evict pod as it would violate the pod's disruption budget.",
    ]);
    await api.ask("PATCH", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web", {
      body: { spec: { minAvailable: 1 } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect((await evict("p2")).code).toBe(201);
    expect(cluster.get("pods", "default", "p2")).toBeUndefined();
    expect((await evict("p3")).code).toBe(429);
    expect((await evict("absent")).code).toBe(404);
  });
});
