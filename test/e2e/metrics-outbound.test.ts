import { afterAll, beforeAll, expect, test } from "bun:test";
import { connectTcp, runCommand, TcpServer, waitFor } from "@bowline/testkit";
import { balancer, duration, endpoint, httpRoute, profile, servicePolicy } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, type Service } from "./discovery-world.ts";
import { metricsPage, sumOf } from "./mesh.ts";

type Labels = Readonly<Record<string, string | number | null>>;

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start({ LINKERD2_PROXY_OUTBOUND_METRICS_HOSTNAME_LABELS: "true" });
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

function resource(prefix: string, { path }: Service): Labels {
  const [name = "", namespace = ""] = path.split(".");
  return {
    [`${prefix}_group`]: "core",
    [`${prefix}_kind`]: "Service",
    [`${prefix}_namespace`]: namespace,
    [`${prefix}_name`]: name,
    [`${prefix}_port`]: path.replace(/.*:/, ""),
  };
}

test.each(["HTTP/1", "HTTP/2"] as const)("%s through a route: its numbers and its backend's add up", async (manner) => {
  const app = await world.app(manner);
  app.respond = ({ path }) => ({ status: Number(path.slice(1)), body: "r".repeat(500) });
  const service = world.service();
  service.destination.add(endpoint(app.address, { metricLabels: { zone_locality: "local" } }));
  using caller = await world.caller(manner, service.vip);
  const hosts = ["a.test", "a.test", "b.test", "10.0.0.1"];
  for (const [at, authority] of hosts.entries()) {
    await caller.call({ method: "POST", path: at === 0 ? "/503" : "/200", authority, body: "q".repeat(200) });
  }
  const page = await metricsPage(world.proxy);
  const parent = resource("parent", service);
  const route = { ...parent, route_kind: "default", route_name: "http" };
  const backend = { ...route, ...resource("backend", service), hostname: null };
  const count = (name: string, labels: Labels): number => sumOf(page, `outbound_http_route_${name}`, labels);
  expect(count("request_statuses_total", { ...route, http_status: 200, error: "" })).toBe(3);
  expect(count("request_statuses_total", { ...route, http_status: 503, error: "" })).toBe(1);
  for (const [hostname, want] of [
    ["a.test", 2],
    ["b.test", 1],
    // An address is no name.
    ["", 1],
  ] as const) {
    expect(count("request_statuses_total", { ...route, hostname })).toBe(want);
    expect(count("request_duration_seconds_count", { ...route, hostname })).toBe(want);
  }
  expect(count("request_frame_size_bytes_sum", route)).toBe(800);
  expect(count("backend_requests_total", backend)).toBe(4);
  expect(count("backend_response_statuses_total", backend)).toBe(4);
  expect(count("backend_response_duration_seconds_count", backend)).toBe(4);
  expect(count("backend_response_frame_size_bytes_sum", backend)).toBe(2000);
  const protocol = manner === "HTTP/1" ? "http/1" : "http/2";
  expect(sumOf(page, "outbound_tcp_protocol_connections_total", { ...parent, protocol })).toBe(1);
  expect(sumOf(page, "outbound_tcp_detect_http_results_total", { ...parent, result: protocol })).toBe(1);
  expect(sumOf(page, "outbound_http_balancer_queue_requests_total", parent)).toBe(4);
  expect(sumOf(page, "outbound_http_balancer_queue_gate_timeout_seconds", parent)).toBe(3);
  const openedSeconds = sumOf(page, "outbound_http_balancer_queue_gate_open_time_seconds", parent);
  expect(Math.abs(Date.now() / 1000 - openedSeconds)).toBeLessThan(600);
  expect(sumOf(page, "outbound_tcp_balancer_queue_requests_total", parent)).toBe(0);
  // So many bytes at least were bodies, and none went to another zone.
  const costs = (labels: Labels): number => sumOf(page, "outbound_tcp_transfer_cost_bytes_total", labels);
  expect(costs({ op: "Send", zone_locality: "Local" })).toBeGreaterThan(800);
  expect(costs({ op: "Recv", zone_locality: "Local" })).toBeGreaterThan(2000);
  expect(costs({ zone_locality: "Remote" })).toBe(0);
});

