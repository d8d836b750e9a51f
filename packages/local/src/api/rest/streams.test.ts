import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";
import type { Pod } from "@bowline/kube";
import type { LogOptions } from "../../node/types.ts";
import type { PodStreams } from "../pod-streams.ts";
import { LoopbackNetwork } from "../testing/loopback-network.ts";
import { RunningApi } from "../testing/running-api.ts";

const PODS = "/api/v1/namespaces/default/pods";
const POD_IP = "10.244.0.7";

/** A node that says what it was asked. */
class FakeStreams implements PodStreams {
  readonly asked: { pod: string; container: string; options: LogOptions }[] = [];
  readonly upgraded: string[] = [];
  /** What logs are; each call has a new one. */
  source: (options: LogOptions) => ReadableStream<Uint8Array> = () => new ReadableStream();

  log(_namespace: string, pod: string, container: string, options: LogOptions): Promise<ReadableStream<Uint8Array>> {
    this.asked.push({ pod, container, options });
    return Promise.resolve(this.source(options));
  }

  upgrade(kind: string, pod: Pod, _request: unknown, socket: Duplex, head: Buffer, query: URLSearchParams): void {
    this.upgraded.push(`${kind} ${pod.metadata.name} ${query.toString()}`);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
    if (head.length > 0) socket.write(head);
    socket.pipe(socket);
  }
}

let api: RunningApi;
let network: LoopbackNetwork;
let web: Bun.Server<undefined>;
const streams = new FakeStreams();

/** A server that is shown as bytes what it gets, and answers as it is told. */
const raw = {
  seen: "",
  answer: "",
  server: createServer((socket) => {
    let answered = false;
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      raw.seen += String(chunk);
      // After the end of what was sent, whether it is a body or not.
      if (answered || !(raw.seen.endsWith("\r\n\r\n") || raw.seen.includes("Upgrade"))) return;
      if (raw.seen.toLowerCase().includes("transfer-encoding") && !raw.seen.endsWith("0\r\n\r\n")) return;
      answered = true;
      socket.end(raw.answer);
    });
  }),
};

beforeAll(async () => {
  network = new LoopbackNetwork();
  api = await RunningApi.start({ network: () => network, streams });
  web = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, server) {
      const url = new URL(request.url);
      if (url.pathname === "/ws" && server.upgrade(request)) return undefined;
      if (url.pathname === "/moved") return new Response(null, { status: 302, headers: { location: "/there" } });
      const headers = Object.fromEntries(request.headers);
      return Response.json(
        { method: request.method, path: `${url.pathname}${url.search}`, headers, body: await request.text() },
        { status: 203, headers: { "x-own": "1" } },
      );
    },
    websocket: {
      message(socket, message) {
        socket.send(`echo ${String(message)}`);
      },
    },
  });
  network.ports.set(`${POD_IP}:8080`, web.port ?? 0);
  await new Promise<void>((resolve) => raw.server.listen(0, "127.0.0.1", resolve));
  network.ports.set(`${POD_IP}:9090`, (raw.server.address() as AddressInfo).port);
  const { api: cluster } = api.server;
  await cluster.create("serviceaccounts", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  });
  const two = {
    containers: [
      { name: "a", image: "i" },
      { name: "b", image: "i" },
    ],
    initContainers: [{ name: "first", image: "i" }],
    nodeName: "bowline",
  };
  const one = {
    containers: [{ name: "only", image: "i", ports: [{ name: "http", containerPort: 8080 }] }],
    nodeName: "bowline",
  };
  const rows: [name: string, spec: object][] = [
    ["two", two],
    ["one", one],
    ["waiting", { containers: one.containers }],
  ];
  for (const [name, spec] of rows) {
    await cluster.create("pods", { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec });
  }
  await cluster.change<Pod>(
    "pods",
    "default",
    "one",
    (pod) => {
      pod.status = { ...pod.status, podIP: POD_IP };
    },
    "status",
  );
  await cluster.create("services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default" },
    spec: {
      ports: [
        { name: "http", port: 80, targetPort: 8080 },
        { name: "none", port: 81 },
      ],
    },
  });
  await cluster.create("endpointslices.discovery.k8s.io", {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
    addressType: "IPv4",
    endpoints: [
      { addresses: ["10.244.0.99"], conditions: { ready: false } },
      { addresses: [POD_IP], conditions: { ready: true } },
    ],
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  });
});

afterAll(async () => {
  await api.stop();
  await web.stop(true);
  raw.server.close();
  network.stop();
});

