import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KubeObject, Namespace, Pod } from "@bowline/kube";
import type { ClusterApi, ClusterEvent } from "../cluster-api.ts";
import { RunningApi } from "../testing/running-api.ts";

let running: RunningApi;
let api: ClusterApi;

beforeAll(async () => {
  running = await RunningApi.start();
  api = running.server.api;
  await api.create("serviceaccounts", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  });
});

afterAll(async () => {
  await running.stop();
  expect(running.warnings).toEqual([]);
});

const PODS = "/api/v1/namespaces/default/pods";

async function makePod(name: string, nodeName?: string): Promise<void> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  await api.create("pods", pod);
  if (nodeName === undefined) return;
  await api.change<Pod>("pods", "default", name, (draft) => {
    if (draft.spec !== undefined) draft.spec.nodeName = nodeName;
  });
}

function stored(name: string): KubeObject | undefined {
  return api.get("pods", "default", name);
}

describe("a pod", () => {
  test("that was never started goes at once", async () => {
    await makePod("unscheduled");
    const { code, body } = await running.ask("DELETE", `${PODS}/unscheduled`);
    expect([code, body.kind]).toEqual([200, "Status"]);
    expect(stored("unscheduled")).toBeUndefined();
  });

  test("that runs is given its grace, which may be shortened but not extended", async () => {
    await makePod("graceful", "bowline");
    const first = await running.ask("DELETE", `${PODS}/graceful`);
    expect([first.code, first.body.kind, first.body.metadata.deletionGracePeriodSeconds]).toEqual([200, "Pod", 30]);
    const until = Date.parse(first.body.metadata.deletionTimestamp ?? "") - Date.now();
    expect(until).toBeGreaterThan(27_000);
    expect(until).toBeLessThanOrEqual(30_000);
    await running.ask("DELETE", `${PODS}/graceful?gracePeriodSeconds=100`);
    expect(stored("graceful")?.metadata.deletionGracePeriodSeconds).toBe(30);
    await running.ask("DELETE", `${PODS}/graceful?gracePeriodSeconds=5`);
    expect(stored("graceful")?.metadata.deletionGracePeriodSeconds).toBe(5);
    await api.delete("pods", "default", "graceful", { gracePeriodSeconds: 0 });
    expect(stored("graceful")).toBeUndefined();
  });

  test("that runs goes at once without grace", async () => {
    await makePod("forced", "bowline");
    await running.ask("DELETE", `${PODS}/forced`, {
      body: { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 0 },
    });
    expect(stored("forced")).toBeUndefined();
  });

  test("with another uid than asked for stays", async () => {
    await makePod("other");
    const body = { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid: "x" } };
    expect((await running.ask("DELETE", `${PODS}/other`, { body })).code).toBe(409);
    await api.delete("pods", "default", "other", { uid: "x" });
    expect(stored("other")).toBeDefined();
    await api.delete("pods", "default", "absent");
    expect((await running.ask("DELETE", `${PODS}/absent`)).code).toBe(404);
  });
});