test("a connection of bytes has a route and a balancer of its own", async () => {
  const address = world.address();
  const port = Number(address.replace(/.*:/, ""));
  using app = TcpServer.listen(world.server.namespace, world.server.v4, port);
  const service = world.service();
  service.destination.add(endpoint(address, { metricLabels: { zone_locality: "remote" } }));
  const [vip = "", vipPort = ""] = service.vip.split(":");
  const client = await connectTcp(world.client.namespace, vip, Number(vipPort));
  client.send("\x00hello");
  const server = await app.next();
  expect(await server.takeBytes(6)).toBe("\x00hello");
  server.send("bye");
  server.finish();
  client.finish();
  await client.untilEnded();

  const parent = resource("parent", service);
  const route = { ...parent, route_kind: "default", route_name: "opaque", target_ip: vip, target_port: vipPort };
  const closed = async (): Promise<boolean> =>
    sumOf(await metricsPage(world.proxy), "outbound_tcp_route_close_total", { ...route, error: "" }) === 1;
  await waitFor(closed, { what: "the connection to be counted as over" });
  const page = await metricsPage(world.proxy);
  expect(sumOf(page, "outbound_tcp_route_open_total", route)).toBe(1);
  const balancer = {
    ...parent,
    ...resource("backend", service),
    logical: service.vip,
    concrete: service.path,
  };
  expect(sumOf(page, "outbound_tcp_balancer_queue_requests_total", balancer)).toBe(1);
  expect(sumOf(page, "outbound_tcp_balancer_endpoints", balancer)).toBe(1);
  expect(sumOf(page, "outbound_http_balancer_queue_requests_total", parent)).toBe(0);
  expect(sumOf(page, "outbound_tcp_protocol_connections_total", { ...parent, protocol: "opaq" })).toBe(1);
  const costs = (op: string): number =>
    sumOf(page, "outbound_tcp_transfer_cost_bytes_total", { op, zone_locality: "Remote" });
  expect([costs("Send"), costs("Recv")]).toEqual([6, 3]);
});

test("a connection that finds nobody is closed as unexpected", async () => {
  const service = world.service({ failfastMs: 100 });
  service.destination.noEndpoints(true);
  const [vip = "", vipPort = ""] = service.vip.split(":");
  const client = await connectTcp(world.client.namespace, vip, Number(vipPort));
  client.send("\x00");
  expect(await client.untilEnded()).toBe("reset");
  const parent = resource("parent", service);
  const closed = async (): Promise<number> =>
    sumOf(await metricsPage(world.proxy), "outbound_tcp_route_close_total", { ...parent, error: "unexpected" });
  await waitFor(async () => (await closed()) === 1, { what: "the connection to be counted as over" });
  const page = await metricsPage(world.proxy);
  expect(sumOf(page, "outbound_tcp_balancer_queue_gate_shut_total", parent)).toBe(1);
  expect(sumOf(page, "outbound_tcp_balancer_queue_gate_open_time_seconds", parent)).toBe(0);
  expect(sumOf(page, "outbound_tcp_balancer_queue_gate_shut_time_seconds", parent)).toBeGreaterThan(0);
});

const TIMEOUTS: readonly {
  readonly label: string;
  readonly rule: Parameters<typeof httpRoute>[1];
  /** The response's head comes, and its end does not. */
  readonly begun: boolean;
}[] = [
  { label: "REQUEST_TIMEOUT", rule: { timeouts: { request: duration(100) } }, begun: false },
  { label: "RESPONSE_STREAM_TIMEOUT", rule: { timeouts: { response: duration(100) } }, begun: true },
  { label: "IDLE_TIMEOUT", rule: { timeouts: { idle: duration(100) } }, begun: true },
];

