import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rejectionOf } from "@bowline/testkit";
import { Command } from "commander";
import type { Io } from "../io.ts";
import { register } from "./register.ts";

type Answer = { readonly status?: number; readonly body: unknown };

let server: Server;
let directory: string;
/** What the API server answers, by path and query. */
let answers: Map<string, Answer>;
let asked: string[];

beforeEach(async () => {
  answers = new Map();
  asked = [];
  server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    asked.push(url);
    const answer = answers.get(url) ?? answers.get(url.split("?")[0] ?? "") ?? { status: 404, body: status(404, url) };
    response.writeHead(answer.status ?? 200, { "content-type": "application/json" });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  directory = mkdtempSync(join(tmpdir(), "bowline-diagnostics-"));
  writeFileSync(
    join(directory, "config"),
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "shop" } }],
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }],
      users: [{ name: "u", user: {} }],
    }),
  );
});

afterEach(async () => {
  rmSync(directory, { recursive: true });
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
});

/** What a command prints. */
async function run(...args: string[]): Promise<{ out: string; err: string }> {
  const printed = { out: "", err: "" };
  const io: Io = {
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
    env: {},
    stdin: () => Promise.resolve(""),
  };
  const program = new Command("bowline")
    .option("-L, --linkerd-namespace <namespace>", "", "linkerd")
    .option("--kubeconfig <path>", "", join(directory, "config"))
    .option("--as-group <group>", "", (value: string, all: string[]) => [...all, value], [])
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err });
  register(program, io);
  await program.parseAsync(["diagnostics", ...args], { from: "user" });
  return printed;
}

const PODS = "/api/v1/namespaces/shop/pods";
const CONTROL_PODS = "/api/v1/namespaces/linkerd/pods";

interface PodInit {
  readonly containers?: readonly object[];
  readonly phase?: string;
  readonly deletionTimestamp?: string;
}

function pod(name: string, { containers = [PROXY], phase = "Running", deletionTimestamp }: PodInit = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
    spec: { nodeName: "n1", initContainers: containers, containers: [{ name: "app" }] },
    status: { phase, conditions: [{ type: "Ready", status: "True" }] },
  };
}

const PROXY = { name: "linkerd-proxy", ports: [{ name: "linkerd-admin", containerPort: 4291 }] };
const list = (...items: object[]): Answer => ({ body: { kind: "PodList", apiVersion: "v1", metadata: {}, items } });
const status = (code: number, message: string): object => ({ kind: "Status", apiVersion: "v1", code, message });

