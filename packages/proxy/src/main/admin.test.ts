import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { gunzipSync } from "node:zlib";
import { type Admin, AdminListenError, type AdminOptions, startAdmin } from "./admin.ts";

const PAGE = '# TYPE request_total counter\nrequest_total{direction="inbound"} 1\n# EOF\n';

interface Harness {
  readonly admin: Admin;
  readonly url: string;
  readonly errors: string[];
  filter: string;
  shutdowns: number;
}

const running: Admin[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((admin) => admin.close()));
});

async function start(overrides: Partial<AdminOptions> = {}): Promise<Harness> {
  const harness = { filter: "warn", shutdowns: 0, errors: [] as string[] };
  const ip = overrides.listenAddr?.ip ?? "127.0.0.1";
  const admin = await startAdmin({
    listenAddr: { ip, port: 0 },
    env: { A: "1", EMPTY: "", UNSET: undefined },
    metricsText: async () => PAGE,
    logFilter: {
      get: () => harness.filter,
      set: (text) => {
        if (text.includes("loud")) return ['linkerd=loud: "loud" is not a level'];
        harness.filter = text;
        return [];
      },
    },
    shutdown: () => {
      harness.shutdowns += 1;
    },
    told: () => ({ targets: [], services: [] }),
    onError: (message) => harness.errors.push(message),
    ...overrides,
  });
  running.push(admin);
  const host = ip.includes(":") ? "[::1]" : "127.0.0.1";
  return Object.assign(harness, { admin, url: `http://${host}:${admin.address.port}` });
}

/** Sends bytes and returns all that came back until the server closed, and how long that took. */
function exchange(port: number, bytes: string): Promise<{ received: string; ms: number }> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk) => (received += chunk.toString("latin1")));
    socket.on("close", () => resolve({ received, ms: performance.now() - startedMs }));
    socket.on("error", reject);
  });
}

