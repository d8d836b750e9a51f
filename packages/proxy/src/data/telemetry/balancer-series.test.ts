import { expect, setSystemTime, test } from "bun:test";
import { Registry } from "@bowline/metrics";
import { BalancerSeries, balancerFamilies } from "./balancer-series.ts";
import { page } from "./testing/page.ts";

test("a balancer's gate says since when it is open, or shut", () => {
  const registry = new Registry();
  const gate = (): string[] => page(registry).filter((line) => line.includes("_gate_"));
  try {
    setSystemTime(new Date(5000));
    const series = new BalancerSeries(registry.group(), balancerFamilies("b"), 'x="1"', 3000);
    expect(gate()).toMatchInlineSnapshot(`
      [
        "b_queue_gate_open_total{x="1"} 1",
        "b_queue_gate_shut_total{x="1"} 0",
        "b_queue_gate_open_time_seconds{x="1"} 5",
        "b_queue_gate_shut_time_seconds{x="1"} 0",
        "b_queue_gate_timeout_seconds{x="1"} 3",
      ]
    `);
    setSystemTime(new Date(7500));
    series.shut();
    expect(gate()).toMatchInlineSnapshot(`
      [
        "b_queue_gate_open_total{x="1"} 1",
        "b_queue_gate_shut_total{x="1"} 1",
        "b_queue_gate_open_time_seconds{x="1"} 0",
        "b_queue_gate_shut_time_seconds{x="1"} 7.5",
        "b_queue_gate_timeout_seconds{x="1"} 3",
      ]
    `);
    setSystemTime(new Date(9000));
    series.opened();
    expect(gate()).toMatchInlineSnapshot(`
      [
        "b_queue_gate_open_total{x="1"} 2",
        "b_queue_gate_shut_total{x="1"} 1",
        "b_queue_gate_open_time_seconds{x="1"} 9",
        "b_queue_gate_shut_time_seconds{x="1"} 0",
        "b_queue_gate_timeout_seconds{x="1"} 3",
      ]
    `);
  } finally {
    setSystemTime();
  }
});

test("a balancer's endpoints and their changes", () => {
  const registry = new Registry();
  const series = new BalancerSeries(registry.group(), balancerFamilies("b"), 'x="1"', 3000);
  series.endpoints(3, 2);
  series.updated(true, 5, 1);
  series.updated(false, 2, 1);
  expect(page(registry).filter((line) => !line.includes("gate"))).toMatchInlineSnapshot(`
    [
      "b_queue_requests_total{x="1"} 0",
      "b_queue_length{x="1"} 0",
      "b_queue_latency_seconds{x="1"} observed 0",
      "b_endpoints{endpoint_state="ready",x="1"} 3",
      "b_endpoints{endpoint_state="pending",x="1"} 2",
      "b_p2c_endpoints{x="1"} 5",
      "b_p2c_updates_total{op="Reset",x="1"} 1",
      "b_p2c_updates_total{op="Add",x="1"} 2",
      "b_p2c_updates_total{op="Remove",x="1"} 1",
    ]
  `);
});
