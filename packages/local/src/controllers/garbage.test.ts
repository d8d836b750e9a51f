import { describe, expect, test } from "bun:test";
import { controllerReference, type Deployment, type KubeObject, type Pod } from "@bowline/kube";
import { type Harness, startHarness } from "./testing/harness.ts";
import { deployment, pod } from "./testing/objects.ts";

async function rolledOut(cluster: Harness, replicas = 2): Promise<void> {
  await cluster.api.create("deployments.apps", deployment("web", replicas));
  await cluster.until("the roll-out", () => {
    const { status } = cluster.api.get<Deployment>("deployments.apps", "default", "web") ?? {};
    return status?.availableReplicas === replicas;
  });
}

function configMap(name: string, owners: KubeObject[], blocking = true): KubeObject {
  const ownerReferences = owners.map((owner) => ({
    ...controllerReference(owner),
    controller: false,
    blockOwnerDeletion: blocking,
  }));
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", ownerReferences } };
}

describe("what a deleted object owned", () => {
  test("goes after it, to the last generation", async () => {
    await using cluster = await startHarness();
    await rolledOut(cluster);
    await cluster.api.delete("deployments.apps", "default", "web", { propagation: "Background" });
    expect(cluster.api.get("deployments.apps", "default", "web")).toBeUndefined();
    await cluster.until(
      "the end of all",
      () => cluster.api.list("replicasets.apps").length + cluster.api.list("pods").length === 0,
    );
  });

  test("goes before it when deleted in the foreground", async () => {
    await using cluster = await startHarness({ delayMs: () => 5 });
    await rolledOut(cluster);
    let early = false;
    cluster.api.watch("deployments.apps", ({ type }) => {
      early ||= type === "DELETED" && cluster.api.list("replicasets.apps").length > 0;
    });
    cluster.api.watch("replicasets.apps", ({ type }) => {
      early ||= type === "DELETED" && cluster.api.list("pods").length > 0;
    });
    await cluster.api.delete("deployments.apps", "default", "web", { propagation: "Foreground" });
    expect(cluster.api.get("deployments.apps", "default", "web")?.metadata.finalizers).toEqual(["foregroundDeletion"]);
    await cluster.until("the end", () => cluster.api.get("deployments.apps", "default", "web") === undefined);
    expect(early).toBe(false);
    expect(cluster.api.list("pods")).toEqual([]);
  });

  test("stays behind as an orphan, and is adopted by the next of its kind", async () => {
    await using cluster = await startHarness();
    await rolledOut(cluster);
    const [set] = cluster.api.list("replicasets.apps");
    const pods = cluster.alive().map(({ metadata }) => metadata.uid);
    await cluster.api.delete("deployments.apps", "default", "web", { propagation: "Orphan" });
    await cluster.until("the end", () => cluster.api.get("deployments.apps", "default", "web") === undefined);
    const orphan = cluster.api.get("replicasets.apps", "default", set?.metadata.name ?? "");
    expect(orphan?.metadata.ownerReferences).toEqual([]);
    await rolledOut(cluster);
    expect(cluster.api.list("replicasets.apps").map(({ metadata }) => metadata.uid)).toEqual([set?.metadata.uid]);
    expect(cluster.alive().map(({ metadata }) => metadata.uid)).toEqual(pods);
  });

  test("stays while another owner is left", async () => {
    await using cluster = await startHarness();
    const one = await cluster.api.create("configmaps", configMap("one", []));
    const two = await cluster.api.create("configmaps", configMap("two", []));
    await cluster.api.create("configmaps", configMap("child", [one, two]));
    await cluster.api.delete("configmaps", "default", "one");
    const child = () => cluster.api.get("configmaps", "default", "child");
    await cluster.until("one owner less", () => child()?.metadata.ownerReferences?.length === 1);
    await cluster.api.delete("configmaps", "default", "two");
    await cluster.until("the child's end", () => child() === undefined);
  });

  test("goes also when the collector was not there to see it", async () => {
    await using cluster = await startHarness();
    const gone = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "gone", uid: "uid-none" } };
    await cluster.api.create("configmaps", configMap("late", [gone]));
    await cluster.until("its end", () => cluster.api.get("configmaps", "default", "late") === undefined);
    const other = { ...gone, metadata: { name: "kept", namespace: "default", uid: "uid-of-another" } };
    await cluster.api.create("configmaps", configMap("kept", []));
    await cluster.api.create("configmaps", configMap("impostor", [other]));
    await cluster.until("the end of what another of the same name owned", () => {
      return cluster.api.get("configmaps", "default", "impostor") === undefined;
    });
  });

  test("of a kind that is not known now is left alone", async () => {
    await using cluster = await startHarness();
    const custom = { apiVersion: "example.org/v1", kind: "Gone", metadata: { name: "gone", uid: "uid-none" } };
    await cluster.api.create("configmaps", configMap("kept", [custom]));
    await cluster.api.create("pods", pod("marker", {}));
    await cluster.until(
      "a later pod to run",
      () => cluster.api.get<Pod>("pods", "default", "marker")?.status?.phase === "Running",
    );
    expect(cluster.api.get("configmaps", "default", "kept")).toBeDefined();
  });

  test("does not hold up the foreground deletion of an owner that it does not block", async () => {
    await using cluster = await startHarness();
    const owner = await cluster.api.create("configmaps", configMap("owner", []));
    const held = configMap("held", [owner], false);
    held.metadata.finalizers = ["example.org/busy"];
    await cluster.api.create("configmaps", held);
    await cluster.api.delete("configmaps", "default", "owner", { propagation: "Foreground" });
    await cluster.until("the owner's end", () => cluster.api.get("configmaps", "default", "owner") === undefined);
    expect(cluster.api.get("configmaps", "default", "held")?.metadata.deletionTimestamp).toBeDefined();
  });
});