test.each(TIMEOUTS)("a request that takes too long is $label", async ({ label, rule, begun }) => {
  const address = world.address();
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
  using _app = TcpServer.listen(
    world.server.namespace,
    world.server.v4,
    Number(address.replace(/.*:/, "")),
    begun ? (peer) => peer.send(head) : undefined,
  );
  const service = world.unknownService();
  service.policy.send(servicePolicy(service.path, { routes: [httpRoute(balancer(service.path), rule)] }));
  service.profile.send(profile({ fullyQualifiedName: service.path.replace(/:.*/, "") }));
  service.destination.add(endpoint(address));
  using caller = await world.caller("HTTP/1", service.vip);
  const status = await caller.call().then(
    (answer) => answer.status,
    () => 200,
  );
  expect(status).toBe(begun ? 200 : 504);
  const page = await metricsPage(world.proxy);
  const labels = { ...resource("parent", service), http_status: begun ? 200 : "", error: label };
  const statuses = (of: string, more: Labels = {}): number => sumOf(page, `outbound_http_route_${of}`, more);
  expect(statuses("request_statuses_total", labels)).toBe(1);
  expect(statuses("backend_requests_total", resource("parent", service))).toBe(1);
  expect(statuses("backend_response_statuses_total", labels)).toBe(1);
  expect(statuses("backend_response_duration_seconds_count", resource("parent", service))).toBe(1);
});

test("a try that takes too long is followed by another, and counted", async () => {
  const address = world.address();
  using _app = TcpServer.listen(world.server.namespace, world.server.v4, Number(address.replace(/.*:/, "")));
  const service = world.unknownService();
  const rule = {
    timeouts: { request: duration(300) },
    retry: { maxRetries: 1, conditions: {}, timeout: duration(100) },
  };
  service.policy.send(servicePolicy(service.path, { routes: [httpRoute(balancer(service.path), rule)] }));
  service.profile.send(profile({ fullyQualifiedName: service.path.replace(/:.*/, "") }));
  service.destination.add(endpoint(address));
  using caller = await world.caller("HTTP/1", service.vip);
  expect((await caller.call()).status).toBe(504);
  const page = await metricsPage(world.proxy);
  const parent = resource("parent", service);
  const count = (name: string, labels: Labels = {}): number =>
    sumOf(page, `outbound_http_route_${name}`, { ...parent, ...labels });
  expect(count("request_statuses_total")).toBe(1);
  expect(count("request_statuses_total", { http_status: "", error: "REQUEST_TIMEOUT" })).toBe(1);
  expect(count("retry_requests_total")).toBe(1);
  expect(count("backend_requests_total")).toBe(2);
  expect(count("backend_response_statuses_total")).toBe(2);
  expect(count("backend_response_statuses_total", { error: "RESPONSE_HEADERS_TIMEOUT" })).toBe(1);
  expect(count("backend_response_statuses_total", { error: "REQUEST_TIMEOUT" })).toBe(1);
});

test("requests that find nobody say so", async () => {
  const service = world.service({ failfastMs: 100 });
  service.destination.noEndpoints(true);
  using caller = await world.caller("HTTP/2", service.vip);
  expect((await caller.call()).status).toBe(504);
  const labels = { ...resource("parent", service), http_status: "", error: "FAIL_FAST" };
  const page = await metricsPage(world.proxy);
  expect(sumOf(page, "outbound_http_route_request_statuses_total", labels)).toBe(1);
  expect(sumOf(page, "outbound_http_route_backend_response_statuses_total", labels)).toBe(1);
});

test("promtool can read the page with all of that, classic families come first, and no label is missing", async () => {
  const page = await metricsPage(world.proxy);
  expect(page).not.toMatch(/,,|\{,|,\}/);
  const styles = [...page.matchAll(/^# HELP (\S+) /gm)].map(([, name = ""]) => name);
  const firstNew = styles.findIndex((name) => name.startsWith("outbound_tcp_detect"));
  const lastClassic = styles.lastIndexOf("control_response_latency_ms");
  expect(lastClassic).toBeGreaterThan(0);
  expect(firstNew).toBeGreaterThan(lastClassic);
  const { stdout, stderr } = await runCommand(["promtool", "check", "metrics"], { input: page });
  const remarks = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
  expect(remarks.filter((line) => !line.endsWith("_ms metric names should not contain abbreviated units"))).toEqual([]);
}, 20_000);
