import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { GRPC_PORT, type Labels, namespace, Peer, peerService, peerWorkload, rolledOut } from "./peers.ts";
import { TestCluster } from "./test-cluster.ts";

/** 5432 is opaque by default, 7000 by an annotation; behind 7001 the proxies have to find out that the server speaks first. */
const TCP_PORTS = [5432, 7000, 7001];
const NODE_HTTP_PORT = 18_080;
const NODE_GRPC_PORT = 18_081;
const SERVICE_PORTS = [
  { name: "http", port: 80, targetPort: "http" },
  { name: "grpc", port: GRPC_PORT, targetPort: "grpc" },
  ...TCP_PORTS.map((port) => ({ name: `tcp-${port}`, port })),
];

const WEB = { app: "web", annotations: { "config.linkerd.io/opaque-ports": "7000" }, tcpPorts: TCP_PORTS };
const NODE_APP = { app: "node-app", httpPort: NODE_HTTP_PORT, grpcPort: NODE_GRPC_PORT, pod: { hostNetwork: true } };

const MANIFESTS = [
  namespace("mesh", true),
  namespace("plain", false),
  peerWorkload("Deployment", "mesh", { app: "client" }),
  peerWorkload("Deployment", "mesh", WEB, { replicas: 2 }),
  peerService("mesh", "web", "web", SERVICE_PORTS),
  peerService("mesh", "web-headless", "web", SERVICE_PORTS, { clusterIP: "None" }),
  peerWorkload("StatefulSet", "mesh", { app: "db", tcpPorts: [5432] }, { serviceName: "db", replicas: 2 }),
  peerService("mesh", "db", "db", [{ port: 5432 }], { clusterIP: "None" }),
  peerWorkload("Deployment", "plain", { app: "visitor" }),
  peerWorkload("Deployment", "plain", { app: "shop", tcpPorts: TCP_PORTS }),
  peerService("plain", "shop", "shop", SERVICE_PORTS),
  peerWorkload("Deployment", "plain", NODE_APP),
];

let cluster: TestCluster;
let client: Peer;
let visitor: Peer;
/** What stands in angle brackets in the rows below. */
const addresses = new Map<string, string>();

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.installControlPlane();
  await cluster.apply(MANIFESTS);
  for (const workload of ["deploy/client", "deploy/web", "sts/db"]) await rolledOut(cluster, "mesh", workload);
  for (const name of ["visitor", "shop", "node-app"]) await rolledOut(cluster, "plain", `deploy/${name}`);
  client = await Peer.of(cluster, "mesh", "client");
  visitor = await Peer.of(cluster, "plain", "visitor");
  const clusterIp = "jsonpath={.spec.clusterIP}";
  addresses.set("<web service>", await cluster.kubectl(["get", "svc/web", "-n", "mesh", "-o", clusterIp]));
  addresses.set("<web pod>", await podIp("mesh", "web"));
  addresses.set("<shop pod>", await podIp("plain", "shop"));
  addresses.set("<node>", await podIp("plain", "node-app"));
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
}, 120_000);

async function podIp(space: string, app: string): Promise<string> {
  return await cluster.kubectl([
    "get",
    "pods",
    "-n",
    space,
    "-l",
    `app=${app}`,
    "-o",
    "jsonpath={.items[0].status.podIP}",
  ]);
}

function withAddresses(text: string): string {
  return text.replace(/<[^>]+>/, (name) => addresses.get(name) ?? name);
}

const BY_SERVICE = { dst_deployment: "web", dst_namespace: "mesh", dst_service: "web" };
const BY_POD = { dst_deployment: "web", dst_namespace: "mesh" };
const TO_SHOP = { dst_deployment: "shop", dst_namespace: "plain" };
const TO_NODE = { dst_deployment: "node-app", dst_namespace: "plain" };

interface Row {
  readonly host: string;
  readonly port: number;
  /** Begins what answers. */
  readonly answers: string;
  readonly labels: Labels;
  /** Labels that these series must not have: nothing is known of a service. */
  readonly without?: readonly string[];
}

const NO_SERVICE = ["authority", "dst_service"];
const AUTHORITY = "web.mesh.svc.cluster.local";

