import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { killContainer } from "./node-processes.ts";
import { type Peer, podsLeft, preStop, rolledOut, startClientAndWeb } from "./peers.ts";
import { TestCluster } from "./test-cluster.ts";

/** Everything of the control plane ends by SIGKILL while meshed pods talk: no request may fail of it. */

const URL_OF_WEB = "http://web.mesh/";
const LOAD = "steady";

let cluster: TestCluster;
let client: Peer;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.installControlPlane();
  client = await startClientAndWeb(cluster, { container: preStop(2) });
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 120_000);

const COMPONENTS = [
  { component: "destination", container: "destination" },
  { component: "destination", container: "linkerd-proxy" },
  { component: "proxy-injector", container: "proxy-injector" },
  { component: "metrics-api", container: "metrics-api" },
];

test.each(COMPONENTS)(
  "SIGKILL of $container of $component is not noticed by requests, and it is ready again soon",
  async ({ component, container }) => {
    await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
    await client.moreSuccesses(LOAD, 50);
    const label = `linkerd.io/control-plane-component=${component}`;
    const before = await restarts(label, container);
    await killContainer(cluster, "linkerd", label, container);
    await waitFor(async () => (await restarts(label, container)) > before, {
      what: `${container} to be started again`,
      timeoutMs: 15_000,
      intervalMs: 50,
    });
    await cluster.kubectl(["wait", "pod", "-n", "linkerd", "-l", label, "--for=condition=Ready", "--timeout=20s"]);
    await client.moreSuccesses(LOAD, 200);
    expect((await client.stopLoad(LOAD)).failed).toEqual({});
  },
  30_000,
);

async function restarts(label: string, container: string): Promise<number> {
  const list = JSON.parse(await cluster.run(`get pods -n linkerd -l ${label} -o json`)) as { items: PodState[] };
  const { containerStatuses = [], initContainerStatuses = [] } = list.items[0]?.status ?? {};
  const status = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === container);
  return status?.restartCount ?? -1;
}

interface PodState {
  readonly status: {
    readonly containerStatuses?: readonly { readonly name: string; readonly restartCount: number }[];
    readonly initContainerStatuses?: readonly { readonly name: string; readonly restartCount: number }[];
  };
}

test("without the injector no pod starts without a proxy, where the webhook must not fail", async () => {
  const fail = [{ op: "replace", path: "/webhooks/0/failurePolicy", value: "Fail" }];
  const configuration = "mutatingwebhookconfiguration/linkerd-proxy-injector-webhook-config";
  await cluster.run(`patch ${configuration} --type=json --patch=${JSON.stringify(fail)}`);
  await cluster.run("scale deploy/linkerd-proxy-injector -n linkerd --replicas=0");
  await podsLeft(cluster, "linkerd", "linkerd.io/control-plane-component=proxy-injector", 0);
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await cluster.run("rollout restart deploy/web -n mesh");
  await waitFor(async () => (await cluster.run("get events -n mesh")).includes("failed calling webhook"), {
    what: "an event that says why there is no pod",
    timeoutMs: 10_000,
    intervalMs: 100,
  });
  await client.moreSuccesses(LOAD, 100);
  await cluster.run("scale deploy/linkerd-proxy-injector -n linkerd --replicas=1");
  await rolledOut(cluster, "mesh", "deploy/web");
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
  const sidecars = "jsonpath={.items[*].spec.initContainers[*].name}";
  const names = await cluster.kubectl(["get", "pods", "-n", "mesh", "-l", "app=web", "-o", sidecars]);
  expect(names.split(" ").filter((name) => name === "linkerd-proxy").length).toBeGreaterThanOrEqual(2);
  expect(
    (await cluster.run("get pods -n mesh -l app=web --no-headers")).split("\n").filter((line) => / 1\/1 /.test(line)),
  ).toEqual([]);
}, 60_000);
