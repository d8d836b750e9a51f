import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ContainerFacts, type ContainerRole, type PodPlan, planPod, type RestartPolicy } from "./plan.ts";

/** `role:state` as one word: `absent`, `run` (started), `boot` (running, not started), or an exit code. */
function container(text: string, at: number): ContainerFacts {
  const [role = "", state = ""] = text.split(":");
  const common = { name: `${role}${at}`, role: role as ContainerRole };
  if (state === "absent") return { ...common, state: "absent", started: false };
  if (state === "run" || state === "boot") return { ...common, state: "running", started: state === "run" };
  return { ...common, state: "exited", exitCode: Number(state), started: false };
}

function plan(policy: RestartPolicy, words: string): PodPlan {
  return planPod({ restartPolicy: policy, containers: words.split(" ").map(container) });
}

describe("planPod", () => {
  const rows: [
    name: string,
    policy: RestartPolicy,
    containers: string,
    start: string,
    initialized: boolean,
    outcome: string,
  ][] = [
    ["main containers start together", "Always", "main:absent main:absent", "main0 main1", true, ""],
    ["init containers start one by one", "Always", "init:absent init:absent main:absent", "init0", false, ""],
    ["the second when the first is done", "Always", "init:0 init:absent main:absent", "init1", false, ""],
    ["main ones when all are", "Always", "init:0 init:0 main:absent", "main2", true, ""],
    ["nothing while one runs", "Always", "init:boot main:absent", "", false, ""],
    ["a failed one again", "OnFailure", "init:1 main:absent", "init0", false, ""],
    ["or the pod has failed", "Never", "init:1 main:absent", "", false, "Failed"],
    ["a sidecar holds up what follows until it is up", "Always", "sidecar:boot init:absent main:absent", "", false, ""],
    ["and not longer", "Always", "sidecar:run init:absent main:absent", "init1", false, ""],
    [
      "a dead sidecar starts again before the rest",
      "Never",
      "sidecar:1 init:absent main:absent",
      "sidecar0",
      false,
      "",
    ],
    ["one that ended well too", "Never", "sidecar:0 main:run", "sidecar0", true, ""],
    ["beside an init container that runs", "Always", "sidecar:1 init:boot main:absent", "sidecar0", false, ""],
    ["init containers are not asked again", "Always", "init:1 main:run", "", true, ""],
    ["Always restarts whatever ended", "Always", "main:0 main:run", "main0", true, ""],
    ["OnFailure what failed", "OnFailure", "main:0 main:2", "main1", true, ""],
    ["OnFailure leaves what ended well", "OnFailure", "main:0 main:run", "", true, ""],
    ["Never nothing", "Never", "main:1 main:run", "", true, ""],
    ["done", "Never", "main:0 main:0", "", true, "Succeeded"],
    ["done with a sidecar still there", "OnFailure", "sidecar:run main:0", "", true, "Succeeded"],
    ["a sidecar is not started for nobody", "Never", "sidecar:1 main:0", "", true, "Succeeded"],
    ["failed", "Never", "main:0 main:3", "", true, "Failed"],
  ];
  test.each(rows)("%s", (_, policy, containers, start, initialized, outcome) => {
    const result = plan(policy, containers);
    expect(result.start.join(" ")).toBe(start);
    expect(result.initialized).toBe(initialized);
    expect(result.outcome ?? "").toBe(outcome);
  });

  const states = fc.constantFrom("absent", "run", "boot", "0", "1");
  const policies = fc.constantFrom<RestartPolicy>("Always", "OnFailure", "Never");

  test("never starts what runs, and nothing of a pod that is done", () => {
    const first = fc.array(fc.tuple(fc.constantFrom("init", "sidecar"), states), { maxLength: 4 });
    const mains = fc.array(fc.tuple(fc.constant("main"), states), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(policies, first, mains, (policy, before, after) => {
        const containers = [...before, ...after].map((pair, at) => container(pair.join(":"), at));
        const { start, outcome, initialized } = planPod({ restartPolicy: policy, containers });
        const running = containers.filter(({ state }) => state === "running").map(({ name }) => name);
        expect(start.filter((name) => running.includes(name))).toEqual([]);
        if (outcome !== undefined) expect(start).toEqual([]);
        if (!initialized) expect(start.some((name) => name.startsWith("main"))).toBe(false);
      }),
    );
  });

  test("a pod whose containers all do well gets to its end", () => {
    const words = fc.array(fc.constantFrom("init", "sidecar"), { maxLength: 5 });
    fc.assert(
      fc.property(words, (first) => {
        const facts = [...first, "main"].map((role, at) => container(`${role}:absent`, at));
        const done: string[] = [];
        while (true) {
          const { start, outcome } = planPod({ restartPolicy: "Never", containers: facts });
          if (outcome !== undefined) break;
          expect(start).toHaveLength(1);
          const at = facts.findIndex(({ name }) => name === start[0]);
          const role = facts[at]!.role;
          facts[at] = container(role === "sidecar" ? "sidecar:run" : `${role}:0`, at);
          done.push(role);
        }
        expect(done).toEqual([...first, "main"] as ContainerRole[]);
      }),
    );
  });
});