const HTTP: Row[] = [
  { host: "web.mesh", port: 80, answers: "web", labels: { ...BY_SERVICE, authority: AUTHORITY } },
  { host: "web", port: 80, answers: "web", labels: { ...BY_SERVICE, authority: AUTHORITY } },
  { host: "<web service>", port: 80, answers: "web", labels: { ...BY_SERVICE, authority: AUTHORITY } },
  { host: "<web pod>", port: 8080, answers: "web", labels: BY_POD, without: NO_SERVICE },
  { host: "web-headless.mesh.svc.cluster.local", port: 8080, answers: "web", labels: BY_POD, without: NO_SERVICE },
  {
    host: "db-1.db",
    port: 8080,
    answers: "db db-1",
    labels: { dst_statefulset: "db", dst_pod: "db-1" },
    without: NO_SERVICE,
  },
  { host: "shop.plain", port: 80, answers: "shop", labels: { ...TO_SHOP, dst_service: "shop" } },
  { host: "<shop pod>", port: 8080, answers: "shop", labels: TO_SHOP, without: NO_SERVICE },
  { host: "<node>", port: NODE_HTTP_PORT, answers: "node-app", labels: TO_NODE, without: NO_SERVICE },
];

const GRPC: Row[] = [
  { host: "web.mesh", port: 8081, answers: "web", labels: { ...BY_SERVICE, authority: `${AUTHORITY}:8081` } },
  { host: "<web pod>", port: 8081, answers: "web", labels: BY_POD, without: NO_SERVICE },
  { host: "web-headless", port: 8081, answers: "web", labels: BY_POD, without: NO_SERVICE },
  { host: "shop.plain", port: 8081, answers: "shop", labels: { ...TO_SHOP, dst_service: "shop" } },
  { host: "<node>", port: NODE_GRPC_PORT, answers: "node-app", labels: TO_NODE, without: NO_SERVICE },
];

const TCP: Row[] = [
  { host: "web.mesh", port: 5432, answers: "web", labels: { ...BY_SERVICE, authority: `${AUTHORITY}:5432` } },
  { host: "web.mesh", port: 7000, answers: "web", labels: { ...BY_SERVICE, authority: `${AUTHORITY}:7000` } },
  { host: "web.mesh", port: 7001, answers: "web", labels: { ...BY_SERVICE, authority: `${AUTHORITY}:7001` } },
  { host: "<web pod>", port: 7000, answers: "web", labels: BY_POD, without: NO_SERVICE },
  {
    host: "db-0.db.mesh.svc.cluster.local",
    port: 5432,
    answers: "db-0",
    labels: { dst_statefulset: "db", dst_pod: "db-0" },
  },
  { host: "shop.plain", port: 7001, answers: "shop", labels: { ...TO_SHOP, dst_service: "shop" } },
  { host: "<shop pod>", port: 5432, answers: "shop", labels: TO_SHOP, without: NO_SERVICE },
];

describe("from a meshed pod", () => {
  test.each(HTTP)("HTTP/1 to $host:$port", async ({ host, port, answers, ...row }) => {
    await expectCounted("response_total", { ...row, labels: { ...row.labels, status_code: "200" } }, async () => {
      const { status, body } = await client.http(`http://${withAddresses(host)}:${port}/`);
      expect([status, body]).toEqual([200, expect.stringMatching(new RegExp(`^${answers}`))]);
    });
  });

  test.each(GRPC)("gRPC to $host:$port", async ({ host, port, answers, ...row }) => {
    const labels = { ...row.labels, status_code: "200", grpc_status: "0", classification: "success" };
    await expectCounted("response_total", { ...row, labels }, async () => {
      const answer = await client.grpc(`http://${withAddresses(host)}:${port}`);
      expect(answer).toEqual({ status: 200, grpcStatus: "0", body: expect.stringMatching(new RegExp(`^${answers}`)) });
    });
  });

  test.each(TCP)("TCP whose server speaks first, to $host:$port", async ({ host, port, answers, ...row }) => {
    await expectCounted("tcp_open_total", { ...row, labels: { ...row.labels, peer: "dst" } }, async () => {
      const talk = await client.tcp(withAddresses(host), port);
      expect(talk).toEqual({ greeting: expect.stringMatching(new RegExp(`^hello from ${answers}`)), echo: "ping" });
    });
  });

  test("an address that nobody has is answered by the proxy", async () => {
    const { status, headers } = await client.http("http://10.244.99.99:80/");
    expect([status, headers["l5d-proxy-error-cause"]]).toEqual([502, "connect-unreachable"]);
  });
});

/** `action` must add to a series with the row's labels, and to none that has what the row says it lacks. */
async function expectCounted(
  family: string,
  { labels, without = [] }: Pick<Row, "labels" | "without">,
  action: () => Promise<void>,
): Promise<void> {
  const wanted = { direction: "outbound", ...labels };
  const counted = async (): Promise<number> => {
    const metrics = await client.metrics();
    const all = metrics.labelsOf(family, wanted);
    const fitting = all.filter((one) => without.every((name) => one[name] === undefined));
    return fitting.reduce((sum, one) => sum + metrics.sum(family, one), 0);
  };
  const before = await counted();
  await action();
  await waitFor(async () => (await counted()) === before + 1, {
    what: `${family} ${JSON.stringify(wanted)} to be ${before + 1}`,
    intervalMs: 50,
  });
}

