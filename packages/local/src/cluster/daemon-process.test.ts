import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnProcess } from "@bowline/testkit";
import { holdAlone, recordDaemon, runningDaemon, stopDaemon } from "./daemon-process.ts";

let dir: string;
let pidFile: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "bowline-daemon-"));
  pidFile = join(dir, "daemon.pid");
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

test("a daemon that runs is known by its pid, and forgotten when it ended", async () => {
  await using daemon = spawnProcess(["sleep", "30"]);
  recordDaemon(pidFile, daemon.pid);
  expect(runningDaemon(pidFile)).toBe(daemon.pid);
  daemon.kill("SIGKILL");
  await daemon.exited;
  expect(runningDaemon(pidFile)).toBeNull();
  expect(await stopDaemon(pidFile, 100)).toBe(false);
});

test("another process with the same pid is not the daemon, and is not stopped", async () => {
  await using stranger = spawnProcess(["sleep", "30"]);
  writeFileSync(pidFile, `${stranger.pid} 12345\n`);
  expect(runningDaemon(pidFile)).toBeNull();
  expect(await stopDaemon(pidFile, 100)).toBe(false);
  expect(stranger.result()).toBeNull();
});

test.each(["", "\n", "garbage", "-1 5", "1", "99999999 1"])("a pid file %j names nobody", (text) => {
  writeFileSync(pidFile, text);
  expect(runningDaemon(pidFile)).toBeNull();
});

test("no file, no daemon", () => {
  expect(runningDaemon(join(dir, "absent"))).toBeNull();
});

test("a daemon has its grace to end by itself, then it is killed", async () => {
  const stop = async (script: string): Promise<unknown> => {
    await using daemon = spawnProcess(["sh", "-c", script]);
    await daemon.waitForOutput("up");
    recordDaemon(pidFile, daemon.pid);
    expect(await stopDaemon(pidFile, 200)).toBe(true);
    expect(await Bun.file(pidFile).exists()).toBe(false);
    const { code, signal } = await daemon.exited;
    return { code, signal };
  };
  const sleeping = "echo up; while :; do sleep 0.02; done";
  expect(await stop(`trap 'exit 7' TERM; ${sleeping}`)).toEqual({ code: 7, signal: null });
  expect(await stop(`trap '' TERM; ${sleeping}`)).toEqual({ code: null, signal: "SIGKILL" });
});

test("a file is held by one at a time, and by nobody whose process has ended", () => {
  const file = join(dir, "lock");
  {
    using _held = holdAlone(file, "taken");
    expect(() => holdAlone(file, "taken")).toThrow("taken");
  }
  writeFileSync(file, "99999999 1\n");
  using _held = holdAlone(file, "taken");
  expect(runningDaemon(file)).toBe(process.pid);
});
