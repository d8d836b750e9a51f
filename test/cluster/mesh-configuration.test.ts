import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { namespace, Peer, peerService, peerWorkload, rolledOut } from "./peers.ts";
import { TestCluster } from "./test-cluster.ts";

/** What users configure, proven by traffic: ServiceProfiles, skipped ports, Jobs. */

const SKIP = {
  "config.linkerd.io/skip-outbound-ports": "9000",
  "config.linkerd.io/skip-inbound-ports": "7000",
};
const PORTS = [
  { name: "http", port: 80, targetPort: "http" },
  { name: "unseen", port: 9000, targetPort: "http" },
  { name: "tcp", port: 7000 },
];
const WEB_NAME = "web.mesh.svc.cluster.local";

let cluster: TestCluster;
let client: Peer;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.installControlPlane();
  await cluster.apply([
    namespace("mesh", true),
    peerWorkload("Deployment", "mesh", { app: "client", annotations: SKIP }),
    peerWorkload("Deployment", "mesh", { app: "web", annotations: SKIP, tcpPorts: [7000] }),
    peerService("mesh", "web", "web", PORTS),
  ]);
  for (const name of ["client", "web"]) await rolledOut(cluster, "mesh", `deploy/${name}`);
  client = await Peer.of(cluster, "mesh", "client");
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 120_000);

const PROFILE = {
  apiVersion: "linkerd.io/v1alpha2",
  kind: "ServiceProfile",
  metadata: { name: WEB_NAME, namespace: "mesh" },
  spec: {
    routes: [
      { name: "slow", condition: { method: "GET", pathRegex: "/slow/.*" }, timeout: "1s" },
      {
        name: "status",
        condition: { pathRegex: "/status/.*" },
        responseClasses: [{ condition: { status: { min: 404, max: 404 } }, isFailure: true }],
      },
    ],
  },
};

test("a ServiceProfile's routes have timeouts and metrics, from when it is applied until it is deleted", async () => {
  expect((await client.http("http://web.mesh/slow/2000")).status).toBe(200);
  await cluster.apply([PROFILE]);
  const late = await waitFor(
    async () => {
      const answer = await client.http("http://web.mesh/slow/5000");
      return answer.status !== 200 && answer;
    },
    { what: "a timeout of the profile's", timeoutMs: 15_000 },
  );
  expect(late).toMatchObject({ status: 504, headers: { "l5d-proxy-error-cause": "route-timeout" } });
  expect(late.tookMs).toBeLessThan(4_500);
  expect((await client.http("http://web.mesh/slow/1")).status).toBe(200);
  expect((await client.http("http://web.mesh/status/404")).status).toBe(404);
  const route = { direction: "outbound", dst: `${WEB_NAME}:80` };
  const ROWS = [
    { rt_route: "slow", classification: "failure", error: "timeout" },
    { rt_route: "slow", classification: "success", status_code: "200" },
    { rt_route: "status", classification: "failure", status_code: "404" },
  ];
  const areCounted = async (): Promise<boolean> => {
    const metrics = await client.metrics();
    return ROWS.every((row) => metrics.sum("route_response_total", { ...route, ...row }) > 0);
  };
  await waitFor(areCounted, { what: "the routes in the metrics", intervalMs: 100 });
  await cluster.run(`delete serviceprofile ${WEB_NAME} -n mesh`);
  await waitFor(async () => (await client.http("http://web.mesh/slow/2000")).status === 200, {
    what: "the end of the profile's timeout",
    timeoutMs: 15_000,
  });
}, 60_000);

test("a ServiceProfile that makes no sense is refused where it is applied", async () => {
  const [route] = PROFILE.spec.routes;
  const bad = { ...PROFILE, spec: { routes: [{ ...route, timeout: "soon" }] } };
  const { code, stderr } = await cluster.tryKubectl(["apply", "-f", "-"], { input: JSON.stringify(bad) });
  expect(code).not.toBe(0);
  expect(stderr).toContain("spec.routes[0].timeout");
});

test("skipped ports pass the proxies by", async () => {
  const web = await Peer.of(cluster, "mesh", "web");
  const opened = async (peer: Peer, direction: string, port: string): Promise<number> =>
    (await peer.metrics()).sum("tcp_open_total", { direction, target_port: port });
  expect((await client.http("http://web.mesh:9000/")).status).toBe(200);
  expect((await client.tcp("web.mesh", 7000)).echo).toBe("ping");
  expect(await opened(client, "outbound", "9000")).toBe(0);
  // The other proxy's part of each is there: only what is skipped is.
  expect(await opened(client, "outbound", "7000")).toBeGreaterThan(0);
  expect(await opened(web, "inbound", "8080")).toBeGreaterThan(0);
  expect(await opened(web, "inbound", "7000")).toBe(0);
});

test("a Job with a sidecar completes, having talked through it", async () => {
  const url = JSON.stringify("http://web.mesh/");
  const ask = `const answer = await fetch(${url}); console.log(await answer.text());`;
  const container = { name: "ask", image: "ask", command: [process.execPath, "-e", ask] };
  await cluster.apply([
    {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "once", namespace: "mesh" },
      spec: { backoffLimit: 0, template: { spec: { restartPolicy: "Never", containers: [container] } } },
    },
  ]);
  await cluster.run("wait job/once -n mesh --for=condition=complete --timeout=20s");
  expect(await cluster.run("logs job/once -n mesh -c ask")).toStartWith("web web-");
  const pod = JSON.parse(await cluster.run("get pods -n mesh -l job-name=once -o json")) as { items: JobPod[] };
  const [{ spec, status }] = pod.items as [JobPod];
  expect(spec.initContainers?.map(({ name }) => name)).toContain("linkerd-proxy");
  expect(status.phase).toBe("Succeeded");
}, 30_000);

interface JobPod {
  readonly spec: { readonly initContainers?: readonly { readonly name: string }[] };
  readonly status: { readonly phase: string };
}
