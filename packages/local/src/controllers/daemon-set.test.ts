import { describe, expect, test } from "bun:test";
import type { DaemonSet, Node, Pod } from "@bowline/kube";
import { type Harness, startHarness } from "./testing/harness.ts";
import { template } from "./testing/objects.ts";
import { PLAY_NODE } from "./testing/play-node.ts";

function daemonSet(spec: Partial<DaemonSet["spec"]> = {}): DaemonSet {
  const labels = { app: "agent" };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "agent", namespace: "default" },
    spec: { selector: { matchLabels: labels }, template: template(labels), ...spec },
  };
}

function status({ api }: Harness): NonNullable<DaemonSet["status"]> | undefined {
  const found = api.get<DaemonSet>("daemonsets.apps", "default", "agent");
  // What `kubectl rollout status` asks first.
  return (found?.metadata.generation ?? 0) <= (found?.status?.observedGeneration ?? -1) ? found?.status : undefined;
}

async function setImage({ api }: Harness, image: string): Promise<void> {
  await api.change<DaemonSet>("daemonsets.apps", "default", "agent", (draft) => {
    const container = draft.spec?.template.spec?.containers[0];
    if (container !== undefined) container.image = image;
  });
}

describe("a DaemonSet", () => {
  test("has one pod on each node that it selects, as the nodes' labels are", async () => {
    await using cluster = await startHarness();
    const spec = {
      ...template({}).spec,
      nodeSelector: { disk: "fast" },
      containers: [{ name: "app", image: "app:1" }],
    };
    await cluster.api.create(
      "daemonsets.apps",
      daemonSet({ template: { metadata: { labels: { app: "agent" } }, spec } }),
    );
    await cluster.until("the status", () => status(cluster)?.desiredNumberScheduled === 0);
    await cluster.api.change<Node>("nodes", "", PLAY_NODE, (draft) => {
      draft.metadata.labels = { ...draft.metadata.labels, disk: "fast" };
    });
    await cluster.until("its pod", () => status(cluster)?.numberAvailable === 1);
    expect(status(cluster)).toEqual({
      desiredNumberScheduled: 1,
      currentNumberScheduled: 1,
      updatedNumberScheduled: 1,
      numberReady: 1,
      numberAvailable: 1,
      numberUnavailable: 0,
      numberMisscheduled: 0,
      observedGeneration: 1,
    });
    await cluster.api.change<Node>("nodes", "", PLAY_NODE, (draft) => {
      draft.metadata.labels = {};
    });
    await cluster.until("its end", () => cluster.api.list("pods").length === 0);
  });

  test("updates by ending the old pod first, or with maxSurge by starting the new one first", async () => {
    await using cluster = await startHarness({ delayMs: () => 1 });
    await cluster.api.create("daemonsets.apps", daemonSet());
    await cluster.until("version 1", () => status(cluster)?.numberAvailable === 1);
    let least = 1;
    const unwatch = cluster.api.watch<Pod>("pods", () => {
      least = Math.min(least, cluster.alive().filter((pod) => pod.status?.conditions?.[0]?.status === "True").length);
    });
    const isAt = (image: string) => () =>
      status(cluster)?.updatedNumberScheduled === 1 &&
      status(cluster)?.numberAvailable === 1 &&
      cluster.api.list<Pod>("pods").every(({ spec }) => spec?.containers[0]?.image === image);
    await setImage(cluster, "app:2");
    await cluster.until("version 2", isAt("app:2"));
    expect(least).toBe(0);
    least = 1;
    await cluster.api.change<DaemonSet>("daemonsets.apps", "default", "agent", (draft) => {
      if (draft.spec !== undefined) {
        draft.spec.updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
      }
    });
    await setImage(cluster, "app:3");
    await cluster.until("version 3", isAt("app:3"));
    unwatch();
    expect(least).toBe(1);
  });
});
