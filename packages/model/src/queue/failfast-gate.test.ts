import { describe, expect, test } from "bun:test";
import { Admission, FailfastGate, GateState } from "./failfast-gate.ts";

const QUEUE = { capacity: 2, failfastTimeoutMs: 3000 };

describe("FailfastGate", () => {
  test("lets requests through while something is ready and nobody waits", () => {
    const gate = new FailfastGate(QUEUE);
    expect(gate.admit(true, 0, 0)).toBe(Admission.Dispatch);
    expect(gate.state).toBe(GateState.Open);
    expect(gate.expire(1e9)).toBe(false);
  });

  test("keeps the order: who comes later waits behind who waits", () => {
    expect(new FailfastGate(QUEUE).admit(true, 1, 0)).toBe(Admission.Queue);
  });

  test("waits from the first request that finds nothing ready, for all of them together", () => {
    const gate = new FailfastGate(QUEUE);
    expect(gate.admit(false, 0, 100)).toBe(Admission.Queue);
    expect(gate.deadlineMs).toBe(3100);
    expect(gate.admit(false, 1, 2000)).toBe(Admission.Queue);
    expect(gate.deadlineMs).toBe(3100);
    expect(gate.expire(3099)).toBe(false);
    expect(gate.expire(3100)).toBe(true);
    expect(gate.expire(3101)).toBe(false);
    expect(gate.available).toBe(false);
    expect(gate.admit(false, 0, 3200)).toBe(Admission.Failfast);
    expect([gate.openings, gate.shuttings]).toEqual([1, 1]);
  });

  test("opens when something is ready, and waits the whole time again later", () => {
    const gate = new FailfastGate(QUEUE);
    gate.admit(false, 0, 0);
    gate.expire(3000);
    gate.ready();
    expect(gate.available).toBe(true);
    expect([gate.openings, gate.shuttings]).toEqual([2, 1]);
    expect(gate.admit(false, 0, 5000)).toBe(Admission.Queue);
    expect(gate.deadlineMs).toBe(8000);
    expect(gate.admit(true, 0, 6000)).toBe(Admission.Dispatch);
    expect(gate.state).toBe(GateState.Open);
    expect([gate.openings, gate.shuttings]).toEqual([2, 1]);
  });

  test("sheds what the queue has no room for", () => {
    const gate = new FailfastGate(QUEUE);
    gate.admit(false, 0, 0);
    gate.admit(false, 1, 0);
    expect(gate.admit(false, 2, 0)).toBe(Admission.Shed);
    expect(gate.admit(true, 2, 0)).toBe(Admission.Shed);
  });

  test("forgets the time when all who waited gave up, but not failfast", () => {
    const gate = new FailfastGate(QUEUE);
    gate.admit(false, 0, 0);
    gate.deserted();
    expect(gate.expire(10_000)).toBe(false);
    expect(gate.admit(false, 0, 20_000)).toBe(Admission.Queue);
    expect(gate.expire(23_000)).toBe(true);
    gate.deserted();
    expect(gate.state).toBe(GateState.Failfast);
  });
});
