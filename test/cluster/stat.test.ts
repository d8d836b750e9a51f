import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { waitFor } from "@bowline/testkit";
import { runCli } from "../../packages/cli/src/inject/testing/run-cli.ts";
import { namespace, Peer, peerService, peerTemplate, peerWorkload, rolledOut } from "./peers.ts";
import { TestCluster } from "./test-cluster.ts";

const SHOP = "shop";
const PLAIN = "plain";
/** The shortest window there is. */
const WINDOW = "15s";
const WINDOW_MS = 15_000;
/** The metrics service's. */
const SCRAPE_INTERVAL_MS = 5_000;
const PROMETHEUS = new URL("../../examples/prometheus.yaml", import.meta.url).pathname;

interface Row {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly status?: string;
  readonly meshed?: string;
  readonly success: number | null;
  readonly rps: number | null;
  readonly latency_ms_p50: number | null;
  readonly latency_ms_p99: number | null;
  readonly tcp_open_connections: number | null;
  readonly tcp_read_bytes_rate: number | null;
}

let cluster: TestCluster;

/** One of each kind that can be in a mesh, all called by `caller`; `web` fails half of its requests, `plain` has no proxy. */
const WORKLOADS: readonly unknown[] = [
  namespace(SHOP, true),
  namespace(PLAIN, false),
  peerWorkload("Deployment", SHOP, { app: "caller" }),
  peerWorkload("Deployment", SHOP, { app: "web" }),
  peerWorkload("StatefulSet", SHOP, { app: "db" }, { serviceName: "db" }),
  { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "agent", namespace: SHOP }, spec: templated("agent") },
  { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "solo", namespace: SHOP }, spec: templated("solo") },
  {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "task", namespace: SHOP },
    spec: { template: peerTemplate({ app: "task", pod: { restartPolicy: "Never" } }) },
  },
  { apiVersion: "v1", kind: "Pod", ...merged(peerTemplate({ app: "lone" }), { name: "lone", namespace: SHOP }) },
  peerWorkload("Deployment", PLAIN, { app: "plain" }),
  ...["web", "db", "agent", "solo", "task", "lone"].map((app) =>
    peerService(SHOP, app, app, [{ port: 80, targetPort: 8080 }]),
  ),
  peerService(PLAIN, "plain", "plain", [{ port: 80, targetPort: 8080 }]),
];

function templated(app: string): unknown {
  return { selector: { matchLabels: { app } }, template: peerTemplate({ app }) };
}

function merged(template: Readonly<Record<string, unknown>>, metadata: object): object {
  return { ...template, metadata: { ...(template["metadata"] as object), ...metadata } };
}

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.installControlPlane();
  await cluster.apply(WORKLOADS);
  const rolled = ["deploy/caller", "deploy/web", "sts/db", "ds/agent"].map((name) => rolledOut(cluster, SHOP, name));
  const ready = ["solo", "task", "lone"].map((app) =>
    cluster.run(`wait --for=condition=Ready pod -l app=${app} -n ${SHOP} --timeout=30s`),
  );
  await Promise.all([...rolled, ...ready, rolledOut(cluster, PLAIN, "deploy/plain")]);
  await startLoads();
  const steadyMs = performance.now();
  await waitFor(allAreSeen, {
    what: "the metrics service to have seen traffic of all",
    timeoutMs: 30_000,
    intervalMs: 500,
  });
  // A window that reaches back to before the loads has lower rates.
  await Bun.sleep(Math.max(0, steadyMs + WINDOW_MS + SCRAPE_INTERVAL_MS - performance.now()));
}, 120_000);

/** Clients and servers, as workloads, pods and services, have been scraped often enough for rates. */
async function allAreSeen(): Promise<boolean> {
  const rows = await stat("all", "-t", WINDOW).catch(() => []);
  return rows.filter(({ rps }) => (rps ?? 0) > 3).length >= 17;
}

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

async function startLoads(): Promise<void> {
  const caller = await Peer.of(cluster, SHOP, "caller");
  const options = { workers: 1, pauseMs: 100 };
  for (const app of ["web", "db", "agent", "solo", "task", "lone"]) {
    await caller.startLoad(app, { url: `http://${app}/`, app, ...options });
  }
  await caller.startLoad("failing", { url: "http://web/status/500", app: "web", ...options });
  await caller.startLoad("outside", { url: `http://plain.${PLAIN}/`, app: "plain", ...options });
}

