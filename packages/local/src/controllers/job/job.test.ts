import { describe, expect, test } from "bun:test";
import type { Job, Pod } from "@bowline/kube";
import { isTrue } from "../conditions.ts";
import { type Harness, startHarness } from "../testing/harness.ts";
import { setPod } from "../testing/play-node.ts";
import { TRACKING } from "./job-state.ts";

function job(spec: Partial<Job["spec"]> = {}): Job {
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "app", image: "app:1" }] } };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "work", namespace: "default" },
    spec: { template, completions: 1, parallelism: 1, ...spec },
  };
}

function get({ api }: Harness): Job | undefined {
  return api.get<Job>("jobs.batch", "default", "work");
}

function has(cluster: Harness, type: string): boolean {
  return isTrue(get(cluster)?.status?.conditions, type);
}

describe("a Job", () => {
  test("runs pods until enough have succeeded, never more at once than it may", async () => {
    await using cluster = await startHarness({ behave: () => "succeed", delayMs: () => Math.random() * 3 });
    let most = 0;
    cluster.api.watch<Pod>("pods", () => {
      const running = cluster.alive().filter(({ status }) => status?.phase !== "Succeeded");
      most = Math.max(most, running.length);
    });
    await cluster.api.create("jobs.batch", job({ completions: 7, parallelism: 3 }));
    await cluster.until("completion", () => has(cluster, "Complete"));
    expect(most).toBeLessThanOrEqual(3);
    expect(cluster.api.list("pods")).toHaveLength(7);
    const { status } = get(cluster) ?? {};
    expect(status).toMatchObject({ succeeded: 7, failed: 0, active: 0, ready: 0 });
    expect(status?.uncountedTerminatedPods).toEqual({ succeeded: [], failed: [] });
    expect(status?.startTime).toBeDefined();
    expect(status?.completionTime).toBeDefined();
    for (const pod of cluster.api.list<Pod>("pods")) {
      expect(pod.metadata.finalizers).toEqual([]);
      expect(pod.metadata.labels).toMatchObject({ "batch.kubernetes.io/job-name": "work", "job-name": "work" });
    }
  });

  test("counts each end once though the controller is killed again and again and pods are deleted", async () => {
    await using cluster = await startHarness({ behave: () => "succeed", delayMs: () => Math.random() * 2 });
    await cluster.api.create("jobs.batch", job({ completions: 20, parallelism: 4 }));
    const killer = setInterval(() => {
      cluster.restart();
      for (const { metadata, status } of cluster.alive()) {
        if (status?.phase === "Succeeded") void cluster.api.delete("pods", "default", metadata.name, {});
      }
    }, 3);
    try {
      await cluster.until("completion", () => has(cluster, "Complete"));
    } finally {
      clearInterval(killer);
    }
    const made = cluster.api.events.filter(({ reason }) => reason === "SuccessfulCreate").length;
    expect(get(cluster)?.status?.succeeded).toBe(20);
    // A kill between a pod's creation and its event loses the event.
    expect(made).toBeLessThanOrEqual(20);
  });

  test("gives up after backoffLimit failures", async () => {
    await using cluster = await startHarness({ behave: () => "fail" });
    await cluster.api.create("jobs.batch", job({ backoffLimit: 0 }));
    await cluster.until("the failure", () => has(cluster, "Failed"));
    expect(get(cluster)?.status).toMatchObject({ failed: 1, succeeded: 0 });
    expect(get(cluster)?.status?.conditions?.[0]).toMatchObject({
      reason: "BackoffLimitExceeded",
      message: "Job has reached the specified backoff limit",
    });
  });

  test("waits before it tries again", async () => {
    await using cluster = await startHarness({ behave: () => "fail" });
    await cluster.api.create("jobs.batch", job({ backoffLimit: 3 }));
    await cluster.until("the first failure", () => get(cluster)?.status?.failed === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(cluster.api.list("pods")).toHaveLength(1);
    expect(has(cluster, "Failed")).toBe(false);
  });

  test("fails, and ends its pods, when its deadline has passed", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("jobs.batch", job({ activeDeadlineSeconds: 1 }));
    await cluster.until("the failure", () => has(cluster, "Failed"));
    expect(get(cluster)?.status?.conditions?.[0]).toMatchObject({ reason: "DeadlineExceeded" });
    await cluster.until("the pod's end", () => cluster.api.list("pods").length === 0);
    await cluster.until("the count", () => get(cluster)?.status?.active === 0);
  });

  test("ends its pods when suspended, which is no failure, and runs when resumed", async () => {
    let outcome: "ready" | "succeed" = "ready";
    await using cluster = await startHarness({ behave: () => outcome });
    await cluster.api.create("jobs.batch", job());
    await cluster.until("its pod", () => get(cluster)?.status?.ready === 1);
    const suspend = (value: boolean) =>
      cluster.api.change<Job>("jobs.batch", "default", "work", (draft) => {
        if (draft.spec !== undefined) draft.spec.suspend = value;
      });
    await suspend(true);
    await cluster.until("suspension", () => has(cluster, "Suspended") && cluster.api.list("pods").length === 0);
    expect(get(cluster)?.status).toMatchObject({ active: 0, failed: 0 });
    expect(get(cluster)?.status?.startTime).toBeUndefined();
    outcome = "succeed";
    await suspend(false);
    await cluster.until("completion", () => has(cluster, "Complete"));
    expect(has(cluster, "Suspended")).toBe(false);
  });

  test("that is Indexed runs each index until it has succeeded", async () => {
    const failed = new Set<string>();
    await using cluster = await startHarness({ behave: () => "unready" });
    await cluster.api.create("jobs.batch", job({ completionMode: "Indexed", completions: 4, parallelism: 2 }));
    await cluster.until(
      "two pods",
      () => cluster.alive().filter(({ status }) => status?.phase === "Running").length === 2,
    );
    const indexOf = (pod: Pod) => pod.metadata.annotations?.["batch.kubernetes.io/job-completion-index"];
    expect(new Set(cluster.alive().map(indexOf))).toEqual(new Set(["0", "1"]));
    const first = cluster.alive().find((pod) => indexOf(pod) === "0");
    expect(first?.spec?.hostname).toBe("work-0");
    expect(first?.spec?.containers[0]?.env?.[0]?.name).toBe("JOB_COMPLETION_INDEX");
    while (!has(cluster, "Complete")) {
      await cluster.until("a running pod", () => {
        return has(cluster, "Complete") || cluster.alive().some(({ status }) => status?.phase === "Running");
      });
      for (const pod of cluster.alive()) {
        if (pod.status?.phase !== "Running") continue;
        failed.add(indexOf(pod) ?? "");
        await setPod(cluster.api, pod, "succeed");
      }
    }
    expect([...failed].sort()).toEqual(["0", "1", "2", "3"]);
    expect(get(cluster)?.status).toMatchObject({ completedIndexes: "0-3", succeeded: 4 });
  });

  test("without completions is done when one has succeeded and the others have ended", async () => {
    await using cluster = await startHarness({ behave: () => "unready" });
    const queue = job({ parallelism: 2 });
    delete queue.spec?.completions;
    await cluster.api.create("jobs.batch", queue);
    await cluster.until(
      "two pods",
      () => cluster.alive().filter(({ status }) => status?.phase === "Running").length === 2,
    );
    const [one, two] = cluster.alive();
    if (one === undefined || two === undefined) throw new Error("two pods");
    await setPod(cluster.api, one, "succeed");
    await cluster.until("the count", () => get(cluster)?.status?.succeeded === 1);
    expect(has(cluster, "Complete")).toBe(false);
    expect(cluster.alive().filter(({ status }) => status?.phase === "Running")).toHaveLength(1);
    await setPod(cluster.api, two, "succeed");
    await cluster.until("completion", () => has(cluster, "Complete"));
  });

  test("goes, with its pods, ttlSecondsAfterFinished after its end", async () => {
    await using cluster = await startHarness({ behave: () => "succeed" });
    await cluster.api.create("jobs.batch", job({ ttlSecondsAfterFinished: 0 }));
    await cluster.until("its end", () => get(cluster) === undefined && cluster.api.list("pods").length === 0);
    expect(cluster.api.events.map(({ reason }) => reason)).toContain("Completed");
  });

  test("lets go of its pods when it is deleted while they run", async () => {
    await using cluster = await startHarness();
    await cluster.api.create("jobs.batch", job());
    await cluster.until("its pod", () => get(cluster)?.status?.ready === 1);
    expect(cluster.alive()[0]?.metadata.finalizers).toEqual([TRACKING]);
    await cluster.api.delete("jobs.batch", "default", "work", { propagation: "Background" });
    await cluster.until("the pod's end", () => cluster.api.list("pods").length === 0);
  });
});