describe("paths", () => {
  interface Row {
    name: string;
    method?: string;
    path: string;
    headers?: Record<string, string>;
    body?: string;
    options?: Partial<AdminOptions>;
    status: number;
    want: string;
    type?: string | null;
    allow?: string;
  }
  const TEXT = "text/plain";
  const JSON_TYPE = "application/json";
  const rows: Row[] = [
    { name: "live", path: "/live", status: 200, want: "live\n", type: TEXT },
    { name: "live by any method", method: "POST", body: "x", path: "/live", status: 200, want: "live\n" },
    { name: "not ready", path: "/ready", status: 503, want: "not ready\n", type: TEXT },
    {
      name: "metrics",
      path: "/metrics",
      headers: { "accept-encoding": "identity" },
      status: 200,
      want: PAGE,
      type: TEXT,
    },
    {
      name: "metrics with a query",
      path: "/metrics?x=1",
      headers: { "accept-encoding": "identity" },
      status: 200,
      want: PAGE,
    },
    { name: "log level", path: "/proxy-log-level", status: 200, want: "warn", type: TEXT },
    {
      name: "new log level",
      method: "PUT",
      body: "linkerd=debug",
      path: "/proxy-log-level",
      status: 204,
      want: "",
      type: null,
    },
    {
      name: "bad log level",
      method: "PUT",
      body: "linkerd=loud",
      path: "/proxy-log-level",
      status: 400,
      want: 'linkerd=loud: "loud" is not a level',
    },
    {
      name: "endless log level",
      method: "PUT",
      body: "x".repeat(70_000),
      path: "/proxy-log-level",
      status: 413,
      want: "A filter has at most 65536 bytes.",
    },
    {
      name: "log level, other method",
      method: "POST",
      path: "/proxy-log-level",
      status: 405,
      want: "",
      allow: "GET, PUT",
    },
    { name: "log level when off", path: "/proxy-log-level", options: { logFilter: null }, status: 404, want: "" },
    { name: "environment", path: "/env.json", status: 200, want: '{"A":"1","EMPTY":"","UNSET":null}', type: JSON_TYPE },
    { name: "some variables", path: "/env.json?A&MISSING", status: 200, want: '{"A":"1","MISSING":null}' },
    { name: "inherited names are no variables", path: "/env.json?toString", status: 200, want: '{"toString":null}' },
    {
      name: "variables with values",
      path: "/env.json?A=1",
      status: 400,
      want: '{"error":"env.json query parameters may not contain key-value pairs","status":400}',
      type: JSON_TYPE,
    },
    {
      name: "environment as HTML",
      path: "/env.json",
      headers: { accept: "text/html" },
      status: 406,
      want: "application/json",
    },
    {
      name: "environment as anything",
      path: "/env.json?A",
      headers: { accept: "text/html, */*;q=0.1" },
      status: 200,
      want: '{"A":"1"}',
    },
    { name: "environment, other method", method: "POST", path: "/env.json", status: 405, want: "", allow: "GET" },
    { name: "shutdown", method: "POST", path: "/shutdown", status: 200, want: "shutdown\n", type: TEXT },
    {
      name: "shutdown not enabled",
      method: "POST",
      path: "/shutdown",
      options: { shutdown: null },
      status: 404,
      want: "shutdown endpoint is not enabled\n",
      type: TEXT,
    },
    { name: "shutdown, other method", path: "/shutdown", status: 405, want: "", allow: "POST" },
    {
      name: "endpoints",
      path: "/debug/endpoints",
      status: 200,
      want: '{"targets":[],"services":[]}',
      type: JSON_TYPE,
    },
    { name: "endpoints, other method", method: "PUT", path: "/debug/endpoints", status: 405, want: "", allow: "GET" },
    {
      name: "endpoints without a control plane",
      path: "/debug/endpoints",
      options: { told: null },
      status: 404,
      want: "no control plane is asked\n",
    },
    { name: "unknown", path: "/", status: 404, want: "", type: null },
    { name: "unknown below a known one", path: "/metrics/x", status: 404, want: "" },
  ];
  for (const row of rows) {
    test(row.name, async () => {
      const { url } = await start(row.options);
      const response = await fetch(url + row.path, {
        method: row.method ?? "GET",
        ...(row.headers === undefined ? {} : { headers: row.headers }),
        ...(row.body === undefined ? {} : { body: row.body }),
      });
      const type = row.type === undefined ? undefined : response.headers.get("content-type");
      expect({
        status: response.status,
        body: await response.text(),
        type,
        allow: response.headers.get("allow"),
      }).toEqual({
        status: row.status,
        body: row.want,
        type: row.type,
        allow: row.allow ?? null,
      });
    });
  }

  test("readiness can be set and taken back", async () => {
    const { admin, url } = await start();
    admin.setReady(true);
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, await ready.text()]).toEqual([200, "ready\n"]);
    admin.setReady(false);
    expect((await fetch(`${url}/ready`)).status).toBe(503);
  });

  test("a new log level is the one shown, and shutdown is called once per request", async () => {
    const harness = await start();
    await fetch(`${harness.url}/proxy-log-level`, { method: "PUT", body: "linkerd=debug" });
    expect(await (await fetch(`${harness.url}/proxy-log-level`)).text()).toBe("linkerd=debug");
    await fetch(`${harness.url}/shutdown`, { method: "POST" });
    await fetch(`${harness.url}/shutdown`);
    expect(harness.shutdowns).toBe(1);
  });

  test("HEAD is GET without the content", async () => {
    const { admin } = await start();
    for (const path of ["/live", "/metrics", "/env.json", "/proxy-log-level"]) {
      const { received } = await exchange(
        admin.address.port,
        `HEAD ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      expect(received).toMatch(/^HTTP\/1\.1 200 /);
      expect(received).toMatch(/\r\ncontent-length: [1-9]/i);
      expect(received.endsWith("\r\n\r\n")).toBe(true);
    }
  });

  test("the methods allowed come in two fields, as Linkerd's proxies send them", async () => {
    const { admin } = await start();
    const { received } = await exchange(
      admin.address.port,
      "DELETE /proxy-log-level HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    expect(received.match(/^allow: .*(?=\r)/gim)).toEqual(["allow: GET", "allow: PUT"]);
  });

  test("an absolute-form target is understood", async () => {
    const { admin } = await start();
    const { received } = await exchange(
      admin.address.port,
      "GET http://pod:4191/live HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n",
    );
    expect(received).toEndWith("live\n");
  });

  test("a dual-stack listener knows IPv4 loopback clients", async () => {
    const { admin } = await start({ listenAddr: { ip: "::", port: 0 } });
    for (const host of ["127.0.0.1", "[::1]"]) {
      expect((await fetch(`http://${host}:${admin.address.port}/proxy-log-level`)).status).toBe(200);
    }
  });
});

