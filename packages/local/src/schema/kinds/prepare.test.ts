import { describe, expect, test } from "bun:test";
import { SchemaRegistry } from "../registry.ts";
import { objectAt } from "../schema.ts";
import {
  countingAllocator,
  created,
  cronTab,
  cronTabDefinition,
  faultsOf,
  named,
  podSpec,
  registryWithCronTab,
  typeOf,
  updated,
  workload,
} from "../testing/objects.ts";

const registry = registryWithCronTab();

const POD_DEFAULTS = {
  restartPolicy: "Always",
  terminationGracePeriodSeconds: 30,
  dnsPolicy: "ClusterFirst",
  securityContext: {},
  schedulerName: "default-scheduler",
};

describe("defaults", () => {
  test.each<[string, object, object]>([
    [
      "Deployment",
      workload("Deployment"),
      {
        replicas: 1,
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
        template: { spec: POD_DEFAULTS },
      },
    ],
    [
      "Deployment that recreates",
      workload("Deployment", { strategy: { type: "Recreate" } }),
      { strategy: { type: "Recreate" } },
    ],
    ["ReplicaSet", workload("ReplicaSet"), { replicas: 1, template: { spec: POD_DEFAULTS } }],
    [
      "StatefulSet",
      workload("StatefulSet"),
      {
        replicas: 1,
        podManagementPolicy: "OrderedReady",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
      },
    ],
    [
      "DaemonSet",
      workload("DaemonSet"),
      {
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
        revisionHistoryLimit: 10,
      },
    ],
    ["Pod", named("v1", "Pod", { spec: podSpec() }), { ...POD_DEFAULTS, enableServiceLinks: true }],
    [
      "Service",
      named("v1", "Service", { spec: { ports: [{ port: 80 }] } }),
      {
        type: "ClusterIP",
        sessionAffinity: "None",
        internalTrafficPolicy: "Cluster",
        ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
      },
    ],
    [
      "CronJob",
      named("batch/v1", "CronJob", {
        spec: {
          schedule: "* * * * *",
          jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: "Never" }) } } },
        },
      }),
      { concurrencyPolicy: "Allow", suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
    ],
    [
      "NetworkPolicy",
      named("networking.k8s.io/v1", "NetworkPolicy", { spec: {} }),
      { podSelector: {}, policyTypes: ["Ingress"] },
    ],
    ["CronTab", cronTab({ jobs: [{ name: "a" }] }), { replicas: 1, jobs: [{ name: "a", command: "true" }] }],
  ])("of a %s", (_, object, spec) => {
    const stored = created(registry, object as ReturnType<typeof cronTab>);
    expect(stored["spec"]).toMatchObject(spec);
    // Again changes nothing: applying what was read is no change.
    const again = structuredClone(stored);
    typeOf(registry, stored).setDefaults(again);
    expect(again).toEqual(stored);
  });

  test("of containers, their ports, probes, hooks and variables", () => {
    const container = {
      name: "a",
      image: "web:1",
      ports: [{ containerPort: 80 }],
      env: [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      readinessProbe: { httpGet: { port: 80 } },
      livenessProbe: { grpc: { port: 80 }, periodSeconds: 3 },
      lifecycle: { preStop: { httpGet: { port: 80 } } },
      resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "500m" } },
    };
    const pod = created(registry, named("v1", "Pod", { spec: { hostNetwork: true, containers: [container] } }));
    const times = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
    expect(pod["spec"]).toMatchObject({
      containers: [
        {
          imagePullPolicy: "IfNotPresent",
          terminationMessagePath: "/dev/termination-log",
          terminationMessagePolicy: "File",
          ports: [{ containerPort: 80, hostPort: 80, protocol: "TCP" }],
          env: [{ valueFrom: { fieldRef: { apiVersion: "v1" } } }],
          readinessProbe: { ...times, httpGet: { path: "/", port: 80, scheme: "HTTP" } },
          livenessProbe: { ...times, periodSeconds: 3, grpc: { service: "" } },
          lifecycle: { preStop: { httpGet: { path: "/", scheme: "HTTP" } } },
          resources: { requests: { cpu: "500m", memory: "1Gi" } },
        },
      ],
    });
    expect(pod["status"]).toEqual({ phase: "Pending", qosClass: "Burstable" });
  });

  test.each([
    ["web", "Always"],
    ["web:latest", "Always"],
    ["registry:5000/web", "Always"],
    ["registry:5000/web:1.2", "IfNotPresent"],
    ["web@sha256:abc", "IfNotPresent"],
  ])("image %s is pulled %s", (image, policy) => {
    const pod = created(registry, named("v1", "Pod", { spec: { containers: [{ name: "a", image }] } }));
    expect(pod["spec"]).toMatchObject({ containers: [{ imagePullPolicy: policy }] });
  });

  test("of volumes", () => {
    const volumes = [
      { name: "e" },
      { name: "c", configMap: { name: "c" } },
      { name: "p", projected: { sources: [{ serviceAccountToken: { path: "t" } }] } },
    ];
    const pod = created(registry, named("v1", "Pod", { spec: podSpec({ volumes }) }));
    expect(objectAt(pod, "spec")["volumes"]).toEqual([
      { name: "e", emptyDir: {} },
      { name: "c", configMap: { name: "c", defaultMode: 420 } },
      {
        name: "p",
        projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 3600 } }] },
      },
    ]);
  });

  test("of a Secret turn its texts into data", () => {
    const secret = created(
      registry,
      named("v1", "Secret", { stringData: { a: "héllo" }, data: { b: "aGk=\n", a: "eA==" } }),
    );
    expect(secret).toMatchObject({ type: "Opaque", data: { a: "aMOpbGxv", b: "aGk=" } });
    expect(secret["stringData"]).toBeUndefined();
  });

  test("of a Namespace hold its name and its finalizer", () => {
    const namespace = created(registry, named("v1", "Namespace", {}, "blue"));
    expect(namespace.metadata.labels).toEqual({ "kubernetes.io/metadata.name": "blue" });
    expect(namespace).toMatchObject({ spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } });
    expect(updated(registry, namespace, (draft) => delete draft["spec"])["spec"]).toEqual({
      finalizers: ["kubernetes"],
    });
    const finalized = updated(registry, namespace, (draft) => {
      draft["spec"] = { finalizers: [] };
    });
    expect(finalized["spec"]).toEqual({ finalizers: [] });
  });

  test("of a Job let it select its own pods, also after an update that does not repeat them", () => {
    const job = named("batch/v1", "Job", { spec: { template: { spec: podSpec({ restartPolicy: "Never" }) } } });
    const stored = created(registry, job);
    expect(stored["spec"]).toMatchObject({
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "uid-1" } },
      template: {
        metadata: { labels: { "job-name": "x", "batch.kubernetes.io/job-name": "x", "controller-uid": "uid-1" } },
      },
    });
    const replaced = updated(registry, stored, (draft) => {
      draft["spec"] = structuredClone(job["spec"]);
      Object.assign(objectAt(draft, "spec"), { completions: 1, parallelism: 2 });
    });
    expect(objectAt(replaced, "spec")["selector"]).toEqual(objectAt(stored, "spec")["selector"]);
  });

  test("of a definition say that it is established, by the names it asks for", () => {
    const definition = created(registry, cronTabDefinition());
    expect(definition["spec"]).toMatchObject({
      names: { singular: "crontab", listKind: "CronTabList" },
      conversion: { strategy: "None" },
    });
    expect(definition["status"]).toMatchObject({
      acceptedNames: { plural: "crontabs", kind: "CronTab" },
      storedVersions: ["v1"],
      conditions: [
        { type: "NamesAccepted", status: "True" },
        { type: "Established", status: "True" },
      ],
    });
  });
});

