import { describe, expect, test } from "bun:test";
import type { KubeObject } from "@bowline/kube";
import { objectAt, objectsAt } from "../schema.ts";
import {
  created,
  cronTabDefinition,
  faultsOf,
  named,
  podSpec,
  registryWithCronTab,
  updated,
  workload,
} from "../testing/objects.ts";

const registry = registryWithCronTab();

function pod(more: object): KubeObject {
  return named("v1", "Pod", { spec: podSpec(more) });
}

function container(more: object): KubeObject {
  return pod({ containers: [{ name: "app", image: "web", ...more }] });
}

const LABEL_1123 = /a lowercase RFC 1123 label must consist of lower case/;

describe("refused on create", () => {
  test.each<[string, KubeObject, (string | RegExp)[]]>([
    [
      "a name with capitals",
      named("v1", "ConfigMap", {}, "Web"),
      [/^metadata\.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist/],
    ],
    ["no name", named("v1", "ConfigMap", {}, ""), ["metadata.name: Required value: name or generateName is required"]],
    [
      "a service's name that begins with a digit",
      named("v1", "Service", { spec: { ports: [{ port: 1 }] } }, "1web"),
      [/^metadata\.name: Invalid value: "1web": a DNS-1035 label/],
    ],
    [
      "a role's name with a slash",
      named("rbac.authorization.k8s.io/v1", "Role", {}, "a/b"),
      [`metadata.name: Invalid value: "a/b": may not contain '/'`],
    ],
    [
      "labels of bad syntax",
      { ...pod({}), metadata: { name: "x", namespace: "default", labels: { "-a": "b c", "x/": "y" } } },
      [
        /^metadata\.labels: Invalid value: "-a": name part must consist/,
        /^metadata\.labels: Invalid value: "b c": a valid label must be/,
        /^metadata\.labels: Invalid value: "x\/": name part must be non-empty/,
      ],
    ],
    [
      "an owner without uid",
      {
        ...pod({}),
        metadata: {
          name: "x",
          namespace: "default",
          ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", uid: "" }],
        },
      },
      ['metadata.ownerReferences[0].uid: Invalid value: "": must not be empty'],
    ],
    [
      "a namespace on a cluster's object",
      { ...named("v1", "Namespace"), metadata: { name: "x", namespace: "y" } },
      ["metadata.namespace: Forbidden: not allowed on this type"],
    ],

    ["no containers", pod({ containers: [] }), ["spec.containers: Required value"]],
    [
      "a container without name and image",
      pod({ containers: [{}] }),
      ["spec.containers[0].name: Required value", "spec.containers[0].image: Required value"],
    ],
    [
      "doubled names",
      pod({ initContainers: [{ name: "app", image: "x" }] }),
      ['spec.containers[0].name: Duplicate value: "app"'],
    ],
    ["a container's bad name", container({ name: "A_b" }), [LABEL_1123]],
    [
      "a policy that is none",
      pod({ restartPolicy: "Sometimes" }),
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
    ],
    [
      "ports out of range and doubled",
      container({
        ports: [{ containerPort: 70000 }, { containerPort: 1, name: "a" }, { containerPort: 2, name: "a" }],
      }),
      [
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        'spec.containers[0].ports[2].name: Duplicate value: "a"',
      ],
    ],
    [
      "a mount of an unknown volume",
      container({ volumeMounts: [{ name: "v", mountPath: "/v" }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      "two mounts at one path",
      {
        ...pod({
          volumes: [{ name: "v" }],
          containers: [
            {
              name: "a",
              image: "x",
              volumeMounts: [
                { name: "v", mountPath: "/v" },
                { name: "v", mountPath: "/v" },
              ],
            },
          ],
        }),
      },
      ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique'],
    ],
    [
      "a volume of two kinds",
      pod({ volumes: [{ name: "v", emptyDir: {}, hostPath: { path: "/" } }] }),
      ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ],
    [
      "volumes of one name",
      pod({ volumes: [{ name: "v" }, { name: "v" }] }),
      ['spec.volumes[1].name: Duplicate value: "v"'],
    ],
    [
      "a probe without handler",
      container({ livenessProbe: { periodSeconds: -1 } }),
      [
        "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
      ],
    ],
    [
      "a probe of an init container",
      pod({ initContainers: [{ name: "i", image: "x", livenessProbe: { tcpSocket: { port: 1 } } }] }),
      [
        "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
      ],
    ],
    [
      "a restart policy of a plain container",
      container({ restartPolicy: "Always" }),
      ["spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers"],
    ],
    [
      "a variable from two sources",
      container({ env: [{ name: "A", value: "x", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] }),
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      "a field that is no variable",
      container({ env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.hostname" } } }] }),
      [/^spec\.containers\[0\]\.env\[0\]\.valueFrom\.fieldRef\.fieldPath: Unsupported value: "spec\.hostname"/],
    ],
    [
      "more requested than allowed",
      container({ resources: { limits: { cpu: "1" }, requests: { cpu: "1500m" } } }),
      ['spec.containers[0].resources.requests: Invalid value: "1500m": must be less than or equal to cpu limit of 1'],
    ],
    [
      "an amount that is none",
      container({ resources: { limits: { cpu: "much" } } }),
      [
        /^spec\.containers\[0\]\.resources\.limits\[cpu\]: Invalid value: "much": quantities must match/,
        /requests\[cpu\]/,
      ],
    ],
    [
      "a negative grace period",
      pod({ terminationGracePeriodSeconds: -1 }),
      ["spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0"],
    ],

    [
      "a selector that misses its template",
      workload("Deployment", { selector: { matchLabels: { app: "api" } } }),
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    ["no selector", workload("Deployment", { selector: undefined }), ["spec.selector: Required value"]],
    [
      "an empty selector",
      workload("DaemonSet", { selector: {} }),
      ["spec.selector: Invalid value: {}: empty selector is invalid for daemonset"],
    ],
    [
      "an operator without values",
      workload("ReplicaSet", { selector: { matchExpressions: [{ key: "app", operator: "In" }] } }),
      [
        "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        /does not match template/,
      ],
    ],
    [
      "a negative number of replicas",
      workload("StatefulSet", { replicas: -1 }),
      ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    ],
    [
      "pods that end, in a Deployment",
      workload("Deployment", {}, podSpec({ restartPolicy: "Never" })),
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      "a roll-out that cannot go on",
      workload("Deployment", { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
      ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
    ],
    [
      "a share that is none",
      workload("Deployment", { strategy: { rollingUpdate: { maxSurge: "some" } } }),
      [/^spec\.strategy\.rollingUpdate\.maxSurge: Invalid value: "some": a valid percent string/],
    ],
    [
      "a deadline before readiness",
      workload("Deployment", { minReadySeconds: 10, progressDeadlineSeconds: 10 }),
      ["spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds"],
    ],
    [
      "a template's container",
      workload("Deployment", {}, { containers: [{ name: "a" }] }),
      ["spec.template.spec.containers[0].image: Required value"],
    ],

    [
      "pods of a Job that go on for ever",
      named("batch/v1", "Job", { spec: { template: { spec: podSpec() } } }),
      ['spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"'],
    ],
    [
      "a schedule of three fields",
      named("batch/v1", "CronJob", {
        spec: { schedule: "* * *", jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: "Never" }) } } } },
      }),
      ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]'],
    ],

    ["a service without ports", named("v1", "Service", { spec: {} }), ["spec.ports: Required value"]],
    [
      "ports without names",
      named("v1", "Service", { spec: { ports: [{ port: 80 }, { port: 80, name: "b" }] } }),
      ["spec.ports[0].name: Required value", 'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'],
    ],
    [
      "an address that is none",
      named("v1", "Service", { spec: { clusterIP: "ten", ports: [{ port: 80 }] } }),
      ['spec.clusterIPs[0]: Invalid value: "ten": must be a valid IP address'],
    ],
    [
      "an external name that is missing",
      named("v1", "Service", { spec: { type: "ExternalName" } }),
      ["spec.externalName: Required value"],
    ],
    [
      "an address of the wrong family",
      named("discovery.k8s.io/v1", "EndpointSlice", { addressType: "IPv6", endpoints: [{ addresses: ["10.0.0.1"] }] }),
      ['endpoints[0].addresses[0]: Invalid value: "10.0.0.1": must be a valid IPv6 address'],
    ],

    [
      "a file name that leaves its directory",
      named("v1", "ConfigMap", { data: { "a/b": "c" } }),
      [/^data\[a\/b\]: Invalid value: "a\/b": a valid config key must consist/],
    ],
    [
      "data that is not base64",
      named("v1", "Secret", { data: { a: "!" } }),
      ['data[a]: Invalid value: "<secret contents redacted>": illegal base64 data'],
    ],
    [
      "half a key pair",
      named("v1", "Secret", { type: "kubernetes.io/tls", data: { "tls.crt": "" } }),
      ["data[tls.key]: Required value"],
    ],

    [
      "a role without verbs",
      named("rbac.authorization.k8s.io/v1", "Role", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: [] }] }),
      ["rules[0].verbs: Required value"],
    ],
    [
      "an account without namespace",
      named("rbac.authorization.k8s.io/v1", "RoleBinding", {
        roleRef: { kind: "Role", name: "r" },
        subjects: [{ kind: "ServiceAccount", name: "a" }],
      }),
      ["subjects[0].namespace: Required value"],
    ],
    [
      "a cluster's binding to a role",
      named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", { roleRef: { kind: "Role", name: "r" } }),
      ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
    ],
    [
      "a webhook that goes nowhere",
      named("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", {
        webhooks: [
          { name: "a", clientConfig: {}, sideEffects: "Some", admissionReviewVersions: ["v9"], timeoutSeconds: 60 },
        ],
      }),
      [
        'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        'webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots',
        'webhooks[0].admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
        "webhooks[0].timeoutSeconds: Invalid value: 60: the timeout value must be between 1 and 30 seconds",
        "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
      ],
    ],
    [
      "both limits of a budget",
      named("policy/v1", "PodDisruptionBudget", { spec: { minAvailable: 1, maxUnavailable: 1 } }),
      [/^spec: Invalid value: .*minAvailable and maxUnavailable cannot be both set/],
    ],

    [
      "a definition of another name",
      { ...cronTabDefinition(), metadata: { name: "x.y" } },
      ['metadata.name: Invalid value: "x.y": must be spec.names.plural+"."+spec.group'],
    ],
    [
      "a definition that converts by webhook",
      cronTabDefinition({ conversion: { strategy: "Webhook" } }),
      ['spec.conversion.strategy: Unsupported value: "Webhook": supported values: "None"'],
    ],
    [
      "a definition whose scale is not where it may be",
      cronTabDefinition({
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object" } },
            subresources: {
              scale: {
                specReplicasPath: ".spec.__proto__.replicas",
                statusReplicasPath: ".metadata.replicas",
                labelSelectorPath: "status.selector",
              },
            },
          },
        ],
      }),
      [
        'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".spec.__proto__.replicas": should be a json path under .spec',
        'spec.versions[0].subresources.scale.statusReplicasPath: Invalid value: ".metadata.replicas": should be a json path under .status',
        'spec.versions[0].subresources.scale.labelSelectorPath: Invalid value: "status.selector": should be a json path under .spec or .status',
      ],
    ],
    [
      "a definition with a pattern that is none",
      cronTabDefinition({
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: { type: "object", properties: { a: { type: "string", pattern: "(?!b)a" } } },
            },
          },
        ],
      }),
      [
        `spec.versions[0].schema.openAPIV3Schema.properties[a].pattern: Invalid value: "(?!b)a": must be a valid regular expression, but isn't: invalid or unsupported Perl syntax: (?`,
      ],
    ],
    [
      "a definition without structure",
      cronTabDefinition({
        versions: [
          {
            name: "v1",
            served: true,
            storage: false,
            schema: {
              openAPIV3Schema: { type: "object", properties: { a: { properties: { b: { type: "array" } } } } },
            },
          },
        ],
      }),
      [
        "spec.versions[0].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields",
        "spec.versions[0].schema.openAPIV3Schema.properties[a].properties[b].items: Required value: must be specified",
        'spec.versions: Invalid value: ["v1"]: must have exactly one version marked as storage version',
      ],
    ],
  ])("%s", (_, object, faults) => {
    expect(faultsOf(() => created(registry, object))).toEqual(
      faults.map((fault) => (typeof fault === "string" ? fault : expect.stringMatching(fault))),
    );
  });
});

