import { expect, test } from "bun:test";
import { KeepAlive, KeepAliveStep } from "./keep-alive.ts";

const OPTIONS = { intervalMs: 10_000, timeoutMs: 3_000 };

test("a silent peer is asked once, and given up when it does not answer", () => {
  const keepAlive = new KeepAlive(OPTIONS, 0);
  const steps = [9_999, 10_000, 11_000, 12_999, 13_000].map((nowMs) => keepAlive.check(nowMs, 1));
  expect(steps).toEqual([
    KeepAliveStep.Nothing,
    KeepAliveStep.Ping,
    KeepAliveStep.Nothing,
    KeepAliveStep.Nothing,
    KeepAliveStep.GiveUp,
  ]);
});

test("whatever it sends is an answer", () => {
  const keepAlive = new KeepAlive(OPTIONS, 0);
  expect(keepAlive.check(10_000, 1)).toBe(KeepAliveStep.Ping);
  keepAlive.onReceived(12_000);
  expect(keepAlive.check(21_999, 1)).toBe(KeepAliveStep.Nothing);
  expect(keepAlive.check(22_000, 1)).toBe(KeepAliveStep.Ping);
});

test("without calls nobody is asked, and silence before the first one does not count", () => {
  const keepAlive = new KeepAlive(OPTIONS, 0);
  expect(keepAlive.check(100_000, 0)).toBe(KeepAliveStep.Nothing);
  keepAlive.onFirstCall(100_000);
  expect(keepAlive.check(109_999, 1)).toBe(KeepAliveStep.Nothing);
  expect(keepAlive.check(110_000, 1)).toBe(KeepAliveStep.Ping);
});

test("without options it does nothing", () => {
  expect(new KeepAlive(null, 0).check(1e9, 1)).toBe(KeepAliveStep.Nothing);
});
