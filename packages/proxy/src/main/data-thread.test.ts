import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rejectionOf, waitFor } from "@bowline/testkit";
import { type Config, readConfig } from "../config.ts";
import type { LogRecord } from "../log/format.ts";
import { Logger } from "../log/logger.ts";
import { DataThread, type DataThreadOptions } from "./data-thread.ts";
import { Discovery } from "./discovery/discovery.ts";
import { policyMessage, ScriptedServices } from "./discovery/testing/scripted-services.ts";
import { SimulatedClock } from "./discovery/testing/simulated-clock.ts";

/** What a worker program begins with: `run` is how often programs of this test were started before it. */
const PRELUDE = `
import { appendFileSync, openSync, readFileSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
const { beats, openFds } = workerData;
const run = readFileSync(RUNS).length;
appendFileSync(RUNS, ".");
const say = (kind, more) => parentPort.postMessage({ kind, ...more });
const pause = new Int32Array(new SharedArrayBuffer(4));
/** Turns as a data thread does, until \`each\` throws. */
function turn(each) {
  for (;;) {
    Atomics.wait(pause, 0, 0, 5);
    Atomics.add(beats, 0, 1);
    const next = receiveMessageOnPort(parentPort);
    if (next !== undefined && next.message.kind === "snapshot") say("snapshot", { id: next.message.id, snapshot: { families: [] } });
    if (next !== undefined && next.message.kind === "drain") say("drained");
    each?.(next?.message);
  }
}
`;

let directory: string;
let config: Config;
let programs = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bowline-data-thread-"));
  const result = readConfig({ LINKERD2_PROXY_POD_NAMESPACE: "test" }, 1);
  if (!("config" in result)) throw new Error(result.errors.join());
  ({ config } = result);
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

interface Supervised extends AsyncDisposable {
  readonly thread: DataThread;
  readonly records: LogRecord[];
  /** How often the program was started. */
  runs(): number;
  drained: number;
}

function supervise(program: string, options: Partial<DataThreadOptions> = {}): Supervised {
  const path = join(directory, `${programs++}.ts`);
  const runs = `${path}.runs`;
  writeFileSync(runs, "");
  writeFileSync(path, (PRELUDE + program).replaceAll("RUNS", JSON.stringify(runs)));
  const records: LogRecord[] = [];
  const thread = new DataThread({
    config,
    thread: 2,
    listeners: [],
    fdsMax: 1024,
    log: new Logger({ filter: "info", thread: 1, emit: (record) => records.push(record) }),
    onLog: (record) => records.push(record),
    onDrained: () => {
      supervised.drained += 1;
    },
    program: path,
    ...options,
  });
  const supervised: Supervised = {
    thread,
    records,
    runs: () => readFileSync(runs, "utf8").length,
    drained: 0,
    [Symbol.asyncDispose]: () => thread.stop(),
  };
  return supervised;
}

function messages(records: readonly LogRecord[]): string {
  return records.map(({ message }) => message).join("\n");
}

test("a thread that runs is left alone, and answers", async () => {
  await using supervised = supervise(`say("started"); turn();`, { stallMs: 200 });
  await supervised.thread.start();
  expect(await supervised.thread.snapshot()).not.toBeNull();
  const runs = supervised.runs();
  await Bun.sleep(500);
  expect(supervised.runs()).toBe(runs);
  expect(supervised.thread.restarts).toBe(0);
});