describe("accepted", () => {
  test("a webhook with all that rules may say, in full", () => {
    const rule = {
      operations: ["CREATE"],
      apiGroups: [""],
      apiVersions: ["v1"],
      resources: ["pods"],
      scope: "Namespaced",
    };
    const clientConfig = { service: { name: "s", namespace: "n", path: "/" }, caBundle: "" };
    const webhook = {
      name: "a.b.c",
      clientConfig,
      rules: [rule],
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    };
    const stored = created(
      registry,
      named("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", { webhooks: [webhook] }),
    );
    expect(stored["webhooks"]).toMatchObject([
      {
        ...webhook,
        clientConfig: { service: { port: 443 } },
        failurePolicy: "Fail",
        timeoutSeconds: 10,
        reinvocationPolicy: "Never",
      },
    ]);
  });

  test.each<[string, KubeObject]>([
    [
      "a native sidecar with probes",
      pod({
        initContainers: [{ name: "s", image: "x", restartPolicy: "Always", startupProbe: { tcpSocket: { port: 1 } } }],
      }),
    ],
    [
      "one port by two protocols",
      named("v1", "Service", {
        spec: {
          ports: [
            { port: 53, name: "a", protocol: "UDP" },
            { port: 53, name: "b" },
          ],
        },
      }),
    ],
    ["a headless service without ports", named("v1", "Service", { spec: { clusterIP: "None", selector: { a: "b" } } })],
    [
      "a field of annotations",
      container({ env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.annotations['a/b']" } } }] }),
    ],
    [
      "names of months and days, steps and lists",
      named("batch/v1", "CronJob", {
        spec: {
          schedule: "*/5 1-3,7 1 jan-mar mon",
          timeZone: "Europe/Berlin",
          jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: "OnFailure" }) } } },
        },
      }),
    ],
    [
      "a role of paths",
      named(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        { rules: [{ nonResourceURLs: ["/metrics"], verbs: ["get"] }] },
        "system:metrics",
      ),
    ],
    ["a slice without endpoints", named("discovery.k8s.io/v1", "EndpointSlice", { addressType: "IPv4" })],
  ])("%s", (_, object) => {
    expect(faultsOf(() => created(registry, object))).toEqual([]);
  });
});

