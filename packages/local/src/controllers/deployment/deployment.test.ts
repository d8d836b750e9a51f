import { describe, expect, test } from "bun:test";
import type { Deployment, Pod, ReplicaSet } from "@bowline/kube";
import { type Harness, startHarness } from "../testing/harness.ts";
import { deployment, pod } from "../testing/objects.ts";
import { setPod } from "../testing/play-node.ts";

type Api = Harness["api"];

function get(api: Api, name = "web"): Deployment {
  const found = api.get<Deployment>("deployments.apps", "default", name);
  if (found === undefined) throw new Error(`no deployment ${name}`);
  return found;
}

/** What `kubectl rollout status` asks before it says that a roll-out has succeeded. */
function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0, observedGeneration = 0 } = status ?? {};
  if (observedGeneration < (metadata.generation ?? 0) || updatedReplicas < (spec?.replicas ?? 1)) return false;
  return replicas === updatedReplicas && availableReplicas === updatedReplicas;
}

function condition({ status }: Deployment, type: string): string {
  const found = status?.conditions?.find((each) => each.type === type);
  return `${found?.status} ${found?.reason}`;
}

async function setImage(api: Api, image: string): Promise<void> {
  await api.change<Deployment>("deployments.apps", "default", "web", (draft) => {
    const container = draft.spec?.template.spec?.containers[0];
    if (container !== undefined) container.image = image;
  });
}

function images(pods: readonly Pod[]): (string | undefined)[] {
  return pods.map(({ spec }) => spec?.containers[0]?.image);
}

function setsOf(api: Api): ReplicaSet[] {
  return api.list<ReplicaSet>("replicasets.apps");
}

