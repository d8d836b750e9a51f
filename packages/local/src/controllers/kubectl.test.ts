import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Harness, startHarness } from "./testing/harness.ts";

/** Runs the real kubectl against the cluster, and gives what it prints. */
async function kubectl(cluster: Harness, args: readonly string[], input = ""): Promise<string> {
  const kubeconfig = cluster.running.writeKubeconfig();
  const child = Bun.spawn(["kubectl", "--kubeconfig", kubeconfig, ...args], {
    // Discovery is cached in $HOME.
    env: { PATH: process.env["PATH"] ?? "", HOME: join(cluster.running.directory, "home") },
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${err}`);
  return out;
}

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: app, image: "app:1" }] }
`;

const WORK = `
apiVersion: batch/v1
kind: Job
metadata: { name: work }
spec:
  completions: 2
  template:
    spec: { restartPolicy: Never, containers: [{ name: app, image: "app:1" }] }
`;

describe("kubectl", () => {
  test("rolls a Deployment out, restarts it, rolls it back, pauses, scales and deletes it", async () => {
    await using cluster = await startHarness();
    const run = (...args: string[]): Promise<string> => kubectl(cluster, args);
    const image = (): Promise<string> =>
      run("get", "deploy/web", "-o", "jsonpath={.spec.template.spec.containers[0].image}");
    await kubectl(cluster, ["apply", "-f", "-"], WEB);
    expect(await run("rollout", "status", "deploy/web", "--timeout=20s")).toContain("successfully rolled out");
    await run("set", "image", "deploy/web", "app=app:2");
    await run("rollout", "status", "deploy/web", "--timeout=20s");
    const history = await run("rollout", "history", "deploy/web");
    expect(history.trim().split("\n").slice(-2)).toEqual([expect.stringMatching(/^1 /), expect.stringMatching(/^2 /)]);
    await run("rollout", "undo", "deploy/web");
    await run("rollout", "status", "deploy/web", "--timeout=20s");
    expect(await image()).toBe("app:1");
    const before = cluster.alive().map(({ metadata }) => metadata.uid);
    await run("rollout", "restart", "deploy/web");
    await run("rollout", "status", "deploy/web", "--timeout=20s");
    for (const { metadata } of cluster.alive()) expect(before).not.toContain(metadata.uid);
    await run("rollout", "pause", "deploy/web");
    await run("set", "image", "deploy/web", "app=app:3");
    await run("rollout", "resume", "deploy/web");
    await run("rollout", "status", "deploy/web", "--timeout=20s");
    expect(cluster.alive()[0]?.spec?.containers[0]?.image).toBe("app:3");
    await run("scale", "deploy/web", "--replicas=3");
    await run("wait", "deploy/web", "--for=condition=available", "--timeout=20s");
    await cluster.until("three pods", () => cluster.alive({ app: "web" }).length === 3);
    await run("delete", "deploy/web", "--timeout=20s");
    await cluster.until("no pods", () => cluster.alive({ app: "web" }).length === 0);
  }, 60_000);

  test("waits for a Job to complete", async () => {
    await using cluster = await startHarness({ behave: () => "succeed", delayMs: () => 20 });
    await kubectl(cluster, ["apply", "-f", "-"], WORK);
    const waited = await kubectl(cluster, ["wait", "job/work", "--for=condition=complete", "--timeout=20s"]);
    expect(waited).toBe("job.batch/work condition met\n");
    expect(await kubectl(cluster, ["get", "job/work"])).toMatch(/\b2\/2\b/);
  }, 60_000);

  test("follows the roll-outs of StatefulSets and DaemonSets", async () => {
    await using cluster = await startHarness();
    const set = WEB.replace("Deployment", "StatefulSet").replace("replicas: 2", "replicas: 2\n  serviceName: web");
    const daemons = WEB.replace("Deployment", "DaemonSet").replace("  replicas: 2\n", "").replaceAll("web", "agent");
    await kubectl(cluster, ["apply", "-f", "-"], `${set}---\n${daemons}`);
    for (const name of ["sts/web", "ds/agent"]) {
      await kubectl(cluster, ["rollout", "status", name, "--timeout=20s"]);
      await kubectl(cluster, ["set", "image", name, "app=app:2"]);
      await kubectl(cluster, ["rollout", "status", name, "--timeout=20s"]);
      await kubectl(cluster, ["rollout", "undo", name]);
      await kubectl(cluster, ["rollout", "status", name, "--timeout=20s"]);
    }
    const images = cluster.alive().map(({ spec }) => spec?.containers[0]?.image);
    expect(images).toEqual(["app:1", "app:1", "app:1"]);
  }, 60_000);
});