/** Within this process: an executable that starts a hundred times would be most of what this file takes. */
async function stat(...args: string[]): Promise<Row[]> {
  const where = args.includes("-A") || args.includes("-n") ? [] : ["-n", SHOP];
  const { exitCode, out, err } = await runCli(["stat", ...args, ...where, "-o", "json"], { env: cluster.env });
  if (exitCode !== 0) throw new Error(err);
  return JSON.parse(out) as Row[];
}

/** `kind/name` of each row, a generated name as far as it is known. */
function namesOf(rows: readonly Row[]): string[] {
  return rows.map(({ kind, name }) => `${kind}/${name.replace(/^(web|caller|agent|solo|task|plain)-.*/, "$1-…")}`);
}

const ROWS: readonly [args: string, rows: readonly string[]][] = [
  ["deploy", ["deployment/caller", "deployment/web"]],
  ["deployments web", ["deployment/web"]],
  ["deploy/web", ["deployment/web"]],
  ["deploy web caller", ["deployment/web", "deployment/caller"]],
  ["deploy/web deploy/web deploy", ["deployment/web", "deployment/caller"]],
  ["deploy/web sts/db", ["deployment/web", "statefulset/db"]],
  ["sts", ["statefulset/db"]],
  ["ds", ["daemonset/agent"]],
  ["job", ["job/task"]],
  ["rs", ["replicaset/solo"]],
  ["rc", []],
  ["cj", []],
  ["po -l app=lone", ["pod/lone"]],
  ["po -l app in (db,lone)", ["pod/db-0", "pod/lone"]],
  ["svc", ["service/agent", "service/db", "service/lone", "service/solo", "service/task", "service/web"]],
  ["svc/web", ["service/web"]],
  ["ns", ["namespace/linkerd", "namespace/shop"]],
  ["ns --unmeshed", ["namespace/linkerd", "namespace/plain", "namespace/shop"]],
  ["deploy -n plain", []],
  ["deploy -n plain --unmeshed", ["deployment/plain"]],
  ["deploy -n nowhere", []],
  ["deploy/nothing", []],
  ["deploy --to svc/db", ["deployment/caller"]],
  ["deploy --to sts/db", ["deployment/caller"]],
  ["deploy --to po/lone", ["deployment/caller"]],
  ["deploy --to svc/plain --to-namespace plain", ["deployment/caller"]],
  ["deploy --to-namespace plain", ["deployment/caller"]],
  ["deploy --to deploy/caller", []],
  ["deploy --from deploy/caller", ["deployment/web"]],
  ["sts --from deploy/caller", ["statefulset/db"]],
  [
    "svc --from deploy/caller",
    ["service/agent", "service/db", "service/lone", "service/solo", "service/task", "service/web"],
  ],
  ["deploy -n plain --from deploy/caller --from-namespace shop", ["deployment/plain"]],
  ["deploy --from deploy/web", []],
  ["ns --from deploy/caller --from-namespace shop", ["namespace/plain", "namespace/shop"]],
];