describe("a thread is replaced", () => {
  test("when it throws, with its error in the log", async () => {
    await using supervised = supervise(`
      say("started");
      let turns = 0;
      turn(() => { if (run === 0 && ++turns > 5) throw new Error("a bug of ours"); });`);
    await supervised.thread.start();
    await waitFor(() => supervised.runs() === 2, { what: "the replacement" });
    expect(supervised.thread.restarts).toBe(1);
    expect(messages(supervised.records)).toContain("data thread failed: a bug of ours");
    expect(messages(supervised.records)).toContain("starting another data thread");
    await waitFor(() => supervised.thread.snapshot(), { what: "the replacement to answer" });
  });

  test("when it ends by itself", async () => {
    await using supervised = supervise(`say("started"); if (run > 0) turn(); process.exit(0);`);
    await supervised.thread.start();
    await waitFor(() => supervised.runs() === 2, { what: "the replacement" });
    expect(supervised.thread.restarts).toBe(1);
  });

  test("when it does not turn any more, and the stuck one is gone before the next begins", async () => {
    // A stuck thread that lived on would go on counting where the next one looks.
    const program = `
      say("started");
      if (run === 0) for (;;) openFds[1000] = (openFds[1000] + 1) & 0x7f | 0x80;
      const seen = openFds[1000];
      Atomics.wait(pause, 0, 0, 100);
      if (openFds[1000] !== seen) appendFileSync(RUNS, "!!!");
      turn();`;
    await using supervised = supervise(program, { stallMs: 200 });
    await supervised.thread.start();
    await waitFor(() => supervised.runs() === 2, { what: "the replacement" });
    expect(supervised.thread.restarts).toBe(1);
    expect(messages(supervised.records)).toContain("data thread 2 does not answer");
    await waitFor(() => supervised.thread.snapshot(), { what: "the replacement to answer" });
    expect(supervised.runs()).toBe(2);
  });

  test("again and again, ever more slowly, when none stays", async () => {
    await using supervised = supervise(`say("started"); throw new Error("at once");`);
    await supervised.thread.start();
    await waitFor(() => supervised.runs() >= 4, { what: "four starts" });
    const delays = supervised.records.flatMap(({ fields }) => {
      const { delayMs } = fields ?? {};
      return typeof delayMs === "number" ? [delayMs] : [];
    });
    expect(delays.slice(0, 3)).toEqual([200, 400, 800]);
  });
});

test("a thread that never comes to run fails the start", async () => {
  await using supervised = supervise(`throw new Error("no libc here");`);
  expect((await rejectionOf(supervised.thread.start())).message).toContain("data thread 2 does not start");
  expect(supervised.runs()).toBe(3);
  expect(messages(supervised.records)).toContain("no libc here");
});

test("what a thread had open is closed when it dies", async () => {
  const path = join(directory, "open");
  const file = openSync(path, "w");
  const isOpen = (): boolean => readdirSync("/proc/self/fd").some((fd) => linkOf(fd) === path);
  expect(isOpen()).toBe(true);
  await using supervised = supervise(`
    say("started");
    if (run === 0) { openFds[${file}] = 1; throw new Error("gone"); }
    turn();`);
  await supervised.thread.start();
  await waitFor(() => supervised.runs() === 2, { what: "the replacement" });
  expect(isOpen()).toBe(false);
});

describe("while draining", () => {
  test("a thread says when it is done", async () => {
    await using supervised = supervise(`say("started"); turn();`);
    await supervised.thread.start();
    supervised.thread.drain();
    await waitFor(() => supervised.drained === 1, { what: "the thread to be drained" });
  });

  test("one that dies is done, and not replaced", async () => {
    await using supervised = supervise(`
      say("started");
      turn((message) => { if (message?.kind === "drain") throw new Error("too late"); });`);
    await supervised.thread.start();
    supervised.thread.drain();
    await waitFor(() => supervised.drained >= 1, { what: "the end of it" });
    await Bun.sleep(300);
    expect(supervised.runs()).toBe(1);
  });
});

test("a thread that does not answer costs the page its part, not the page", async () => {
  await using supervised = supervise(
    `say("started"); for (;;) { Atomics.wait(pause, 0, 0, 5); Atomics.add(beats, 0, 1); }`,
  );
  await supervised.thread.start();
  expect(await supervised.thread.snapshot()).toBeNull();
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

describe("discovery", () => {
  test("a thread is told what it asks for, and the control plane nothing more of a thread that died", async () => {
    const clock = new SimulatedClock();
    const services = new ScriptedServices(clock);
    const { policy, logger: log } = services;
    const discovery = new Discovery({ destination: null, policy, searchesProfile: () => false, log });
    const program = `
      say("started");
      if (run === 0) say("discover", { target: "10.9.9.9:80" });
      turn((message) => {
        if (message?.kind !== "outbound") return;
        say("log", { record: { level: 3, message: message.target + " " + message.outbound.policy.meta.name } });
        if (message.outbound.policy.meta.name === "fatal") throw new Error("killed by a policy");
      });`;
    await using supervised = supervise(program, { discovery });
    await supervised.thread.start();
    await waitFor(() => services.held === 1, { what: "the question" });
    services.policies.last.send(policyMessage({ metadata: { default: "a" }, protocol: { opaque: {} } }));
    await waitFor(() => messages(supervised.records).includes("10.9.9.9:80 a"), { what: "the answer" });
    services.policies.last.send(policyMessage({ metadata: { default: "fatal" }, protocol: { opaque: {} } }));
    await waitFor(() => supervised.runs() === 2, { what: "the replacement" });
    expect({ held: services.held, timers: clock.armed }).toEqual({ held: 0, timers: 0 });
  });
});
