import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rejectionOf } from "@bowline/testkit";
import { DEFAULT_CONFIG } from "./cluster-config.ts";
import { holdAlone } from "./daemon-process.ts";
import { clusterDown } from "./down.ts";
import { type ClusterPaths, clusterPaths } from "./paths.ts";
import { findSettings, readSettings, writeSettings } from "./settings.ts";
import { clusterStatus } from "./status.ts";
import { clusterUp } from "./up.ts";

let dir: string;
let paths: ClusterPaths;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bowline-settings-"));
  paths = clusterPaths("unit-settings", join(dir, "state"));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

test("settings are read as they were written", () => {
  const settings = { name: "unit-settings", apiPort: 6443, isApiPortFixed: true, config: DEFAULT_CONFIG };
  writeSettings(paths, settings);
  expect(readSettings(paths)).toEqual(settings);
});

test.each([
  ["of an older version", '{"apiPort": 7, "config": {"families": "dual", "images": []}}', 7, "dual"],
  ["cut off by a crash", '{"apiPo', 0, "v4"],
] as const)("settings %s get the defaults for the rest", (_what, text, apiPort, families) => {
  mkdirSync(paths.stateDir);
  writeFileSync(paths.settingsFile, text);
  expect(readSettings(paths)).toEqual({
    name: "unit-settings",
    apiPort,
    isApiPortFixed: false,
    config: { ...DEFAULT_CONFIG, families },
  });
});

test("an absent or empty directory is no cluster yet", async () => {
  expect(findSettings(paths)).toBeNull();
  mkdirSync(paths.stateDir);
  expect(findSettings(paths)).toBeNull();
  expect(() => readSettings(paths)).toThrow(`there is no cluster unit-settings in ${paths.stateDir}`);
  expect(await clusterStatus(paths)).toMatchObject({ state: "absent" });
});

test("a directory with anything else in it is neither used nor removed", async () => {
  mkdirSync(paths.stateDir);
  const precious = join(paths.stateDir, "precious");
  writeFileSync(precious, "");
  const up = clusterUp({ paths, bowline: ["false"], timeoutMs: 1000 });
  for (const refused of [up, clusterDown(paths), clusterStatus(paths)]) {
    expect((await rejectionOf(refused)).message).toBe(
      `${paths.stateDir} is not empty and holds no cluster: name another directory with --state-dir`,
    );
  }
  expect(await Bun.file(precious).exists()).toBe(true);
});

test("another cluster's directory is left alone", async () => {
  writeSettings(paths, { name: "other", apiPort: 0, isApiPortFixed: false, config: DEFAULT_CONFIG });
  expect((await rejectionOf(clusterDown(paths))).message).toBe(
    `${paths.stateDir} is the state of cluster other, not of unit-settings`,
  );
  expect(await Bun.file(paths.settingsFile).exists()).toBe(true);
});

test("a daemon that ends at its start is told of with its last words, and leaves what down removes", async () => {
  const bowline = ["sh", "-c", "echo it would not start; exit 1"];
  expect((await rejectionOf(clusterUp({ paths, bowline, timeoutMs: 5_000 }))).message).toBe(
    "the cluster's daemon ended:\nit would not start",
  );
  expect(await clusterStatus(paths)).toMatchObject({ state: "stopped" });
  expect(await clusterDown(paths)).toBe(true);
  expect(await clusterStatus(paths)).toMatchObject({ state: "absent" });
  expect(await clusterDown(paths)).toBe(false);
});

test("a daemon that takes too long is told of with its log", async () => {
  const bowline = ["sh", "-c", "echo still busy; exec sleep 30"];
  const { message } = await rejectionOf(clusterUp({ paths, bowline, timeoutMs: 200 }));
  expect(message).toBe(`the cluster is not ready after 200 ms; its log, ${paths.logFile}, ends with:\nstill busy`);
  expect(await clusterStatus(paths)).toMatchObject({ state: "starting" });
  const configFile = join(dir, "c.yaml");
  expect((await rejectionOf(clusterUp({ paths, configFile, bowline, timeoutMs: 200 }))).message).toMatch(
    /^cluster unit-settings is running already: --config is for starting one; run `bowline local down` first$/,
  );
  expect(await clusterDown(paths)).toBe(true);
});

test("while another `up` of the same cluster is under way, this one does nothing", async () => {
  using _other = holdAlone(paths.lockFile, "");
  expect((await rejectionOf(clusterUp({ paths, bowline: ["false"], timeoutMs: 1000 }))).message).toBe(
    "another `bowline local up` of cluster unit-settings is under way",
  );
  expect(await clusterStatus(paths)).toMatchObject({ state: "absent" });
});

test("a configuration with faults, or none at all, leaves nothing behind", async () => {
  const configFile = join(dir, "c.yaml");
  const up = (): Promise<unknown> => clusterUp({ paths, configFile, bowline: ["false"], timeoutMs: 1000 });
  expect((await rejectionOf(up())).message).toBe(`--config ${configFile}: there is no such file`);
  writeFileSync(configFile, "families: [");
  expect((await rejectionOf(up())).message).toMatch(/c\.yaml:1:\d+: /);
  expect(await clusterStatus(paths)).toMatchObject({ state: "absent" });
});