describe("bowline stat", () => {
  test.each(ROWS)("%s", async (line, rows) => {
    // A selector with blanks is one argument.
    const args = line.replace("app in (db,lone)", "app_in").split(" ");
    const found = await stat(...args.map((arg) => (arg === "app_in" ? "app in (db,lone)" : arg)));
    expect(namesOf(found)).toEqual([...rows]);
  });

  test("rates, success and latencies are those of the load", async () => {
    const [web] = await stat("deploy/web", "-t", WINDOW);
    // Readiness probes, once a second, succeed too.
    expect(web).toMatchObject({ namespace: SHOP, meshed: "1/1" });
    expect(web?.success).toBeWithin(0.4, 0.7);
    expect(web?.rps).toBeWithin(5, 24);
    expect(web?.latency_ms_p50).toBeWithin(0, 100);
    expect(web?.latency_ms_p99 ?? -1).toBeGreaterThanOrEqual(web?.latency_ms_p50 ?? 0);
    expect(web?.tcp_open_connections).toBeGreaterThan(0);
    expect(web?.tcp_read_bytes_rate).toBeGreaterThan(100);
    const [service] = await stat("svc/web", "-t", WINDOW);
    expect(service).not.toHaveProperty("meshed");
    expect(service?.success).toBeWithin(0.35, 0.65);
    const [db] = await stat("sts/db", "--from", "deploy/caller", "-t", WINDOW);
    expect(db).toMatchObject({ success: 1 });
    expect(db?.rps).toBeWithin(4, 12);
  });

  test("tables", async () => {
    const table = await cluster.bowline(["stat", "deploy", "-n", SHOP]);
    expect(table.split("\n")[0]).toMatch(
      /^NAME {5}MESHED {3}SUCCESS {3} *RPS {3}LATENCY_P50 {3}LATENCY_P95 {3}LATENCY_P99 {3}TCP_CONN$/,
    );
    expect(table).toMatch(/^web +1\/1 +\d\d\.\d\d% +\d+\.\drps( +\d+ms){3} +\d+$/m);
    const wide = await cluster.bowline(["stat", "svc/web", "-n", SHOP, "-o", "wide"]);
    expect(wide).toMatch(/TCP_CONN {3}READ_BYTES\/SEC {3}WRITE_BYTES\/SEC\nweb +- .*\d+\.\dB\/s +\d+\.\dB\/s\n$/);
    const pods = await cluster.bowline(["stat", "po", "-n", SHOP]);
    expect(pods).toMatch(/^NAME +STATUS +MESHED/);
    expect(pods).toMatch(/^lone +Running +1\/1 /m);
    const all = await cluster.bowline(["stat", "all", "-A"]);
    expect(all).toMatch(/^NAMESPACE +NAME +MESHED/);
    expect(all).toMatch(/^linkerd +deploy\/linkerd-destination +1\/1 /m);
    expect(all.split("\n\n").map((one) => /(\w+)\/\S/.exec(one)?.[1])).toEqual([
      "ds",
      "sts",
      "job",
      "deploy",
      "po",
      "svc",
      "rs",
    ]);
  });

  test.each([
    ["deploy -t 5s", /^Error: a time window is 15s to 10m, not 5s\n$/],
    ["deploy -t 1h", /^Error: a time window is 15s to 10m, not 3600s\n$/],
    ["deploy --to deploy/web --from deploy/web", /^Error: traffic is either to or from a resource/],
    ["deploy --from svc/web", /^Error: a service sends nothing/],
    ["svc/web --to deploy/web", /^Error: a service sends nothing/],
    ["deploy -l ===", /^Error: /],
    ["deploy -L nowhere", /^Error: there is no metrics service in namespace nowhere/],
  ])("%s is refused", async (line, err) => {
    const result = await cluster.tryBowline(["stat", ...line.split(" "), "-n", SHOP]);
    expect(result).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(err) });
  });

  test("nothing to show is said on stderr, and is an empty list as JSON", async () => {
    const args = ["stat", "rc", "-n", SHOP];
    expect(await cluster.tryBowline(args)).toMatchObject({ code: 0, stdout: "", stderr: "No traffic found.\n" });
    expect(await cluster.tryBowline([...args, "-o", "json"])).toMatchObject({ code: 0, stdout: "[]\n", stderr: "" });
  });
});

test("a Prometheus that scrapes the proxies gives the same numbers", async () => {
  const queries: readonly string[][] = [
    ["deploy/web"],
    ["sts"],
    ["ds"],
    ["job"],
    ["rs"],
    ["po"],
    ["svc"],
    ["ns", "-A"],
    ["deploy", "--to", "svc/db"],
    ["sts", "--from", "deploy/caller"],
  ];
  const direct = await Promise.all(queries.map((args) => stat(...args, "-t", WINDOW)));
  await cluster.apply(await prometheusManifests());
  await cluster.apply(await cluster.bowline(["upgrade", "--set", "prometheusUrl=http://prometheus.monitoring:9090"]));
  await Promise.all([
    rolledOut(cluster, "monitoring", "deploy/prometheus"),
    cluster.run("rollout status deploy/metrics-api -n linkerd --timeout=30s"),
  ]);
  expect(await cluster.run("get deploy metrics-api -n linkerd -o jsonpath={..args}")).toContain(
    "--prometheus-url=http",
  );
  // Its rates are right once a whole window has been scraped.
  let different = ["nothing was asked yet"];
  const isSame = async (): Promise<boolean> => {
    const scraped = await Promise.all(queries.map((args) => stat(...args, "-t", WINDOW).catch(() => [])));
    different = queries.flatMap((args, index) => differences(args, direct[index] ?? [], scraped[index] ?? []));
    return different.length === 0;
  };
  await waitFor(isSame, { what: "the same numbers", timeoutMs: 40_000, intervalMs: 1_000 }).catch(() => undefined);
  expect(different).toEqual([]);
}, 120_000);

