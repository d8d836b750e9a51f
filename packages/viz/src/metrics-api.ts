import {
  type AdminServer,
  Log,
  type LogLevel,
  startAdminServer,
  updateProcessMetrics,
} from "@bowline/control-plane/admin";
import { KubeClient, loadKubeConfig } from "@bowline/kube";
import { type Family, Registry, renderText } from "@bowline/metrics";
import { ClusterCache } from "./cluster-cache.ts";
import { PrometheusQueries } from "./prometheus/prometheus-queries.ts";
import type { GoldenQueries } from "./query/golden-queries.ts";
import { MetricsStore, WINDOW_MAX_MS } from "./scrape/metrics-store.ts";
import { Scraper } from "./scrape/scraper.ts";
import { answerStat, type StatService } from "./stat/stat-server.ts";

export interface MetricsApiOptions {
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  readonly controlPlaneNamespace: string;
  /** Golden metrics come from it; absent: from the proxies themselves. */
  readonly prometheusUrl?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: "plain" | "json";
}

const SCRAPE_INTERVAL_MS = 5_000;
const SCRAPE_TIMEOUT_MS = 4_000;
const SCRAPE_CONCURRENCY = 8;
/** A gauge is believed for as long as three scrapes take. */
const STALE_MS: number = 3 * SCRAPE_INTERVAL_MS;
const REQUEST_IDLE_SECONDS = 30;

const SCRAPES: Family = {
  name: "bowline_scrapes_total",
  help: "Scrapes of proxies' metrics, by result.",
  kind: "counter",
  style: "classic",
};
const TARGETS: Family = {
  name: "bowline_scrape_targets",
  help: "Proxies whose metrics are kept.",
  kind: "gauge",
  style: "classic",
};
const SERIES: Family = {
  name: "bowline_scrape_series",
  help: "Series that are kept of them.",
  kind: "gauge",
  style: "classic",
};

/**
 * The metrics service: scrapes every proxy of the mesh, or asks a Prometheus, and answers `stat`. Runs until SIGTERM or
 * SIGINT.
 *
 * @returns the exit code
 */
export async function runMetricsApi(options: MetricsApiOptions): Promise<number> {
  const log = new Log({ level: options.logLevel, format: options.logFormat });
  const stopping = stopSignal();
  const onError = (error: unknown): void => log.warn(error instanceof Error ? error.message : String(error));
  const cache = new ClusterCache(new KubeClient(loadKubeConfig()), options.controlPlaneNamespace, onError);
  const registry = new Registry();
  const store = new MetricsStore({ now: () => Date.now(), staleMs: STALE_MS });
  let isReady = false;
  const admin = await startAdmin(options, registry, store, () => isReady, onError);
  const scraper = options.prometheusUrl === undefined ? makeScraper(cache, store, registry, log) : null;
  const queries: GoldenQueries =
    options.prometheusUrl === undefined ? store : new PrometheusQueries(options.prometheusUrl);
  const service: StatService = { cluster: cache, queries, windowMaxMs: WINDOW_MAX_MS, isReady: () => isReady };
  const server = serve(options, service);
  if (server === null) {
    log.error("cannot listen", { address: `${options.host}:${options.port}` });
    await admin.close();
    return 1;
  }
  log.info("starting metrics API", { port: server.port, source: options.prometheusUrl ?? "proxies" });
  await Promise.race([cache.start(), stopping]);
  isReady = true;
  scraper?.start();
  await stopping;
  scraper?.stop();
  await Promise.all([server.stop(), cache.stop(), admin.close()]);
  return 0;
}

/** Null when the address is taken or not this machine's. */
function serve({ host, port }: MetricsApiOptions, service: StatService): ReturnType<typeof Bun.serve> | null {
  try {
    return Bun.serve({
      hostname: host,
      port,
      idleTimeout: REQUEST_IDLE_SECONDS,
      fetch: (request) => answerStat(request, service),
    });
  } catch {
    return null;
  }
}

function startAdmin(
  { host, adminPort }: MetricsApiOptions,
  registry: Registry,
  store: MetricsStore,
  isReady: () => boolean,
  onError: (error: unknown) => void,
): Promise<AdminServer> {
  return startAdminServer({
    host,
    port: adminPort,
    isReady,
    metricsText: () => {
      updateProcessMetrics(registry);
      registry.gauge(TARGETS).value = store.targets;
      registry.gauge(SERIES).value = store.series;
      return renderText(registry.snapshot());
    },
    onError,
  });
}

function makeScraper(cache: ClusterCache, store: MetricsStore, registry: Registry, log: Log): Scraper {
  return new Scraper({
    store,
    targets: () => cache.scrapeTargets(),
    intervalMs: SCRAPE_INTERVAL_MS,
    timeoutMs: SCRAPE_TIMEOUT_MS,
    concurrency: SCRAPE_CONCURRENCY,
    onScrape: (target, problem) => {
      registry.counter(SCRAPES, `result="${problem === null ? "success" : "failure"}"`).value++;
      if (problem !== null)
        log.debug("scrape failed", { pod: target.labels["pod"], namespace: target.labels["namespace"], problem });
    },
  });
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}
