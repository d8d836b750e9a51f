import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type RunningProcess, rejectionOf, spawnProcess, waitFor } from "@bowline/testkit";
import type { Selection } from "../query/selection.ts";
import { MetricsStore } from "../scrape/metrics-store.ts";
import { PrometheusQueries, selectorOf } from "./prometheus-queries.ts";

const WINDOW_MS = 15_000;
const INBOUND: Selection = { match: [{ label: "direction", is: "inbound" }], groupBy: ["namespace", "deployment"] };

let dir: string;
let proxy: ReturnType<typeof Bun.serve>;
let prometheus: RunningProcess;
let queries: PrometheusQueries;
let store: MetricsStore;
/** Requests that the pretended proxy has counted: 20 a second, every fourth a failure, all of them 10 to 20 ms. */
const startedMs = performance.now();
const requests = (): number => Math.floor((performance.now() - startedMs) / 50);

function page(): string {
  const count = requests();
  return [
    "# TYPE response_total counter",
    `response_total{direction="inbound",classification="success"} ${count - Math.floor(count / 4)}`,
    `response_total{direction="inbound",classification="failure"} ${Math.floor(count / 4)}`,
    "# TYPE response_latency_ms histogram",
    'response_latency_ms_bucket{direction="inbound",le="10"} 0',
    `response_latency_ms_bucket{direction="inbound",le="20"} ${count}`,
    `response_latency_ms_bucket{direction="inbound",le="+Inf"} ${count}`,
    `response_latency_ms_sum{direction="inbound"} ${count * 15}`,
    `response_latency_ms_count{direction="inbound"} ${count}`,
    "# TYPE tcp_open_connections gauge",
    'tcp_open_connections{direction="inbound",peer="src"} 7',
    "# TYPE tcp_read_bytes_total counter",
    `tcp_read_bytes_total{direction="inbound",peer="src"} ${count * 100}`,
    "# TYPE tcp_write_bytes_total counter",
    `tcp_write_bytes_total{direction="inbound",peer="src"} ${count * 200}`,
    "",
  ].join("\n");
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "bowline-prometheus-"));
  proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response(page(), { headers: { "content-type": "text/plain" } }),
  });
  const labels = { namespace: "emojivoto", deployment: "web", pod: "web-1" };
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    scrape_configs: [{ job_name: "linkerd-proxy", static_configs: [{ targets: [`127.0.0.1:${proxy.port}`], labels }] }],
  };
  // JSON is YAML.
  writeFileSync(join(dir, "prometheus.yml"), JSON.stringify(config));
  const port = await freePort();
  prometheus = spawnProcess([
    "prometheus",
    `--config.file=${join(dir, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(dir, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  queries = new PrometheusQueries(`http://127.0.0.1:${port}/`);
  store = new MetricsStore({ now: () => Date.now(), staleMs: 10_000 });
  const scraped = async (): Promise<boolean> => {
    store.add("web-1", labels, page());
    return ((await queries.responses(INBOUND, WINDOW_MS))[0]?.value.success ?? 0) > 20;
  };
  await waitFor(scraped, {
    what: "Prometheus to have scraped the proxy a few times",
    timeoutMs: 30_000,
    intervalMs: 500,
  });
}, 40_000);

afterAll(async () => {
  await prometheus.stop();
  await proxy.stop(true);
  rmSync(dir, { recursive: true });
});

test("Prometheus and the scraping store give the same golden metrics", async () => {
  for (const source of [queries, store]) {
    const [responses] = await source.responses(INBOUND, WINDOW_MS);
    expect(responses?.group).toEqual({ namespace: "emojivoto", deployment: "web" });
    const { success = 0, failure = 0 } = responses?.value ?? {};
    expect(success / (success + failure)).toBeCloseTo(0.75, 1);
    const [latencies] = await source.latencies(INBOUND, WINDOW_MS);
    expect(latencies?.value.p50).toBeCloseTo(15);
    expect(latencies?.value.p99).toBeCloseTo(19.9);
    expect(await source.connections(INBOUND)).toEqual([
      { group: { namespace: "emojivoto", deployment: "web" }, value: 7 },
    ]);
    const [bytes] = await source.bytes(INBOUND, WINDOW_MS);
    expect(bytes?.value.read).toBeGreaterThan(0);
    expect((bytes?.value.written ?? 0) / (bytes?.value.read ?? 0)).toBeCloseTo(2, 1);
  }
});

test("the store counts as many requests and bytes a second as there are, from a few seconds on", async () => {
  const [responses] = await store.responses(INBOUND, WINDOW_MS);
  const { success = 0, failure = 0, seconds = 0 } = responses?.value ?? {};
  expect((success + failure) / seconds).toBeWithin(16, 24);
  const [bytes] = await store.bytes(INBOUND, WINDOW_MS);
  expect(bytes?.value.read).toBeWithin(1600, 2400);
});

test("what matches nothing is empty", async () => {
  const selection: Selection = { match: [{ label: "deployment", is: 'no"ne' }], groupBy: ["deployment"] };
  expect(await queries.responses(selection, WINDOW_MS)).toEqual([]);
  expect(await queries.latencies(selection, WINDOW_MS)).toEqual([]);
});

test("values of labels are quoted", () => {
  const selection: Selection = {
    match: [
      { label: "a", is: 'x"\\y' },
      { label: "b", present: true },
    ],
    groupBy: [],
  };
  expect(selectorOf(selection)).toBe('{a="x\\"\\\\y", b!=""}');
});

test("a Prometheus that does not answer is named", async () => {
  const nobody = new PrometheusQueries(`http://127.0.0.1:${await freePort()}`);
  expect((await rejectionOf(nobody.connections(INBOUND))).message).toMatch(/^Prometheus at http:\S+ did not answer: /);
  const other = new PrometheusQueries(`http://127.0.0.1:${proxy.port}/nothing`);
  expect((await rejectionOf(other.connections(INBOUND))).message).toMatch(/JSON/);
});
