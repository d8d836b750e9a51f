import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { killContainer } from "./node-processes.ts";
import { type Peer, podsLeft, preStop, rolledOut, startClientAndWeb } from "./peers.ts";
import { TestCluster } from "./test-cluster.ts";

/** Endpoints come and go while nobody is there to tell the proxies. */

const URL_OF_WEB = "http://web.mesh/";
const LOAD = "steady";
const DESTINATION = "linkerd.io/control-plane-component=destination";

let cluster: TestCluster;
let client: Peer;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.installControlPlane();
  // Longer than it takes the destination service to be back, and the proxies to have asked it again.
  client = await startClientAndWeb(cluster, { container: preStop(5) });
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 120_000);

test("endpoints that come while the destination service is away get requests once it is back", async () => {
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await client.moreSuccesses(LOAD, 50);
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=0");
  await podsLeft(cluster, "linkerd", DESTINATION, 0);
  await cluster.run("scale deploy/web -n mesh --replicas=3");
  await rolledOut(cluster, "mesh", "deploy/web");
  await client.moreSuccesses(LOAD, 200);
  expect(Object.keys((await client.report(LOAD)).pods)).toHaveLength(2);
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=1");
  await requestsTo(3);
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
}, 90_000);

test("endpoints that go while the destination service is away are left as soon as they do not answer", async () => {
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=0");
  await podsLeft(cluster, "linkerd", DESTINATION, 0);
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await client.moreSuccesses(LOAD, 50);
  await cluster.run("scale deploy/web -n mesh --replicas=1");
  await podsLeft(cluster, "mesh", "app=web", 1);
  // Between an app's end and that of its proxy, the proxy has the client's send elsewhere. Its own end may meet a request.
  const { failed } = await client.stopLoad(LOAD);
  expect(Object.keys(failed).filter((reason) => !reason.startsWith("status 502 connection reset"))).toEqual([]);
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await client.moreSuccesses(LOAD, 200);
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
  await cluster.run("scale deploy/linkerd-destination -n linkerd --replicas=1");
  await cluster.run("rollout status deploy/linkerd-destination -n linkerd --timeout=20s");
}, 90_000);

test("a rolling restart goes on over the destination service's end without the loss of a request", async () => {
  await cluster.run("scale deploy/web -n mesh --replicas=2");
  await rolledOut(cluster, "mesh", "deploy/web");
  await client.startLoad(LOAD, { url: URL_OF_WEB, app: "web" });
  await requestsTo(2);
  await cluster.run("rollout restart deploy/web -n mesh");
  await requestsTo(3);
  await killContainer(cluster, "linkerd", DESTINATION, "destination");
  await rolledOut(cluster, "mesh", "deploy/web");
  await podsLeft(cluster, "mesh", "app=web", 2);
  await requestsTo(4);
  expect((await client.stopLoad(LOAD)).failed).toEqual({});
}, 90_000);

/** Waits until so many pods, or more, have had a request. A proxy asks again after about as long as an outage lasted. */
async function requestsTo(pods: number): Promise<void> {
  const haveAnswered = async (): Promise<true> => {
    const report = await client.report(LOAD);
    if (Object.keys(report.pods).length < pods) throw new Error(JSON.stringify(report));
    return true;
  };
  await waitFor(haveAnswered, { what: `requests to ${pods} pods`, timeoutMs: 30_000, intervalMs: 50 });
}
