import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { daemonPid, untilGone } from "./node-processes.ts";
import { type Peer, rolledOut, startClientAndWeb } from "./peers.ts";
import { TestCluster } from "./test-cluster.ts";

/** The cluster itself, API, controllers, kubelet and DNS, ends by SIGKILL; what runs in it goes on. */

const LOAD = "steady";

let cluster: TestCluster;
let client: Peer;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.installControlPlane();
  client = await startClientAndWeb(cluster);
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 120_000);

/** Pods by name, with what would change if any of their containers were started anew. */
async function running(): Promise<unknown> {
  const list = JSON.parse(await cluster.run("get pods -A -o json")) as { items: PodState[] };
  return list.items.map(({ metadata, status }) => ({
    name: metadata.name,
    ip: status.podIP,
    ready: status.conditions?.find(({ type }) => type === "Ready")?.status,
    containers: [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])].map(
      ({ containerID, restartCount }) => [containerID, restartCount],
    ),
  }));
}

interface PodState {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerState[];
    readonly initContainerStatuses?: readonly ContainerState[];
  };
}

interface ContainerState {
  readonly containerID?: string;
  readonly restartCount: number;
}

test("requests go on while there is no cluster, and the next daemon adopts the pods as they are", async () => {
  const ip = await cluster.run("get svc/web -n mesh -o jsonpath={.spec.clusterIP}");
  // A name is of no use while nobody answers DNS; connections to what it stood for are.
  await client.startLoad(LOAD, { url: `http://${ip}/`, app: "web" });
  await client.moreSuccesses(LOAD, 50);
  const before = await running();
  const pid = daemonPid(cluster);
  process.kill(pid, "SIGKILL");
  await untilGone(pid);
  expect((await cluster.tryKubectl(["get", "pods"])).code).not.toBe(0);
  await cluster.local("up");
  expect(await running()).toEqual(before);
  await client.moreSuccesses(LOAD, 200);
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
}, 40_000);

test("the cluster that was killed works as before", async () => {
  await cluster.run("scale deploy/web -n mesh --replicas=3");
  await rolledOut(cluster, "mesh", "deploy/web");
  await client.startLoad(LOAD, { url: "http://web.mesh/", app: "web" });
  await waitFor(async () => Object.keys((await client.report(LOAD)).pods).length === 3, {
    what: "requests to the new pod",
    timeoutMs: 10_000,
    intervalMs: 100,
  });
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
  expect(await cluster.bowline(["check"], { timeoutMs: 40_000 })).toContain("Status check results are √");
}, 60_000);
