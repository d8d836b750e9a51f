import { describe, expect, test } from "bun:test";
import type { ConfigMap, KubeObject, Namespace } from "@bowline/kube";
import { startHarness } from "./testing/harness.ts";
import { deployment } from "./testing/objects.ts";

function namespace(name: string): Namespace {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

function withinShop(object: KubeObject): KubeObject {
  return { ...object, metadata: { ...object.metadata, namespace: "shop" } };
}

describe("namespaces", () => {
  test("of the beginning are there, each with its account and the cluster's authority", async () => {
    await using cluster = await startHarness();
    const has = (name: string): boolean =>
      cluster.api.get("serviceaccounts", name, "default") !== undefined &&
      cluster.api.get<ConfigMap>("configmaps", name, "kube-root-ca.crt")?.data?.["ca.crt"] === "CA";
    await cluster.until("them", () => ["default", "kube-system", "kube-public", "kube-node-lease"].every(has));
  });

  test("get back what was deleted or changed of that", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("namespaces", namespace("shop"));
    const map = () => cluster.api.get<ConfigMap>("configmaps", "shop", "kube-root-ca.crt");
    await cluster.until("the map", () => map() !== undefined);
    await cluster.api.change<ConfigMap>("configmaps", "shop", "kube-root-ca.crt", (draft) => {
      draft.data = { "ca.crt": "forged" };
    });
    await cluster.until("the true one", () => map()?.data?.["ca.crt"] === "CA");
    await cluster.api.delete("serviceaccounts", "shop", "default");
    await cluster.until("the account", () => cluster.api.get("serviceaccounts", "shop", "default") !== undefined);
  });

  test("that are deleted go once they are empty, and say what they wait for", async () => {
    await using cluster = await startHarness({ delayMs: () => 5 });
    await cluster.api.create("namespaces", namespace("shop"));
    await cluster.until("its account", () => cluster.api.get("serviceaccounts", "shop", "default") !== undefined);
    await cluster.api.create("deployments.apps", withinShop(deployment("web", 2)));
    const stubborn: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "stubborn" } };
    stubborn.metadata.finalizers = ["example.org/busy"];
    await cluster.api.create("configmaps", withinShop(stubborn));
    await cluster.until("the pods", () => cluster.alive().length === 2);
    await cluster.api.delete("namespaces", "", "shop");
    const shop = () => cluster.api.get<Namespace>("namespaces", "", "shop");
    const said = () => shop()?.status?.conditions?.map(({ type, message }) => `${type}: ${message}`);
    await cluster.until("all but one to go", () =>
      said()?.includes("NamespaceContentRemaining: Some resources are remaining: configmaps has 1 resource instances"),
    );
    expect(shop()?.status?.phase).toBe("Terminating");
    expect(said()).toContain(
      "NamespaceFinalizersRemaining: Some content in the namespace has finalizers remaining: example.org/busy in 1 resource instances",
    );
    await cluster.api.change("configmaps", "shop", "stubborn", (draft) => {
      draft.metadata.finalizers = [];
    });
    await cluster.until("its end", () => shop() === undefined);
    expect(cluster.api.list("pods", { namespace: "shop" })).toEqual([]);
  });
});