/** Where two sources disagree about the same steady load. */
function differences(args: readonly string[], direct: readonly Row[], scraped: readonly Row[]): string[] {
  // Their own pods are others by now.
  const known = (rows: readonly Row[]): readonly Row[] =>
    rows.filter(({ namespace: space, name }) => space === SHOP || ["linkerd", "plain"].includes(name));
  const describeRow = (row: Row | undefined): string => `${args.join(" ")}: ${JSON.stringify(row)}`;
  const missing = known(scraped).filter(({ name }) => !direct.some((row) => row.name === name));
  const unlike = known(direct).flatMap((row) => {
    const other = scraped.find(({ name }) => name === row.name);
    if (other === undefined) return [`${describeRow(row)} but nothing`];
    // What the control plane and the caller receive is no steady load.
    const isSteady = row.namespace !== "linkerd" && (!row.name.startsWith("caller") || args.includes("--to"));
    const isAlike = isSteady ? areAlike(row, other) : row.meshed === other.meshed;
    return isAlike ? [] : [`${describeRow(row)} but ${describeRow(other)}`];
  });
  return [...missing.map((row) => `nothing but ${describeRow(row)}`), ...unlike];
}

function areAlike(one: Row, other: Row): boolean {
  const rates = (one.rps ?? 0) > 0 ? (other.rps ?? 0) / (one.rps ?? 1) : 1;
  return (
    one.meshed === other.meshed &&
    one.status === other.status &&
    Math.abs((one.success ?? 0) - (other.success ?? 0)) < 0.15 &&
    rates > 0.5 &&
    rates < 2 &&
    Math.abs((one.tcp_open_connections ?? -1) - (other.tcp_open_connections ?? -1)) < 4 &&
    (one.tcp_read_bytes_rate ?? 0) > 0 === (other.tcp_read_bytes_rate ?? 0) > 0
  );
}

interface Manifest {
  readonly kind: string;
  data?: Record<string, string>;
}

/**
 * The example's, but for how pods are found: Debian's Prometheus is built without Kubernetes service discovery, so it gets what that
 * would tell from a file. The relabelling is the example's.
 */
async function prometheusManifests(): Promise<readonly unknown[]> {
  const manifests = Bun.YAML.parse(readFileSync(PROMETHEUS, "utf8")) as Manifest[];
  const config = manifests.find(({ kind }) => kind === "ConfigMap");
  const discovery = "kubernetes_sd_configs:\n      - role: pod\n";
  const text = config?.data?.["prometheus.yml"] ?? "";
  expect(text).toContain(discovery);
  if (config !== undefined) {
    config.data = {
      "prometheus.yml": text.replace(discovery, "file_sd_configs:\n      - files: [/etc/prometheus/pods.json]\n"),
      "pods.json": JSON.stringify(await discoveredPods()),
    };
  }
  return manifests;
}

interface FoundPod {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Record<string, string> };
  readonly spec: Readonly<Record<"containers" | "initContainers", readonly Container[] | undefined>>;
  readonly status: { readonly podIP: string; readonly phase: string };
}
interface Container {
  readonly name: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}

/** What `role: pod` makes of each port of each container, as the Prometheus documentation has it. */
async function discoveredPods(): Promise<unknown[]> {
  const { items } = JSON.parse(await cluster.run("get pods -A -o json")) as { items: FoundPod[] };
  return items.flatMap(({ metadata, spec, status }) =>
    [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(({ name, ports = [] }) =>
      ports.map((port) => ({
        targets: [`${status.podIP}:${port.containerPort}`],
        labels: {
          __meta_kubernetes_namespace: metadata.namespace,
          __meta_kubernetes_pod_name: metadata.name,
          __meta_kubernetes_pod_phase: status.phase,
          __meta_kubernetes_pod_container_name: name,
          __meta_kubernetes_pod_container_port_name: port.name ?? "",
          ...Object.fromEntries(
            Object.entries(metadata.labels ?? {}).map(([key, value]) => [
              `__meta_kubernetes_pod_label_${key.replaceAll(/\W/g, "_")}`,
              value,
            ]),
          ),
        },
      })),
    ),
  );
}
