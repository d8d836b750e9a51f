import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { destination } from "@bowline/contracts/proto";
import { createClient, GrpcChannel } from "@bowline/grpc";
import { KubeClient, loadKubeConfig } from "@bowline/kube";
import { runCommand, waitFor } from "@bowline/testkit";
import { ClusterIndex } from "./cluster-index.ts";
import { ClusterSource } from "./cluster-source.ts";
import { parseDestinationFlags } from "./flags.ts";
import { type RunningDestination, startDestination } from "./run-destination.ts";
import { FakeApi } from "./testing/fake-api.ts";
import * as make from "./testing/objects.ts";

const SVC = "svc.ns.svc.cluster.local:80";
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A kubeconfig file for this API. */
async function kubeconfigOf(api: FakeApi): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "bowline-destination-"));
  ends.push(() => rmSync(directory, { recursive: true }));
  ends.push(() => api.close());
  const path = join(directory, "kubeconfig");
  writeFileSync(
    path,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server: await api.listen() } }],
      users: [{ name: "u", user: {} }],
    }),
  );
  return path;
}

async function start(api: FakeApi): Promise<{ running: RunningDestination; get: (path: string) => Promise<Response> }> {
  const kubeconfig = `--kubeconfig=${await kubeconfigOf(api)}`;
  const local = ["--addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--log-level=error"];
  const running = await startDestination(parseDestinationFlags([...local, kubeconfig]), {});
  ends.push(() => running.stop());
  return { running, get: (path) => fetch(`http://127.0.0.1:${running.adminPort}${path}`) };
}

test("is ready when it knows the cluster, and then follows it", async () => {
  const api = new FakeApi(["services", "endpointslices", "pods", "nodes", "replicasets", "jobs", "serviceprofiles"]);
  api.put("services", make.service("svc", { clusterIps: ["10.96.0.1"] }));
  api.put("pods", make.pod("p1", { ip: "10.1.0.1", uid: "p1" }));
  api.hold();
  const { running, get } = await start(api);
  const status = async (path: string): Promise<[number, string]> => {
    const response = await get(path);
    return [response.status, await response.text()];
  };
  expect(await status("/ping")).toEqual([200, "pong\n"]);
  expect(await status("/ready")).toEqual([500, "not ready\n"]);
  api.release();
  const port = await running.serving;
  expect(await status("/ready")).toEqual([200, "ok\n"]);

  const channel = new GrpcChannel({ target: { host: "127.0.0.1", port }, authority: "dst" });
  ends.push(() => channel.close());
  const stream = createClient(destination.Destination, channel).get({ path: SVC });
  expect((await stream.next()).value?.update).toMatchObject({ case: "noEndpoints", value: { exists: true } });
  api.put("endpointslices", make.slice("svc-1", [{ ip: "10.1.0.1", pod: "p1" }]));
  expect((await stream.next()).value?.update.case).toBe("add");

  const response = await get(`/debug/endpoints?authority=${SVC}`);
  expect(await response.json()).toEqual([
    {
      namespace: "ns",
      ip: "10.1.0.1",
      port: 8080,
      pod: "p1",
      service: "svc.ns",
      weight: 10_000,
      labels: { pod: "p1", serviceaccount: "default", zone: "", zone_locality: "unknown" },
      protocol: "",
      identity: "",
    },
  ]);
  expect(await (await get("/debug/profile?authority=10.96.0.1:80")).json()).toMatchObject({
    fullyQualifiedName: "svc.ns.svc.cluster.local",
  });
  expect(await status("/debug/endpoints?authority=absent.ns.svc.cluster.local:80")).toEqual([
    404,
    expect.stringContaining("NOT_FOUND"),
  ]);
  expect((await status("/debug/endpoints"))[0]).toBe(400);
  expect((await status("/absent"))[0]).toBe(404);
  const [, page] = await status("/metrics");
  expect(page).toContain('pod_cache_size{cluster="local"} 1');
  expect(page).toContain("endpointslices_informer_lag_seconds_count 1");
  expect(page).toContain("process_resident_memory_bytes");

  await running.stop();
  expect((await stream.next()).done).toBe(true);
});

test("a port that is taken ends the program with an error", async () => {
  const api = new FakeApi(["services", "endpointslices", "pods", "nodes", "replicasets", "jobs"]);
  const kubeconfig = await kubeconfigOf(api);
  const { running } = await start(new FakeApi(["services", "endpointslices", "pods", "nodes", "replicasets", "jobs"]));
  const port = await running.serving;
  const script =
    'import { runDestination } from "@bowline/control-plane"; process.exitCode = await runDestination(process.argv.slice(1), {});';
  const flags = [`--addr=127.0.0.1:${port}`, "--admin-addr=127.0.0.1:0", `--kubeconfig=${kubeconfig}`];
  const { code, stderr } = await runCommand([process.execPath, "-e", script, "--", ...flags], { cwd: import.meta.dir });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^Error: .*(in use|EADDRINUSE)/m);
  const wrong = await runCommand([process.execPath, "-e", script, "--", "--wrong"], { cwd: import.meta.dir });
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("Usage: bowline destination")]);
}, 20_000);

test("kinds that a cluster gets later are followed then, too", async () => {
  const api = new FakeApi(["services", "endpointslices", "pods", "nodes", "replicasets", "jobs"]);
  const index = new ClusterIndex();
  const errors: unknown[] = [];
  const source = new ClusterSource({
    client: new KubeClient(loadKubeConfig({ path: await kubeconfigOf(api) })),
    index,
    onLag: () => undefined,
    onError: (_kind, error) => void errors.push(error),
    askAgainMs: 10,
  });
  ends.push(() => source.stop());
  await source.synced;
  api.add("serviceprofiles");
  const profile = make.serviceProfile("svc.ns.svc.cluster.local", {});
  api.put("serviceprofiles", profile);
  await waitFor(() => index.count("serviceprofiles") === 1, { what: "the ServiceProfile" });
  api.remove("serviceprofiles", profile);
  await waitFor(() => index.count("serviceprofiles") === 0, { what: "the ServiceProfile's end" });
  expect(errors).toEqual([]);
});