describe("an object with finalizers", () => {
  const type = "configmaps";
  const rows: [propagation: "Background" | "Foreground" | "Orphan", finalizers: string[]][] = [
    ["Foreground", ["foregroundDeletion"]],
    ["Orphan", ["orphan"]],
    ["Background", []],
  ];
  for (const [propagation, finalizers] of rows) {
    test(`is kept by those of ${propagation} deletion`, async () => {
      const name = propagation.toLowerCase();
      await api.create(type, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" } });
      await running.ask("DELETE", `/api/v1/namespaces/default/configmaps/${name}?propagationPolicy=${propagation}`);
      const kept = api.get(type, "default", name);
      expect(kept?.metadata.finalizers ?? []).toEqual(finalizers);
      expect(kept?.metadata.deletionTimestamp === undefined).toBe(finalizers.length === 0);
    });
  }

  test("goes when the last one is taken off, and its last state is told", async () => {
    const metadata = { name: "finalized", namespace: "default", finalizers: ["example.com/a", "example.com/b"] };
    await api.create(type, { apiVersion: "v1", kind: "ConfigMap", metadata });
    await api.delete(type, "default", "finalized");
    const events: string[] = [];
    const stop = api.watch(type, ({ type: kind, object }: ClusterEvent<KubeObject>) => {
      if (object.metadata.name === "finalized") events.push(`${kind} ${object.metadata.finalizers?.join() ?? ""}`);
    });
    for (const left of [["example.com/b"], []]) {
      await api.change(type, "default", "finalized", (draft) => {
        draft.metadata.finalizers = left;
      });
    }
    await Promise.resolve();
    stop();
    expect(events).toEqual(["ADDED example.com/a,example.com/b", "MODIFIED example.com/b", "DELETED "]);
    expect(api.get(type, "default", "finalized")).toBeUndefined();
  });
});

describe("a namespace", () => {
  test("terminates, takes nothing new, and goes when its finalizer is done", async () => {
    await api.create("namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "going" } });
    const { body } = await running.ask("DELETE", "/api/v1/namespaces/going");
    expect(body.status).toMatchObject({ phase: "Terminating" });
    const map = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late" } };
    const refused = await running.ask("POST", "/api/v1/namespaces/going/configmaps", { body: map });
    expect(refused.code).toBe(403);
    expect(refused.body.message).toBe(
      'configmaps "late" is forbidden: unable to create new content in namespace going because it is being terminated',
    );
    expect(refused.body["details"]).toMatchObject({ causes: [{ reason: "NamespaceTerminating" }] });
    await api.change<Namespace>("namespaces", "", "going", (draft) => {
      if (draft.spec !== undefined) draft.spec.finalizers = [];
    });
    expect(api.get("namespaces", "", "going")).toBeUndefined();
  });

  test("goes by the finalize subresource, too", async () => {
    await api.create("namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "finalize-me" } });
    const { body } = await running.ask("DELETE", "/api/v1/namespaces/finalize-me");
    const answer = await running.ask("PUT", "/api/v1/namespaces/finalize-me/finalize", {
      body: { ...body, spec: { finalizers: [] } },
    });
    expect(answer.code).toBe(200);
    expect(api.get("namespaces", "", "finalize-me")).toBeUndefined();
  });

  test("that the cluster needs stays", async () => {
    const { code, body } = await running.ask("DELETE", "/api/v1/namespaces/kube-system");
    expect([code, body.message]).toEqual([
      403,
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    ]);
  });
});

test("a collection goes by what is selected", async () => {
  for (const [name, app] of [
    ["c1", "x"],
    ["c2", "x"],
    ["c3", "y"],
  ] as const) {
    const metadata = { name, namespace: "kube-public", labels: { app } };
    await api.create("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata });
  }
  const path = "/api/v1/namespaces/kube-public/configmaps";
  const { body } = await running.ask("DELETE", `${path}?labelSelector=app%3Dx`);
  expect(body.items.map(({ metadata }) => metadata.name)).toEqual(["c1", "c2"]);
  expect(api.list("configmaps", { namespace: "kube-public" }).map(({ metadata }) => metadata.name)).toEqual(["c3"]);
});

describe("in process", () => {
  test("a change that changes nothing is not written, and of what is absent is undefined", async () => {
    const made = await api.create("configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "idle", namespace: "default" },
    });
    expect(await api.change("configmaps", "default", "idle", () => false)).toBe(made);
    expect(await api.change("configmaps", "default", "idle", () => undefined)).toBe(made);
    expect(await api.change("configmaps", "default", "absent", () => undefined)).toBeUndefined();
  });

  test("status and the rest are written apart", async () => {
    await makePod("parts");
    await api.change<Pod>("pods", "default", "parts", (draft) => {
      draft.metadata.labels = { a: "b" };
      draft.status = { phase: "Running" };
    });
    expect(stored("parts")).toMatchObject({ metadata: { labels: { a: "b" } }, status: { phase: "Pending" } });
    const change = (draft: Pod): void => {
      draft.metadata.labels = { a: "c" };
      draft.status = { ...draft.status, phase: "Running" };
    };
    await api.change<Pod>("pods", "default", "parts", change, "status");
    expect(stored("parts")).toMatchObject({ metadata: { labels: { a: "b" } }, status: { phase: "Running" } });
  });

  test("a watcher that throws is heard of and goes on", async () => {
    const seen: string[] = [];
    const stop = api.watch("leases.coordination.k8s.io", ({ object }) => {
      seen.push(object.metadata.name);
      throw new Error("of the handler");
    });
    for (const name of ["one", "two"]) {
      await api.create("leases.coordination.k8s.io", {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name, namespace: "default" },
      });
    }
    await Promise.resolve();
    stop();
    expect(seen).toEqual(["one", "two"]);
    expect(running.warnings.splice(0)).toEqual([
      expect.stringContaining("of the handler"),
      expect.stringContaining("of the handler"),
    ]);
  });

  test("events count up, and those about nothing in particular are in the default namespace", async () => {
    await makePod("eventful");
    const pod = stored("eventful") as KubeObject;
    for (let i = 0; i < 5; i++) api.event(pod, "Warning", "BackOff", "again", "test");
    api.event(pod, "Normal", "Other", "once", "test");
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n" } };
    api.event(node, "Normal", "Ready", "is", "test");
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = api.watch("events", ({ object }) => {
      if (object["reason"] === "Ready") resolve();
    });
    await promise;
    stop();
    const events = api.list("events", { namespace: "default" });
    const counts = Object.fromEntries(events.map((event) => [String(event["reason"]), event["count"]]));
    expect(counts).toEqual({ BackOff: 5, Other: 1, Ready: 1 });
  });
});
