import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun, Random, waitFor } from "@bowline/testkit";
import { footprintOf, machineNetwork, NO_FOOTPRINT, namespaceInodes, processesLeftIn } from "./footprint.ts";
import { daemonPid, untilGone } from "./node-processes.ts";
import { bowlineExecutable, TestCluster } from "./test-cluster.ts";

/** The kernel frees namespaces and mounts some time after their last process has ended. */
const FREE_MS = 20_000;
const UID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

test("up takes less than 5 s, a pod less than 1 s, and down leaves the machine as it was", async () => {
  const before = await machineNetwork();
  await bowlineExecutable();
  const upMs = performance.now();
  await using cluster = await TestCluster.up();
  expect(performance.now() - upMs).toBeLessThan(5_000);
  let fastestMs = Number.POSITIVE_INFINITY;
  let pods = 0;
  // Two runs of kubectl included; the machine may be busy with something else for a while.
  while (fastestMs >= 1_000 && pods < 10) {
    const name = `pod-${pods++}`;
    const startMs = performance.now();
    await cluster.apply([pod(name)]);
    await cluster.run(`wait pod/${name} --for=condition=Ready --timeout=30s`);
    fastestMs = Math.min(fastestMs, performance.now() - startMs);
  }
  expect(fastestMs).toBeLessThan(1_000);
  const inodes = namespaceInodes(cluster);
  expect(inodes.size).toBe(1 + pods);
  expect(await machineNetwork()).toBe(before);
  await cluster.local("down");
  await settles("nothing of the cluster", () => footprintOf(cluster), NO_FOOTPRINT);
  // The kernel numbers namespaces anew: for a moment a stranger's may have the number of one of ours.
  await settles("no process in their namespaces", () => processesLeftIn(inodes), []);
  expect(await machineNetwork()).toBe(before);
}, 60_000);

test("a daemon that is killed again and again while pods come and go loses nothing and leaks nothing", async () => {
  const random = new Random(7);
  await using cluster = await TestCluster.up();
  await cluster.apply([deployment("steady", 3), deployment("wild", 2), pod("bare")]);
  await cluster.run("rollout status deploy/steady --timeout=30s");
  await cluster.run("wait pod/bare --for=condition=Ready --timeout=30s");
  const steady = await mainProcesses(cluster, "app in (steady,bare)");
  expect(steady.length).toBe(4);
  const inodes = new Set(namespaceInodes(cluster));
  const acknowledged: string[] = [];
  for (let round = 0; round < 6; round++) {
    const daemon = daemonPid(cluster);
    const killed = Bun.sleep(random.between(0, 500)).then(() => process.kill(daemon, "SIGKILL"));
    acknowledged.push(...(await disturb(cluster, round, random)));
    await killed;
    await untilGone(daemon);
    for (const inode of namespaceInodes(cluster)) inodes.add(inode);
    await cluster.local("up");
  }
  await cluster.run("scale deploy wild --replicas=2");
  await cluster.run("rollout status deploy/wild --timeout=60s");
  const kept = (await cluster.run("get cm -o name")).split("\n");
  expect(acknowledged.filter((name) => !kept.includes(name))).toEqual([]);
  expect(await mainProcesses(cluster, "app in (steady,bare)")).toEqual(steady);
  expect(await cluster.run("get pods -l app=steady --no-headers")).toMatch(/^(steady-\S+ +1\/1 +Running +0 .*\n){3}$/);
  await settles(
    "what the pods need and nothing else",
    () => held(cluster),
    () => needed(cluster),
  );

  for (const inode of namespaceInodes(cluster)) inodes.add(inode);
  process.kill(daemonPid(cluster), "SIGKILL");
  await cluster.local("down");
  await settles("nothing of the cluster", () => footprintOf(cluster), NO_FOOTPRINT);
  // The kernel numbers namespaces anew: for a moment a stranger's may have the number of one of ours.
  await settles("no process in their namespaces", () => processesLeftIn(inodes), []);
}, 180_000);

test("100 pods run on this machine", async () => {
  await using cluster = await TestCluster.up();
  await cluster.apply([deployment("many", 100)]);
  await cluster.kubectl(["rollout", "status", "deploy/many", "--timeout=60s"], { timeoutMs: 70_000 });
  const pods = await cluster.run("get pods --no-headers -o custom-columns=IP:.status.podIP,PHASE:.status.phase");
  const lines = pods.trim().split("\n");
  expect(new Set(lines).size).toBe(100);
  expect(lines.filter((line) => !line.endsWith("Running"))).toEqual([]);
  await cluster.run("delete deploy many");
  await waitFor(async () => (await cluster.run("get pods -o name")) === "", { what: "no pods", timeoutMs: 60_000 });
  await settles("the node alone", () => footprintOf(cluster).namespaces, [`bowline-${cluster.name}`]);
}, 180_000);

