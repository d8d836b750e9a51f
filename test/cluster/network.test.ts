import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { waitFor } from "@bowline/testkit";
import { daemonPid } from "./node-processes.ts";
import { TestCluster } from "./test-cluster.ts";

const SERVER = `
  const answer = (request) => new Response(process.env.POD + " " + server.requestIP(request).address);
  const server = Bun.serve({ port: 8080, fetch: answer });
`;

const IDLE = ["sleep", "1000000"];
const POD_ENV = { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };

const LISTENING = { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } };

function workload(kind: "Deployment" | "StatefulSet", name: string, replicas: number, command: string[]): object {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      ...(kind === "StatefulSet" ? { serviceName: name, podManagementPolicy: "Parallel" } : {}),
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "main", image: name, command, env: [POD_ENV], ...(command === IDLE ? {} : LISTENING) }],
        },
      },
    },
  };
}

function service(name: string, spec: object): object {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: { app: name }, ...spec } };
}

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.apply([
    workload("Deployment", "web", 2, [process.execPath, "-e", SERVER]),
    service("web", { ports: [{ name: "http", port: 80, targetPort: 8080 }] }),
    workload("StatefulSet", "db", 2, [process.execPath, "-e", SERVER]),
    service("db", { clusterIP: "None", ports: [{ name: "http", port: 8080 }] }),
    workload("Deployment", "client", 1, IDLE),
  ]);
  for (const one of ["deploy/web", "sts/db", "deploy/client"]) {
    await cluster.kubectl(["rollout", "status", one, "--timeout=30s"]);
  }
}, 120_000);
afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

/** Runs JavaScript in the client's pod; what it prints. */
function inClient(script: string): Promise<string> {
  return cluster.kubectl(["exec", "deploy/client", "--", process.execPath, "-e", script]);
}

async function answersOf(url: string, count: number): Promise<Set<string>> {
  const script = `
    const ask = () => fetch(${JSON.stringify(url)}, { keepalive: false, headers: { connection: "close" } });
    for (let i = 0; i < ${count}; i++) console.log(await (await ask()).text());
  `;
  const lines = (await inClient(script)).trim().split("\n");
  expect(lines.length).toBe(count);
  return new Set(lines.map((line) => line.split(" ")[0] ?? ""));
}

async function podIps(): Promise<Record<string, string>> {
  const list = JSON.parse(await cluster.kubectl(["get", "pods", "-o", "json"])) as {
    items: { metadata: { name: string; deletionTimestamp?: string }; status: { podIP: string } }[];
  };
  const staying = list.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return Object.fromEntries(staying.map(({ metadata, status }) => [metadata.name, status.podIP]));
}

test("a service's name leads to its pods, from any namespace's name on", async () => {
  for (const host of ["web", "web.default", "web.default.svc.cluster.local"]) {
    const pods = await answersOf(`http://${host}/`, 20);
    expect([...pods].filter((name) => name.startsWith("web-")).length).toBe(2);
  }
}, 30_000);

test("a headless service's name has all its pods, and each one has a name", async () => {
  const { "db-0": db0 = "", "db-1": db1 = "" } = await podIps();
  const looked = await inClient(`
    const { lookup } = require("node:dns/promises");
    for (const name of ["db", "db-0.db", "db-1.db.default.svc.cluster.local"]) {
      console.log((await lookup(name, { all: true })).map(({ address }) => address).sort().join());
    }
  `);
  expect(looked.trim().split("\n")).toEqual([[db0, db1].toSorted(byText).join(), db0, db1]);
  expect(await answersOf("http://db-1.db:8080/", 3)).toEqual(new Set(["db-1"]));
}, 30_000);

test("names that nobody has are said not to exist, at once", async () => {
  const looked = await inClient(`
    const { lookup } = require("node:dns/promises");
    const before = performance.now();
    const code = await lookup("nobody.default.svc.cluster.local").then(() => "found", (error) => error.code);
    console.log(code, performance.now() - before < 4000);
  `);
  expect(looked.trim()).toBe("ENOTFOUND true");
}, 30_000);

test("pods reach the API by its service, with the certificate they are given", async () => {
  const answer = await inClient(`
    const dir = "/var/run/secrets/kubernetes.io/serviceaccount/";
    const ca = await Bun.file(dir + "ca.crt").text();
    const token = await Bun.file(dir + "token").text();
    const url = "https://kubernetes.default.svc/api/v1/namespaces/default/pods";
    const response = await fetch(url, { tls: { ca }, headers: { authorization: "Bearer " + token } });
    console.log(response.status, (await response.json()).message);
  `);
  expect(answer).toStartWith("403 ");
  expect(answer).toContain("system:serviceaccount:default:default");
}, 30_000);

test("endpoints follow what is scaled, and a service without any refuses", async () => {
  await cluster.kubectl(["scale", "deploy/web", "--replicas=0"]);
  const refused = `fetch("http://web/").then(() => console.log("answer"), (error) => console.log(error.code))`;
  await waitFor(async () => (await inClient(refused)).trim() === "ECONNREFUSED", {
    what: "a refusal",
    timeoutMs: 10_000,
  });
  await cluster.kubectl(["scale", "deploy/web", "--replicas=3"]);
  await cluster.kubectl(["rollout", "status", "deploy/web", "--timeout=30s"]);
  await waitFor(async () => (await answersOf("http://web/", 30)).size === 3, { what: "three pods", timeoutMs: 10_000 });
}, 60_000);

test("a daemon that is killed and started again finds everything where it was", async () => {
  const before = await podIps();
  // Without waiting for its end: `up` has to see whether what it finds is still alive.
  process.kill(daemonPid(cluster), "SIGKILL");
  await cluster.local("up");
  await cluster.kubectl(["rollout", "status", "deploy/web", "--timeout=30s"]);
  expect(await podIps()).toEqual(before);
  expect((await answersOf("http://web/", 30)).size).toBe(3);
}, 60_000);

test("pods that go take their namespaces with them, and down takes the rest", async () => {
  const namespaces = (): string[] =>
    readdirSync("/run/netns").filter((name) => name.startsWith(`bowline-${cluster.name}`));
  await cluster.kubectl(["delete", "deploy,sts", "--all"]);
  await waitFor(() => namespaces().length === 1, { what: "the node's namespace alone", timeoutMs: 15_000 });
  await cluster.local("down");
  expect(namespaces()).toEqual([]);
}, 60_000);

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
