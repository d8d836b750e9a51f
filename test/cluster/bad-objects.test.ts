import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestCluster } from "./test-cluster.ts";

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.apply([
    deployment({}),
    service({ ports: [{ port: 80 }], clusterIP: "10.96.0.77" }),
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "fixed" }, immutable: true, data: { a: "1" } },
    pod({ containers: [{ name: "c", image: "i", command: ["sleep", "1000"] }] }),
    job({}),
  ]);
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

/** Nothing of these is stored; what is said names the field. */
const REFUSED: readonly (readonly [what: string, object: object, says: string])[] = [
  ["number for text", { ...configMap({ name: "x" }), data: { a: 1 } }, "of type string"],
  ["text for number", deployment({ replicas: "two" }), "spec.replicas of type int32"],
  ["object for list", pod({ containers: { name: "c" } }), "spec.containers of type"],
  ["no containers", pod({ containers: [] }), "spec.containers: Required value"],
  ["no image", pod({ containers: [{ name: "c" }] }, "x"), "spec.containers[0].image: Required value"],
  ["no name", configMap({}), "resource name may not be empty"],
  [
    "a name with capitals",
    configMap({ name: "Wrong" }),
    'metadata.name: Invalid value: "Wrong": a lowercase RFC 1123 subdomain',
  ],
  [
    "a service's name",
    { ...service({ ports: [{ port: 80 }] }), metadata: { name: "9" } },
    'metadata.name: Invalid value: "9": a DNS-1035 label',
  ],
  [
    "a namespace's name",
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "a.b" } },
    'metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label',
  ],
  [
    "a label's value",
    configMap({ name: "x", labels: { a: "not good" } }),
    'metadata.labels: Invalid value: "not good"',
  ],
  [
    "an annotation's key",
    configMap({ name: "x", annotations: { "a b": "" } }),
    'metadata.annotations: Invalid value: "a b"',
  ],
  [
    "a secret's data",
    { apiVersion: "v1", kind: "Secret", metadata: { name: "x" }, data: { a: "%" } },
    "illegal base64 data",
  ],
  [
    "a selector that is not the template's",
    deployment({ selector: { matchLabels: { app: "other" } } }, "x"),
    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
  ],
  [
    "a changed selector",
    deployment({ selector: { matchLabels: { app: "web", tier: "x" } } }, "web", { tier: "x" }),
    "spec.selector: Invalid value",
  ],
  [
    "a Deployment's restart policy",
    deployment({}, "x", {}, { restartPolicy: "Never" }),
    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ],
  ["a Job's restart policy", job({ restartPolicy: "Always" }, "x"), "spec.template.spec.restartPolicy"],
  [
    "a Job's changed template",
    job({ containers: [{ name: "c", image: "other", command: ["true"] }] }),
    "spec.template: Invalid value",
  ],
  [
    "negative replicas",
    deployment({ replicas: -1 }, "x"),
    "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    "an unknown strategy",
    deployment({ strategy: { type: "Big" } }, "x"),
    'spec.strategy.type: Unsupported value: "Big"',
  ],
  [
    "a port out of range",
    service({ ports: [{ port: 70000 }] }, "x"),
    "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
  ],
  ["ports without names", service({ ports: [{ port: 1 }, { port: 2 }] }, "x"), "spec.ports[0].name: Required value"],
  [
    "the same port twice",
    service(
      {
        ports: [
          { name: "a", port: 1 },
          { name: "b", port: 1 },
        ],
      },
      "x",
    ),
    "spec.ports[1]: Duplicate value",
  ],
  [
    "a taken address",
    service({ ports: [{ port: 80 }], clusterIP: "10.96.0.77" }, "x"),
    "provided IP is already allocated",
  ],
  [
    "a changed address",
    service({ ports: [{ port: 80 }], clusterIP: "10.96.0.78" }),
    "spec.clusterIPs[0]: Invalid value",
  ],
  [
    "the same container twice",
    pod(
      {
        containers: [
          { name: "c", image: "i" },
          { name: "c", image: "i" },
        ],
      },
      "x",
    ),
    'spec.containers[1].name: Duplicate value: "c"',
  ],
  [
    "a mount without volume",
    pod({ containers: [{ name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/v" }] }] }, "x"),
    'spec.containers[0].volumeMounts[0].name: Not found: "v"',
  ],
  [
    "a probe with two ways",
    pod(
      { containers: [{ name: "c", image: "i", livenessProbe: { tcpSocket: { port: 1 }, httpGet: { port: 1 } } }] },
      "x",
    ),
    "may not specify more than 1 handler type",
  ],
  [
    "a quantity",
    pod({ containers: [{ name: "c", image: "i", resources: { limits: { cpu: "much" } } }] }, "x"),
    "quantities must match the regular expression",
  ],
  [
    "requests above limits",
    pod({ containers: [{ name: "c", image: "i", resources: { limits: { cpu: "1" }, requests: { cpu: "2" } } }] }, "x"),
    'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit',
  ],
  [
    "an absent service account",
    pod({ serviceAccountName: "ghost", containers: [{ name: "c", image: "i" }] }, "x"),
    'serviceaccount "ghost" not found',
  ],
  [
    "a changed pod",
    pod({ containers: [{ name: "c", image: "i", command: ["sleep", "2000"] }] }),
    "pod updates may not change fields other than",
  ],
  [
    "an immutable ConfigMap",
    { ...configMap({ name: "fixed" }), immutable: true, data: { a: "2" } },
    "data: Forbidden: field is immutable when `immutable` is set",
  ],
  [
    "a schedule",
    {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "x" },
      spec: { schedule: "often", jobTemplate: job({}) },
    },
    "spec.schedule: Invalid value",
  ],
  [
    "an unknown kind",
    { apiVersion: "v1", kind: "Colour", metadata: { name: "x" } },
    'no matches for kind "Colour" in version "v1"',
  ],
  [
    "an unknown version",
    { apiVersion: "apps/v9", kind: "Deployment", metadata: { name: "x" } },
    'no matches for kind "Deployment" in version "apps/v9"',
  ],
  ["an absent namespace", configMap({ name: "x", namespace: "absent" }), 'namespaces "absent" not found'],
];

const UNKNOWN_FIELDS: readonly (readonly [object: object, says: RegExp])[] = [
  [
    pod({ containers: [{ name: "c", image: "i", comand: [] }] }, "x"),
    /unknown field "(spec\.containers\[0\]\.)?comand"/,
  ],
  [{ ...configMap({ name: "x" }), datum: {} }, /unknown field "datum"/],
];

for (const [what, object, says] of REFUSED) {
  test.concurrent(`${what} is refused`, async () => {
    // Old versions of kubectl would validate by themselves, in other words.
    const { code, stderr } = await cluster.tryKubectl(["apply", "--validate=false", "-f", "-"], {
      input: JSON.stringify(object),
    });
    expect([code, stderr]).toEqual([1, expect.stringContaining(says)]);
  }, 60_000);
}

for (const [object, says] of UNKNOWN_FIELDS) {
  test.concurrent(`${says} is refused, and dropped where no validation is wanted`, async () => {
    const input = JSON.stringify(object);
    const { code, stderr } = await cluster.tryKubectl(["apply", "-f", "-"], { input });
    expect([code, stderr]).toEqual([1, expect.stringMatching(says)]);
    await cluster.kubectl(["apply", "--validate=false", "--dry-run=server", "-f", "-"], { input });
  }, 60_000);
}

function configMap(metadata: object): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata };
}

function pod(spec: object, name = "pod"): object {
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec };
}

function service(spec: object, name = "web"): object {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}

function deployment(spec: object, name = "web", labels: object = {}, podSpec: object = {}): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web", ...labels } },
        spec: { containers: [{ name: "c", image: "i" }], ...podSpec },
      },
      ...spec,
    },
  };
}

function job(podSpec: object, name = "job"): object {
  const containers = [{ name: "c", image: "i", command: ["true"] }];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name },
    spec: { template: { spec: { restartPolicy: "Never", containers, ...podSpec } } },
  };
}
