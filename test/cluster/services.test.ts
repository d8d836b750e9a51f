import { afterAll, beforeAll, expect, test } from "bun:test";
import { type RunningProcess, waitFor } from "@bowline/testkit";
import { httpProgram } from "./http-program.ts";
import { TestCluster } from "./test-cluster.ts";

const IDLE = ["sleep", "100000"];

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.apply([
    // Two versions of one application, whose port of the same name has another number.
    pod("web-a", "web", [http("main", 8080, "web"), http("admin", 9000, "admin")]),
    pod("web-b", "web", [http("main", 8081, "web"), http("admin", 9000, "admin")]),
    service("web", {
      selector: { app: "web" },
      ports: [
        { name: "http", port: 80, targetPort: "web" },
        { name: "admin", port: 90, targetPort: "admin" },
      ],
    }),
    service("sticky", {
      selector: { app: "web" },
      sessionAffinity: "ClientIP",
      ports: [{ port: 80, targetPort: "web" }],
    }),
    service("elsewhere", { type: "ExternalName", externalName: "web.default.svc.cluster.local" }),
    service("nobody", { selector: { app: "nobody" }, ports: [{ port: 80 }] }),
    service("by-hand", { ports: [{ port: 80 }] }),
    service("headless", {
      selector: { app: "web" },
      clusterIP: "None",
      ports: [{ name: "http", port: 80, targetPort: "web" }],
    }),
    pod("client", "client", [{ name: "main", image: "client", command: IDLE }]),
    pod("host-client", "client", [{ name: "main", image: "client", command: IDLE }], {
      hostNetwork: true,
      dnsPolicy: "ClusterFirstWithHostNet",
    }),
    pod("toggled", "toggled", [
      {
        ...http("main", 8080, "web"),
        readinessProbe: { exec: { command: ["test", "-e", "/tmp/ready"] }, periodSeconds: 1, failureThreshold: 1 },
      },
    ]),
    service("toggled", { selector: { app: "toggled" }, ports: [{ port: 80, targetPort: "web" }] }),
    service("toggled-all", {
      selector: { app: "toggled" },
      clusterIP: "None",
      publishNotReadyAddresses: true,
      ports: [{ port: 80 }],
    }),
  ]);
  await cluster.run("wait pod/web-a pod/web-b pod/client pod/host-client --for=condition=Ready --timeout=30s");
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

for (const client of ["client", "host-client"]) {
  test.concurrent(`${client} finds pods by service, port and named target port`, async () => {
    const web = await asked(client, "http://web/x", 20);
    expect(new Set(web)).toEqual(new Set(["web-a web /x", "web-b web /x"]));
    expect(new Set(await asked(client, "http://web:90/", 20))).toEqual(new Set(["web-a admin /", "web-b admin /"]));
    expect(await asked(client, "http://web:91/", 1)).toEqual(["ECONNREFUSED"]);
    expect(new Set(await asked(client, "http://sticky/", 8)).size).toBe(1);
  }, 60_000);
}

test.concurrent("a pod reaches itself by its service", async () => {
  expect(await asked("web-a", "http://web/", 20)).toContain("web-a web /");
}, 60_000);

test.concurrent("an ExternalName is another name", async () => {
  // The port stays the client's choice.
  expect((await asked("client", "http://elsewhere/y", 1))[0]).toMatch(/^web-[ab] web \/y$/);
  expect(
    await inPod(
      "client",
      "console.log(await require('node:dns/promises').resolveCname('elsewhere.default.svc.cluster.local'))",
    ),
  ).toContain("web.default.svc.cluster.local");
  expect(await cluster.run("get svc elsewhere")).toMatch(
    /elsewhere +ExternalName +<none> +web\.default\.svc\.cluster\.local +<none>/,
  );
}, 60_000);

test.concurrent("a service that nobody stands behind refuses at once", async () => {
  const script = `
    const before = performance.now();
    const code = await fetch("http://nobody/").then(() => "answer", (error) => error.code);
    console.log(code, performance.now() - before < 4000);`;
  expect(await inPod("client", script)).toBe("ECONNREFUSED true");
}, 60_000);

test.concurrent("endpoints by hand", async () => {
  const ip = await cluster.run("get pod web-a -o jsonpath={.status.podIP}");
  await cluster.apply([
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "by-hand-1", labels: { "kubernetes.io/service-name": "by-hand" } },
      addressType: "IPv4",
      ports: [{ name: "", port: 8080 }],
      endpoints: [{ addresses: [ip] }],
    },
  ]);
  await waitFor(async () => (await asked("client", "http://by-hand/", 1))[0] === "web-a web /", {
    what: "an answer",
    timeoutMs: 20_000,
  });
}, 60_000);

