import { readdirSync, readFileSync } from "node:fs";
import type { Family, Registry } from "@bowline/metrics";

const FAMILIES = {
  cpu: family("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds."),
  memory: family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes."),
  start: family("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds."),
  fds: family("process_open_fds", "gauge", "Number of open file descriptors."),
  threads: family("process_threads", "gauge", "Number of OS threads in the process."),
} as const;

/** Brings the series about the process itself up to date, as every scrape should. */
export function updateProcessMetrics(registry: Registry): void {
  const { user, system } = process.cpuUsage();
  registry.counter(FAMILIES.cpu).value = (user + system) / 1e6;
  registry.gauge(FAMILIES.memory).value = process.memoryUsage.rss();
  registry.gauge(FAMILIES.start).value = Math.round(Date.now() / 1_000 - process.uptime());
  registry.gauge(FAMILIES.fds).value = readdirSync("/proc/self/fd").length;
  registry.gauge(FAMILIES.threads).value = Number(
    /^Threads:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0,
  );
}

function family(name: string, kind: Family["kind"], help: string): Family {
  return { name, help, kind, style: "classic" };
}
