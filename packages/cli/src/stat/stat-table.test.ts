import { afterAll, beforeAll, expect, test } from "bun:test";
import { freePort } from "@bowline/testkit";
import type { StatRow } from "@bowline/viz";
import { runCli } from "../inject/testing/run-cli.ts";
import { statTable } from "./stat-table.ts";

const WEB: StatRow = {
  namespace: "emojivoto",
  kind: "deployment",
  name: "web",
  meshed: { meshed: 1, total: 2 },
  requests: { success: 0.91666, rps: 2.04, latencyMs: { p50: 1.4, p95: 19.6, p99: null } },
  tcp: { open: 3, readBytesPerSecond: 123.45, writeBytesPerSecond: 0 },
};
const IDLE: StatRow = { namespace: "emojivoto", kind: "deployment", name: "idle-one", meshed: { meshed: 1, total: 1 } };
const POD: StatRow = { ...IDLE, kind: "pod", name: "web-1", status: "CrashLoopBackOff" };
const SERVICE: StatRow = { namespace: "emojivoto", kind: "service", name: "web-svc" };
const PLAIN = { wide: false, allNamespaces: false, prefix: null };

test("columns stand right but for the first, three spaces apart", () => {
  expect(statTable([WEB, IDLE], PLAIN)).toBe(
    [
      "NAME       MESHED   SUCCESS      RPS   LATENCY_P50   LATENCY_P95   LATENCY_P99   TCP_CONN",
      "web           1/2    91.67%   2.0rps           1ms          20ms             -          3",
      "idle-one      1/1         -        -             -             -             -          -",
      "",
    ].join("\n"),
  );
});

test("wide adds bytes, all namespaces their column, several kinds a prefix", () => {
  expect(statTable([WEB], { wide: true, allNamespaces: true, prefix: "deploy" })).toBe(
    [
      "NAMESPACE   NAME         MESHED   SUCCESS      RPS   LATENCY_P50   LATENCY_P95   LATENCY_P99   TCP_CONN   READ_BYTES/SEC   WRITE_BYTES/SEC",
      "emojivoto   deploy/web      1/2    91.67%   2.0rps           1ms          20ms             -          3         123.5B/s            0.0B/s",
      "",
    ].join("\n"),
  );
});

test("pods have a status, services are not meshed themselves", () => {
  expect(statTable([POD], PLAIN)).toMatch(/^NAME {14}STATUS {3}MESHED .*\nweb-1 {3}CrashLoopBackOff {6}1\/1 /);
  expect(statTable([SERVICE], PLAIN)).toMatch(/^web-svc {8}- /m);
});

let server: ReturnType<typeof Bun.serve>;
let answer: () => Response;
const asked: URL[] = [];

beforeAll(() => {
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      asked.push(new URL(request.url));
      return answer();
    },
  });
});
afterAll(async () => {
  await server.stop(true);
});

function stat(...args: string[]): ReturnType<typeof runCli> {
  return runCli(["--api-addr", `127.0.0.1:${server.port}`, "stat", ...args]);
}

test("--api-addr asks the metrics service itself, without a kubeconfig", async () => {
  answer = () => Response.json({ rows: [WEB, SERVICE] });
  const { exitCode, out, err } = await stat("deploy/web", "svc", "-n", "emojivoto", "-t", "30s", "-l", "a in (b)");
  expect([exitCode, err]).toEqual([0, ""]);
  expect(out.split("\n\n").map((table) => table.split("\n")[1]?.split(" ")[0])).toEqual(["deploy/web", "svc/web-svc"]);
  expect([...(asked.at(-1)?.searchParams ?? [])]).toEqual([
    ["resource", "deployment/web"],
    ["resource", "service"],
    ["namespace", "emojivoto"],
    ["window_ms", "30000"],
    ["selector", "a in (b)"],
  ]);
});

test("JSON has Linkerd's field names, and null where nothing was measured", async () => {
  answer = () => Response.json({ rows: [WEB, SERVICE] });
  const { out } = await stat("deploy", "svc", "-A", "-o", "json");
  expect(JSON.parse(out)).toEqual([
    {
      namespace: "emojivoto",
      kind: "deployment",
      name: "web",
      meshed: "1/2",
      success: 0.91666,
      rps: 2.04,
      latency_ms_p50: 1,
      latency_ms_p95: 20,
      latency_ms_p99: null,
      tcp_open_connections: 3,
      tcp_read_bytes_rate: 123.45,
      tcp_write_bytes_rate: 0,
    },
    expect.objectContaining({ kind: "service", success: null, rps: null, tcp_open_connections: null }),
  ]);
});

test.each([
  ["its own words", () => Response.json({ error: "no such thing" }, { status: 400 }), /^Error: no such thing\n$/],
  ["another's", () => new Response("<html>", { status: 500 }), /^Error: the metrics service answered 500: <html>\n$/],
])("an error is shown in %s", async (_what, respond, err) => {
  answer = respond;
  expect(await stat("deploy", "-n", "x")).toEqual({ exitCode: 1, out: "", err: expect.stringMatching(err) });
});

test("a metrics service that isn't there is named", async () => {
  const port = await freePort();
  const result = await runCli(["stat", "deploy", "-n", "x", "--api-addr", `127.0.0.1:${port}`]);
  expect(result).toEqual({
    exitCode: 1,
    out: "",
    err: expect.stringMatching(new RegExp(`^Error: the metrics service at 127.0.0.1:${port} did not answer: `)),
  });
});
