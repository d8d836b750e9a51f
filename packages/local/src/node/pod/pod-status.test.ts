import { describe, expect, test } from "bun:test";
import type { Pod, PodStatus } from "@bowline/kube";
import { type ContainerView, type PodView, podStatus, type Termination } from "./pod-status.ts";
import { qosClass } from "./qos-class.ts";

const AT = new Date("2030-01-01T00:00:00.700Z");
const LATER = new Date("2030-01-01T00:01:00Z");

const pod = (spec: object = {}, status?: PodStatus): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop" },
  spec: { containers: [], ...spec },
  ...(status === undefined ? {} : { status }),
});

const exit = (exitCode: number): Termination => ({
  exitCode,
  reason: "Error",
  startedAt: AT,
  finishedAt: LATER,
  containerId: "bowline://1",
});

const base = { restartCount: 0, started: false, ready: false };
const waiting: Partial<ContainerView> = { state: { kind: "waiting", reason: "ContainerCreating" } };
const running: Partial<ContainerView> = { state: { kind: "running", startedAt: AT }, started: true, ready: true };
const ended = (code: number): Partial<ContainerView> => ({ state: { kind: "terminated", termination: exit(code) } });
const crashed: Partial<ContainerView> = { state: { kind: "waiting", reason: "CrashLoopBackOff" }, last: exit(1) };

function container(name: string, role: ContainerView["role"], state: Partial<ContainerView>): ContainerView {
  return { ...base, state: { kind: "waiting", reason: "" }, ...state, spec: { name, image: "i" }, role };
}

function view(containers: readonly ContainerView[], more: Partial<PodView> = {}): PodView {
  return { startTime: AT, hostIps: ["10.244.0.1"], podIps: ["10.244.0.7"], initialized: true, containers, ...more };
}

describe("phase", () => {
  const rows: [name: string, policy: string, mains: Partial<ContainerView>[], more: Partial<PodView>, want: string][] =
    [
      ["not initialized", "Always", [waiting], { initialized: false }, "Pending"],
      ["one has not run", "Always", [running, waiting], {}, "Pending"],
      ["all run", "Always", [running, running], {}, "Running"],
      ["one between two runs", "Always", [crashed], {}, "Running"],
      ["ended but will run again", "Always", [ended(0)], {}, "Running"],
      ["one of two has ended", "Never", [running, ended(1)], {}, "Running"],
      ["all ended well", "OnFailure", [ended(0), ended(0)], {}, "Succeeded"],
      ["one failed for good", "Never", [ended(0), ended(2)], {}, "Failed"],
      ["one failed and will run again", "OnFailure", [ended(0), ended(2)], {}, "Running"],
      ["it was said to have failed", "Always", [ended(0)], { outcome: "Failed" }, "Failed"],
    ];
  test.each(rows)("%s", (_, restartPolicy, mains, more, want) => {
    const containers = mains.map((state, at) => container(`c${at}`, "main", state));
    expect(podStatus(pod({ restartPolicy }), view(containers, more), AT).phase).toBe(want);
  });

  test("it ends with its sidecars", () => {
    const phase = (sidecar: Partial<ContainerView>): string | undefined => {
      const containers = [container("proxy", "sidecar", sidecar), container("main", "main", ended(0))];
      return podStatus(pod({ restartPolicy: "Never" }), view(containers), AT).phase;
    };
    expect([phase(running), phase(ended(137))]).toEqual(["Running", "Succeeded"]);
  });
});

describe("conditions", () => {
  const conditions = (status: PodStatus) => Object.fromEntries((status.conditions ?? []).map((one) => [one.type, one]));

  test("say which containers are missing", () => {
    const containers = [
      container("first", "init", running),
      container("side", "sidecar", waiting),
      container("app", "main", waiting),
    ];
    const got = conditions(podStatus(pod(), view(containers, { initialized: false }), AT));
    expect(got["Initialized"]).toMatchObject({
      status: "False",
      reason: "ContainersNotInitialized",
      message: "containers with incomplete status: [first side]",
    });
    expect(got["Ready"]).toMatchObject({ status: "False", message: "containers with unready status: [side app]" });
  });

  test("keep the time of their last change", () => {
    const unready = view([container("app", "main", { ...running, ready: false })]);
    const first = podStatus(pod(), unready, AT);
    const second = podStatus(pod({}, first), unready, LATER);
    expect(conditions(second)["Ready"]?.lastTransitionTime).toBe("2030-01-01T00:00:00Z");
    const third = podStatus(pod({}, second), view([container("app", "main", running)]), LATER);
    expect(conditions(third)["Ready"]).toMatchObject({ status: "True", lastTransitionTime: "2030-01-01T00:01:00Z" });
    expect(conditions(third)["Initialized"]?.lastTransitionTime).toBe("2030-01-01T00:00:00Z");
  });

  test("of others stay, and gate readiness where they are asked to", () => {
    const ready = view([container("app", "main", running)]);
    const readinessGates = [{ conditionType: "example.org/open" }];
    expect(conditions(podStatus(pod({ readinessGates }), ready, AT))["Ready"]).toMatchObject({
      reason: "ReadinessGatesNotReady",
    });
    const open = { conditions: [{ type: "example.org/open", status: "True" }] };
    const got = conditions(podStatus(pod({ readinessGates }, open), ready, AT));
    expect(got["Ready"]?.status).toBe("True");
    expect(got["example.org/open"]).toEqual({ type: "example.org/open", status: "True" });
  });
});

test("a container's states are told in whole seconds", () => {
  const containers = [container("app", "main", { ...crashed, restartCount: 2, containerId: "bowline://2" })];
  expect(podStatus(pod(), view(containers), AT).containerStatuses).toEqual([
    {
      name: "app",
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: {
        terminated: {
          exitCode: 1,
          reason: "Error",
          startedAt: "2030-01-01T00:00:00Z",
          finishedAt: "2030-01-01T00:01:00Z",
          containerID: "bowline://1",
        },
      },
      ready: false,
      started: false,
      restartCount: 2,
      image: "i",
      imageID: "bowline://i",
      containerID: "bowline://2",
    },
  ]);
});

test("qosClass", () => {
  const both = { cpu: "1", memory: "1Gi" };
  const rows: [resources: object[], want: string][] = [
    [[{}], "BestEffort"],
    [[{ requests: { cpu: "0" } }], "BestEffort"],
    [[{ requests: { cpu: "1m" } }, {}], "Burstable"],
    [[{ limits: both }], "Guaranteed"],
    [[{ limits: both, requests: { cpu: "1000m", memory: "1024Mi" } }], "Guaranteed"],
    [[{ limits: both, requests: { cpu: "1" } }, { limits: { cpu: "1" } }], "Burstable"],
    [[{ limits: both, requests: { cpu: "500m" } }], "Burstable"],
  ];
  const got = rows.map(([resources]) => {
    const containers = resources.map((of, at) => ({ name: `c${at}`, resources: of }));
    return qosClass(pod({ containers }));
  });
  expect<string[]>(got).toEqual(rows.map(([, want]) => want));
});