test.concurrent("headless names: addresses, ports, and addresses' names", async () => {
  const script = `
    const dns = require("node:dns/promises");
    console.log((await dns.resolve4("headless.default.svc.cluster.local")).length);
    console.log((await dns.resolveSrv("_http._tcp.headless.default.svc.cluster.local")).map(({ port }) => port).sort().join());
    console.log((await dns.resolveSrv("_http._tcp.web.default.svc.cluster.local")).map(({ name, port }) => name + ":" + port).join());
    const [service] = await dns.resolve4("web.default.svc.cluster.local");
    console.log((await dns.reverse(service)).join());`;
  expect((await inPod("client", script)).split("\n")).toEqual([
    "2",
    "8080,8081",
    "web.default.svc.cluster.local:80",
    "web.default.svc.cluster.local",
  ]);
}, 60_000);

test.concurrent("EndpointSlices follow readiness within a second", async () => {
  const slice =
    "get endpointslices -l kubernetes.io/service-name=toggled -o jsonpath={.items[0].endpoints[0].conditions.ready}";
  await waitFor(async () => (await cluster.run(slice)) === "false", { what: "the pod's endpoint", timeoutMs: 20_000 });
  expect(await asked("client", "http://toggled/", 1)).toEqual(["ECONNREFUSED"]);
  const all =
    "get endpointslices -l kubernetes.io/service-name=toggled-all -o jsonpath={.items[0].endpoints[0].conditions.ready}";
  expect(await cluster.run(all)).toBe("true");

  await using pods = cluster.spawnKubectl([
    "get",
    "pod",
    "toggled",
    "-w",
    "-o",
    'jsonpath={.status.conditions[?(@.type=="Ready")].status}\n',
  ]);
  await using slices = cluster.spawnKubectl([
    "get",
    "endpointslices",
    "-l",
    "kubernetes.io/service-name=toggled",
    "-w",
    "-o",
    "jsonpath={.endpoints[0].conditions.ready}\n",
  ]);
  await Promise.all([pods.waitForOutput("False\n", 20_000), slices.waitForOutput("false\n", 20_000)]);
  for (const [change, ready] of [
    ["touch", "True"],
    ["rm", "False"],
  ] as const) {
    const [seenPods, seenSlices] = [lastLines(pods), lastLines(slices)];
    await cluster.run(`exec toggled -- ${change} /tmp/ready`);
    const [podAt, sliceAt] = await Promise.all([seenPods(ready), seenSlices(ready.toLowerCase())]);
    expect(sliceAt - podAt).toBeLessThan(1_000);
    const answer = ready === "True" ? "toggled web /" : "ECONNREFUSED";
    await waitFor(async () => (await asked("client", "http://toggled/", 1))[0] === answer, {
      what: answer,
      timeoutMs: 20_000,
    });
  }
}, 90_000);

test.concurrent("a service that goes takes its name and address with it", async () => {
  await cluster.apply([service("brief", { selector: { app: "web" }, ports: [{ port: 80, targetPort: "web" }] })]);
  await waitFor(async () => (await asked("client", "http://brief/", 1))[0]?.startsWith("web-"), {
    what: "an answer",
    timeoutMs: 20_000,
  });
  await cluster.run("delete svc brief");
  const looked = "await require('node:dns/promises').lookup('brief').catch(({ code }) => console.log(code))";
  await waitFor(async () => (await inPod("client", looked)) === "ENOTFOUND", {
    what: "no such name",
    timeoutMs: 20_000,
  });
  expect(await cluster.run("get endpointslices -l kubernetes.io/service-name=brief -o name")).toBe("");
}, 60_000);

/** From here on: resolves with the time at which the program says `line`. */
function lastLines(program: RunningProcess): (line: string) => Promise<number> {
  const from = program.stdout().length;
  return async (line) => {
    await waitFor(() => program.stdout().slice(from).split("\n").includes(line), {
      what: `${line} from ${program.argv.join(" ")}`,
      timeoutMs: 20_000,
    });
    return performance.now();
  };
}

/** Answers to `count` requests from within a pod, each on a connection of its own; an error's code where there is none. */
async function asked(name: string, url: string, count: number): Promise<string[]> {
  const script = `
    for (let i = 0; i < ${count}; i++) {
      const answer = fetch(${JSON.stringify(url)}, { keepalive: false }).then((response) => response.text(), (error) => error.code);
      console.log(await answer);
    }`;
  return (await inPod(name, script)).split("\n");
}

async function inPod(name: string, script: string): Promise<string> {
  return (await cluster.kubectl(["exec", name, "--", process.execPath, "-e", script])).trim();
}

function http(name: string, port: number, word: string): object {
  return {
    name,
    image: "web",
    command: httpProgram(port),
    env: [{ name: "WORD", value: word }],
    ports: [{ name: word, containerPort: port }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
  };
}

function pod(name: string, app: string, containers: readonly object[], spec: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app } },
    spec: { terminationGracePeriodSeconds: 0, containers, ...spec },
  };
}

function service(name: string, spec: object): object {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}
