import { describe, expect, test } from "bun:test";
import type { KubeObject } from "@bowline/kube";
import { SchemaRegistry } from "../registry.ts";
import type { JsonObject } from "../schema.ts";
import { cronTab, named, podSpec, registryWithCronTab, typeOf, workload } from "../testing/objects.ts";
import { ageOf, humanDuration } from "./human-duration.ts";
import { tableOf } from "./table.ts";

const NOW_MS = Date.parse("2026-01-01T00:05:30Z");
const registry = registryWithCronTab();

/** What `kubectl get -o wide` shows. */
function row(object: KubeObject, wide = true): Record<string, unknown> {
  const { columnDefinitions, rows } = tableOf(typeOf(registry, object), [object], { nowMs: NOW_MS });
  const cells = (columnDefinitions ?? []).map(
    ({ name, priority }, index) => [name, priority, rows[0]?.cells[index]] as const,
  );
  return Object.fromEntries(
    cells.filter(([, priority]) => wide || priority === 0).map(([name, , cell]) => [name, cell]),
  );
}

describe("pods", () => {
  const running = { state: { running: {} }, ready: true, started: true };
  const waiting = (reason: string) => ({ state: { waiting: { reason } } });
  const ended = (exitCode: number, reason = "") => ({
    state: { terminated: { exitCode, ...(reason === "" ? {} : { reason }) } },
  });
  const ready = [{ type: "Ready", status: "True" }];

  interface Case {
    readonly spec?: object;
    readonly status: JsonObject;
    readonly deleted?: boolean;
    readonly shown: string;
  }

  function pod({ spec = podSpec(), status, deleted = false }: Case): KubeObject {
    const made = named("v1", "Pod", { spec, status });
    if (deleted) made.metadata.deletionTimestamp = "2026-01-01T00:05:00Z";
    return made;
  }

  const two = podSpec({ containers: [{ name: "a" }, { name: "b" }] });
  const init = podSpec({ initContainers: [{ name: "i" }, { name: "j" }] });
  const sidecar = podSpec({ initContainers: [{ name: "s", restartPolicy: "Always" }, { name: "j" }] });

  test.each<[string, Case]>([
    ["nothing known yet", { status: { phase: "Pending" }, shown: "0/1 Pending 0" }],
    ["running", { status: { phase: "Running", containerStatuses: [running] }, shown: "1/1 Running 0" }],
    [
      "running, not ready",
      { status: { phase: "Running", containerStatuses: [{ ...running, ready: false }] }, shown: "0/1 Running 0" },
    ],
    [
      "being made",
      {
        status: { phase: "Pending", containerStatuses: [waiting("ContainerCreating")] },
        shown: "0/1 ContainerCreating 0",
      },
    ],
    [
      "without image",
      {
        status: { phase: "Pending", containerStatuses: [waiting("ImagePullBackOff")] },
        shown: "0/1 ImagePullBackOff 0",
      },
    ],
    [
      "crashing",
      {
        status: {
          phase: "Running",
          containerStatuses: [
            {
              ...waiting("CrashLoopBackOff"),
              restartCount: 3,
              lastState: { terminated: { finishedAt: "2026-01-01T00:05:00Z" } },
            },
          ],
        },
        shown: "0/1 CrashLoopBackOff 3 (30s ago)",
      },
    ],
    ["done", { status: { phase: "Succeeded", containerStatuses: [ended(0, "Completed")] }, shown: "0/1 Completed 0" }],
    ["failed", { status: { phase: "Failed", containerStatuses: [ended(1, "Error")] }, shown: "0/1 Error 0" }],
    [
      "failed for an unknown reason",
      { status: { phase: "Failed", containerStatuses: [ended(7)] }, shown: "0/1 ExitCode:7 0" },
    ],
    [
      "killed by a signal",
      {
        status: { phase: "Failed", containerStatuses: [{ state: { terminated: { exitCode: 137, signal: 9 } } }] },
        shown: "0/1 Signal:9 0",
      },
    ],
    ["evicted", { status: { phase: "Failed", reason: "Evicted" }, shown: "0/1 Evicted 0" }],
    [
      "half done, ready",
      {
        spec: two,
        status: { phase: "Running", conditions: ready, containerStatuses: [ended(0, "Completed"), running] },
        shown: "1/2 Running 0",
      },
    ],
    [
      "half done, not ready",
      {
        spec: two,
        status: { phase: "Running", containerStatuses: [ended(0, "Completed"), running] },
        shown: "1/2 NotReady 0",
      },
    ],
    [
      "going",
      { status: { phase: "Running", containerStatuses: [running] }, deleted: true, shown: "1/1 Terminating 0" },
    ],
    [
      "gone already",
      {
        status: { phase: "Succeeded", containerStatuses: [ended(0, "Completed")] },
        deleted: true,
        shown: "0/1 Completed 0",
      },
    ],
    ["lost", { status: { phase: "Running", reason: "NodeLost" }, deleted: true, shown: "0/1 Unknown 0" }],
    [
      "held by a gate",
      {
        status: {
          phase: "Pending",
          conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }],
        },
        shown: "0/1 SchedulingGated 0",
      },
    ],

    [
      "at the first init container",
      {
        spec: init,
        status: { phase: "Pending", initContainerStatuses: [{ state: { running: {} } }, waiting("PodInitializing")] },
        shown: "0/1 Init:0/2 0",
      },
    ],
    [
      "at the second init container",
      {
        spec: init,
        status: { phase: "Pending", initContainerStatuses: [ended(0), waiting("PodInitializing")] },
        shown: "0/1 Init:1/2 0",
      },
    ],
    [
      "past its init containers",
      {
        spec: init,
        status: {
          phase: "Pending",
          initContainerStatuses: [ended(0), ended(0)],
          containerStatuses: [waiting("PodInitializing")],
        },
        shown: "0/1 PodInitializing 0",
      },
    ],
    [
      "with an init container that failed",
      {
        spec: init,
        status: { phase: "Pending", initContainerStatuses: [{ ...ended(1, "Error"), restartCount: 2 }] },
        shown: "0/1 Init:Error 2",
      },
    ],
    [
      "with an init container that exits",
      { spec: init, status: { phase: "Pending", initContainerStatuses: [ended(3)] }, shown: "0/1 Init:ExitCode:3 0" },
    ],
    [
      "with an init container that crashes",
      {
        spec: init,
        status: { phase: "Pending", initContainerStatuses: [waiting("CrashLoopBackOff")] },
        shown: "0/1 Init:CrashLoopBackOff 0",
      },
    ],
    [
      "with a sidecar that starts",
      {
        spec: sidecar,
        status: { phase: "Pending", initContainerStatuses: [{ name: "s", state: { running: {} }, started: false }] },
        shown: "0/2 Init:0/2 0",
      },
    ],
    [
      "with a sidecar that runs",
      {
        spec: sidecar,
        status: {
          phase: "Pending",
          initContainerStatuses: [
            { ...running, name: "s" },
            { name: "j", state: { running: {} } },
          ],
        },
        shown: "1/2 Init:1/2 0",
      },
    ],
    [
      "with a sidecar beside it",
      {
        spec: sidecar,
        status: {
          phase: "Running",
          initContainerStatuses: [
            { ...running, name: "s", restartCount: 1 },
            { ...ended(0), name: "j", restartCount: 5 },
          ],
          containerStatuses: [running],
        },
        shown: "2/2 Running 1",
      },
    ],
  ])("%s", (_, given) => {
    const { Ready, Status, Restarts } = row(pod(given)) as Record<string, string>;
    expect(`${Ready} ${Status} ${Restarts}`).toBe(given.shown);
  });

  test("wide", () => {
    const spec = podSpec({ nodeName: "bowline", readinessGates: [{ conditionType: "a" }, { conditionType: "b" }] });
    const status = { phase: "Running", podIP: "10.244.0.7", conditions: [{ type: "a", status: "True" }] };
    expect(row(pod({ spec, status, shown: "" }))).toEqual({
      Name: "x",
      Ready: "0/1",
      Status: "Running",
      Restarts: "0",
      Age: "5m30s",
      IP: "10.244.0.7",
      Node: "bowline",
      "Nominated Node": "<none>",
      "Readiness Gates": "1/2",
    });
  });
});