describe("a Deployment", () => {
  test("gets its pods, and says when they are there", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("deployments.apps", deployment("web", 3));
    await cluster.until("the roll-out", () => isRolledOut(get(cluster.api)));
    expect(cluster.alive()).toHaveLength(3);
    const [set] = setsOf(cluster.api);
    const hash = set?.metadata.labels?.["pod-template-hash"] ?? "";
    expect(set?.metadata.name).toBe(`web-${hash}`);
    expect(set?.metadata.annotations).toMatchObject({
      "deployment.kubernetes.io/revision": "1",
      "deployment.kubernetes.io/desired-replicas": "3",
      "deployment.kubernetes.io/max-replicas": "4",
    });
    for (const { metadata } of cluster.alive()) {
      expect(metadata.labels).toEqual({ app: "web", "pod-template-hash": hash });
      expect(metadata.name).toStartWith(`web-${hash}-`);
    }
    const web = get(cluster.api);
    expect(condition(web, "Available")).toBe("True MinimumReplicasAvailable");
    expect(condition(web, "Progressing")).toBe("True NewReplicaSetAvailable");
    expect(web.metadata.annotations).toEqual({ "deployment.kubernetes.io/revision": "1" });
    expect(web.status).toMatchObject({ readyReplicas: 3, unavailableReplicas: 0 });
  });

  test("never has fewer pods available, or more in all, than its strategy allows during an update", async () => {
    const delay = (): number => Math.random() * 5;
    await using cluster = await startHarness({ delayMs: delay });
    const rollingUpdate = { maxSurge: 2, maxUnavailable: 1 };
    await cluster.api.create("deployments.apps", deployment("web", 6, { strategy: { rollingUpdate } }));
    await cluster.until("the first version", () => isRolledOut(get(cluster.api)));
    let ready = 6;
    let most = 0;
    const unwatch = cluster.api.watch<Pod>("pods", () => {
      const alive = cluster.alive();
      const isReady = ({ status }: Pod) =>
        status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True");
      ready = Math.min(ready, alive.filter(isReady).length);
      most = Math.max(most, alive.length);
    });
    await setImage(cluster.api, "app:2");
    await cluster.until("the second version", () => isRolledOut(get(cluster.api)));
    unwatch();
    expect(images(cluster.alive())).toEqual(Array(6).fill("app:2"));
    expect(ready).toBeGreaterThanOrEqual(5);
    expect(most).toBeLessThanOrEqual(8);
    const sizes = setsOf(cluster.api).map(
      ({ metadata, spec }) => [metadata.annotations?.["deployment.kubernetes.io/revision"], spec?.replicas] as const,
    );
    expect(new Map(sizes)).toEqual(
      new Map([
        ["1", 0],
        ["2", 6],
      ]),
    );
  });

  test("goes back to the ReplicaSet of a template it had before, under a new revision", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("deployments.apps", deployment("web", 2));
    await cluster.until("version 1", () => isRolledOut(get(cluster.api)));
    const first = setsOf(cluster.api)[0]?.metadata.name ?? "";
    await setImage(cluster.api, "app:2");
    await cluster.until("version 2", () => isRolledOut(get(cluster.api)));
    await setImage(cluster.api, "app:1");
    await cluster.until(
      "version 1 again",
      () => isRolledOut(get(cluster.api)) && images(cluster.alive())[0] === "app:1",
    );
    const set = cluster.api.get<ReplicaSet>("replicasets.apps", "default", first);
    expect(set?.metadata.annotations).toMatchObject({
      "deployment.kubernetes.io/revision": "3",
      "deployment.kubernetes.io/revision-history": "1",
    });
    expect(get(cluster.api).metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("3");
    expect(setsOf(cluster.api)).toHaveLength(2);
  });

  test("with Recreate has no new pod before the last old one is gone", async () => {
    await using cluster = await startHarness({ delayMs: () => 2 });
    await cluster.api.create("deployments.apps", deployment("web", 3, { strategy: { type: "Recreate" } }));
    await cluster.until("version 1", () => isRolledOut(get(cluster.api)));
    let mixed = false;
    const unwatch = cluster.api.watch<Pod>("pods", () => {
      mixed ||= new Set(images(cluster.api.list<Pod>("pods"))).size > 1;
    });
    await setImage(cluster.api, "app:2");
    await cluster.until("version 2", () => isRolledOut(get(cluster.api)) && images(cluster.alive())[0] === "app:2");
    unwatch();
    expect(mixed).toBe(false);
  });

  test("that is paused is scaled but not updated, and goes on when resumed", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("deployments.apps", deployment("web", 2));
    await cluster.until("version 1", () => isRolledOut(get(cluster.api)));
    const edit = (spec: Partial<Deployment["spec"]>) =>
      cluster.api.change<Deployment>("deployments.apps", "default", "web", (draft) => {
        if (draft.spec !== undefined) Object.assign(draft.spec, spec);
      });
    await edit({ paused: true });
    await setImage(cluster.api, "app:2");
    await edit({ replicas: 4 });
    await cluster.until("four pods", () => get(cluster.api).status?.availableReplicas === 4);
    expect(images(cluster.alive())).toEqual(Array(4).fill("app:1"));
    expect(condition(get(cluster.api), "Progressing")).toBe("Unknown DeploymentPaused");
    await edit({ paused: false });
    await cluster.until("version 2", () => isRolledOut(get(cluster.api)));
    expect(images(cluster.alive())).toEqual(Array(4).fill("app:2"));
    expect(condition(get(cluster.api), "Progressing")).toBe("True NewReplicaSetAvailable");
  });

  test("says that it is stuck when its deadline has passed, and recovers with the next template", async () => {
    await using cluster = await startHarness({
      behave: ({ spec }) => (spec?.containers[0]?.image === "bad" ? "unready" : "ready"),
    });
    await cluster.api.create("deployments.apps", deployment("web", 2, { progressDeadlineSeconds: 1 }));
    await cluster.until("version 1", () => isRolledOut(get(cluster.api)));
    await setImage(cluster.api, "bad");
    await cluster.until(
      "the deadline",
      () => condition(get(cluster.api), "Progressing") === "False ProgressDeadlineExceeded",
    );
    expect(get(cluster.api).status?.availableReplicas).toBe(2);
    expect(condition(get(cluster.api), "Available")).toBe("True MinimumReplicasAvailable");
    await setImage(cluster.api, "app:2");
    await cluster.until("version 2", () => isRolledOut(get(cluster.api)));
    expect(condition(get(cluster.api), "Progressing")).toBe("True NewReplicaSetAvailable");
  });

  test("waits for pods to have been ready for minReadySeconds", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("deployments.apps", deployment("web", 1, { minReadySeconds: 1 }));
    await cluster.until("readiness", () => get(cluster.api).status?.readyReplicas === 1);
    expect(get(cluster.api).status?.availableReplicas).toBe(0);
    await cluster.until("availability", () => get(cluster.api).status?.availableReplicas === 1);
  });

  test("keeps no more old ReplicaSets than it is asked to", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("deployments.apps", deployment("web", 1, { revisionHistoryLimit: 1 }));
    for (const version of ["app:2", "app:3", "app:4"]) {
      await cluster.until("the roll-out", () => isRolledOut(get(cluster.api)));
      await setImage(cluster.api, version);
    }
    await cluster.until("the cleaning", () => isRolledOut(get(cluster.api)) && setsOf(cluster.api).length === 2);
    const revisions = setsOf(cluster.api).map(
      ({ metadata }) => metadata.annotations?.["deployment.kubernetes.io/revision"],
    );
    expect(new Set(revisions)).toEqual(new Set(["3", "4"]));
  });

  test("tells why its pods cannot be made, and makes them once they can", async () => {
    await using cluster = await startHarness();
    let broken = true;
    cluster.api.refuse = (type) => (broken && type === "pods" ? new Error("the webhook is down") : undefined);
    await cluster.api.create("deployments.apps", deployment("web", 2));
    await cluster.until("the failure", () => condition(get(cluster.api), "ReplicaFailure") === "True FailedCreate");
    expect(cluster.api.events).toContainEqual(
      expect.objectContaining({ reason: "FailedCreate", message: "Error creating: the webhook is down" }),
    );
    broken = false;
    await cluster.until("the roll-out", () => isRolledOut(get(cluster.api)));
    expect(condition(get(cluster.api), "ReplicaFailure")).toBe("undefined undefined");
  });

  test("comes through an update though its controllers are killed again and again, and then leaves everything alone", async () => {
    await using cluster = await startHarness({ delayMs: () => Math.random() * 3 });
    await cluster.api.create("deployments.apps", deployment("web", 5));
    let kills = 0;
    const killer = setInterval(() => {
      cluster.restart();
      if (++kills === 5) void setImage(cluster.api, "app:2");
      if (kills > 25) clearInterval(killer);
    }, 5);
    await cluster.until("the kills and the roll-out", () => kills > 25 && isRolledOut(get(cluster.api)));
    expect(images(cluster.alive())).toEqual(Array(5).fill("app:2"));
    await cluster.until("the old pods' end", () => cluster.api.list("pods").length === 5);
    const { version } = cluster.api;
    cluster.restart();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(cluster.api.version).toBe(version);
  });
});

