import { describe, expect, test } from "bun:test";
import type { PodDisruptionBudget } from "@bowline/kube";
import { startHarness } from "./testing/harness.ts";
import { deployment } from "./testing/objects.ts";

describe("a PodDisruptionBudget", () => {
  const rows: [string, { minAvailable?: number | string; maxUnavailable?: number | string }, number, number][] = [
    ["a number of available pods", { minAvailable: 3 }, 3, 1],
    ["a share of available pods, rounded up", { minAvailable: "60%" }, 3, 1],
    ["a number of unavailable pods", { maxUnavailable: 2 }, 2, 2],
    ["a share of unavailable pods, rounded up", { maxUnavailable: "30%" }, 2, 2],
    ["more than there are", { minAvailable: 9 }, 9, 0],
  ];
  test.each(rows)("by %s tells how many pods may go", async (_name, spec, desiredHealthy, disruptionsAllowed) => {
    await using cluster = await startHarness();
    await cluster.api.create("deployments.apps", deployment("web", 4));
    const get = () => cluster.api.get<PodDisruptionBudget>("poddisruptionbudgets.policy", "default", "web");
    await cluster.api.create("poddisruptionbudgets.policy", {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { matchLabels: { app: "web" } }, ...spec },
    });
    await cluster.until("all pods", () => get()?.status?.currentHealthy === 4);
    expect(get()?.status).toMatchObject({ desiredHealthy, disruptionsAllowed, expectedPods: 4, observedGeneration: 1 });
    expect(get()?.status?.conditions?.[0]).toMatchObject({
      type: "DisruptionAllowed",
      status: disruptionsAllowed > 0 ? "True" : "False",
    });
  });
});