describe("logs", () => {
  const lines = (text: string): ReadableStream<Uint8Array> => new Response(text).body as ReadableStream<Uint8Array>;

  test("are asked for with all options and passed on", async () => {
    streams.source = () => lines("one\ntwo\n");
    const query = "container=b&previous=true&timestamps=true&tailLines=5&sinceSeconds=60&limitBytes=100";
    const { code, body, headers } = await api.ask("GET", `${PODS}/two/log?${query}`);
    expect([code, body.message, headers.get("content-type")]).toEqual([200, "one\ntwo\n", "text/plain"]);
    expect(streams.asked.at(-1)).toEqual({
      pod: "two",
      container: "b",
      options: { follow: false, previous: true, timestamps: true, tailLines: 5, sinceSeconds: 60, limitBytes: 100 },
    });
    await api.ask("GET", `${PODS}/one/log`);
    expect(streams.asked.at(-1)).toMatchObject({ pod: "one", container: "only" });
  });

  const refused: [path: string, code: number, says: string][] = [
    [
      "two/log",
      400,
      "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [first]",
    ],
    ["two/log?container=c", 400, "container c is not valid for pod two"],
    ["waiting/log", 400, "pod waiting does not have a host assigned"],
    ["absent/log", 404, 'pods "absent" not found'],
    ["one/log?tailLines=-1", 422, "tailLines"],
  ];
  for (const [path, code, says] of refused) {
    test(`are refused at ${path}`, async () => {
      const answer = await api.ask("GET", `${PODS}/${path}`);
      expect(answer.code).toBe(code);
      expect(answer.body.message).toContain(says);
    });
  }

  test("that are followed come as they are written, and end when nobody reads them", async () => {
    const source = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
    const cancelled = Promise.withResolvers<void>();
    streams.source = () =>
      new ReadableStream({ start: (controller) => source.resolve(controller), cancel: () => cancelled.resolve() });
    const abort = new AbortController();
    const response = await api.raw("GET", `${PODS}/one/log?follow=true`, { signal: abort.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (const line of ["a\n", "b\n"]) {
      (await source.promise).enqueue(new TextEncoder().encode(line));
      expect(new TextDecoder().decode((await reader.read()).value)).toBe(line);
    }
    abort.abort();
    await cancelled.promise;
  });

  test("are read no faster than they are taken", async () => {
    let given = 0;
    streams.source = () =>
      new ReadableStream({
        pull(controller) {
          given++;
          controller.enqueue(new Uint8Array(1 << 20));
          if (given === 64) controller.close();
        },
      });
    const socket = connect({ host: "127.0.0.1", port: api.server.port, ca: api.server.caPem });
    socket.write(`GET ${PODS}/one/log HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.server.adminToken}\r\n\r\n`);
    socket.pause();
    while (given === 0) await Bun.sleep(5);
    for (let last = 0; last !== given; await Bun.sleep(100)) last = given;
    expect(given).toBeLessThan(40);
    const { promise, resolve } = Promise.withResolvers<void>();
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= 64 << 20) resolve();
    });
    socket.resume();
    await promise;
    socket.destroy();
  });
});

