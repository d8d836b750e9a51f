import { expect, test } from "bun:test";
import { encodeSockaddr } from "@bowline/loop";
import { Registry } from "@bowline/metrics";
import { type Target, TargetTable } from "./target.ts";
import { TargetSeries } from "./telemetry/target-series.ts";

const TARGETS_MAX = 4096;

function table(registry: Registry): TargetTable {
  return new TargetTable((ip, port, onDrop) => new TargetSeries(registry, "outbound", ip, port, "deny", onDrop));
}

function find(targets: TargetTable, ip: string, port: number): Target {
  return targets.find(encodeSockaddr(ip, port));
}

test("one address is one target, IPv4 mapped into IPv6 or not", () => {
  const targets = table(new Registry());
  const target = find(targets, "10.1.0.1", 80);
  expect([target.ip, target.port, target.name, target.loopback]).toEqual(["10.1.0.1", 80, "10.1.0.1:80", false]);
  expect(find(targets, "10.1.0.1", 80)).toBe(target);
  expect(find(targets, "10.1.0.1", 81)).not.toBe(target);
  expect(find(targets, "10.1.0.2", 80)).not.toBe(target);
});

test("IPv6 addresses are targets of their own, with their name in brackets", () => {
  const targets = table(new Registry());
  const target = find(targets, "fd00::1", 443);
  expect([target.ip, target.port, target.name, target.loopback]).toEqual(["fd00::1", 443, "[fd00::1]:443", false]);
  expect(find(targets, "fd00::1", 443)).toBe(target);
  expect([find(targets, "::1", 80).loopback, find(targets, "127.9.9.9", 80).loopback]).toEqual([true, true]);
});

test("beyond the most targets all share one unnamed set of series, and places that expire are free again", () => {
  const registry = new Registry();
  const targets = table(registry);
  const named = (i: number): Target => find(targets, `10.1.${i >> 8}.${i & 255}`, 80);
  for (let i = 0; i < TARGETS_MAX; i++) named(i);
  const one = find(targets, "10.200.0.1", 80);
  const other = find(targets, "10.200.0.2", 80);
  expect(one.series).toBe(other.series);
  expect([one.name, one.sockaddr]).toEqual(["10.200.0.1:80", encodeSockaddr("10.200.0.1", 80)]);
  one.series.http.requests.value += 1;
  const requests = registry.snapshot().families.find(({ family }) => family.name === "request_total");
  expect(requests?.series.length).toBe(TARGETS_MAX + 1);
  expect(requests?.series.at(-1)?.labels).toContain('target_ip="",target_port="0"');
  expect(named(0)).toBe(named(0));
  // The first look at a group counts as use.
  registry.expire(1000, 100);
  registry.expire(2000, 100);
  const again = find(targets, "10.200.0.1", 80);
  expect(find(targets, "10.200.0.1", 80)).toBe(again);
  expect(registry.snapshot().families.find(({ family }) => family.name === "request_total")?.series.length).toBe(1);
});