describe("/metrics", () => {
  test("curl gets it compressed if it asks, and reads it", async () => {
    const { url } = await start();
    const curl = Bun.spawn(["curl", "-sS", "--compressed", "-D", "-", `${url}/metrics`]);
    const output = await new Response(curl.stdout).text();
    expect(output.toLowerCase()).toContain("content-encoding: gzip");
    expect(output).toEndWith(PAGE);
    expect(await curl.exited).toBe(0);
  });

  test("the compressed bytes are gzip of the page", async () => {
    const { url } = await start();
    const raw = await fetch(`${url}/metrics`, {
      headers: { "accept-encoding": "deflate, gzip;q=0.5" },
      decompress: false,
    });
    expect(gunzipSync(Buffer.from(await raw.arrayBuffer())).toString()).toBe(PAGE);
  });

  test("a page that cannot be made is 500, said to the log, and the next may succeed", async () => {
    let fails = true;
    const harness = await start({
      metricsText: async () => {
        if (fails) throw new Error("a data thread did not answer");
        return PAGE;
      },
    });
    const failed = await fetch(`${harness.url}/metrics`);
    expect([failed.status, await failed.text()]).toEqual([500, "a data thread did not answer"]);
    expect(harness.errors).toEqual(["the admin server failed to answer: a data thread did not answer"]);
    fails = false;
    expect((await fetch(`${harness.url}/metrics`)).status).toBe(200);
  });

  test("scrapes at the same time share one page", async () => {
    let made = 0;
    let finish = (_page: string): void => {};
    const { url } = await start({
      metricsText: () => {
        made += 1;
        return new Promise((resolve) => {
          finish = resolve;
        });
      },
    });
    const scrapes = Promise.all(Array.from({ length: 5 }, async () => (await fetch(`${url}/metrics`)).text()));
    // /live answers after the scrapes sent before it have arrived.
    while (made === 0) await (await fetch(`${url}/live`)).text();
    await (await fetch(`${url}/live`)).text();
    finish(PAGE);
    const settled = await Promise.race([scrapes, Bun.sleep(5_000)]);
    expect(settled).toEqual(Array.from({ length: 5 }, () => PAGE));
    expect(made).toBe(1);
  });
});