describe("refused on update", () => {
  const immutable = "field is immutable";
  test.each<[string, KubeObject, (draft: KubeObject) => void, (string | RegExp)[]]>([
    [
      "a Deployment's selector",
      workload("Deployment"),
      (draft) => relabel(draft),
      [`spec.selector: Invalid value: {"matchLabels":{"app":"api"}}: ${immutable}`],
    ],
    [
      "a StatefulSet's service",
      workload("StatefulSet"),
      (draft) => Object.assign(objectAt(draft, "spec"), { serviceName: "other" }),
      [/^spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals'/],
    ],
    [
      "a Job's template",
      named("batch/v1", "Job", { spec: { template: { spec: podSpec({ restartPolicy: "Never" }) } } }),
      (draft) => changeImage(draft, "spec", "template", "spec"),
      [/^spec\.template: Invalid value: .*field is immutable$/],
    ],
    [
      "a pod's command",
      pod({}),
      (draft) => Object.assign(objectsAt(draft, "spec", "containers")[0] ?? {}, { command: ["x"] }),
      [/^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`/],
    ],
    [
      "a pod's containers",
      pod({}),
      (draft) => Object.assign(objectAt(draft, "spec"), { containers: [] }),
      ["spec.containers: Required value", "spec.containers: Forbidden: pod updates may not add or remove containers"],
    ],
    [
      "a bound role",
      named("rbac.authorization.k8s.io/v1", "RoleBinding", { roleRef: { kind: "Role", name: "a" } }),
      (draft) => Object.assign(objectAt(draft, "roleRef"), { name: "b" }),
      [/^roleRef: Invalid value: .*: cannot change roleRef$/],
    ],
    [
      "a Secret's type",
      named("v1", "Secret"),
      (draft) => Object.assign(draft, { type: "other" }),
      [`type: Invalid value: "other": ${immutable}`],
    ],
    [
      "what is immutable",
      named("v1", "ConfigMap", { immutable: true, data: { a: "b" } }),
      (draft) => Object.assign(draft, { data: {}, immutable: false }),
      [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
      ],
    ],
    [
      "a definition's scope",
      cronTabDefinition(),
      (draft) => Object.assign(objectAt(draft, "spec"), { scope: "Cluster" }),
      [`spec.scope: Invalid value: "Cluster": ${immutable}`],
    ],
    [
      "a uid",
      named("v1", "ConfigMap"),
      (draft) => Object.assign(draft.metadata, { uid: "other" }),
      [`metadata.uid: Invalid value: "other": ${immutable}`],
    ],
  ])("%s", (_, object, change, faults) => {
    const stored = created(registry, object);
    expect(faultsOf(() => updated(registry, stored, change))).toEqual(
      faults.map((fault) => (typeof fault === "string" ? fault : expect.stringMatching(fault))),
    );
  });

  test("new finalizers of what is going", () => {
    const stored = created(registry, named("v1", "ConfigMap"));
    const going = { ...stored, metadata: { ...stored.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    const change = () => updated(registry, going, (draft) => Object.assign(draft.metadata, { finalizers: ["a/b"] }));
    expect(faultsOf(change)).toEqual([
      expect.stringMatching(/^metadata\.finalizers: Forbidden: no new finalizers can be added/),
    ]);
  });

  test("but not a pod's image, nor its node, once", () => {
    const stored = created(registry, pod({}));
    const bound = updated(registry, stored, (draft) => {
      Object.assign(objectAt(draft, "spec"), { nodeName: "bowline" });
      changeImage(draft, "spec");
    });
    expect(bound["spec"]).toMatchObject({ nodeName: "bowline", containers: [{ image: "other" }] });
    const move = () =>
      updated(registry, bound, (draft) => Object.assign(objectAt(draft, "spec"), { nodeName: "elsewhere" }));
    expect(faultsOf(move)).toHaveLength(1);
  });
});

function relabel(draft: KubeObject): void {
  Object.assign(objectAt(draft, "spec", "selector"), { matchLabels: { app: "api" } });
  Object.assign(objectAt(draft, "spec", "template", "metadata"), { labels: { app: "api" } });
}

function changeImage(draft: KubeObject, ...path: string[]): void {
  Object.assign(objectsAt(draft, ...path, "containers")[0] ?? {}, { image: "other" });
}
