import { describe, expect, test } from "bun:test";
import type { ControllerRevision, Pod, StatefulSet } from "@bowline/kube";
import { type Harness, startHarness } from "../testing/harness.ts";
import { statefulSet } from "../testing/objects.ts";

function get({ api }: Harness): StatefulSet {
  const found = api.get<StatefulSet>("statefulsets.apps", "default", "db");
  if (found === undefined) throw new Error("no StatefulSet");
  return found;
}

/** What `kubectl rollout status` asks for. */
function isRolledOut({ metadata, spec, status }: StatefulSet): boolean {
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return false;
  if ((status?.readyReplicas ?? 0) < (spec?.replicas ?? 1)) return false;
  const partition = spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  if (partition > 0) return (status?.updatedReplicas ?? 0) >= (spec?.replicas ?? 1) - partition;
  return status?.updateRevision === status?.currentRevision;
}

function podsOf({ api }: Harness): string[] {
  return api.list<Pod>("pods").map(({ metadata, spec }) => `${metadata.name} ${spec?.containers[0]?.image}`);
}

async function edit({ api }: Harness, spec: Partial<StatefulSet["spec"]>, image?: string): Promise<void> {
  await api.change<StatefulSet>("statefulsets.apps", "default", "db", (draft) => {
    if (draft.spec === undefined) return;
    Object.assign(draft.spec, spec);
    const container = draft.spec.template.spec?.containers[0];
    if (image !== undefined && container !== undefined) container.image = image;
  });
}

/** The order in which pods were made and ended: "+db-0". */
function journal({ api }: Harness): string[] {
  const lines: string[] = [];
  api.watch<Pod>("pods", ({ type, object, old }) => {
    if (type === "ADDED") lines.push(`+${object.metadata.name}`);
    const isNew = old?.metadata.deletionTimestamp === undefined;
    if (type === "MODIFIED" && object.metadata.deletionTimestamp !== undefined && isNew)
      lines.push(`-${object.metadata.name}`);
  });
  return lines;
}

describe("a StatefulSet", () => {
  test("makes its pods in order, each after the one before is ready, and ends them from the last", async () => {
    await using cluster = await startHarness({ delayMs: () => 2 });
    const lines = journal(cluster);
    cluster.api.watch<Pod>("pods", ({ type, object }) => {
      if (type !== "ADDED") return;
      const ordinal = Number(object.metadata.name.slice(3));
      const before = cluster.api.list<Pod>("pods").filter(({ metadata }) => Number(metadata.name.slice(3)) < ordinal);
      for (const { status } of before) expect(status?.conditions?.[0]?.status).toBe("True");
    });
    await cluster.api.create("statefulsets.apps", statefulSet("db", 3));
    await cluster.until("the roll-out", () => isRolledOut(get(cluster)));
    await edit(cluster, { replicas: 1 });
    await cluster.until("one pod", () => cluster.api.list("pods").length === 1);
    expect(lines).toEqual(["+db-0", "+db-1", "+db-2", "-db-2", "-db-1"]);
    await cluster.until("the status", () => get(cluster).status?.replicas === 1);
  });

  test("gives each pod its name, host name and labels", async () => {
    await using cluster = await startHarness();
    const ordinals = { start: 5 };
    await cluster.api.create("statefulsets.apps", statefulSet("db", 1, { serviceName: "peers", ordinals }));
    await cluster.until("the roll-out", () => isRolledOut(get(cluster)));
    const [pod] = cluster.alive();
    expect(pod?.spec).toMatchObject({ hostname: "db-5", subdomain: "peers" });
    expect(pod?.metadata.labels).toMatchObject({
      "statefulset.kubernetes.io/pod-name": "db-5",
      "apps.kubernetes.io/pod-index": "5",
      "controller-revision-hash": get(cluster).status?.currentRevision ?? "",
    });
  });

  test("makes and ends all at once when Parallel", async () => {
    await using cluster = await startHarness({ behave: () => "unready" });
    await cluster.api.create("statefulsets.apps", statefulSet("db", 3, { podManagementPolicy: "Parallel" }));
    await cluster.until("three pods", () => cluster.alive().length === 3);
    await edit(cluster, { replicas: 0 });
    await cluster.until("none", () => cluster.alive().length === 0);
  });

  test("updates from the last pod down to the partition, keeping names", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("statefulsets.apps", statefulSet("db", 3));
    await cluster.until("version 1", () => isRolledOut(get(cluster)));
    const lines = journal(cluster);
    const first = get(cluster).status?.currentRevision;
    await edit(cluster, { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } }, "app:2");
    await cluster.until("the partition", () => isRolledOut(get(cluster)) && podsOf(cluster).length === 3);
    expect(podsOf(cluster)).toEqual(["db-0 app:1", "db-1 app:2", "db-2 app:2"]);
    expect(lines.slice(3)).toEqual(["-db-2", "+db-2", "-db-1", "+db-1"]);
    expect(get(cluster).status).toMatchObject({ currentRevision: first, updatedReplicas: 2, currentReplicas: 1 });

    await cluster.api.delete("pods", "default", "db-0", { gracePeriodSeconds: 0 });
    await cluster.until(
      "the pod below the partition, as it was",
      () => podsOf(cluster)[0] === "db-0 app:1" && isRolledOut(get(cluster)),
    );

    await edit(cluster, { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } } });
    await cluster.until("version 2", () => isRolledOut(get(cluster)) && podsOf(cluster)[0] === "db-0 app:2");
    const revisions = cluster.api.list<ControllerRevision>("controllerrevisions.apps").map(({ revision }) => revision);
    expect(new Set(revisions)).toEqual(new Set([1, 2]));
    await edit(cluster, {}, "app:1");
    await cluster.until("version 1 again", () => isRolledOut(get(cluster)) && podsOf(cluster)[0] === "db-0 app:1");
    expect(get(cluster).status?.currentRevision).toBe(first);
  });

  test("with OnDelete leaves the updating to whoever deletes", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("statefulsets.apps", statefulSet("db", 2, { updateStrategy: { type: "OnDelete" } }));
    await cluster.until("version 1", () => get(cluster).status?.readyReplicas === 2);
    await edit(cluster, {}, "app:2");
    await cluster.until("the new revision", () => get(cluster).status?.updatedReplicas === 0);
    await cluster.api.delete("pods", "default", "db-1", { gracePeriodSeconds: 0 });
    await cluster.until("the pod made anew", () => get(cluster).status?.updatedReplicas === 1);
    expect(podsOf(cluster)).toEqual(["db-0 app:1", "db-1 app:2"]);
  });

  test("has claims made before its pods, which outlive them", async () => {
    await using cluster = await startHarness();
    const volumeClaimTemplates = [
      {
        metadata: { name: "data" },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      },
    ];
    await cluster.api.create("statefulsets.apps", statefulSet("db", 2, { volumeClaimTemplates }));
    await cluster.until("the roll-out", () => isRolledOut(get(cluster)));
    expect(cluster.alive()[1]?.spec?.volumes).toContainEqual({
      name: "data",
      persistentVolumeClaim: { claimName: "data-db-1" },
    });
    await edit(cluster, { replicas: 0 });
    await cluster.until("no pods", () => cluster.api.list("pods").length === 0);
    const claims = cluster.api.list("persistentvolumeclaims").map(({ metadata }) => metadata.name);
    expect(claims).toEqual(["data-db-0", "data-db-1"]);
  });
});
