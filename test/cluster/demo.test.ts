import { afterEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mustRun, type RunningProcess, spawnProcess } from "@bowline/testkit";
import { bowlineExecutable } from "./test-cluster.ts";

// `make demo` as a person runs it, with the executable of the tests.

const ROOT = new URL("../..", import.meta.url).pathname;
const CLUSTER = `demo-${process.pid.toString(36)}`;
const STATE_DIR = `/var/lib/bowline/${CLUSTER}`;
let demo: RunningProcess | null = null;

afterEach(async () => {
  await demo?.stop(10_000);
  await mustRun([await bowlineExecutable(), "local", "down", "--name", CLUSTER]);
}, 60_000);

async function start(env: Readonly<Record<string, string>>): Promise<RunningProcess> {
  const variables = { BOWLINE: await bowlineExecutable(), CLUSTER, ...env };
  demo = spawnProcess([process.execPath, "run", `${ROOT}packages/demo/src/mesh-demo.ts`], { env: variables, cwd: "/" });
  return demo;
}

async function namespacesLeft(): Promise<string[]> {
  const list = await mustRun(["ip", "netns", "list"]);
  return list.split("\n").filter((line) => line.includes(`bowline-${CLUSTER}`));
}

test("the demo shows the failing part, and KEEP=1 leaves it running", async () => {
  const { exited } = await start({ DEMO_SECONDS: "1", KEEP: "1" });
  const { code, stdout, stderr } = await exited;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("Status check results are √");
  expect(stdout).toMatch(/NAME +MESHED +SUCCESS +RPS +LATENCY_P50 +LATENCY_P95 +LATENCY_P99 +TCP_CONN\n/);
  expect(stdout.match(/^ {4}ok {2}/gm)).toHaveLength(4);
  const startedSeconds = Number(/([\d.]+) s {2}bowline check --proxy/.exec(stdout)?.[1]);
  expect(startedSeconds).toBeLessThan(60);
  const kubeconfig = /export KUBECONFIG=(\S+)/.exec(stdout)?.[1] ?? "";
  const pods = await mustRun(["kubectl", "get", "pods", "-n", "emojivoto"], { env: { KUBECONFIG: kubeconfig } });
  expect(pods).toMatch(/^web-\S+ +2\/2 +Running/m);
  expect(stdout).toContain(`local down --name ${CLUSTER}`);
}, 120_000);

test("Ctrl-C ends it and takes everything away", async () => {
  const running = await start({});
  await running.waitForOutput("bowline check --pre", 30_000);
  running.kill("SIGINT");
  const { code, stdout } = await running.exited;
  expect(code).toBe(130);
  expect(stdout).toContain("bowline local down");
  expect(existsSync(STATE_DIR)).toBe(false);
  expect(await namespacesLeft()).toEqual([]);
}, 60_000);

test("what cannot be is refused", async () => {
  const { exited } = await start({ DEMO_SECONDS: "soon" });
  expect(await exited).toMatchObject({ code: 1, stdout: expect.stringContaining('DEMO_SECONDS="soon"') });
});