describe("from a pod without a proxy", () => {
  test.each(HTTP)("HTTP/1 to $host:$port", async ({ host, port, answers }) => {
    const space = host === "web" || host === "db-1.db" ? ".mesh" : "";
    const { status, body } = await visitor.http(`http://${withAddresses(host)}${space}:${port}/`);
    expect([status, body]).toEqual([200, expect.stringMatching(new RegExp(`^${answers}`))]);
  });

  test("gRPC and TCP", async () => {
    expect((await visitor.grpc("http://web.mesh:8081")).grpcStatus).toBe("0");
    for (const port of TCP_PORTS) expect((await visitor.tcp("web.mesh", port)).echo).toBe("ping");
  });

  test("a meshed server's proxy counts it", async () => {
    const db = await Peer.of(cluster, "mesh", "db");
    const inbound = { direction: "inbound", status_code: "200" };
    const before = (await db.metrics()).sum("response_total", inbound);
    for (let i = 0; i < 5; i++) await visitor.http(`http://${db.pod}.db.mesh:8080/`);
    await waitFor(async () => (await db.metrics()).sum("response_total", inbound) >= before + 5, {
      what: "5 inbound responses",
      intervalMs: 50,
    });
  });
});

interface StatRow {
  readonly kind: string;
  readonly name: string;
  readonly meshed?: string;
  readonly success: number | null;
  readonly rps: number | null;
  readonly latency_ms_p99: number | null;
}

describe("under a steady load", () => {
  const name = "stat";
  beforeAll(async () => {
    await client.startLoad(name, { url: "http://web.mesh/", app: "web", pauseMs: 20 });
  });
  afterAll(async () => {
    expect((await client.stopLoad(name)).failed).toEqual({});
  });

  async function stat(...args: string[]): Promise<StatRow[]> {
    return JSON.parse(await cluster.bowline(["stat", ...args, "-n", "mesh", "-o", "json"])) as StatRow[];
  }

  test.each([
    { args: ["deploy", "--from", "deploy/client"], names: ["web"] },
    { args: ["deploy/client", "--to", "deploy/web"], names: ["client"] },
    { args: ["deploy/client", "--to", "svc/web"], names: ["client"] },
    { args: ["svc/web", "--from", "deploy/client"], names: ["web"] },
    { args: ["svc/web"], names: ["web"] },
    { args: ["deploy/web"], names: ["web"] },
  ])("bowline stat $args", async ({ args, names }) => {
    const rows = await waitFor(
      async () => {
        const found = await stat(...args);
        return found.some(({ rps }) => (rps ?? 0) >= 1) && found;
      },
      { what: `a rate from stat ${args.join(" ")}`, timeoutMs: 20_000, intervalMs: 200 },
    );
    expect(rows.map((row) => row.name)).toEqual([...names]);
    const [{ success, latency_ms_p99: latency } = { success: null, latency_ms_p99: null }] = rows;
    // Probes of pods that were starting count as failures of the server's.
    expect(success ?? 0).toBeGreaterThan(args[0] === "deploy/web" ? 0.5 : 0.999);
    expect(latency ?? 0).toBeGreaterThan(0);
  });

  test("what has no traffic has no figures, and a table has the columns that everybody knows", async () => {
    const [none] = await stat("svc/db");
    expect(none).toMatchObject({ name: "db", success: null, rps: null });
    const table = await cluster.bowline(["stat", "deploy", "-n", "mesh"]);
    expect(table).toMatch(/^NAME +MESHED +SUCCESS +RPS +LATENCY_P50 +LATENCY_P95 +LATENCY_P99 +TCP_CONN\n/);
    expect(table).toMatch(/^web +2\/2 /m);
  });

  test("diagnostics endpoints shows the pods of a service, and what a proxy holds of them", async () => {
    const told = await cluster.bowline(["diagnostics", "endpoints", `${AUTHORITY}:80`, "--pod", `mesh/${client.pod}`]);
    const lines = told.trim().split("\n").slice(1);
    const names = (await cluster.run("get pods -n mesh -l app=web -o name")).trim().split("\n");
    expect(lines.map((line) => `pod/${line.split(/ +/)[3]}`).sort()).toEqual(names.sort());
    for (const line of lines) expect(line).toMatch(/ same *$/);
  });
});
