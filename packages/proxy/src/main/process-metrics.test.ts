import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { labelValue, parseText, Registry, renderText } from "@bowline/metrics";
import { ProcessMetrics, parseMaxFds, parseNetDev, parseProcStatus } from "./process-metrics.ts";

const BUILD = { date: "2026-01-02T03:04:05Z", gitSha: "abc123", profile: "release", version: "0.1.0" };

function scrape(metrics: ProcessMetrics, registry: Registry): Map<string, number> {
  metrics.update();
  const parsed = parseText(renderText(registry.snapshot()));
  if ("error" in parsed) throw new Error(parsed.error);
  return new Map(parsed.families.map(({ name, series }) => [name, series[0]?.value ?? Number.NaN]));
}

describe("parsers of /proc", () => {
  test("status", () => {
    const text = "Name:\tproxy\nVmPeak:\t  300 kB\nVmSize:\t  200 kB\nVmRSS:\t   100 kB\nThreads:\t7\n";
    expect(parseProcStatus(text)).toEqual({ virtualBytes: 204_800, residentBytes: 102_400, threads: 7 });
    expect(parseProcStatus("")).toEqual({ virtualBytes: null, residentBytes: null, threads: null });
  });

  test.each([
    ["Max open files            1024                 524288               files     \n", 1024],
    ["Max open files            unlimited            unlimited            files     \n", Number.POSITIVE_INFINITY],
    ["", null],
  ] as const)("limits %p", (text, want) => {
    expect(parseMaxFds(text)).toBe(want);
  });

  test("net/dev without lo", () => {
    const text = [
      "Inter-|   Receive                                                |  Transmit",
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
      "    lo: 99 1 0 0 0 0 0 0 98 1 0 0 0 0 0 0",
      "  eth0: 1000 10 0 0 0 0 0 0 500 5 0 0 0 0 0 0",
      "  eth1:    7 10 0 0 0 0 0 0 3 5 0 0 0 0 0 0",
    ].join("\n");
    expect(parseNetDev(text)).toEqual({ receivedBytes: 1007, sentBytes: 503 });
    expect(parseNetDev("")).toEqual({ receivedBytes: 0, sentBytes: 0 });
  });
});

describe("ProcessMetrics", () => {
  test("says what this process is", () => {
    const registry = new Registry();
    const values = scrape(new ProcessMetrics(registry, BUILD), registry);
    expect([...values.keys()]).toEqual([
      "proxy_build_info",
      "process_start_time_seconds",
      "process_clock_time_seconds",
      "process_uptime_seconds_total",
      "process_cpu_seconds_total",
      "process_virtual_memory_bytes",
      "process_resident_memory_bytes",
      "process_open_fds",
      "process_max_fds",
      "process_threads",
      "process_network_receive_bytes_total",
      "process_network_transmit_bytes_total",
    ]);
    expect(values.get("process_start_time_seconds")! + values.get("process_uptime_seconds_total")!).toBeCloseTo(
      values.get("process_clock_time_seconds")!,
      0,
    );
    const resident = values.get("process_resident_memory_bytes")!;
    expect(resident).toBeGreaterThan(1_000_000);
    expect(values.get("process_virtual_memory_bytes")!).toBeGreaterThan(resident);
    expect(values.get("process_cpu_seconds_total")!).toBeGreaterThan(0);
    expect(values.get("process_threads")!).toBeGreaterThan(0);
    expect(values.get("process_max_fds")!).toBeGreaterThan(values.get("process_open_fds")!);
  });

  test("counts open descriptors", () => {
    const registry = new Registry();
    const metrics = new ProcessMetrics(registry, BUILD);
    const before = scrape(metrics, registry).get("process_open_fds")!;
    const files = Array.from({ length: 20 }, () => openSync("/dev/null", "r"));
    const during = scrape(metrics, registry).get("process_open_fds")!;
    for (const file of files) closeSync(file);
    // Other tests of this process may open and close a few meanwhile.
    expect(Math.abs(during - before - 20)).toBeLessThan(10);
  });

  test("the build is in labels, and promtool has nothing to remark", () => {
    const registry = new Registry();
    new ProcessMetrics(registry, BUILD).update();
    const page = renderText(registry.snapshot());
    const parsed = parseText(page);
    const build = "families" in parsed ? parsed.families[0]!.series[0]! : undefined;
    expect(["date", "git_sha", "profile", "vendor", "version"].map((name) => labelValue(build!, name))).toEqual([
      "2026-01-02T03:04:05Z",
      "abc123",
      "release",
      "bowline",
      "0.1.0",
    ]);
    const promtool = Bun.spawnSync(["promtool", "check", "metrics"], { stdin: Buffer.from(page) });
    expect(promtool.stdout.toString() + promtool.stderr.toString()).toBe("");
    expect(promtool.exitCode).toBe(0);
  });
});
