import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { killContainer } from "./node-processes.ts";
import { namespace, Peer, peerService, peerWorkload, rolledOut } from "./peers.ts";
import { TestCluster } from "./test-cluster.ts";

/** Everything of the control plane ends by SIGKILL while meshed pods talk: no request may fail of it. */

const URL_OF_WEB = "http://web.mesh/";
const LOAD = "steady";
/** As users of Kubernetes write it, so that a pod that goes is out of everybody's lists before it stops to serve. */
const WEB = { app: "web", container: { lifecycle: { preStop: { exec: { command: ["sleep", "2"] } } } } };

let cluster: TestCluster;
let client: Peer;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.installControlPlane();
  await cluster.apply([
    namespace("mesh", true),
    peerWorkload("Deployment", "mesh", { app: "client" }),
    peerWorkload("Deployment", "mesh", WEB, { replicas: 2 }),
    peerService("mesh", "web", "web", [{ name: "http", port: 80, targetPort: "http" }]),
  ]);
  for (const name of ["client", "web"]) await rolledOut(cluster, "mesh", `deploy/${name}`);
  client = await Peer.of(cluster, "mesh", "client");
}, 60_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 30_000);

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
  await cluster.run(
    "wait pod -n linkerd -l linkerd.io/control-plane-component=proxy-injector --for=delete --timeout=20s",
  );
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

test("endpoints that come while the destination service is away get requests once it is back", async () => {
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await client.moreSuccesses(LOAD, 50);
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=0");
  await cluster.run("wait pod -n linkerd -l linkerd.io/control-plane-component=destination --for=delete --timeout=20s");
  await cluster.run("scale deploy/web -n mesh --replicas=3");
  await cluster.run("wait deploy/web -n mesh --for=jsonpath={.status.readyReplicas}=3 --timeout=20s");
  await client.moreSuccesses(LOAD, 200);
  expect(Object.keys((await client.report(LOAD)).pods)).toHaveLength(2);
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=1");
  await waitFor(async () => Object.keys((await client.report(LOAD)).pods).length === 3, {
    what: "requests to the new pod",
    timeoutMs: 15_000,
    intervalMs: 100,
  });
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
}, 60_000);

test("endpoints that go while the destination service is away are left as soon as they do not answer", async () => {
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=0");
  await cluster.run("wait pod -n linkerd -l linkerd.io/control-plane-component=destination --for=delete --timeout=20s");
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await client.moreSuccesses(LOAD, 50);
  await cluster.run("scale deploy/web -n mesh --replicas=1");
  await waitFor(
    async () => (await cluster.run("get pods -n mesh -l app=web -o name")).trim().split("\n").length === 1,
    {
      what: "the other pods' end",
      timeoutMs: 20_000,
      intervalMs: 100,
    },
  );
  // Nobody could tell the client: between an app's end and that of its proxy, the proxy answers that nothing listens.
  const { failed } = await client.stopLoad(LOAD);
  expect(Object.keys(failed).filter((reason) => reason !== "status 502")).toEqual([]);
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await client.moreSuccesses(LOAD, 200);
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=1");
  await cluster.run("rollout status deploy/linkerd-destination -n linkerd --timeout=20s");
}, 60_000);
