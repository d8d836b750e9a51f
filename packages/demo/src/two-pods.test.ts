import { afterEach, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { type RunningProcess, runCommand, spawnProcess, waitFor } from "@bowline/testkit";

const DEMO = [process.execPath, `${import.meta.dir}/two-pods.ts`];
const NETNS = "/run/netns";

let running: RunningProcess | null = null;

afterEach(async () => {
  await running?.stop(10_000);
  running = null;
});

function start(seconds: string, argv: readonly string[] = DEMO): RunningProcess {
  running = spawnProcess(argv, { env: { DEMO_SECONDS: seconds } });
  return running;
}

/** Namespaces that the demo of this process id made. */
function namespacesOf(pid: number): string[] {
  return existsSync(NETNS) ? readdirSync(NETNS).filter((name) => name.startsWith(`bl-${pid}-`)) : [];
}

async function processesIn(namespaces: readonly string[]): Promise<number[]> {
  const lists = await Promise.all(namespaces.map((name) => runCommand(["ip", "netns", "pids", name])));
  return lists.flatMap(({ stdout }) => stdout.split("\n").filter(Boolean).map(Number));
}

async function expectNothingLeft(pid: number, processes: readonly number[]): Promise<void> {
  expect(namespacesOf(pid)).toEqual([]);
  await waitFor(() => processes.every((one) => !existsSync(`/proc/${one}`)), {
    what: `${processes.join(", ")} to be gone`,
  });
}

interface Row {
  readonly label: string;
  readonly perSecond: number;
  readonly successPercent: number;
  readonly p50: number;
  readonly p99: number;
}

/** The rows of the closing summary. */
function summaryRows(output: string): Row[] {
  const summary = output.slice(output.indexOf("Over all:"));
  const pattern = /^((?:caller|web) .*?) {2,}([\d.]+) +([\d.]+) % +([\d.]+) +([\d.]+) +([\d.]+) +(\d+)$/gm;
  return [...summary.matchAll(pattern)].map(([, label = "", perSecond, success, p50, , p99]) => ({
    label,
    perSecond: Number(perSecond),
    successPercent: Number(success),
    p50: Number(p50),
    p99: Number(p99),
  }));
}

test("shows the same traffic from both proxies, some of it failing, and leaves nothing behind", async () => {
  const demo = start("3");
  await demo.waitForOutput("What both proxies say", 60_000);
  const processes = await processesIn(namespacesOf(demo.pid));
  expect(processes.length).toBeGreaterThanOrEqual(4);
  const { code, stdout, stderr } = await demo.exited;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });

  expect(stdout).toMatch(/ignore-port-4191\/\d{10} \*\//);
  expect(
    stdout.match(/^ +\d+ s {2}(caller outbound → 10\.77\.0\.2:80|web {4}inbound {2}:80) /gm)?.length,
  ).toBeGreaterThanOrEqual(2);
  const [caller, web] = summaryRows(stdout);
  expect(caller?.label).toBe("caller outbound → 10.77.0.2:80");
  expect(web?.label).toBe("web    inbound  :80");
  for (const row of [caller!, web!]) {
    // 100 requests a second, of which the web app fails 1.5 %; a fifth of them take 15 ms or more.
    expect(row.perSecond).toBeGreaterThan(80);
    expect(row.perSecond).toBeLessThan(120);
    expect(row.successPercent).toBeGreaterThan(95);
    expect(row.successPercent).toBeLessThan(100);
    expect(row.p99).toBeGreaterThan(row.p50);
    expect(row.p99).toBeGreaterThan(15);
  }
  expect(stdout.match(/^ {4}ok .*the proxy counted (\d+) responses/gm)).toHaveLength(2);
  expect(stdout).not.toContain("FAILED");
  await expectNothingLeft(demo.pid, processes);
}, 120_000);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} while the table is shown ends it early, with the summary`, async () => {
    const demo = start("600");
    await demo.waitForOutput(/^ +1 s {2}web/m, 60_000);
    const processes = await processesIn(namespacesOf(demo.pid));
    demo.kill(signal);
    const { code, stdout } = await demo.exited;
    expect(summaryRows(stdout)).toHaveLength(2);
    expect(code).toBe(0);
    await expectNothingLeft(demo.pid, processes);
  }, 120_000);
}

test("a signal before there is a table cleans up and says so", async () => {
  const demo = start("600");
  await demo.waitForOutput("proxy as user 2102", 60_000);
  const namespaces = namespacesOf(demo.pid);
  expect(namespaces).toHaveLength(3);
  const processes = await processesIn(namespaces);
  demo.kill("SIGTERM");
  const { code, stderr } = await demo.exited;
  expect({ code, stderr }).toEqual({ code: 143, stderr: "interrupted by SIGTERM\n" });
  await expectNothingLeft(demo.pid, processes);
}, 120_000);

for (const text of ["0", "-1", "soon", "1.5"]) {
  test(`DEMO_SECONDS=${text} is refused before anything is made`, async () => {
    const { code, stdout, stderr } = await start(text).exited;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toStartWith("DEMO_SECONDS");
  });
}