describe("bounds", () => {
  test("clients that do not finish are let go", async () => {
    const { admin, errors } = await start({ requestTimeoutMs: 200 });
    const starts = [
      "",
      "GET /live HTTP/1.1\r\nHo",
      "PUT /proxy-log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
    ];
    for (const bytes of starts) {
      const { received, ms } = await exchange(admin.address.port, bytes);
      expect(received).not.toMatch(/^HTTP\/1\.1 2/);
      expect(ms).toBeLessThan(5_000);
    }
    expect(errors).toEqual([]);
  });

  test("a connection kept alive outlives the time a request may take", async () => {
    const { admin } = await start({ requestTimeoutMs: 100 });
    const request = "GET /live HTTP/1.1\r\nHost: x\r\n";
    const socket = connect(admin.address.port, "127.0.0.1", () => socket.write(`${request}\r\n`));
    let received = "";
    socket.on("data", (chunk) => (received += chunk.toString()));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await Bun.sleep(300); // longer than the deadline that must not hold here
    socket.write(`${request}Connection: close\r\n\r\n`);
    await closed;
    expect(received.match(/live\n/g)).toHaveLength(2);
  });

  test("single bytes do not extend a deadline, nor does a page that never comes", async () => {
    const { admin, errors } = await start({ requestTimeoutMs: 200, metricsText: () => new Promise(() => {}) });
    const drip = connect(admin.address.port, "127.0.0.1", () => drip.write("GET /live HTTP/1.1\r\nX: "));
    const dripping = setInterval(() => drip.write("x"), 20);
    drip.on("error", () => {}); // writing to what has been closed is the point
    await new Promise((resolve) => drip.once("close", resolve));
    clearInterval(dripping);
    const { received } = await exchange(admin.address.port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(received).toBe("");
    expect(errors).toEqual([]);
  });

  test("a head beyond 16 KiB is refused", async () => {
    const { admin } = await start();
    const { received } = await exchange(
      admin.address.port,
      `GET /live HTTP/1.1\r\nHost: x\r\nA: ${"x".repeat(40_000)}\r\n\r\n`,
    );
    expect(received).toMatch(/^(HTTP\/1\.1 431 |$)/);
  });

  test("what is not HTTP is refused", async () => {
    const { admin } = await start();
    const { received } = await exchange(admin.address.port, "\x16\x03\x01\x00\x05hello\r\n\r\n");
    expect(received).toMatch(/^(HTTP\/1\.1 400 |$)/);
  });

  test("the 129th connection is closed, and its place is free once others have gone", async () => {
    const { admin, url } = await start();
    const sockets = Array.from({ length: 128 }, () => connect(admin.address.port, "127.0.0.1"));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
    const { received } = await exchange(admin.address.port, "");
    expect(received).toBe("");
    for (const socket of sockets) socket.destroy();
    let live: number | null = null;
    while (live !== 200)
      live = await fetch(`${url}/live`).then(
        ({ status }) => status,
        () => null,
      );
    expect(live).toBe(200);
  });
});

describe("an address that cannot be bound", () => {
  const rows: { name: string; env: AdminOptions["env"]; variable: string }[] = [
    { name: "by default", env: {}, variable: "LINKERD2_PROXY_ADMIN_LISTEN_ADDR" },
    {
      name: "of 2018's variable",
      env: { LINKERD2_PROXY_METRICS_LISTENER: "x" },
      variable: "LINKERD2_PROXY_METRICS_LISTENER",
    },
    {
      name: "of today's variable, which wins",
      env: { LINKERD2_PROXY_METRICS_LISTENER: "x", LINKERD2_PROXY_ADMIN_LISTEN_ADDR: "y" },
      variable: "LINKERD2_PROXY_ADMIN_LISTEN_ADDR",
    },
  ];
  for (const { name, env, variable } of rows) {
    test(`${name} is an error that names variable and address`, async () => {
      const { admin } = await start();
      const { port } = admin.address;
      const inUse: unknown = await startAdmin({
        listenAddr: { ip: "127.0.0.1", port },
        env,
        metricsText: async () => PAGE,
        logFilter: null,
        shutdown: null,
        told: null,
        onError: () => {},
      }).catch((error: unknown) => error);
      expect(inUse).toBeInstanceOf(AdminListenError);
      expect(inUse).toMatchObject({ code: "ADMIN_LISTEN", variable });
      expect((inUse as Error).message).toStartWith(
        `${variable}: the admin server cannot listen on 127.0.0.1:${port}: `,
      );
    });
  }
});