describe("other kinds", () => {
  const event = named("v1", "Event", {
    type: "Warning",
    reason: "BackOff",
    message: "Back-off\n",
    involvedObject: { kind: "Pod", name: "p" },
    lastTimestamp: "2026-01-01T00:05:00Z",
    count: 4,
  });
  const base = { Name: "x", Age: "5m30s" };
  const web = { Name: "web", Age: "5m30s", Containers: "app", Images: "web:1" };

  test.each<[string, KubeObject, Record<string, unknown>]>([
    [
      "Deployment",
      { ...workload("Deployment", { replicas: 3 }), status: { readyReplicas: 1, updatedReplicas: 2 } },
      { ...web, Ready: "1/3", "Up-to-date": 2, Available: 0, Selector: "app=web" },
    ],
    [
      "ReplicaSet",
      { ...workload("ReplicaSet", { replicas: 3 }), status: { replicas: 2 } },
      { ...web, Desired: 3, Current: 2, Ready: 0, Selector: "app=web" },
    ],
    ["StatefulSet", workload("StatefulSet", { replicas: 1 }), { ...web, Ready: "0/1" }],
    [
      "DaemonSet",
      { ...workload("DaemonSet"), status: { desiredNumberScheduled: 1 } },
      {
        ...web,
        Desired: 1,
        Current: 0,
        Ready: 0,
        "Up-to-date": 0,
        Available: 0,
        "Node Selector": "<none>",
        Selector: "app=web",
      },
    ],
    [
      "Job",
      named("batch/v1", "Job", {
        spec: { completions: 1, selector: { matchLabels: { a: "b" } }, template: { spec: podSpec() } },
        status: {
          succeeded: 1,
          startTime: "2026-01-01T00:00:00Z",
          completionTime: "2026-01-01T00:00:07Z",
          conditions: [{ type: "Complete", status: "True" }],
        },
      }),
      {
        ...base,
        Status: "Complete",
        Completions: "1/1",
        Duration: "7s",
        Containers: "app",
        Images: "web:1",
        Selector: "a=b",
      },
    ],
    [
      "CronJob",
      named("batch/v1", "CronJob", {
        spec: { schedule: "@hourly", jobTemplate: { spec: { template: { spec: podSpec() } } } },
      }),
      {
        ...base,
        Schedule: "@hourly",
        Timezone: "<none>",
        Suspend: "False",
        Active: 0,
        "Last Schedule": "<none>",
        Containers: "app",
        Images: "web:1",
        Selector: "<none>",
      },
    ],
    [
      "Service",
      named("v1", "Service", {
        spec: {
          type: "NodePort",
          clusterIP: "10.96.0.2",
          selector: { a: "b" },
          ports: [
            { port: 80, nodePort: 30080, protocol: "TCP" },
            { port: 53, protocol: "UDP" },
          ],
        },
      }),
      {
        ...base,
        Type: "NodePort",
        "Cluster-IP": "10.96.0.2",
        "External-IP": "<none>",
        "Port(s)": "80:30080/TCP,53/UDP",
        Selector: "a=b",
      },
    ],
    [
      "Endpoints",
      named("v1", "Endpoints", {
        subsets: [{ addresses: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }], ports: [{ port: 80 }, { port: 81 }] }],
      }),
      { ...base, Endpoints: "10.0.0.1:80,10.0.0.1:81,[fd00::1]:80 + 1 more..." },
    ],
    [
      "EndpointSlice",
      named("discovery.k8s.io/v1", "EndpointSlice", {
        addressType: "IPv4",
        endpoints: [{ addresses: ["10.0.0.1"] }],
        ports: [{ port: 80 }],
      }),
      { ...base, AddressType: "IPv4", Ports: "80", Endpoints: "10.0.0.1" },
    ],
    ["Namespace", named("v1", "Namespace", { status: { phase: "Active" } }), { ...base, Status: "Active" }],
    [
      "Node",
      named("v1", "Node", {
        status: {
          conditions: [{ type: "Ready", status: "True" }],
          addresses: [{ type: "InternalIP", address: "10.244.0.1" }],
          nodeInfo: { kubeletVersion: "v1.32.0" },
        },
      }),
      {
        ...base,
        Status: "Ready",
        Roles: "<none>",
        Version: "v1.32.0",
        "Internal-IP": "10.244.0.1",
        "External-IP": "<none>",
        "OS-Image": "<unknown>",
        "Kernel-Version": "<unknown>",
        "Container-Runtime": "<unknown>",
      },
    ],
    ["ConfigMap", named("v1", "ConfigMap", { data: { a: "" }, binaryData: { b: "" } }), { ...base, Data: 2 }],
    ["Secret", named("v1", "Secret", { type: "Opaque", data: { a: "" } }), { ...base, Type: "Opaque", Data: 1 }],
    [
      "Event",
      event,
      {
        "Last Seen": "30s",
        Type: "Warning",
        Reason: "BackOff",
        Object: "pod/p",
        Subobject: "",
        Source: "",
        Message: "Back-off",
        "First Seen": "<unknown>",
        Count: 4,
        Name: "x",
      },
    ],
    ["Lease", named("coordination.k8s.io/v1", "Lease", { spec: { holderIdentity: "me" } }), { ...base, Holder: "me" }],
    [
      "ClusterRole",
      named("rbac.authorization.k8s.io/v1", "ClusterRole"),
      { Name: "x", "Created At": "2026-01-01T00:00:00Z" },
    ],
    [
      "RoleBinding",
      named("rbac.authorization.k8s.io/v1", "RoleBinding", {
        roleRef: { kind: "Role", name: "r" },
        subjects: [
          { kind: "User", name: "u" },
          { kind: "ServiceAccount", name: "s", namespace: "n" },
        ],
      }),
      { ...base, Role: "Role/r", Users: "u", Groups: "", ServiceAccounts: "n/s" },
    ],
    [
      "PodDisruptionBudget",
      named("policy/v1", "PodDisruptionBudget", { spec: { minAvailable: "50%" } }),
      { ...base, "Min Available": "50%", "Max Unavailable": "N/A", "Allowed Disruptions": 0 },
    ],
    [
      "CronTab",
      {
        ...cronTab({ replicas: 2 }),
        status: {
          conditions: [
            { type: "Old", status: "False" },
            { type: "Ready", status: "True" },
          ],
        },
      },
      { ...base, Spec: "* * * * *", Replicas: 2, Ready: "True" },
    ],
    ["kind without columns of its own", named("v1", "LimitRange"), { Name: "x", "Created At": "2026-01-01T00:00:00Z" }],
  ])("%s", (_, object, cells) => {
    expect(row(object)).toEqual(cells);
  });

  test("every kind has a name to print", () => {
    for (const type of new SchemaRegistry().types()) {
      const table = tableOf(type, [named("v1", type.kind, {}, "it")]);
      expect(table.rows[0]?.cells).toContain("it");
    }
  });
});

