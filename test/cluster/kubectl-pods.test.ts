import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, waitFor } from "@bowline/testkit";
import { httpProgram } from "./http-program.ts";
import { TestCluster } from "./test-cluster.ts";

let cluster: TestCluster;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "bowline-pods-"));
  cluster = await TestCluster.up();
  await cluster.apply([
    deployment("web", [
      {
        name: "main",
        image: "web",
        command: httpProgram(8080),
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      },
      { name: "side", image: "side", command: ["sh", "-c", "echo one; echo two; echo three >&2; exec sleep 1000"] },
    ]),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    },
  ]);
  await cluster.run("rollout status deploy/web --timeout=20s");
}, 120_000);

afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

test.concurrent("logs", async () => {
  expect(await cluster.run("logs deploy/web -c side")).toBe("one\ntwo\nthree\n");
  expect(await cluster.run("logs deploy/web -c side --tail=1")).toBe("three\n");
  expect(await cluster.run("logs deploy/web -c side --limit-bytes=5")).toBe("one\nt");
  expect(await cluster.run("logs deploy/web -c side --timestamps")).toMatch(/^20\d\d-\d\d-\d\dT\S+Z one\n20/);
  expect(await cluster.run("logs deploy/web -c side --since=1h")).toContain("one");
  expect(await cluster.run("logs deploy/web -c side --since-time=2100-01-01T00:00:00Z")).toBe("");
  expect(await cluster.run("logs -l app=web --all-containers --prefix")).toMatch(/^\[pod\/web-\S+\/side\] one$/m);
  const absent = await cluster.tryKubectl(["logs", "deploy/web", "-c", "none"]);
  expect(absent.stderr).toContain("container none is not valid for pod web-");
  const previous = await cluster.tryKubectl(["logs", "deploy/web", "-c", "side", "--previous"]);
  expect(previous.stderr).toContain('previous terminated container "side" in pod');
}, 60_000);

test.concurrent("logs -f goes on while the container does, and ends with it", async () => {
  const repeat = "while read -r line <&3 && [ $line != end ]; do echo heard $line; done";
  await cluster.apply([pod("talks", ["sh", "-c", `mkfifo /tmp/words; exec 3<>/tmp/words; ${repeat}`], "Never")]);
  await cluster.run("wait pod/talks --for=condition=Ready --timeout=20s");
  const say = async (word: string) => {
    const { code } = await cluster.tryKubectl([
      "exec",
      "talks",
      "--",
      "sh",
      "-c",
      `[ -p /tmp/words ] && echo ${word} >/tmp/words`,
    ]);
    return code === 0;
  };
  await using follow = cluster.spawnKubectl(["logs", "-f", "talks"]);
  await waitFor(() => say("first"), { what: "the first word is said", timeoutMs: 20_000 });
  await follow.waitForOutput("heard first\n", 20_000);
  await say("second");
  await follow.waitForOutput("heard second\n", 20_000);
  await say("end");
  expect((await follow.exited).code).toBe(0);
  await cluster.run("delete pod talks");
}, 60_000);