describe("status and generation", () => {
  test.each([
    ["Deployment", workload("Deployment")],
    ["CronTab", cronTab({})],
  ])("of a %s: each is written by its own request only", (_, object) => {
    const stored = created(registry, { ...object, status: { replicas: 9 } });
    expect(objectAt(stored, "status")["replicas"]).toBeUndefined();
    expect(stored.metadata.generation).toBe(1);

    const reported = updated(
      registry,
      stored,
      (draft) => {
        draft["status"] = { replicas: 2 };
        objectAt(draft, "spec")["replicas"] = 7;
        draft.metadata.labels = { lost: "yes" };
        draft.metadata.resourceVersion = "5";
      },
      { write: "status" },
    );
    expect(reported).toEqual({
      ...stored,
      status: { replicas: 2 },
      metadata: { ...stored.metadata, resourceVersion: "5" },
    });

    const scaled = updated(registry, reported, (draft) => {
      draft["status"] = { replicas: 8 };
      objectAt(draft, "spec")["replicas"] = 3;
    });
    expect(scaled["status"]).toEqual({ replicas: 2 });
    expect(scaled.metadata.generation).toBe(2);

    const labelled = updated(registry, scaled, (draft) => {
      draft.metadata.labels = { kept: "yes" };
    });
    expect(labelled.metadata.generation).toBe(2);
  });

  test("what only the server writes stays", () => {
    const stored = created(registry, named("v1", "ConfigMap"));
    const old = { ...stored, metadata: { ...stored.metadata, deletionTimestamp: "2026-01-02T00:00:00Z" } };
    const replaced = updated(registry, old, (draft) => {
      draft.metadata = { name: "x", namespace: "default", deletionGracePeriodSeconds: 5, generation: 9 };
    });
    expect(replaced.metadata).toEqual(old.metadata);
  });

  test("a node's status is its creator's", () => {
    const node = named("v1", "Node", { status: { conditions: [{ type: "Ready", status: "True" }] } });
    const { namespace: _, ...metadata } = node.metadata;
    expect(created(registry, { ...node, metadata })["status"]).toEqual(node["status"]);
  });
});

