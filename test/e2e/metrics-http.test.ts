import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type TcpServer, waitFor } from "@bowline/testkit";
import { HttpApp } from "./http-app.ts";
import { type Caller, connectCaller, type Manner } from "./http-caller.ts";
import { Mesh, metricsPage, type RunningProxy, sumOf } from "./mesh.ts";

type Labels = Readonly<Record<string, string | number | null>>;

interface Traffic {
  readonly name: string;
  readonly manner: Manner;
  readonly grpc: boolean;
}

const TRAFFIC: readonly Traffic[] = [
  { name: "HTTP/1", manner: "HTTP/1", grpc: false },
  { name: "HTTP/2", manner: "HTTP/2", grpc: false },
  { name: "gRPC", manner: "HTTP/2", grpc: true },
];

/** Statuses of responses, of gRPC for gRPC, with the bytes of their requests and theirs. */
const PLAN: readonly { readonly status: number; readonly sent: number; readonly got: number }[] = [
  { status: 0, sent: 0, got: 7 },
  { status: 0, sent: 100, got: 2000 },
  { status: 0, sent: 3000, got: 7 },
  { status: 5, sent: 0, got: 20_000 },
  { status: 13, sent: 300, got: 7 },
  { status: 13, sent: 0, got: 7 },
];

/** What gRPC's statuses above are without it. */
const HTTP_STATUS: Readonly<Record<number, number>> = { 0: 200, 5: 404, 13: 500 };

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS = 1;

let mesh: Mesh;
/** Both proxies of a connection, as the metrics of each name their side. */
let sides: readonly (readonly [direction: "inbound" | "outbound", proxy: RunningProxy])[];

beforeAll(async () => {
  mesh = await Mesh.start({ LINKERD2_PROXY_INBOUND_METRICS_AUTHORITY_LABELS: "unsafe" });
  sides = [
    ["outbound", mesh.outbound],
    ["inbound", mesh.inbound],
  ];
}, 30_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
});

describe.each(TRAFFIC)("$name", ({ manner, grpc }) => {
  const sum = (key: "sent" | "got"): number => PLAN.reduce((total, step) => total + step[key], 0);
  let app: HttpApp;
  let caller: Caller;
  let port: number;

  /** One page read with many questions. */
  const counts = async (proxy: RunningProxy, common: Labels): Promise<(name: string, labels?: Labels) => number> => {
    const page = await metricsPage(proxy);
    return (name, labels = {}) => sumOf(page, name, { ...common, ...labels });
  };

  beforeAll(async () => {
    port = mesh.port("two proxies");
    app = await HttpApp.start(manner === "HTTP/2" ? "HTTP/2" : "HTTP/1", mesh.server.namespace, mesh.server.v4, port);
    app.respond = ({ path }) => {
      const { status, got } = PLAN[Number(path.slice(1))]!;
      const body = "r".repeat(got);
      if (!grpc) return { status: HTTP_STATUS[status]!, body };
      return { headers: { "content-type": "application/grpc" }, trailers: { "grpc-status": String(status) }, body };
    };
    caller = await connectCaller(manner, mesh.client.namespace, app.address);
    for (const [at, { status, sent }] of PLAN.entries()) {
      const headers = grpc ? { "content-type": "application/grpc", te: "trailers" } : {};
      const answer = await caller.call({ method: "POST", path: `/${at}`, headers, body: "q".repeat(sent) });
      expect(grpc ? Number(answer.trailers["grpc-status"]) : answer.status).toBe(grpc ? status : HTTP_STATUS[status]!);
    }
  });

  afterAll(async () => {
    caller?.[Symbol.dispose]();
    await app?.[Symbol.asyncDispose]();
  });

  test("both sides count each request and its response once, by what it was", async () => {
    for (const [direction, proxy] of sides) {
      const count = await counts(proxy, { direction, target_port: port });
      expect(count("request_total")).toBe(PLAN.length);
      expect(count("response_total")).toBe(PLAN.length);
      for (const status of [0, 5, 13]) {
        const labels = {
          status_code: grpc ? 200 : HTTP_STATUS[status]!,
          grpc_status: grpc ? status : "",
          classification: status === 13 ? "failure" : "success",
          error: "",
        };
        expect(count("response_total", labels)).toBe(PLAN.filter((step) => step.status === status).length);
      }
      expect(count("response_latency_ms_count")).toBe(PLAN.length);
    }
  });

  test("the inbound side names the authority, since it was told to", async () => {
    const count = await counts(mesh.inbound, { direction: "inbound", target_port: port });
    expect(count("request_total", { authority: app.address })).toBe(PLAN.length);
    expect(count("request_total", { authority: null })).toBe(0);
  });

  test("the inbound route's numbers add up", async () => {
    const route = {
      parent_group: "",
      parent_kind: "default",
      parent_name: "all-unauthenticated",
      parent_port: port,
      route_group: "",
      route_kind: "default",
      route_name: "default",
    };
    const count = await counts(mesh.inbound, route);
    expect(count("inbound_http_requests_total")).toBe(PLAN.length);
    expect(count("inbound_http_statuses_total")).toBe(PLAN.length);
    for (const [status, want] of grpc
      ? [[200, 6] as const]
      : ([
          [200, 3],
          [404, 1],
          [500, 2],
        ] as const)) {
      expect(count("inbound_http_statuses_total", { status })).toBe(want);
    }
    expect(count("inbound_http_request_duration_seconds_count")).toBe(PLAN.length);
    expect(count("inbound_http_response_duration_seconds_count")).toBe(PLAN.length);
    const whole = count("inbound_http_request_duration_seconds_sum");
    expect(count("inbound_http_response_duration_seconds_sum")).toBeLessThanOrEqual(whole);
    expect(count("inbound_http_request_frame_size_bytes_sum")).toBe(sum("sent"));
    expect(count("inbound_http_response_frame_size_bytes_sum")).toBe(sum("got"));
    // A body is one piece at least, and the small ones are exactly one.
    expect(count("inbound_http_request_frame_size_bytes_count")).toBeGreaterThanOrEqual(3);
    expect(count("inbound_http_response_frame_size_bytes_bucket", { le: "128.0" })).toBeGreaterThanOrEqual(4);
  });

  test("the outbound side counts the bytes to its endpoint as of no known zone", async () => {
    const page = await metricsPage(mesh.outbound);
    const cost = (op: string): number =>
      sumOf(page, "outbound_tcp_transfer_cost_bytes_total", { op, zone_locality: "Unknown" });
    const peers = { direction: "outbound", peer: "dst" };
    expect(cost("Send")).toBe(sumOf(page, "tcp_write_bytes_total", peers));
    expect(cost("Recv")).toBe(sumOf(page, "tcp_read_bytes_total", peers));
    expect(cost("Recv")).toBeGreaterThan(sum("got"));
  });
});

