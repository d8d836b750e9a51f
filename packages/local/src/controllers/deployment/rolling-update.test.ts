import { describe, expect, test } from "bun:test";
import type { ReplicaSet } from "@bowline/kube";
import fc from "fast-check";
import { deployment } from "../testing/objects.ts";
import { replicasOf, viewOf } from "./deployment-view.ts";
import { planRollingUpdate, planScaling } from "./rolling-update.ts";

function set(name: string, replicas: number, available: number, annotations: Record<string, string> = {}): ReplicaSet {
  const metadata = { name, annotations };
  const spec = { replicas, selector: {}, template: {} };
  const status = { replicas, availableReplicas: available };
  return { apiVersion: "apps/v1", kind: "ReplicaSet", metadata, spec, status };
}

describe("the numbers of a rolling update", () => {
  const rows: [string, { maxSurge: number | string; maxUnavailable: number | string }, number, number, number][] = [
    ["defaults round surge up and unavailability down", { maxSurge: "25%", maxUnavailable: "25%" }, 3, 1, 0],
    ["of ten", { maxSurge: "25%", maxUnavailable: "25%" }, 10, 3, 2],
    ["numbers", { maxSurge: 2, maxUnavailable: 1 }, 10, 2, 1],
    ["all at once", { maxSurge: "100%", maxUnavailable: "100%" }, 4, 4, 4],
    ["neither: one may be missing", { maxSurge: 0, maxUnavailable: "10%" }, 4, 0, 1],
    ["no more than there are", { maxSurge: 1, maxUnavailable: 5 }, 2, 1, 2],
  ];
  test.each(rows)("%s", (_name, rollingUpdate, replicas, maxSurge, maxUnavailable) => {
    const view = viewOf(deployment("web", replicas, { strategy: { type: "RollingUpdate", rollingUpdate } }));
    expect(view).toMatchObject({ maxSurge, maxUnavailable });
  });
});

describe("a step of a rolling update", () => {
  const rows: [string, [number, number, number], [number, number], [number, number][], Record<string, number>][] = [
    ["the surge comes first", [3, 1, 0], [0, 0], [[3, 3]], { fresh: 1 }],
    ["nothing is given up before the new one is available", [3, 1, 0], [1, 0], [[3, 3]], {}],
    ["then one for one", [3, 1, 0], [1, 1], [[3, 3]], { old0: 2 }],
    ["without surge the old shrink first", [4, 0, 1], [0, 0], [[4, 4]], { old0: 3 }],
    ["old pods that are not available anyway go at once", [4, 1, 1], [1, 0], [[4, 2]], { old0: 3 }],
    [
      "the oldest shrink first",
      [4, 1, 1],
      [1, 1],
      [
        [1, 1],
        [3, 3],
      ],
      { old0: 0, old1: 2 },
    ],
    ["new ones beyond the number go", [2, 1, 0], [5, 5], [], { fresh: 2 }],
    ["at the end nothing is to be done", [3, 1, 0], [3, 3], [[0, 0]], {}],
  ];
  test.each(rows)("%s", (_name, [replicas, maxSurge, maxUnavailable], [count, available], old, want) => {
    const sets = {
      fresh: set("fresh", count, available),
      old: old.map(([has, isAvailable], at) => set(`old${at}`, has, isAvailable)),
    };
    const plan = planRollingUpdate({ replicas, maxSurge, maxUnavailable }, sets);
    expect(Object.fromEntries(plan.map((step) => [step.set.metadata.name, step.replicas]))).toEqual(want);
  });

  test("whatever becomes available when: the limits hold at every step, and the update comes to its end", () => {
    const scene = fc.record({
      replicas: fc.integer({ min: 0, max: 12 }),
      maxSurge: fc.integer({ min: 0, max: 5 }),
      maxUnavailable: fc.integer({ min: 0, max: 5 }),
      old: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 3 }),
      luck: fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
    });
    fc.assert(
      fc.property(scene, ({ replicas, maxSurge, maxUnavailable, old, luck }) => {
        const unavailable = Math.max(Math.min(maxUnavailable, replicas), maxSurge === 0 ? 1 : 0);
        const limits = { replicas, maxSurge, maxUnavailable: unavailable };
        const sets = { fresh: set("fresh", 0, 0), old: old.map((has, at) => set(`old${at}`, has, has)) };
        const all = [sets.fresh, ...sets.old];
        const total = (): number => all.reduce((sum, each) => sum + replicasOf(each), 0);
        const up = (): number => all.reduce((sum, each) => sum + (each.status?.availableReplicas ?? 0), 0);
        for (let round = 0; round < 200; round++) {
          const plan = planRollingUpdate(limits, sets);
          const before = { total: total(), up: up() };
          for (const step of plan) {
            const { spec, status } = step.set;
            if (spec === undefined || status === undefined) throw new Error("a set has both");
            const shrinks = step.replicas < replicasOf(step.set);
            if (!shrinks)
              expect(total() - replicasOf(step.set) + step.replicas).toBeLessThanOrEqual(replicas + maxSurge);
            spec.replicas = step.replicas;
            status.availableReplicas = Math.min(status.availableReplicas ?? 0, step.replicas);
          }
          const floor = Math.min(before.up, replicas - unavailable);
          expect(up()).toBeGreaterThanOrEqual(floor);
          const { fresh } = sets;
          const ready = Math.min(replicasOf(fresh), (fresh.status?.availableReplicas ?? 0) + (luck.next().value ?? 0));
          if (fresh.status !== undefined) fresh.status.availableReplicas = ready;
          if (replicasOf(fresh) === replicas && ready === replicas && total() === replicas) return;
        }
        throw new Error(`not at its end: ${all.map((each) => `${each.metadata.name}=${replicasOf(each)}`).join()}`);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a new number of replicas", () => {
  const view = (replicas: number) =>
    viewOf(deployment("web", replicas, { strategy: { rollingUpdate: { maxSurge: 1 } } }));
  const sized = (wanted: number, max: number) => ({
    "deployment.kubernetes.io/desired-replicas": `${wanted}`,
    "deployment.kubernetes.io/max-replicas": `${max}`,
  });
  const plan = (...args: Parameters<typeof planScaling>) =>
    Object.fromEntries(planScaling(...args).map((step) => [step.set.metadata.name, step.replicas]));

  test("goes to the only ReplicaSet", () => {
    expect(plan(view(5), { fresh: set("fresh", 3, 3, sized(3, 4)), old: [set("old", 0, 0)] })).toEqual({ fresh: 5 });
    expect(plan(view(0), { fresh: set("fresh", 3, 3, sized(3, 4)), old: [] })).toEqual({ fresh: 0 });
  });

  test("is shared in proportion amid an update", () => {
    const sets = { fresh: set("fresh", 4, 0, sized(10, 11)), old: [set("old", 7, 7, sized(10, 11))] };
    expect(plan(view(20), sets)).toEqual({ fresh: 8, old: 13 });
    expect(plan(view(5), sets)).toEqual({ fresh: 2, old: 4 });
  });

  test("ends the old when the new are all there", () => {
    const sets = { fresh: set("fresh", 3, 3, sized(3, 4)), old: [set("old", 1, 1, sized(3, 4))] };
    expect(plan(view(3), sets)).toEqual({ old: 0 });
  });
});