test("rows carry as much of the object as is asked for", () => {
  const object = named("v1", "ConfigMap", { data: { a: "b" } });
  const type = typeOf(registry, object);
  const shown = (includeObject: "None" | "Metadata" | "Object") =>
    tableOf(type, [object], { includeObject }).rows[0]?.object;
  expect(shown("None")).toBeNull();
  expect(shown("Metadata")).toEqual({
    kind: "PartialObjectMetadata",
    apiVersion: "meta.k8s.io/v1",
    metadata: object.metadata,
  });
  expect(shown("Object")).toEqual(object);
  expect(tableOf(type, [object], { headless: true }).columnDefinitions).toBeNull();
});

test.each([
  [-5000, "<invalid>"],
  [-500, "0s"],
  [119_000, "119s"],
  [120_000, "2m"],
  [599_000, "9m59s"],
  [600_000, "10m"],
  [3 * 3600_000 - 1000, "179m"],
  [3 * 3600_000, "3h"],
  [7 * 3600_000 + 300_000, "7h5m"],
  [8 * 3600_000, "8h"],
  [48 * 3600_000, "2d"],
  [50 * 3600_000, "2d2h"],
  [9 * 86400_000, "9d"],
  [800 * 86400_000, "2y70d"],
  [4000 * 86400_000, "10y"],
])("%d ms is %s", (ms, text) => {
  expect(humanDuration(ms)).toBe(text);
});

test("an age that nobody knows", () => {
  expect(ageOf(undefined, NOW_MS)).toBe("<unknown>");
});
