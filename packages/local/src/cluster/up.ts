import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type KubeConfig, loadKubeConfig } from "@bowline/kube";
import { type ClusterConfig, DEFAULT_CONFIG, parseClusterConfig } from "./cluster-config.ts";
import { recordDaemon, runningDaemon } from "./daemon-process.ts";
import type { ClusterPaths } from "./paths.ts";
import { missingTools } from "./requirements.ts";

/** What a daemon needs to know at its start; kept in the state directory. */
export interface ClusterSettings {
  /** Of the API on the machine's loopback; 0 at first: any free one, the same again afterwards. */
  readonly apiPort: number;
  readonly config: ClusterConfig;
}

export interface UpOptions {
  readonly paths: ClusterPaths;
  /** Path of a configuration file; absent: as before, or the defaults. */
  readonly configFile?: string;
  readonly apiPort?: number;
  /** The executable and arguments that run `bowline`. */
  readonly bowline: readonly string[];
  /** The daemon must be ready within it. */
  readonly timeoutMs: number;
}

export interface UpResult {
  readonly already: boolean;
  readonly server: string;
}

/**
 * Starts a cluster's daemon, detached from this process, and waits until its API is ready. State left by an earlier daemon,
 * running pods included, is taken over.
 *
 * @throws Error that says what is missing, wrong in the configuration, or what the daemon's log ends with
 */
export async function clusterUp(options: UpOptions): Promise<UpResult> {
  const { paths } = options;
  if (runningDaemon(paths.pidFile) !== null) {
    if (options.configFile !== undefined) {
      throw new Error(
        `cluster ${paths.name} is running: its configuration is read by \`up\` only; run \`bowline local down\` first`,
      );
    }
    return { already: true, server: serverOf(paths) };
  }
  const missing = missingTools();
  if (missing !== null) throw new Error(missing);
  mkdirSync(paths.stateDir, { recursive: true });
  writeFileSync(paths.settingsFile, `${JSON.stringify(settingsFor(options), null, 2)}\n`);
  rmSync(paths.kubeconfig, { force: true });
  const log = openSync(paths.logFile, "a");
  const logStart = statSync(paths.logFile).size;
  const [program = "", ...args] = options.bowline;
  const child = spawn(program, [...args, "local", "daemon", "--name", paths.name, "--state-dir", paths.stateDir], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
  });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new Error(`cannot start ${program}`);
  recordDaemon(paths.pidFile, child.pid);
  await waitUntilReady(options, () => readFileSync(paths.logFile, "utf8").slice(logStart));
  return { already: false, server: serverOf(paths) };
}

/** The daemon writes the kubeconfig once its API, its node and its controllers run. */
async function waitUntilReady({ paths, timeoutMs }: UpOptions, log: () => string): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!existsSync(paths.kubeconfig)) {
    if (runningDaemon(paths.pidFile) === null) throw new Error(`the cluster's daemon ended:\n${lastLines(log())}`);
    if (Date.now() > deadline) {
      throw new Error(
        `the cluster is not ready after ${timeoutMs} ms; its log, ${paths.logFile}, ends with:\n${lastLines(log())}`,
      );
    }
    await Bun.sleep(10);
  }
}

function settingsFor({ paths, configFile, apiPort }: UpOptions): ClusterSettings {
  const before = existsSync(paths.settingsFile) ? readSettings(paths) : { apiPort: 0, config: DEFAULT_CONFIG };
  const config =
    configFile === undefined ? before.config : parseClusterConfig(readFileSync(configFile, "utf8"), configFile);
  return { apiPort: apiPort ?? before.apiPort, config };
}

/** Throws when there is no such cluster. */
export function readSettings(paths: ClusterPaths): ClusterSettings {
  return JSON.parse(readFileSync(paths.settingsFile, "utf8")) as ClusterSettings;
}

/** Access to a cluster that is up. */
export function clusterAccess(paths: ClusterPaths): KubeConfig {
  return loadKubeConfig({ path: paths.kubeconfig, env: {} });
}

function serverOf(paths: ClusterPaths): string {
  return clusterAccess(paths).server;
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-20).join("\n");
}
