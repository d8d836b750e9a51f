import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { type KubeConfig, loadKubeConfig } from "@bowline/kube";
import { DEFAULT_CONFIG, parseClusterConfig } from "./cluster-config.ts";
import { holdAlone, recordDaemon, runningDaemon } from "./daemon-process.ts";
import type { ClusterPaths } from "./paths.ts";
import { missingTools } from "./requirements.ts";
import { type ClusterSettings, findSettings, writeSettings } from "./settings.ts";

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
  const before = findSettings(paths);
  if (runningDaemon(paths.pidFile) !== null) {
    refuseChanges(options, before);
    const log = (): string => readFileSync(paths.logFile, "utf8");
    if (await becomesReady(options, log)) return { already: true, server: serverOf(paths) };
  }
  const missing = missingTools();
  if (missing !== null) throw new Error(missing);
  const settings = settingsFor(options, before);
  mkdirSync(dirname(paths.lockFile), { recursive: true });
  using _lock = holdAlone(paths.lockFile, `another \`bowline local up\` of cluster ${paths.name} is under way`);
  writeSettings(paths, settings);
  rmSync(paths.kubeconfig, { force: true });
  const logStart = existsSync(paths.logFile) ? statSync(paths.logFile).size : 0;
  startDaemon(options);
  const log = (): string => readFileSync(paths.logFile, "utf8").slice(logStart);
  if (!(await becomesReady(options, log))) throw new Error(`the cluster's daemon ended:\n${lastLines(log())}`);
  return { already: false, server: serverOf(paths) };
}

/** What a running cluster can't be told any more. */
function refuseChanges({ paths, configFile, apiPort }: UpOptions, settings: ClusterSettings | null): void {
  const flag =
    configFile !== undefined
      ? "--config"
      : apiPort !== undefined && apiPort !== settings?.apiPort
        ? "--api-port"
        : null;
  if (flag === null) return;
  throw new Error(
    `cluster ${paths.name} is running already: ${flag} is for starting one; run \`bowline local down\` first`,
  );
}

function startDaemon({ paths, bowline }: UpOptions): void {
  const log = openSync(paths.logFile, "a");
  const [program = "", ...args] = bowline;
  const child = spawn(program, [...args, "local", "daemon", "--name", paths.name, "--state-dir", paths.stateDir], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
  });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new Error(`cannot start ${program}`);
  recordDaemon(paths.pidFile, child.pid);
}

/**
 * The daemon writes the kubeconfig once its API, its node and its controllers run. One that is being killed still looks alive,
 * so the API has to answer, too.
 *
 * @returns false when the daemon ended instead
 */
async function becomesReady({ paths, timeoutMs }: UpOptions, log: () => string): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!existsSync(paths.kubeconfig) || !(await acceptsConnections(serverOf(paths)))) {
    if (runningDaemon(paths.pidFile) === null) return false;
    if (Date.now() > deadline) {
      throw new Error(
        `the cluster is not ready after ${timeoutMs} ms; its log, ${paths.logFile}, ends with:\n${lastLines(log())}`,
      );
    }
    await Bun.sleep(10);
  }
  return true;
}

function acceptsConnections(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      resolve(true);
      socket.destroy();
    });
  });
}

function settingsFor({ paths, configFile, apiPort }: UpOptions, before: ClusterSettings | null): ClusterSettings {
  return {
    name: paths.name,
    apiPort: apiPort ?? before?.apiPort ?? 0,
    isApiPortFixed: apiPort === undefined ? (before?.isApiPortFixed ?? false) : apiPort !== 0,
    config:
      configFile === undefined
        ? (before?.config ?? DEFAULT_CONFIG)
        : parseClusterConfig(readConfig(configFile), configFile),
  };
}

function readConfig(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Error(`--config ${file}: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return "there is no such file";
    case "EISDIR":
      return "this is a directory";
    default:
      return error instanceof Error ? error.message : String(error);
  }
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
