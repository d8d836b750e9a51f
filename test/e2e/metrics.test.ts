import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { runCommand, type TcpPeer, waitFor } from "@bowline/testkit";
import { askAdmin, Mesh, metricsPage, type RunningProxy, sumOf } from "./mesh.ts";

type Labels = Readonly<Record<string, string | number | null>>;

let mesh: Mesh;
/** Both proxies of a connection, as the metrics of each name their side. */
let sides: readonly (readonly [direction: "inbound" | "outbound", proxy: RunningProxy])[];

beforeAll(async () => {
  mesh = await Mesh.start();
  sides = [
    ["outbound", mesh.outbound],
    ["inbound", mesh.inbound],
  ];
}, 30_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

/** One page read with many questions. */
async function counters(proxy: RunningProxy, common: Labels): Promise<(name: string, labels?: Labels) => number> {
  const page = await metricsPage(proxy);
  return (name, labels = {}) => sumOf(page, name, { ...common, ...labels });
}

/** Waits until the proxies have noticed that the connections to `port` are over. */
async function untilClosed(port: number): Promise<void> {
  for (const [direction, proxy] of sides) {
    const labels = { direction, target_port: port, peer: "src" };
    const ended = async (): Promise<boolean> => {
      const count = await counters(proxy, labels);
      return count("tcp_open_total") > 0 && count("tcp_open_connections") === 0;
    };
    await waitFor(ended, { what: `the ${direction} connections to port ${port} to end` });
  }
}

test("requests, responses and bytes are counted exactly, on both sides of both proxies", async () => {
  using app = mesh.app("two proxies");
  const client = await mesh.connect(app);
  const plan = [200, 200, 404, 500, 200, 204, 503, 200];
  let clientSent = 0;
  let clientGot = 0;
  let appGot = 0;
  let appSent = 0;
  let server: TcpPeer | null = null;
  for (const status of plan) {
    const request = `POST /${status} HTTP/1.1\r\nHost: a\r\nX-Gone: 1\r\nConnection: x-gone\r\nContent-Length: 3\r\n\r\nabc`;
    client.send(request);
    clientSent += request.length;
    server ??= await app.next();
    appGot += (await server.takeUntil("abc")).length;
    const body = status === 204 ? "" : "Content-Length: 7\r\n\r\nresults";
    const response = `HTTP/1.1 ${status} X\r\nKeep-Alive: 1\r\n${body === "" ? "\r\n" : body}`;
    server.send(response);
    appSent += response.length;
    clientGot += (await client.takeUntil(status === 204 ? "\r\n\r\n" : "results")).length;
  }
  client.finish();
  await client.untilEnded();
  await untilClosed(app.port);
  expect(appGot).toBeLessThan(clientSent);

  for (const [direction, proxy] of sides) {
    const count = await counters(proxy, { direction, target_port: app.port });
    expect(count("request_total")).toBe(8);
    expect(count("response_total")).toBe(8);
    for (const [status, times, classification] of [
      [200, 4, "success"],
      [204, 1, "success"],
      [404, 1, "success"],
      [500, 1, "failure"],
      [503, 1, "failure"],
    ] as const) {
      const labels = { status_code: status, classification, grpc_status: "", error: "" };
      expect(count("response_total", labels)).toBe(times);
      expect(count("response_latency_ms_count", { status_code: status })).toBe(times);
      expect(count("response_latency_ms_bucket", { status_code: status, le: "+Inf" })).toBe(times);
    }
    const opened = count("tcp_open_total", { peer: "src" });
    expect(opened).toBe(1);
    expect(count("tcp_close_total", { peer: "src", errno: "" })).toBe(1);
  }

  const outbound = await counters(mesh.outbound, { direction: "outbound", target_port: app.port });
  expect(outbound("tcp_read_bytes_total", { peer: "src" })).toBe(clientSent);
  expect(outbound("tcp_write_bytes_total", { peer: "src" })).toBe(clientGot);
  expect(outbound("tcp_write_bytes_total", { peer: "dst" })).toBe(appGot);
  expect(outbound("tcp_read_bytes_total", { peer: "dst" })).toBe(clientGot);
  const inbound = await counters(mesh.inbound, { direction: "inbound", target_port: app.port });
  expect(inbound("tcp_read_bytes_total", { peer: "src" })).toBe(appGot);
  expect(inbound("tcp_write_bytes_total", { peer: "src" })).toBe(clientGot);
  // The inbound connections to apps are counted together: they never leave the pod.
  const within = await counters(mesh.inbound, { direction: "inbound", peer: "dst" });
  expect(within("tcp_write_bytes_total")).toBe(appGot);
  expect(within("tcp_read_bytes_total")).toBe(appSent);
});

test("opaque bytes are counted exactly, spliced ones too", async () => {
  using app = mesh.app("two proxies");
  const client = await mesh.connect(app);
  const up = new Uint8Array(5_000_001).fill(1);
  const down = new Uint8Array(3_000_003).fill(2);
  client.send(up);
  const server = await app.next();
  server.send(down);
  await server.takeBytes(up.length);
  await client.takeBytes(down.length);
  client.finish();
  server.finish();
  await Promise.all([client.untilEnded(), server.untilEnded()]);
  await untilClosed(app.port);
  for (const [direction, proxy] of sides) {
    const count = await counters(proxy, { direction, target_port: app.port });
    expect(count("tcp_read_bytes_total", { peer: "src" })).toBe(up.length);
    expect(count("tcp_write_bytes_total", { peer: "src" })).toBe(down.length);
    expect(count("tcp_close_total", { peer: "src", errno: "" })).toBe(1);
    expect(count("request_total")).toBe(0);
  }
  const outbound = await counters(mesh.outbound, { direction: "outbound", target_port: app.port, peer: "dst" });
  expect(outbound("tcp_write_bytes_total")).toBe(up.length);
  expect(outbound("tcp_read_bytes_total")).toBe(down.length);
  expect(outbound("tcp_open_total")).toBe(1);
  expect(outbound("tcp_close_total", { errno: "" })).toBe(1);
});

test("open connections are open in the metrics, and closed ones say how they ended", async () => {
  using app = mesh.app("two proxies");
  const clients: TcpPeer[] = [];
  for (let i = 0; i < 3; i++) {
    const client = await mesh.connect(app);
    client.send("\x00");
    await (await app.next()).takeBytes(1);
    clients.push(client);
  }
  for (const [direction, proxy] of sides) {
    const count = await counters(proxy, { direction, peer: "src", target_port: app.port });
    expect(count("tcp_open_connections")).toBe(3);
    expect(count("tcp_close_total")).toBe(0);
  }
  for (const client of clients.slice(1)) client.reset();
  for (const server of app.accepted.slice(1)) expect(await server.untilEnded()).toBe("reset");
  for (const [direction, proxy] of sides) {
    const labels = { direction, peer: "src", target_port: app.port };
    await waitFor(async () => (await counters(proxy, labels))("tcp_open_connections") === 1, {
      what: "one to be left",
    });
    expect((await counters(proxy, labels))("tcp_close_total", { errno: "ECONNRESET" })).toBe(2);
  }
});

test("a request without a response is a failure without a status", async () => {
  const port = mesh.port("outbound");
  const client = await mesh.connect({ port });
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  expect(await client.takeAll()).toStartWith("HTTP/1.1 502 ");
  const count = await counters(mesh.outbound, { direction: "outbound", target_port: port });
  expect(count("request_total")).toBe(1);
  const labels = { status_code: null, classification: "failure", error: "unclassified" };
  expect(count("response_total", labels)).toBe(1);
  expect(count("response_total")).toBe(1);
});

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS = "\x00\x00\x00\x04\x00\x00\x00\x00\x00";
/** On stream 1, which it ends: GET http://a/. */
const GET_HEADERS = "\x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x86\x84\x41\x01a";

test("detection says what it found", async () => {
  const before = await counters(mesh.outbound, {});
  const firsts = [
    ["http/1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["http/2", `${PREFACE}${SETTINGS}${GET_HEADERS}`, PREFACE],
    ["opaq", "\x00", "\x00"],
  ] as const;
  using app = mesh.app("outbound");
  for (const [, bytes, arriving] of firsts) {
    const client = await mesh.connect(app);
    client.send(bytes);
    expect(await (await app.next()).takeBytes(arriving.length)).toStartWith(arriving);
    client.close();
  }
  const after = await counters(mesh.outbound, {});
  const grown = (name: string, labels: Labels = {}): number => after(name, labels) - before(name, labels);
  for (const [protocol] of firsts) expect(grown("outbound_tcp_protocol_connections_total", { protocol })).toBe(1);
  for (const result of ["http/1", "http/2", "not_http"]) {
    expect(grown("outbound_tcp_detect_http_results_total", { result })).toBe(1);
  }
  expect(grown("outbound_tcp_detect_http_duration_seconds_count")).toBe(3);
});

describe("the page", () => {
  test("promtool can read it and has no complaint, and no label is empty between commas", async () => {
    for (const [, proxy] of sides) {
      const page = await metricsPage(proxy);
      expect(page).not.toContain(",,");
      expect(page).not.toContain("{,");
      expect(page).not.toContain(",}");
      expect(page.trimEnd()).toEndWith("# EOF");
      const { stdout, stderr } = await runCommand(["promtool", "check", "metrics"], { input: page });
      // A matter of taste, and Linkerd's name; what cannot be parsed is said in other words.
      const remarks = `${stdout}${stderr}`.replace(
        "response_latency_ms metric names should not contain abbreviated units\n",
        "",
      );
      expect(remarks).toBe("");
    }
  }, 20_000);

  test("it says since when the process runs, and what it is", async () => {
    const count = await counters(mesh.inbound, {});
    const start = count("process_start_time_seconds");
    expect(Math.abs(Date.now() / 1000 - start)).toBeLessThan(600);
    expect(count("proxy_build_info")).toBe(1);
    expect(count("process_open_fds")).toBeGreaterThan(10);
  });

  test("gzip, for those who take it", async () => {
    const answer = await askAdmin(mesh.inbound, "GET", "/metrics", "accept-encoding: deflate, gzip\r\n");
    expect(answer.toLowerCase()).toContain("\r\ncontent-encoding: gzip\r\n");
    const body = Buffer.from(answer.slice(answer.indexOf("\r\n\r\n") + 4), "latin1");
    expect(gunzipSync(body).toString()).toContain("process_start_time_seconds ");
  });

  test("env.json shows the environment, or the variables asked for", async () => {
    const all = bodyOf(await askAdmin(mesh.inbound, "GET", "/env.json"));
    expect(JSON.parse(all)).toMatchObject({ LINKERD2_PROXY_POD_NAMESPACE: "test" });
    const some = bodyOf(await askAdmin(mesh.inbound, "GET", "/env.json?LINKERD2_PROXY_POD_NAMESPACE&NOT_SET"));
    expect(JSON.parse(some)).toEqual({ LINKERD2_PROXY_POD_NAMESPACE: "test", NOT_SET: null });
  });

  test("a scrape from another pod works: the admin port is not redirected", async () => {
    const url = `http://${mesh.server.v4}:4191/ready`;
    expect(await mesh.client.namespace.run(["curl", "-sS", "--max-time", "5", url])).toBe("ready\n");
  });
});

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}