describe("proxy-metrics", () => {
  const metricsOf = (name: string, port = 4291): string => `${PODS}/${name}:${port}/proxy/metrics`;

  test("of a pod", async () => {
    answers.set(`${PODS}/web-1`, { body: pod("web-1") });
    answers.set(metricsOf("web-1"), { body: "a 1\n" });
    expect((await run("proxy-metrics", "po/web-1")).out).toBe("#\n# POD web-1 (1 of 1)\n#\na 1\n");
  });

  test("of a Deployment's running pods, each in its place", async () => {
    answers.set("/apis/apps/v1/namespaces/shop/deployments/web", {
      body: { kind: "Deployment", metadata: { name: "web" }, spec: { selector: { matchLabels: { app: "web" } } } },
    });
    const pods = [
      pod("web-2"),
      pod("web-1", { containers: [{ name: "linkerd-proxy" }] }),
      pod("web-3"),
      pod("done", { phase: "Succeeded" }),
      pod("ending", { deletionTimestamp: "2026-01-01T00:00:00Z" }),
      pod("unmeshed", { containers: [] }),
    ];
    answers.set(PODS, list(...pods));
    answers.set(metricsOf("web-1", 4191), { body: "a 1\n" });
    answers.set(metricsOf("web-2"), { body: "a 2\n" });
    answers.set(metricsOf("web-3"), { status: 503, body: status(503, "connection refused") });
    expect((await run("proxy-metrics", "deploy", "web")).out).toBe(
      "#\n# POD web-1 (1 of 3)\n#\na 1\n\n#\n# POD web-2 (2 of 3)\n#\na 2\n\n" +
        "#\n# POD web-3 (3 of 3)\n#\n# ERROR pod shop/web-3 answered 503: connection refused\n",
    );
    expect(asked.find((url) => url.startsWith(`${PODS}?`))).toContain("labelSelector=app=web");
  });

  test("of a Service's pods, in another namespace", async () => {
    answers.set("/api/v1/namespaces/n/services/web", {
      body: { kind: "Service", metadata: { name: "web" }, spec: { selector: { app: "x" } } },
    });
    answers.set("/api/v1/namespaces/n/pods", list(pod("web-1")));
    answers.set(metricsOf("web-1"), { body: "a 1\n" });
    expect((await run("proxy-metrics", "svc/web", "-n", "n")).out).toContain("a 1\n");
    expect(asked.find((url) => url.startsWith("/api/v1/namespaces/n/pods?"))).toContain("labelSelector=app=x");
  });

  const failures: { args: string[]; want: string; answer?: [string, Answer] }[] = [
    { args: ["cm/web"], want: '"cm" is no kind that has pods' },
    { args: ["deploy"], want: "deploy: not KIND/NAME" },
    { args: ["po/gone"], want: `${PODS}/gone` },
    {
      args: ["po/web-1"],
      want: "no running pod of po/web-1 in namespace shop has a proxy",
      answer: [`${PODS}/web-1`, { body: pod("web-1", { containers: [] }) }],
    },
    {
      args: ["svc/web"],
      want: "Service web selects no pods",
      answer: [
        "/api/v1/namespaces/shop/services/web",
        { body: { kind: "Service", metadata: { name: "web" }, spec: {} } },
      ],
    },
  ];
  for (const { args, want, answer } of failures) {
    test(`fails: ${want}`, async () => {
      if (answer !== undefined) answers.set(...answer);
      expect((await rejectionOf(run("proxy-metrics", ...args))).message).toContain(want);
    });
  }
});

const DESTINATION = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "linkerd-destination-1", namespace: "linkerd" },
  spec: {
    initContainers: [PROXY],
    containers: [
      {
        name: "destination",
        ports: [
          { name: "dest-grpc", containerPort: 8086 },
          { name: "dest-admin", containerPort: 9996 },
        ],
      },
    ],
  },
  status: { phase: "Running" },
};

test("controller-metrics are those of the control plane's own containers", async () => {
  answers.set(CONTROL_PODS, list(DESTINATION));
  answers.set(`${CONTROL_PODS}/linkerd-destination-1:9996/proxy/metrics`, { body: "a 1\n" });
  expect((await run("controller-metrics")).out).toBe(
    "#\n# POD linkerd-destination-1 (1 of 1)\n# CONTAINER destination\n#\na 1\n",
  );
  answers.set(CONTROL_PODS, list());
  expect((await rejectionOf(run("controller-metrics"))).message).toContain("no pod of a control plane runs");
});

