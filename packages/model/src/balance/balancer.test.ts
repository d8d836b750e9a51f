import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../testing/seeded-random.case.test.ts";
import type { LoadParams } from "../types/policy.ts";
import { Balancer } from "./balancer.ts";

const PEAK: LoadParams = { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 };

describe("pick", () => {
  test("gives null when nothing is ready and the one that is", () => {
    const balancer = new Balancer<string>(PEAK, () => 0);
    expect(balancer.pick(0)).toBeNull();
    const slot = balancer.add("a", "A", 0);
    expect(balancer.pick(0)).toBeNull();
    balancer.setReady(slot, true);
    expect(balancer.pick(0)).toBe(slot);
  });

  test("draws every ordered pair of distinct slots equally often", () => {
    for (const count of [2, 3, 7]) {
      let draw = 0;
      const pairs = count * (count - 1);
      const balancer = new Balancer<number>(PEAK, () => (draw + 0.5) / pairs);
      const slots = Array.from({ length: count }, (_, n) => balancer.add(`${n}`, n, 0));
      for (const slot of slots) balancer.setReady(slot, true);
      const firsts = Array.from({ length: count }, () => 0);
      for (draw = 0; draw < pairs; draw += 1) {
        // Equal loads: the first drawn wins.
        const picked = balancer.pick(0);
        if (picked !== null) firsts[picked.endpoint]! += 1;
      }
      expect(firsts).toEqual(firsts.map(() => count - 1));
      // The least loaded slot wins every pair it is in: twice for each of the others.
      for (const slot of slots.slice(1)) slot.start();
      let won = 0;
      for (draw = 0; draw < pairs; draw += 1) if (balancer.pick(0) === slots[0]) won += 1;
      expect(won).toBe(2 * (count - 1));
    }
  });

  test("takes the lower of the two loads", () => {
    const balancer = new Balancer<string>(PEAK, () => 0);
    const a = balancer.add("a", "A", 0);
    const b = balancer.add("b", "B", 0);
    balancer.setReady(a, true);
    balancer.setReady(b, true);
    expect(balancer.pick(0)).toBe(a);
    a.start();
    expect(balancer.pick(0)).toBe(b);
    a.finish(0, 90);
    expect(balancer.pick(90)).toBe(b);
  });
});

describe("readiness", () => {
  test("holds against a model under random histories", () => {
    const command = fc.record({
      what: fc.constantFrom("add", "remove", "ready", "unready", "late-ready"),
      key: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), fc.integer(), (commands, seed) => {
        const balancer = new Balancer<number>(PEAK, seededRandom(seed));
        const model = new Map<string, { serial: number; ready: boolean }>();
        const former = [balancer.add("former", -1, 0)];
        balancer.remove("former");
        commands.forEach(({ what, key: number }, serial) => {
          const key = `${number}`;
          const slot = balancer.get(key);
          if (what === "late-ready") for (const gone of former) balancer.setReady(gone, true);
          else if (what === "add") {
            if (slot !== null) former.push(slot);
            balancer.add(key, serial, 0);
            model.set(key, { serial, ready: false });
          } else if (what === "remove") {
            const gone = balancer.remove(key);
            expect(gone).toBe(slot);
            if (gone !== null) former.push(gone);
            model.delete(key);
          } else if (slot !== null) {
            balancer.setReady(slot, what === "ready");
            model.set(key, { serial: slot.endpoint, ready: what === "ready" });
          }
          const ready = [...model.values()].filter((entry) => entry.ready).map((entry) => entry.serial);
          expect(balancer.size).toBe(model.size);
          expect(balancer.readyCount).toBe(ready.length);
          const picked = new Set<number>();
          for (let n = 0; n < 30; n += 1) {
            const slotPicked = balancer.pick(0);
            if (slotPicked !== null) picked.add(slotPicked.endpoint);
          }
          for (const serialPicked of picked) expect(ready).toContain(serialPicked);
          expect(picked.size > 0).toBe(ready.length > 0);
        });
      }),
      { numRuns: 60 },
    );
  });
});