test.concurrent("exec gives output, input and exit code", async () => {
  const exec = ["exec", "deploy/web", "-c", "side"];
  expect(await cluster.kubectl([...exec, "--", "hostname"])).toMatch(/^web-\w+-\w+\n$/);
  expect(await cluster.kubectl([...exec, "-i", "--", "tr", "a-z", "A-Z"], { input: "shout" })).toBe("SHOUT");
  const fails = await cluster.tryKubectl([...exec, "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
  expect([fails.code, fails.stdout]).toEqual([7, "out\n"]);
  expect(fails.stderr).toContain("err\n");
  const big = await cluster.kubectl([...exec, "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"]);
  expect(big.length).toBe(3_000_000);
  const absent = await cluster.tryKubectl([...exec, "--", "no-such-program"]);
  expect(absent.code).not.toBe(0);
}, 60_000);

test.concurrent("cp there and back", async () => {
  writeFileSync(join(dir, "there"), "some text\n");
  const name = await podName();
  await cluster.run(`cp ${dir}/there ${name}:/tmp/there -c side`);
  expect(await cluster.run(`exec ${name} -c side -- cat /tmp/there`)).toBe("some text\n");
  await cluster.run(`cp ${name}:/tmp/there ${dir}/back -c side`);
  expect(readFileSync(join(dir, "back"), "utf8")).toBe("some text\n");
}, 60_000);

test.concurrent("port-forward to a pod, a Deployment and a Service", async () => {
  const name = await podName();
  for (const [target, port] of [
    [`pod/${name}`, 8080],
    ["deploy/web", 8080],
    ["svc/web", 80],
  ] as const) {
    await using forward = cluster.spawnKubectl(["port-forward", target, `:${port}`]);
    await forward.waitForOutput(/Forwarding from 127\.0\.0\.1:\d+/, 20_000);
    const local = /127\.0\.0\.1:(\d+)/.exec(forward.stdout())?.[1];
    const answers = await Promise.all(
      ["a", "b", "c"].map(async (path) => (await fetch(`http://127.0.0.1:${local}/${path}`)).text()),
    );
    expect(answers).toEqual(["a", "b", "c"].map((path) => `${name} none /${path}`));
  }
  const refused = await cluster.tryKubectl(["port-forward", "svc/web", `${await freePort()}:81`]);
  expect(refused.stderr).toContain("81");
}, 60_000);

test.concurrent("the API server passes requests on to pods and services", async () => {
  const name = await podName();
  expect(await cluster.run(`get --raw /api/v1/namespaces/default/pods/${name}:8080/proxy/x?y=z`)).toBe(
    `${name} none /x?y=z`,
  );
  expect(await cluster.run("get --raw /api/v1/namespaces/default/services/web:http/proxy/x")).toBe(`${name} none /x`);
}, 60_000);

test.concurrent("run: a pod, its output, its end", async () => {
  await cluster.kubectl([
    "run",
    "once",
    "--image=once",
    "--restart=Never",
    "--command",
    "--",
    "sh",
    "-c",
    "echo said; exit 3",
  ]);
  const ended = [
    "get",
    "pod",
    "once",
    "-o",
    "jsonpath={.status.phase} {.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].state.terminated.reason}",
  ];
  await waitFor(async () => (await cluster.kubectl(ended)) === "Failed 3 Error", {
    what: "the pod has failed",
    timeoutMs: 20_000,
  });
  expect(await cluster.run("logs once")).toBe("said\n");
  expect(await cluster.run("get pod once")).toMatch(/once +0\/1 +Error +0 /);
  expect(await cluster.run("describe pod once")).toMatch(/State: +Terminated\n +Reason: +Error\n +Exit Code: +3\n/);
  expect(await cluster.run("delete pod once")).toContain('pod "once" deleted');
}, 60_000);

test.concurrent("a crashing container backs off, and its previous log is kept", async () => {
  await cluster.apply([pod("crash", ["sh", "-c", "echo run $(date +%s%N); exit 5"], "Always")]);
  await waitFor(async () => /crash +0\/1 +CrashLoopBackOff +[1-9]/.test(await cluster.run("get pod crash")), {
    what: "CrashLoopBackOff",
    timeoutMs: 20_000,
  });
  expect(await cluster.run("logs crash --previous")).toMatch(/^run \d+\n$/);
  const described = await cluster.run("describe pod crash");
  expect(described).toMatch(/Last State: +Terminated\n +Reason: +Error\n +Exit Code: +5\n/);
  expect(described).toMatch(/Warning +BackOff .*Back-off restarting failed container/);
  await cluster.run("delete pod crash");
}, 60_000);

test.concurrent("what has no program is told in status and events", async () => {
  await cluster.apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "unknown" },
      spec: { containers: [{ name: "c", image: "no.such/image:1" }] },
    },
    pod("missing", ["/no/such/program"], "Never"),
  ]);
  await waitFor(
    async () => /unknown +0\/1 +(ErrImagePull|ImagePullBackOff) /.test(await cluster.run("get pod unknown")),
    { what: "an image fault", timeoutMs: 20_000 },
  );
  expect(await cluster.run("describe pod unknown")).toMatch(/Warning +Failed .*no\.such\/image:1/);
  await waitFor(async () => /(StartError|RunContainerError)/.test(await cluster.run("get pod missing")), {
    what: "a start fault",
    timeoutMs: 20_000,
  });
  expect(await cluster.run("describe pod missing")).toContain("stat /no/such/program: no such file or directory");
  await cluster.run("delete pod unknown missing");
}, 60_000);

test.concurrent("delete waits for the grace period, unless it is shorter", async () => {
  const deaf = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"];
  const handles = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];
  await cluster.apply([
    pod("deaf", deaf, "Always", 2),
    pod("handles", handles, "Always", 30),
    pod("asked", deaf, "Always", 30),
  ]);
  await cluster.run("wait pod/deaf pod/handles pod/asked --for=condition=Ready --timeout=20s");
  const timed = async (args: string) => {
    const start = performance.now();
    await cluster.run(args);
    return performance.now() - start;
  };
  const [deafMs, handlesMs, askedMs] = await Promise.all([
    timed("delete pod deaf"),
    timed("delete pod handles"),
    timed("delete pod asked --grace-period=1"),
  ]);
  expect(deafMs).toBeGreaterThan(1_900);
  expect(handlesMs).toBeLessThan(15_000);
  expect(askedMs).toBeGreaterThan(900);
  expect(askedMs).toBeLessThan(15_000);
}, 60_000);

test.concurrent("run -i --rm is a program like any other: input, output, end", async () => {
  const run = (name: string, command: readonly string[], input: string) =>
    cluster.kubectl(["run", name, "-i", "--rm", "--restart=Never", "--image=i", "--command", "--", ...command], {
      input,
    });
  const lines = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("pod "));
  expect(lines(await run("said", ["sh", "-c", "echo said at once"], ""))).toEqual(["said at once"]);
  expect(lines(await run("copied", ["cat"], "one\ntwo\n"))).toEqual(["one", "two"]);
  const big = "x".repeat(99).concat("\n").repeat(3_000);
  expect(lines(await run("counted", ["wc", "-c"], big))).toEqual(["300000"]);
  expect(await cluster.run("get pods said copied counted --ignore-not-found -o name")).toBe("");
}, 60_000);

test.concurrent("attach shows what comes", async () => {
  await cluster.apply([pod("ticks", ["sh", "-c", "while :; do echo tick; sleep 0.1; done"], "Always")]);
  await cluster.run("wait pod/ticks --for=condition=Ready --timeout=20s");
  await using attached = cluster.spawnKubectl(["attach", "ticks"]);
  await attached.waitForOutput("tick\ntick\n", 20_000);
  await attached.stop();
  expect(await cluster.run("get pod ticks")).toMatch(/1\/1 +Running +0 /);
  await cluster.run("delete pod ticks");
}, 60_000);

async function podName(): Promise<string> {
  return await cluster.kubectl(["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}"]);
}

function deployment(name: string, containers: readonly object[]): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 0, containers } },
    },
  };
}

function pod(
  name: string,
  command: readonly string[],
  restartPolicy: string,
  terminationGracePeriodSeconds = 0,
): object {
  const containers = [{ name: "main", image: name, command }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { restartPolicy, terminationGracePeriodSeconds, containers },
  };
}