describe("the proxy", () => {
  const rows: [path: string, seen: string][] = [
    ["pods/one/proxy/some/path?x=1&y", "/some/path?x=1&y"],
    ["pods/one:8080/proxy", "/"],
    ["pods/http:one:http/proxy/a%20b/", "/a%20b/"],
    ["services/web:http/proxy/s", "/s"],
    ["services/web:80/proxy/", "/"],
  ];
  for (const [path, seen] of rows) {
    test(`leads ${path} to ${seen}`, async () => {
      const { code, body, headers } = await api.ask("POST", `/api/v1/namespaces/default/${path}`, {
        body: "text",
        headers: { "content-type": "text/plain", "x-mine": "2" },
      });
      expect([code, headers.get("x-own")]).toEqual([203, "1"]);
      expect(body as unknown).toMatchObject({
        method: "POST",
        path: seen,
        body: "text",
        headers: { "x-mine": "2", host: `${POD_IP}:8080` },
      });
      expect((body["headers"] as Record<string, string>)["authorization"]).toBeUndefined();
    });
  }

  test("keeps redirects below itself", async () => {
    const response = await api.raw("GET", `${PODS}/one:8080/proxy/moved`);
    expect([response.status, response.headers.get("location")]).toEqual([302, `${PODS}/one:8080/proxy/there`]);
    await response.text();
  });

  const failing: [path: string, code: number, says: string][] = [
    ["pods/waiting/proxy/", 503, 'pod "waiting" has no address yet'],
    ["pods/one:81/proxy/", 503, `error trying to reach service: dial tcp ${POD_IP}:81`],
    ["services/web:none/proxy/", 503, 'no endpoints available for service "web"'],
    ["services/web:99/proxy/", 503, 'no service port "99" found for service "web"'],
    ["services/absent:80/proxy/", 404, 'services "absent" not found'],
  ];
  for (const [path, code, says] of failing) {
    test(`says why ${path} leads nowhere`, async () => {
      const answer = await api.ask("GET", `/api/v1/namespaces/default/${path}`);
      expect(answer.body.message).toContain(says);
      expect(answer.code).toBe(code);
    });
  }

  test("tells nobody what is for the next hop, and no body as anything but one", async () => {
    const { text, lines } = await askRaw(
      [
        "GET /api/v1/namespaces/default/pods/one:9090/proxy/x HTTP/1.1",
        "Connection: close, X-Hop",
        "X-Hop: 1",
        "X-End: 2",
        "Impersonate-User: bowline-admin",
        "Impersonate-Group: system:masters",
        "Transfer-Encoding: chunked",
      ],
      "21\r\nDELETE /all HTTP/1.1\r\nHost: x\r\n\r\n\r\n0\r\n\r\n",
    );
    expect(text).toMatch(/^x-kept: 1\r$/im);
    expect(text).not.toMatch(/x-secret/i);
    expect(lines[0]).toBe("GET /x HTTP/1.1");
    const names = lines.slice(1, lines.indexOf("")).map((line) => line.split(":")[0]?.toLowerCase());
    expect(names).toContain("x-end");
    for (const name of ["x-hop", "authorization", "impersonate-user"]) expect(names).not.toContain(name);
    // The body that was sent comes as a body, not as a request.
    expect(names).toContain("transfer-encoding");
    expect(lines[lines.indexOf("") + 1]).toMatch(/^0*21$/);
  });

  test("gives a server that does not switch protocols nothing more to read", async () => {
    const { text, lines } = await askRaw(
      ["GET /api/v1/namespaces/default/pods/one:9090/proxy/x HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"],
      "DELETE /all HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    expect(text).toStartWith("HTTP/1.1 200 OK");
    expect(lines.filter((line) => line.includes("HTTP/1.1"))).toEqual(["GET /x HTTP/1.1"]);
  });

  test("survives a head that cannot be passed on", async () => {
    raw.answer = "HTTP/1.1 200 OK\r\nX-Bad: a\u0001b\r\nContent-Length: 0\r\n\r\n";
    expect((await api.ask("GET", `${PODS}/one:9090/proxy/`)).code).toBeGreaterThanOrEqual(200);
    expect((await api.ask("GET", "/readyz")).code).toBe(200);
  });

  for (const host of ["127.0.0.1", "0.0.0.0", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1", "localhost"]) {
    test(`leads nowhere near ${host}`, async () => {
      await api.server.api.change<Pod>(
        "pods",
        "default",
        "two",
        (pod) => {
          pod.status = { ...pod.status, podIP: host };
        },
        "status",
      );
      const { code, body } = await api.ask("GET", `${PODS}/two:80/proxy/`);
      expect([code, body.message]).toEqual([400, `address not allowed: ${JSON.stringify(host)}`]);
    });
  }

  test("passes WebSockets on", async () => {
    const socket = new WebSocket(`${api.url.replace("https", "wss")}${PODS}/one:8080/proxy/ws`, {
      headers: { authorization: `Bearer ${api.server.adminToken}` },
      tls: { ca: api.server.caPem },
    });
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = (event) => reject(event);
    expect(await promise).toBe("echo hello");
    socket.close();
  });
});

/** What a request brings back, and what of it the server behind has seen. */
async function askRaw(head: readonly string[], after: string): Promise<{ text: string; lines: string[] }> {
  raw.answer =
    "HTTP/1.1 200 OK\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok";
  raw.seen = "";
  const socket = connect({ host: "127.0.0.1", port: api.server.port, ca: api.server.caPem });
  const lines = [...head, "Host: x", `Authorization: Bearer ${api.server.adminToken}`];
  socket.write(`${lines.join("\r\n")}\r\n\r\n${after}`);
  let text = "";
  for await (const chunk of socket) {
    text += String(chunk);
    if (text.endsWith("ok")) break;
  }
  socket.destroy();
  return { text, lines: raw.seen.split("\r\n") };
}

describe("upgrades", () => {
  /** All that comes back until the other side ends, or `wanted` has come. */
  async function upgrade(path: string, token: string, wanted: string, after = ""): Promise<string> {
    const socket = connect({ host: "127.0.0.1", port: api.server.port, ca: api.server.caPem });
    const head = [
      `POST ${path} HTTP/1.1`,
      "Host: x",
      `Authorization: Bearer ${token}`,
      "Connection: Upgrade",
      "Upgrade: SPDY/3.1",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${after}`);
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.includes(wanted)) break;
    }
    socket.destroy();
    return text;
  }

  test("are handed over with what was sent along", async () => {
    const path = `${PODS}/one/exec?command=ls&container=only`;
    expect(await upgrade(path, api.server.adminToken, "hello", "hello")).toStartWith(
      "HTTP/1.1 101 Switching Protocols",
    );
    expect(streams.upgraded.at(-1)).toBe("exec one command=ls&container=only");
  });

  test("are refused to those who may not, and for what is not there", async () => {
    expect(await upgrade(`${PODS}/one/exec`, "nonsense", "\n}")).toStartWith("HTTP/1.1 401 Unauthorized");
    expect(await upgrade(`${PODS}/absent/portforward`, api.server.adminToken, "\n}")).toContain(
      'pods \\"absent\\" not found',
    );
    expect(await upgrade(`${PODS}/one/log`, api.server.adminToken, "\n}")).toStartWith("HTTP/1.1 400 ");
    const { code, body } = await api.ask("POST", `${PODS}/one/exec`);
    expect([code, body.message]).toEqual([400, "Upgrade request required"]);
  });
});