describe("endpoints", () => {
  const AUTHORITY = "web.shop.svc.cluster.local:80";
  const row = (ip: string, more: object = {}): object => ({
    namespace: "shop",
    ip,
    port: 8080,
    pod: `web-${ip.split(".")[3]}`,
    service: "web.shop",
    weight: 10_000,
    labels: { pod: `web-${ip.split(".")[3]}` },
    protocol: "h2",
    identity: "",
    ...more,
  });
  const held = (ip: string, more: object = {}): object => ({
    ip,
    port: 8080,
    weight: 10_000,
    labels: { pod: `web-${ip.split(".")[3]}`, namespace: "shop", service: "web" },
    tlsIdentity: null,
    hint: "h2",
    ...more,
  });
  const debugPath = (token = ""): string =>
    `${CONTROL_PODS}/linkerd-destination-1:9996/proxy/debug/endpoints?authority=${AUTHORITY}&token=${token}`;
  const CONTEXT = '{"ns":"shop","nodeName":"n1","pod":"client"}';

  beforeEach(() => {
    answers.set(CONTROL_PODS, list(DESTINATION));
    answers.set(`${PODS}/client`, { body: pod("client") });
  });

  const proxyHolds = (...services: object[]): void => {
    answers.set(`${PODS}/client:4291/proxy/debug/endpoints`, { body: { targets: [], services } });
  };

  test("that the control plane tells", async () => {
    answers.set(debugPath(), { body: [row("10.0.0.10"), row("10.0.0.9")] });
    expect((await run("endpoints", AUTHORITY)).out).toBe(
      [
        "NAMESPACE   IP          PORT   POD      SERVICE",
        "shop        10.0.0.9    8080   web-9    web.shop",
        "shop        10.0.0.10   8080   web-10   web.shop",
        "",
      ].join("\n"),
    );
    expect(JSON.parse((await run("endpoints", AUTHORITY, "-o", "json")).out)).toEqual([
      row("10.0.0.9"),
      row("10.0.0.10"),
    ]);
  });

  test("beside those that a proxy holds", async () => {
    const ips = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
    answers.set(debugPath(CONTEXT), { body: ips.map((ip) => row(ip)) });
    proxyHolds({
      authority: "web.shop.svc.cluster.local.:80",
      exists: true,
      endpoints: [
        held("10.0.0.1"),
        held("10.0.0.2", { tlsIdentity: { id: "x" } }),
        held("10.0.0.3", { labels: { pod: "another" } }),
        held("10.0.0.5"),
      ],
    });
    const { out } = await run("endpoints", AUTHORITY, "--pod", "client");
    expect(out.split("\n").map((line) => line.split(/\s{2,}/).at(-1))).toEqual([
      "PROXY",
      "same",
      "differs",
      "differs",
      "missing",
      "stale",
      "",
    ]);
    const rows = JSON.parse((await run("endpoints", AUTHORITY, "--pod", "shop/client", "-o", "json")).out) as object[];
    expect(rows.at(-1)).toMatchObject({ ip: "10.0.0.5", proxy: "stale", service: "web.shop", pod: "web-5" });
  });

  test("that a proxy does not follow", async () => {
    answers.set(debugPath(CONTEXT), { body: [row("10.0.0.1")] });
    proxyHolds();
    expect((await run("endpoints", AUTHORITY, "--pod", "client")).out).toContain("unasked");
  });

  test("none", async () => {
    answers.set(debugPath(), { body: [] });
    expect(await run("endpoints", AUTHORITY)).toEqual({ out: "", err: "No endpoints found.\n" });
  });

  test("asked of one pod of the control plane, as a proxy of one's choice", async () => {
    const path = `${CONTROL_PODS}/other:9996/proxy/debug/endpoints?authority=${AUTHORITY}&token=ns:x`;
    answers.set(`${CONTROL_PODS}/other`, {
      body: { ...DESTINATION, metadata: { name: "other", namespace: "linkerd" } },
    });
    answers.set(path, { body: [row("10.0.0.1")] });
    expect((await run("endpoints", AUTHORITY, "--destination-pod", "other", "--token", "ns:x")).out).toContain(
      "10.0.0.1",
    );
  });

  const failures: { name: string; prepare: () => void; args?: string[]; want: string }[] = [
    {
      name: "no service",
      prepare: () => answers.set(debugPath(), { status: 404, body: { error: "NOT_FOUND: no service shop/web" } }),
      want: "pod linkerd/linkerd-destination-1 answered 404: NOT_FOUND: no service shop/web",
    },
    {
      name: "no control plane",
      prepare: () => answers.set(CONTROL_PODS, list()),
      want: "no pod of the destination service runs",
    },
    {
      name: "no proxy",
      prepare: () => answers.set(`${PODS}/client`, { body: pod("client", { containers: [] }) }),
      args: ["--pod", "client"],
      want: "pod shop/client has no proxy",
    },
    {
      name: "no pod's name",
      prepare: () => undefined,
      args: ["--pod", "a/b/c"],
      want: "--pod a/b/c: not NAME or NAMESPACE/NAME",
    },
  ];
  for (const { name, prepare, args = [], want } of failures) {
    test(`${name} is told`, async () => {
      prepare();
      expect((await rejectionOf(run("endpoints", AUTHORITY, ...args))).message).toContain(want);
    });
  }
});