describe("a ReplicaSet", () => {
  test("replaces what ends, adopts what matches, releases what matches no longer", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("deployments.apps", deployment("web", 2));
    await cluster.until("the pods", () => isRolledOut(get(cluster.api)));
    const [set] = setsOf(cluster.api);
    const labels = { ...set?.spec?.template?.metadata?.labels };
    const [one] = cluster.alive();
    if (one === undefined || set === undefined) throw new Error("two pods and their set");

    await setPod(cluster.api, one, "fail");
    await cluster.until(
      "a replacement",
      () => cluster.alive(labels).filter(({ status }) => status?.phase !== "Failed").length === 2,
    );

    const stray = await cluster.api.create("pods", pod("stray", labels));
    await cluster.until("the surplus to end", () => {
      const alive = cluster.alive(labels).filter(({ status }) => status?.phase !== "Failed");
      return alive.length === 2;
    });
    const found = cluster.api.get<Pod>("pods", "default", stray.metadata.name);
    if (found !== undefined) expect(found.metadata.ownerReferences?.[0]?.uid).toBe(set.metadata.uid);

    const [two] = cluster.alive(labels).filter(({ status }) => status?.phase !== "Failed");
    const name = two?.metadata.name ?? "";
    await cluster.api.change<Pod>("pods", "default", name, (draft) => {
      draft.metadata.labels = { app: "quarantine" };
    });
    await cluster.until(
      "its release",
      () => cluster.api.get<Pod>("pods", "default", name)?.metadata.ownerReferences?.length === 0,
    );
    await cluster.until(
      "a replacement",
      () => cluster.alive(labels).filter(({ status }) => status?.phase !== "Failed").length === 2,
    );
    expect(cluster.api.get<Pod>("pods", "default", name)?.metadata.deletionTimestamp).toBeUndefined();
  });
});
