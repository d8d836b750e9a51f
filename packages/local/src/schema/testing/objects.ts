import { ApiError, type KubeObject } from "@bowline/kube";
import { SchemaRegistry } from "../registry.ts";
import type { PrepareOptions, ResourceType, ServiceAllocator } from "../resource-type.ts";

/** Fields of metadata that an API server would have given. */
const SERVER_METADATA = { namespace: "default", uid: "uid-1", creationTimestamp: "2026-01-01T00:00:00Z" };

export function podSpec(more: object = {}): Record<string, unknown> {
  return { containers: [{ name: "app", image: "web:1" }], ...more };
}

/** A workload of `kind` whose labels fit its selector. */
export function workload(kind: string, spec: object = {}, template: object = podSpec()): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name: "web", ...SERVER_METADATA },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: template },
      ...spec,
    },
  };
}

export function named(apiVersion: string, kind: string, fields: object = {}, name = "x"): KubeObject {
  const cluster = CLUSTER_KINDS.has(kind);
  const { namespace, ...metadata } = SERVER_METADATA;
  return { apiVersion, kind, metadata: { name, ...metadata, ...(cluster ? {} : { namespace }) }, ...fields };
}

const CLUSTER_KINDS: ReadonlySet<string> = new Set([
  "ClusterRole",
  "ClusterRoleBinding",
  "CustomResourceDefinition",
  "MutatingWebhookConfiguration",
  "Namespace",
  "PriorityClass",
]);

/** A definition of CronTabs with a status, a scale and columns. */
export function cronTabDefinition(spec: object = {}): KubeObject {
  return named(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    {
      spec: {
        group: "stable.example.com",
        scope: "Namespaced",
        names: { plural: "crontabs", kind: "CronTab", shortNames: ["ct"] },
        versions: [
          { ...CRON_TAB_VERSION, name: "v1", storage: true },
          { ...CRON_TAB_VERSION, name: "v1beta1", storage: false },
        ],
        ...spec,
      },
    },
    "crontabs.stable.example.com",
  );
}

const CRON_TAB_VERSION = {
  served: true,
  subresources: {
    status: {},
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.labelSelector",
    },
  },
  additionalPrinterColumns: [
    { name: "Spec", type: "string", jsonPath: ".spec.cronSpec" },
    { name: "Replicas", type: "integer", jsonPath: ".spec.replicas" },
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  schema: {
    openAPIV3Schema: {
      type: "object",
      required: ["spec"],
      properties: {
        spec: {
          type: "object",
          required: ["cronSpec"],
          properties: {
            cronSpec: { type: "string", pattern: "^\\S+( \\S+){4}$", description: "When it runs." },
            image: { type: "string", maxLength: 8 },
            replicas: { type: "integer", minimum: 1, maximum: 10, default: 1 },
            mode: { type: "string", enum: ["fast", "slow"] },
            port: { "x-kubernetes-int-or-string": true },
            free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
            note: { type: "string", nullable: true },
            jobs: {
              type: "array",
              "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": ["name"],
              items: {
                type: "object",
                required: ["name"],
                properties: { name: { type: "string" }, command: { type: "string", default: "true" } },
              },
            },
          },
        },
        status: {
          type: "object",
          properties: {
            replicas: { type: "integer" },
            labelSelector: { type: "string" },
            conditions: { type: "array", items: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        },
      },
    },
  },
};

export function cronTab(spec: object): KubeObject {
  return named("stable.example.com/v1", "CronTab", { spec: { cronSpec: "* * * * *", ...spec } });
}

/** The built-in kinds, and CronTab. */
export function registryWithCronTab(): SchemaRegistry {
  const registry = new SchemaRegistry();
  registry.addCrd(cronTabDefinition());
  return registry;
}

export function typeOf(registry: SchemaRegistry, object: KubeObject): ResourceType {
  const type = registry.findKind(object.apiVersion, object.kind);
  if (type === undefined) throw new Error(`no type for ${object.apiVersion} ${object.kind}`);
  return type;
}

/** What the API server does with an object that is created: the result, frozen as stored objects are. */
export function created(registry: SchemaRegistry, object: KubeObject, options: PrepareOptions = {}): KubeObject {
  const type = typeOf(registry, object);
  const stored = type.toStored(registry.decode(type, structuredClone(object), "Strict").object);
  type.prepare(stored, "create", options);
  return deepFreeze(stored);
}

/** The same for an update. */
export function updated(
  registry: SchemaRegistry,
  old: KubeObject,
  change: (draft: KubeObject) => void,
  options: PrepareOptions & { write?: "update" | "status" } = {},
): KubeObject {
  const draft = structuredClone(old);
  change(draft);
  typeOf(registry, old).prepare(draft, options.write ?? "update", { ...options, old });
  return deepFreeze(draft);
}

/** The causes of a refusal, "field: message"; empty if there is none. */
export function faultsOf(run: () => unknown): string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const causes = error.details?.causes ?? [];
    return causes.length === 0 ? [error.message] : causes.map((cause) => `${cause.field}: ${cause.message}`);
  }
}

/** Addresses in order, from both families. */
export function countingAllocator(): ServiceAllocator {
  let next = 1;
  return {
    families: ["IPv4", "IPv6"],
    clusterIp: (family, wanted) => wanted ?? (family === "IPv4" ? `10.96.0.${next++}` : `fd00:10:96::${next++}`),
    nodePort: (wanted) => wanted ?? 30000 + next++,
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const below of Object.values(value)) deepFreeze(below);
  return Object.freeze(value);
}
