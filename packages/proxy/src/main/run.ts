import { METRIC } from "@bowline/contracts";
import { formatAddress, raiseOpenFilesLimit, releaseStartupPages } from "@bowline/loop";
import { type Family, mergeSnapshots, Registry, renderText, type Snapshot } from "@bowline/metrics";
import type { BoundListener } from "../boundary.ts";
import { type Config, configOrExit, type Env } from "../config.ts";
import { Level } from "../log/level.ts";
import { isLoggingOff, type Logger } from "../log/logger.ts";
import { openLog } from "../log/open-log.ts";
import type { LogPrinter } from "../log/printer.ts";
import { logTarget } from "../log/target.ts";
import { startAdmin } from "./admin.ts";
import { buildInfo } from "./build-info.ts";
import { DataThread } from "./data-thread.ts";
import type { RunningDiscovery } from "./discovery/start-discovery.ts";
import { bindListeners, ListenError } from "./listeners.ts";
import { ProcessMetrics } from "./process-metrics.ts";

const TARGET = logTarget("main");
/** Linkerd's proxy panics when a proxy port cannot be bound. */
const BIND_FAILURE_EXIT_CODE = 101;
const FAILURE_EXIT_CODE = 1;

/** By now the data path has run once, and its first compilation with it. */
const STARTUP_MS = 3_000;

const RESTARTS: Family = {
  name: METRIC.dataThreadRestartsTotal,
  help: "Total count of data threads that died or stalled and were replaced.",
  kind: "counter",
  style: "classic",
};

/** Runs the proxy until it is asked to stop; the process's exit code. Only the environment configures it. */
export async function runProxy(env: Env): Promise<number> {
  const stderr = (text: string): void => void process.stderr.write(text);
  const { config, notes } = configOrExit(env, { stderr, exit: (code) => process.exit(code) });
  const startMs = Date.now() - process.uptime() * 1000;
  const { logger, printer } = openLog({ ...config.log, startMs, sink: process.stdout, stderr });
  for (const { level, message } of notes) logger.log(NOTE_LEVELS[level], TARGET, message, null);
  try {
    return await run(config, env, logger, printer);
  } catch (error) {
    stderr(`Initialization failure: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof ListenError ? BIND_FAILURE_EXIT_CODE : FAILURE_EXIT_CODE;
  }
}

const NOTE_LEVELS = { warn: Level.Warn, info: Level.Info, debug: Level.Debug } as const;

async function run(config: Config, env: Env, log: Logger, printer: LogPrinter): Promise<number> {
  const shutdown = new ShutdownRequest();
  const fdsMax = raiseOpenFilesLimit();
  const listeners = await bindListeners(config);
  logListening(log, listeners);
  const registry = new Registry();
  const discovery = await discoveryFor(config, registry, log);
  let draining = 0;
  const drained = Promise.withResolvers<void>();
  const threads = listeners.map(
    (own, index) =>
      new DataThread({
        config,
        thread: index + 2,
        listeners: own,
        fdsMax,
        log,
        discovery: discovery?.discovery ?? null,
        onLog: (record) => printer.print(record),
        onDrained: () => {
          draining -= 1;
          if (draining === 0) drained.resolve();
        },
      }),
  );
  const page = metricsPage(threads, registry);
  const admin = await startAdmin({
    listenAddr: config.admin.listenAddr,
    env,
    metricsText: page,
    logFilter: isLoggingOff(config.log.filter) ? null : logFilterControl(log, threads),
    shutdown: config.admin.shutdownEndpoint ? () => shutdown.ask("POST /shutdown") : null,
    told: discovery === null ? null : () => discovery.discovery.told(),
    onError: (message) => log.error(TARGET, message),
  });
  log.info(TARGET, `Admin interface on ${formatAddress(admin.address.ip, admin.address.port)}`);
  setTimeout(releaseStartupPages, STARTUP_MS).unref();
  const started = Promise.all(threads.map((thread) => thread.start())).then(() => admin.setReady(true));
  await Promise.race([started, shutdown.asked]);

  log.info(TARGET, `shutting down: ${await shutdown.asked}`);
  draining = threads.length;
  for (const thread of threads) thread.drain();
  const graceOver = Promise.withResolvers<boolean>();
  const graceTimer = setTimeout(() => graceOver.resolve(false), config.shutdownGraceMs);
  const finished = await Promise.race([
    drained.promise.then(() => true),
    shutdown.askedAgain.then(() => false),
    graceOver.promise,
  ]);
  // The process ends when nothing is left to wait for.
  clearTimeout(graceTimer);
  if (!finished) log.warn(TARGET, "shutting down with connections still open: the grace period is over");
  await Promise.all([...threads.map((thread) => thread.stop()), admin.close()]);
  discovery?.stop();
  return 0;
}

/** null without a control plane: a proxy that asks nobody does not load what it would ask with. */
async function discoveryFor(config: Config, registry: Registry, log: Logger): Promise<RunningDiscovery | null> {
  if (config.destination.service === null && config.policy.service === null) return null;
  const { startDiscovery } = await import("./discovery/start-discovery.ts");
  return startDiscovery(config, registry, log);
}

/** Within this time a second signal is an echo: `timeout`, for one, signals the process and then its whole group. */
const ECHO_MS = 300;

/** SIGTERM, SIGINT or POST /shutdown ask to stop; a second time means at once. */
class ShutdownRequest {
  readonly #first = Promise.withResolvers<string>();
  readonly #second = Promise.withResolvers<string>();
  #askedMs = Number.NaN;

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => this.ask(`received ${signal}`));
  }

  get asked(): Promise<string> {
    return this.#first.promise;
  }

  get askedAgain(): Promise<string> {
    return this.#second.promise;
  }

  ask(why: string): void {
    if (Number.isNaN(this.#askedMs)) {
      this.#askedMs = performance.now();
      this.#first.resolve(why);
    } else if (performance.now() - this.#askedMs > ECHO_MS) {
      this.#second.resolve(why);
    }
  }
}

function logListening(log: Logger, listeners: readonly (readonly BoundListener[])[]): void {
  for (const { direction, address } of listeners[0] ?? []) {
    log.info(TARGET, `${direction} listening on ${formatAddress(address.ip, address.port)}`);
  }
}

function logFilterControl(log: Logger, threads: readonly DataThread[]) {
  return {
    get: () => log.filterText,
    set(text: string): readonly string[] {
      const bad = log.setFilter(text);
      if (bad.length === 0) for (const thread of threads) thread.setLogFilter(text);
      return bad;
    },
  };
}

/** The page for /metrics: what every data thread counts, added up, and the main thread's registry with the process itself. */
function metricsPage(threads: readonly DataThread[], registry: Registry): () => Promise<string> {
  const processMetrics = new ProcessMetrics(registry, buildInfo());
  const restarts = registry.counter(RESTARTS);
  return async () => {
    const snapshots = await Promise.all(threads.map((thread) => thread.snapshot()));
    processMetrics.update();
    restarts.value = threads.reduce((sum, thread) => sum + thread.restarts, 0);
    const known = snapshots.filter((snapshot): snapshot is Snapshot => snapshot !== null);
    return renderText(mergeSnapshots([...known, registry.snapshot()]));
  };
}