/** Commands of which some meet a dead daemon. @returns what has been acknowledged and so must be kept */
async function disturb(cluster: TestCluster, round: number, random: Random): Promise<string[]> {
  const commands = [
    `create cm round-${round}`,
    `scale deploy wild --replicas=${random.between(0, 5)}`,
    "rollout restart deploy wild",
    "delete pods -l app=wild --wait=false",
    `annotate deploy steady round=${round} --overwrite`,
    `create cm late-${round}`,
  ];
  const acknowledged: string[] = [];
  for (const command of commands) {
    const { code, stdout } = await cluster.tryKubectl(command.split(" "));
    if (code === 0 && stdout.startsWith("configmap/")) acknowledged.push(stdout.split(" ")[0] ?? "");
  }
  return acknowledged;
}

interface Holding {
  readonly pods: readonly string[];
  readonly namespaces: number;
  readonly links: number;
  /** Of pods and of the node, that the rules for services lead to. */
  readonly strangers: readonly string[];
}

/** What the node has for its pods. */
async function held(cluster: TestCluster): Promise<Holding> {
  const { namespaces, processes } = footprintOf(cluster);
  const inNode = ["ip", "netns", "exec", `bowline-${cluster.name}`];
  const [links, rules, ips] = await Promise.all([
    mustRun([...inNode, "ip", "-o", "link", "show"]),
    mustRun([...inNode, "nft", "list", "ruleset"]),
    cluster.run("get pods -A -o jsonpath={.items[*].status.podIP}"),
  ]);
  const directories = readdirSync(join(cluster.stateDir, "pods"));
  const known = new Set(["10.244.0.0", "10.244.0.1", ...ips.split(" ")]);
  return {
    pods: [...new Set([...processes, ...directories])].filter((name) => UID.test(name)).toSorted(),
    namespaces: namespaces.length,
    links: links.match(/ alias pod=/g)?.length ?? 0,
    strangers: (rules.match(/10\.244\.\d+\.\d+/g) ?? []).filter((ip) => !known.has(ip)),
  };
}

async function needed(cluster: TestCluster): Promise<Holding> {
  const pods = (await cluster.run("get pods -A -o jsonpath={.items[*].metadata.uid}")).split(" ").toSorted();
  return { pods, namespaces: pods.length + 1, links: pods.length, strangers: [] };
}

/** Names, uids and pids of containers' programs: the same ones again when nothing has been started anew. */
async function mainProcesses(cluster: TestCluster, labelled: string): Promise<string[]> {
  const list = JSON.parse(await cluster.kubectl(["get", "pods", "-l", labelled, "-o", "json"])) as {
    items: { metadata: { name: string; uid: string } }[];
  };
  return list.items.map(({ metadata: { name, uid } }) => {
    const supervisor = readFileSync(join(cluster.stateDir, "pods", uid, "containers/main/0/pid"), "utf8").trim();
    const main = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, "utf8").trim();
    expect(main).toMatch(/^\d+$/);
    return `${name} ${uid} ${main}`;
  });
}

/** Waits until both are the same; fails with the difference. */
async function settles<T>(what: string, actual: () => T | Promise<T>, wanted: T | (() => Promise<T>)): Promise<void> {
  const want = async () => (typeof wanted === "function" ? await (wanted as () => Promise<T>)() : wanted);
  const same = async () => Bun.deepEquals(await actual(), await want());
  const settled = await waitFor(same, { what, timeoutMs: FREE_MS, intervalMs: 100 }).catch(() => false);
  if (!settled) expect(await actual()).toEqual(await want());
}

interface PodObject {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: { readonly name: string; readonly labels: object };
  readonly spec: object;
}

function deployment(name: string, replicas: number): object {
  const { metadata, spec } = pod(name);
  const { labels } = metadata;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}

function pod(name: string): PodObject {
  const containers = [{ name: "main", image: "idle", command: ["sleep", "100000"] }];
  const spec = { terminationGracePeriodSeconds: 0, containers };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: name } }, spec };
}
