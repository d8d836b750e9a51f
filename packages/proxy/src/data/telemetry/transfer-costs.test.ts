import { expect, test } from "bun:test";
import { Registry } from "@bowline/metrics";
import { TcpSeries } from "./tcp-series.ts";
import { page } from "./testing/page.ts";
import { TransferCosts, zoneLocality } from "./transfer-costs.ts";

test.each([
  [{}, "Unknown"],
  [{ zone_locality: "local" }, "Local"],
  [{ zone_locality: "REMOTE" }, "Remote"],
  [{ zone_locality: "elsewhere" }, "Unknown"],
] as const)("labels %p say %p", (labels, want) => {
  expect(zoneLocality(labels)).toBe(want);
});

test("bytes count by zone, once, however many endpoints share their series", () => {
  const registry = new Registry();
  const costs = new TransferCosts(registry);
  const local = new TcpSeries(registry.group(), 'e="1"');
  const same = new TcpSeries(registry.group(), 'e="1"');
  const remote = new TcpSeries(registry.group(), 'e="2"');
  local.sent.value = 1000; // from before anybody counted
  costs.add("Local", local);
  costs.add("Local", same);
  costs.add("Remote", remote);
  local.sent.value += 5;
  same.sent.value += 6;
  remote.received.value += 7;
  costs.collect();
  costs.collect();
  const lines = (): string[] => page(registry).filter((line) => line.startsWith("outbound_tcp_transfer_cost"));
  expect(lines()).toMatchInlineSnapshot(`
    [
      "outbound_tcp_transfer_cost_bytes_total{op="Send",zone_locality="Local"} 11",
      "outbound_tcp_transfer_cost_bytes_total{op="Recv",zone_locality="Local"} 0",
      "outbound_tcp_transfer_cost_bytes_total{op="Send",zone_locality="Remote"} 0",
      "outbound_tcp_transfer_cost_bytes_total{op="Recv",zone_locality="Remote"} 7",
    ]
  `);
  costs.remove(local);
  same.sent.value += 1;
  costs.remove(same);
  same.sent.value += 100;
  costs.collect();
  expect(lines()[0]).toEndWith(" 12");
});