describe("a response that is not completed", () => {
  /** Begins to answer one request, over HTTP/2; then `more` follows. */
  const answerOnce = async (app: TcpServer, more: readonly number[]): Promise<void> => {
    const peer = await app.next();
    let received = "";
    while (!hasRequest(received)) received += await peer.takeBytes(1);
    const settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // RFC 7541 appendix A: 8 is ":status: 200".
    const responseHead = [0, 0, 1, HEADERS, 4, 0, 0, 0, 1, 0x88];
    peer.send(Uint8Array.from([...settings, ...responseHead, ...more]));
  };

  /** Whether there is a HEADERS frame behind the preface. */
  const hasRequest = (received: string): boolean => {
    const bytes = Buffer.from(received, "latin1");
    for (let at = PREFACE.length; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
      if (bytes[at + 3] === HEADERS) return true;
    }
    return false;
  };

  const untilCounted = async (name: string, labels: Labels): Promise<void> => {
    for (const [direction, proxy] of sides) {
      const counted = async (): Promise<boolean> =>
        sumOf(await metricsPage(proxy), name, { direction, ...labels }) === 1;
      await waitFor(counted, { what: `the ${direction} side to count ${name}` });
    }
  };

  test("is the server's failure when the server resets it, with the reason", async () => {
    using app = mesh.app("two proxies");
    using caller = await connectCaller("HTTP/2", mesh.client.namespace, `${mesh.server.v4}:${app.port}`);
    const call = caller.call().catch(() => "broken off");
    // RFC 9113 §6.4, §7: RST_STREAM of stream 1 with ENHANCE_YOUR_CALM.
    await answerOnce(app, [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 11]);
    const outcome = { status_code: 200, classification: "failure", error: "h2(ENHANCE_YOUR_CALM)" };
    await untilCounted("response_total", { target_port: app.port, ...outcome });
    await call;
  });

  test("is nobody's when the client gives it up", async () => {
    using app = mesh.app("two proxies");
    const caller = await connectCaller("HTTP/2", mesh.client.namespace, `${mesh.server.v4}:${app.port}`);
    const call = caller.call().catch(() => "broken off");
    await answerOnce(app, []);
    await untilCounted("response_latency_ms_count", { target_port: app.port });
    caller[Symbol.dispose]();
    await call;
    const outcome = { status_code: 200, classification: "success", error: "" };
    await untilCounted("response_total", { target_port: app.port, ...outcome });
  });

  test("is nobody's over HTTP/1 either", async () => {
    using app = mesh.app("two proxies");
    const client = await mesh.connect(app);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const server = await app.next();
    await server.takeUntil("\r\n\r\n");
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome");
    await client.takeUntil("some");
    client.reset();
    const outcome = { status_code: 200, classification: "success", error: "" };
    await untilCounted("response_total", { target_port: app.port, ...outcome });
  });

  test("is the server's failure when it breaks off over HTTP/1", async () => {
    using app = mesh.app("two proxies");
    const client = await mesh.connect(app);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const server = await app.next();
    await server.takeUntil("\r\n\r\n");
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome");
    await client.takeUntil("some");
    server.reset();
    const outcome = { status_code: 200, classification: "failure", error: "unclassified" };
    await untilCounted("response_total", { target_port: app.port, ...outcome });
    for (const [direction, proxy] of sides) {
      const labels = { direction, target_port: app.port };
      expect(sumOf(await metricsPage(proxy), "response_total", labels)).toBe(1);
    }
  });
});
