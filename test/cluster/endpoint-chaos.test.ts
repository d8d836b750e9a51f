import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { rejectionOf, waitFor } from "@bowline/testkit";
import { podNamespace } from "./node-processes.ts";
import { namespace, Peer, peerService, peerWorkload, podsLeft, preStop, rolledOut } from "./peers.ts";
import type { LoadReport } from "./programs/load.ts";
import { TestCluster } from "./test-cluster.ts";

/** Pods come and go under load, in a cluster that gives a freed address to the next pod at once. */

const LOAD = "steady";
/** How long requests wait for an endpoint of a service that has none, by default. */
const FAILFAST_MS = 3_000;
const HTTP = [{ name: "http", port: 80, targetPort: "http" }];

let cluster: TestCluster;
let client: Peer;

beforeAll(async () => {
  cluster = await TestCluster.up({ addressReuse: "first" });
  await cluster.installControlPlane();
  await cluster.apply([
    namespace("mesh", true),
    peerWorkload("Deployment", "mesh", { app: "client" }),
    peerWorkload("Deployment", "mesh", { app: "web", container: preStop(2) }, { replicas: 2 }),
    peerService("mesh", "web", "web", HTTP),
    // Its pods go without a farewell.
    peerWorkload("Deployment", "mesh", { app: "first" }, { replicas: 2 }),
    peerService("mesh", "first", "first", HTTP),
    peerService("mesh", "first-pods", "first", HTTP, { clusterIP: "None" }),
    // Nobody meant to ask it for anything, it takes over addresses.
    peerWorkload("Deployment", "mesh", { app: "second" }, { replicas: 0 }),
  ]);
  for (const name of ["client", "web", "first"]) await rolledOut(cluster, "mesh", `deploy/${name}`);
  client = await Peer.of(cluster, "mesh", "client");
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 120_000);

async function scale(deployment: string, replicas: number): Promise<void> {
  await cluster.run(`scale deploy/${deployment} -n mesh --replicas=${replicas}`);
}

async function pods(app: string): Promise<string[]> {
  const list = JSON.parse(await cluster.run(`get pods -n mesh -l app=${app} -o json`)) as {
    items: { status: { podIP?: string } }[];
  };
  return list.items.map(({ status }) => status.podIP ?? "");
}

test("a rolling restart costs no request", async () => {
  await client.startLoad(LOAD, { url: "http://web.mesh/", app: "web" });
  await client.moreSuccesses(LOAD, 50);
  await cluster.run("rollout restart deploy/web -n mesh");
  await rolledOut(cluster, "mesh", "deploy/web");
  await podsLeft(cluster, "mesh", "app=web", 2);
  await client.moreSuccesses(LOAD, 100);
  const report = await client.stopLoad(LOAD);
  expect(report.failed).toEqual({});
  expect(Object.keys(report.pods)).toHaveLength(4);
}, 60_000);

test("without endpoints requests fail in the failfast time, and succeed again once there are some", async () => {
  await client.startLoad(LOAD, { url: "http://web.mesh/", app: "web", workers: 4, pauseMs: 20 });
  await client.moreSuccesses(LOAD, 20);
  await scale("web", 0);
  await podsLeft(cluster, "mesh", "app=web", 0);
  const gone = await client.report(LOAD);
  await waitFor(async () => failures(await client.report(LOAD)) >= failures(gone) + 10, {
    what: "requests to fail",
    timeoutMs: 15_000,
    intervalMs: 100,
  });
  await scale("web", 2);
  await rolledOut(cluster, "mesh", "deploy/web");
  await client.moreSuccesses(LOAD, 50);
  const back = await client.report(LOAD);
  await client.moreSuccesses(LOAD, 50);
  const { failed, slowestFailureMs } = await client.stopLoad(LOAD);
  expect(failed).toEqual(back.failed);
  for (const [reason, tookMs] of Object.entries(slowestFailureMs)) {
    expect(reason).toMatch(/^status 50[34] /);
    expect(tookMs).toBeLessThan(FAILFAST_MS + 2_000);
  }
}, 60_000);

function failures({ failed }: LoadReport): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

const WAYS = [
  { name: "by the service's name", url: "http://first.mesh/" },
  { name: "by the pods' name", url: "http://first-pods.mesh:8080/" },
];

test.each(WAYS)(
  "a pod that gets the address of another app's pod never gets its requests, $name",
  async ({ url }) => {
    await client.startLoad(LOAD, { url, app: "first", pauseMs: 2 });
    await client.moreSuccesses(LOAD, 50);
    const before = await pods("first");
    await swap("first", "second");
    expect((await pods("second")).sort()).toEqual(before.sort());
    const others = await cluster.run("get pods -n mesh -l app=second -o jsonpath={.items[*].metadata.name}");
    const misdirected = others.split(" ").map((pod) => Peer.named(cluster, "mesh", pod).misdirected());
    expect(await Promise.all(misdirected)).toEqual([0, 0]);
    await swap("second", "first");
    await client.moreSuccesses(LOAD, 50);
    const { failed } = await client.stopLoad(LOAD);
    // There was nobody to answer for a while.
    expect(Object.keys(failed).filter((reason) => !/^(status 50[24]|getaddrinfo)/.test(reason))).toEqual([]);
  },
  60_000,
);

test("a connection kept to a pod's address ends before another app's pod has it", async () => {
  const [address = ""] = await pods("first");
  const url = `http://${address}:8080/`;
  expect((await client.kept(url)).body).toStartWith("first ");
  await swap("first", "second");
  expect((await client.http(url)).body).toStartWith("second ");
  expect((await rejectionOf(client.kept(url))).message).toContain("closed after 0 bytes of an answer");
}, 60_000);

/** Ends the pods of one app at once, and starts as many of another, which get their addresses. */
async function swap(from: string, to: string): Promise<void> {
  const uids = await cluster.run(`get pods -n mesh -l app=${from} -o jsonpath={.items[*].metadata.uid}`);
  await scale(from, 0);
  await cluster.run(`delete pods -n mesh -l app=${from} --force --grace-period=0`);
  // The objects go first; the addresses are free once the pods have no namespace any more.
  await waitFor(() => uids.split(" ").every((uid) => !existsSync(podNamespace(cluster, uid))), {
    what: `the end of ${from}'s pods`,
    timeoutMs: 15_000,
    intervalMs: 50,
  });
  await scale(to, 2);
  await rolledOut(cluster, "mesh", `deploy/${to}`);
}
