import { readdirSync, readFileSync, statSync } from "node:fs";
import { METRIC } from "@bowline/contracts";
import { type Counter, type Family, type Gauge, labels, type Registry } from "@bowline/metrics";

/** What was built, from what, when; shown as labels of proxy_build_info. */
export interface BuildInfo {
  /** ISO 8601. */
  readonly date: string;
  readonly gitSha: string;
  readonly profile: string;
  readonly version: string;
}

const gauge = (name: string, help: string, unit?: string): Family => family("gauge", name, help, unit);
const counter = (name: string, help: string, unit?: string): Family => family("counter", name, help, unit);

const BUILD_INFO = gauge(METRIC.proxyBuildInfo, "Proxy build info");
const START_TIME = gauge(
  METRIC.processStartTimeSeconds,
  "Time the process started, in seconds since the epoch",
  "seconds",
);
const CLOCK_TIME = gauge(
  METRIC.processClockTimeSeconds,
  "Current time as the process sees it, in seconds since the epoch",
  "seconds",
);
const UPTIME = counter(METRIC.processUptimeSecondsTotal, "Time since the process started", "seconds");
const CPU = counter(METRIC.processCpuSecondsTotal, "User and system CPU time spent by all threads", "seconds");
const VIRTUAL_MEMORY = gauge(METRIC.processVirtualMemoryBytes, "Virtual memory size", "bytes");
const RESIDENT_MEMORY = gauge(METRIC.processResidentMemoryBytes, "Resident memory size", "bytes");
const OPEN_FDS = gauge(METRIC.processOpenFds, "Open file descriptors");
const MAX_FDS = gauge(METRIC.processMaxFds, "Open file descriptors allowed");
const THREADS = gauge(METRIC.processThreads, "Threads of the process");
const RECEIVED = counter(
  METRIC.processNetworkReceiveBytesTotal,
  "Bytes received by the pod's interfaces other than lo",
  "bytes",
);
const SENT = counter(
  METRIC.processNetworkTransmitBytesTotal,
  "Bytes sent by the pod's interfaces other than lo",
  "bytes",
);

/** The process as its operator sees it from outside; 2018's process_* families are among them under the same names. */
export class ProcessMetrics {
  readonly #clockTime: Gauge;
  readonly #uptime: Counter;
  readonly #cpu: Counter;
  readonly #virtualMemory: Gauge;
  readonly #residentMemory: Gauge;
  readonly #openFds: Gauge;
  readonly #maxFds: Gauge;
  readonly #threads: Gauge;
  readonly #received: Counter;
  readonly #sent: Counter;

  constructor(registry: Registry, build: BuildInfo) {
    registry.gauge(BUILD_INFO, buildLabels(build)).value = 1;
    registry.gauge(START_TIME).value = Math.round(Date.now() - process.uptime() * 1000) / 1000;
    this.#clockTime = registry.gauge(CLOCK_TIME);
    this.#uptime = registry.counter(UPTIME);
    this.#cpu = registry.counter(CPU);
    this.#virtualMemory = registry.gauge(VIRTUAL_MEMORY);
    this.#residentMemory = registry.gauge(RESIDENT_MEMORY);
    this.#openFds = registry.gauge(OPEN_FDS);
    this.#maxFds = registry.gauge(MAX_FDS);
    this.#threads = registry.gauge(THREADS);
    this.#received = registry.counter(RECEIVED);
    this.#sent = registry.counter(SENT);
  }

  /** Reads /proc; to be called at each scrape. What cannot be read keeps its last value. */
  update(): void {
    // From getrusage(2): covers all threads as /proc/self/stat does, in microseconds where that counts 10 ms ticks.
    const { user, system } = process.cpuUsage();
    this.#cpu.value = (user + system) / 1e6;
    this.#clockTime.value = Date.now() / 1000;
    this.#uptime.value = process.uptime();
    this.#readStatus();
    this.#readFds();
    this.#readNetwork();
  }

  #readStatus(): void {
    const status = parseProcStatus(readProc("/proc/self/status"));
    this.#virtualMemory.value = status.virtualBytes ?? this.#virtualMemory.value;
    this.#residentMemory.value = status.residentBytes ?? this.#residentMemory.value;
    this.#threads.value = status.threads ?? this.#threads.value;
  }

  #readFds(): void {
    this.#openFds.value = countOpenFds() ?? this.#openFds.value;
    this.#maxFds.value = parseMaxFds(readProc("/proc/self/limits")) ?? this.#maxFds.value;
  }

  #readNetwork(): void {
    const { receivedBytes, sentBytes } = parseNetDev(readProc("/proc/self/net/dev"));
    this.#received.value = receivedBytes;
    this.#sent.value = sentBytes;
  }
}

export interface ProcStatus {
  readonly virtualBytes: number | null;
  readonly residentBytes: number | null;
  readonly threads: number | null;
}

/** /proc/[pid]/status, whose sizes are in kB whatever the page size. */
export function parseProcStatus(text: string): ProcStatus {
  const kiloBytes = (key: string): number | null => {
    const match = new RegExp(`^${key}:\\s*([0-9]+) kB$`, "m").exec(text);
    return match === null ? null : Number(match[1]) * 1024;
  };
  const threads = /^Threads:\s*([0-9]+)$/m.exec(text);
  return {
    virtualBytes: kiloBytes("VmSize"),
    residentBytes: kiloBytes("VmRSS"),
    threads: threads === null ? null : Number(threads[1]),
  };
}

/** The soft limit of /proc/[pid]/limits; infinite if unlimited, null if it is not there. */
export function parseMaxFds(text: string): number | null {
  const match = /^Max open files\s+(\S+)/m.exec(text);
  if (match === null) return null;
  return match[1] === "unlimited" ? Number.POSITIVE_INFINITY : Number(match[1]);
}

/** Sums /proc/net/dev over the interfaces of the network namespace. What goes over lo never leaves the pod. */
export function parseNetDev(text: string): { receivedBytes: number; sentBytes: number } {
  let receivedBytes = 0;
  let sentBytes = 0;
  // Per line: name, colon, 8 columns received, 8 columns sent; bytes come first in both.
  for (const [, name, columns = ""] of text.matchAll(/^\s*([^\s:]+):\s*([0-9][0-9 ]*)$/gm)) {
    if (name === "lo") continue;
    const numbers = columns.trim().split(/ +/).map(Number);
    receivedBytes += numbers[0] ?? 0;
    sentBytes += numbers[8] ?? 0;
  }
  return { receivedBytes, sentBytes };
}

/** Since Linux 6.2 the size of the directory is the number of descriptors; before, it is 0 and they must be listed. */
function countOpenFds(): number | null {
  try {
    const { size } = statSync("/proc/self/fd");
    return size > 0 ? size : readdirSync("/proc/self/fd").length;
  } catch {
    return null; // Out of descriptors: listing needs one. The last value stands.
  }
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // As above: a scrape must not fail because descriptors have run out.
  }
}

function family(kind: "gauge" | "counter", name: string, help: string, unit: string | undefined): Family {
  return { name, help, kind, style: "openmetrics", ...(unit === undefined ? {} : { unit }) };
}

function buildLabels({ date, gitSha, profile, version }: BuildInfo): string {
  return labels([
    ["date", date],
    ["git_sha", gitSha],
    ["profile", profile],
    ["vendor", "bowline"],
    ["version", version],
  ]);
}
