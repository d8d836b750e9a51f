import type { Schema } from "../schema.ts";

/**
 * How lists and maps of the built-in kinds are merged, which the published types leave out: the patchStrategy, patchMergeKey, listType,
 * listMapKey and structType tags of Kubernetes' API types. Lists that are not named are replaced as a whole.
 */
export function mergeRulesOf(definition: string, field: string): Schema {
  return LISTS[`${definition}.${field}`] ?? {};
}

/** Whether a definition's value is owned as a whole under server-side apply. */
export function isAtomic(definition: string): boolean {
  return ATOMIC.has(definition);
}

function mergedBy(key: string, ...moreKeys: string[]): Schema {
  return {
    "x-kubernetes-patch-merge-key": key,
    "x-kubernetes-patch-strategy": "merge",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": [key, ...moreKeys],
  };
}

function retaining(key: string): Schema {
  return { ...mergedBy(key), "x-kubernetes-patch-strategy": "merge,retainKeys" };
}

const SET: Schema = { "x-kubernetes-list-type": "set" };
const MERGED_SET: Schema = { "x-kubernetes-patch-strategy": "merge", "x-kubernetes-list-type": "set" };
const ATOMIC_MAP: Schema = { "x-kubernetes-map-type": "atomic" };
const CONDITIONS = mergedBy("type");

const CONTAINER_LISTS: Readonly<Record<string, Schema>> = {
  ports: mergedBy("containerPort", "protocol"),
  env: mergedBy("name"),
  volumeMounts: mergedBy("mountPath"),
  volumeDevices: mergedBy("devicePath"),
};

const LISTS: Readonly<Record<string, Schema>> = {
  "meta/v1.ObjectMeta.finalizers": MERGED_SET,
  "meta/v1.ObjectMeta.ownerReferences": mergedBy("uid"),
  ...prefixed("core/v1.Container", CONTAINER_LISTS),
  ...prefixed("core/v1.EphemeralContainer", CONTAINER_LISTS),
  ...prefixed("core/v1.PodSpec", {
    volumes: retaining("name"),
    initContainers: mergedBy("name"),
    containers: mergedBy("name"),
    ephemeralContainers: mergedBy("name"),
    nodeSelector: ATOMIC_MAP,
    imagePullSecrets: mergedBy("name"),
    hostAliases: mergedBy("ip"),
    topologySpreadConstraints: mergedBy("topologyKey", "whenUnsatisfiable"),
    schedulingGates: mergedBy("name"),
    resourceClaims: retaining("name"),
  }),
  ...prefixed("core/v1.PodStatus", {
    conditions: CONDITIONS,
    podIPs: mergedBy("ip"),
    hostIPs: mergedBy("ip"),
    resourceClaimStatuses: retaining("name"),
  }),
  "core/v1.ResourceRequirements.claims": mergedBy("name"),
  "core/v1.ReplicationControllerSpec.selector": ATOMIC_MAP,
  "core/v1.ReplicationControllerStatus.conditions": CONDITIONS,
  "core/v1.ServiceSpec.ports": mergedBy("port", "protocol"),
  "core/v1.ServiceSpec.selector": ATOMIC_MAP,
  "core/v1.ServiceStatus.conditions": CONDITIONS,
  "core/v1.ServiceAccount.secrets": mergedBy("name"),
  "core/v1.NodeSpec.podCIDRs": MERGED_SET,
  "core/v1.NodeStatus.conditions": CONDITIONS,
  "core/v1.NodeStatus.addresses": CONDITIONS,
  "core/v1.NamespaceStatus.conditions": CONDITIONS,
  "core/v1.PersistentVolumeClaimStatus.conditions": CONDITIONS,
  "apps/v1.DeploymentSpec.strategy": { "x-kubernetes-patch-strategy": "retainKeys" },
  "apps/v1.DeploymentStatus.conditions": CONDITIONS,
  "apps/v1.ReplicaSetStatus.conditions": CONDITIONS,
  "apps/v1.StatefulSetStatus.conditions": CONDITIONS,
  "apps/v1.DaemonSetStatus.conditions": CONDITIONS,
  "policy/v1.PodDisruptionBudgetSpec.selector": { "x-kubernetes-patch-strategy": "replace" },
  "policy/v1.PodDisruptionBudgetStatus.conditions": CONDITIONS,
  "discovery/v1.Endpoint.addresses": SET,
  "admissionregistration/v1.MutatingWebhookConfiguration.webhooks": mergedBy("name"),
  "admissionregistration/v1.ValidatingWebhookConfiguration.webhooks": mergedBy("name"),
  "admissionregistration/v1.MutatingWebhook.matchConditions": mergedBy("name"),
  "admissionregistration/v1.ValidatingWebhook.matchConditions": mergedBy("name"),
  "apiextensions/v1.CustomResourceDefinitionStatus.conditions": {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
  },
  "apiregistration/v1.APIServiceStatus.conditions": CONDITIONS,
};

const ATOMIC: ReadonlySet<string> = new Set([
  "meta/v1.LabelSelector",
  "meta/v1.OwnerReference",
  "core/v1.ConfigMapKeySelector",
  "core/v1.EndpointAddress",
  "core/v1.EndpointPort",
  "core/v1.LocalObjectReference",
  "core/v1.NodeSelector",
  "core/v1.NodeSelectorTerm",
  "core/v1.ObjectFieldSelector",
  "core/v1.ObjectReference",
  "core/v1.ResourceFieldSelector",
  "core/v1.ScopeSelector",
  "core/v1.SecretKeySelector",
  "core/v1.SecretReference",
  "core/v1.TypedLocalObjectReference",
  "core/v1.TypedObjectReference",
  "discovery/v1.EndpointPort",
  "networking/v1.ServiceBackendPort",
  "rbac/v1.RoleRef",
  "rbac/v1.Subject",
  "admissionregistration/v1.ParamRef",
]);

function prefixed(definition: string, lists: Readonly<Record<string, Schema>>): Record<string, Schema> {
  return Object.fromEntries(Object.entries(lists).map(([field, schema]) => [`${definition}.${field}`, schema]));
}