describe("services", () => {
  const service = (spec: object) => named("v1", "Service", { spec: { ports: [{ port: 80 }], ...spec } });
  const make = (spec: object) => created(registry, service(spec), { services: countingAllocator() });

  test.each<[string, object, object]>([
    [
      "an address of the first family",
      {},
      { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" },
    ],
    [
      "one of each family",
      { ipFamilyPolicy: "PreferDualStack" },
      { clusterIPs: ["10.96.0.1", "fd00:10:96::2"], ipFamilies: ["IPv4", "IPv6"] },
    ],
    [
      "the other family first",
      { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6"] },
      { clusterIP: "fd00:10:96::1", ipFamilies: ["IPv6", "IPv4"] },
    ],
    ["the address it asks for", { clusterIP: "10.96.0.77" }, { clusterIP: "10.96.0.77", clusterIPs: ["10.96.0.77"] }],
    [
      "none if it is headless",
      { clusterIP: "None", selector: { a: "b" } },
      { clusterIP: "None", clusterIPs: ["None"], ipFamilies: ["IPv4"] },
    ],
    ["a node port", { type: "NodePort" }, { externalTrafficPolicy: "Cluster", ports: [{ nodePort: 30002 }] }],
  ])("get %s", (_, spec, expected) => {
    expect(make(spec)["spec"]).toMatchObject(expected);
  });

  test("with an external name get none", () => {
    const spec = make({ type: "ExternalName", externalName: "example.com", ports: [] })["spec"];
    expect(spec).toEqual({ type: "ExternalName", externalName: "example.com", ports: [], sessionAffinity: "None" });
  });

  test("keep what they were given when an update leaves it out, and lose what their new type has not", () => {
    const stored = make({ type: "NodePort", ipFamilyPolicy: "PreferDualStack" });
    const services = countingAllocator();
    const replaced = updated(
      registry,
      stored,
      (draft) => Object.assign(draft, { spec: { type: "NodePort", ports: [{ port: 80 }] } }),
      { services },
    );
    expect(replaced["spec"]).toEqual(stored["spec"]);
    const inner = updated(registry, stored, (draft) => Object.assign(objectAt(draft, "spec"), { type: "ClusterIP" }), {
      services,
    });
    expect(inner["spec"]).toMatchObject({ type: "ClusterIP", clusterIPs: objectAt(stored, "spec")["clusterIPs"] });
    expect(JSON.stringify(inner["spec"])).not.toMatch(/nodePort|externalTrafficPolicy/);
  });

  test("never change their address", () => {
    const stored = make({});
    const change = () =>
      updated(registry, stored, (draft) => Object.assign(objectAt(draft, "spec"), { clusterIP: "10.96.0.9" }));
    expect(faultsOf(change)).toEqual(['spec.clusterIPs[0]: Invalid value: ["10.96.0.9"]: may not change once set']);
  });

  test("cannot have two families where there is one", () => {
    const services = { ...countingAllocator(), families: ["IPv4"] as const };
    const make = () => created(registry, service({ ipFamilyPolicy: "RequireDualStack" }), { services });
    expect(faultsOf(make)).toEqual([expect.stringContaining("this cluster is not configured for dual-stack services")]);
  });
});

test("what is prepared is ready to use quickly", () => {
  // What `up` writes is on this path: reading the types and their schemas must not show in its time.
  const fresh = new SchemaRegistry();
  const start = performance.now();
  for (let i = 0; i < 20; i++) created(fresh, workload("Deployment"));
  expect(performance.now() - start).toBeLessThan(500);
});
