import type { DefinitionName } from "../definitions/definitions.ts";
import type { ScalePaths } from "../resource-type.ts";
import type { KindRules } from "./kind-rules.ts";
import {
  CONFIG_RULES,
  CORE_RULES,
  EXTENSION_RULES,
  NETWORK_RULES,
  POLICY_RULES,
  RBAC_RULES,
  WORKLOAD_RULES,
} from "./rules.ts";

/** A built-in kind, as discovery tells of it. */
export interface CatalogEntry {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly definition: DefinitionName;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly status: boolean;
  readonly scale?: ScalePaths;
  /** The store's key where it is not `plural.group`. */
  readonly storedAs?: string;
  readonly rules: KindRules;
}

interface Extra {
  readonly shortNames?: readonly string[];
  readonly all?: boolean;
  readonly cluster?: boolean;
  readonly status?: boolean;
  readonly scale?: ScalePaths;
  readonly storedAs?: string;
  readonly rules?: KindRules;
}

const SCALE: ScalePaths = {
  specReplicas: ".spec.replicas",
  statusReplicas: ".status.replicas",
  selector: ".spec.selector",
};
const WORKLOAD: Extra = { all: true, status: true, scale: SCALE };
const RBAC = "rbac.authorization.k8s.io/v1";
const ADMISSION = "admissionregistration.k8s.io/v1";

/** Every built-in kind, in the order of discovery. */
export const CATALOG: readonly CatalogEntry[] = [
  entry("v1", "configmaps", "ConfigMap", { shortNames: ["cm"], rules: CONFIG_RULES.configMap }),
  entry("v1", "endpoints", "Endpoints", { shortNames: ["ep"], rules: NETWORK_RULES.endpoints }),
  entry("v1", "events", "Event", { shortNames: ["ev"], rules: CORE_RULES.event }),
  entry("v1", "limitranges", "LimitRange", { shortNames: ["limits"] }),
  entry("v1", "namespaces", "Namespace", {
    shortNames: ["ns"],
    cluster: true,
    status: true,
    rules: CORE_RULES.namespace,
  }),
  entry("v1", "nodes", "Node", { shortNames: ["no"], cluster: true, status: true }),
  entry("v1", "persistentvolumeclaims", "PersistentVolumeClaim", {
    shortNames: ["pvc"],
    status: true,
    rules: CONFIG_RULES.persistentVolumeClaim,
  }),
  entry("v1", "pods", "Pod", { shortNames: ["po"], all: true, status: true, rules: CORE_RULES.pod }),
  entry("v1", "replicationcontrollers", "ReplicationController", {
    ...WORKLOAD,
    shortNames: ["rc"],
    rules: WORKLOAD_RULES.replicationController,
  }),
  entry("v1", "resourcequotas", "ResourceQuota", { shortNames: ["quota"], status: true }),
  entry("v1", "secrets", "Secret", { rules: CONFIG_RULES.secret }),
  entry("v1", "serviceaccounts", "ServiceAccount", { shortNames: ["sa"] }),
  entry("v1", "services", "Service", { shortNames: ["svc"], all: true, status: true, rules: NETWORK_RULES.service }),

  entry("apps/v1", "controllerrevisions", "ControllerRevision", { rules: WORKLOAD_RULES.controllerRevision }),
  entry("apps/v1", "daemonsets", "DaemonSet", {
    all: true,
    status: true,
    shortNames: ["ds"],
    rules: WORKLOAD_RULES.daemonSet,
  }),
  entry("apps/v1", "deployments", "Deployment", {
    ...WORKLOAD,
    shortNames: ["deploy"],
    rules: WORKLOAD_RULES.deployment,
  }),
  entry("apps/v1", "replicasets", "ReplicaSet", { ...WORKLOAD, shortNames: ["rs"], rules: WORKLOAD_RULES.replicaSet }),
  entry("apps/v1", "statefulsets", "StatefulSet", {
    ...WORKLOAD,
    shortNames: ["sts"],
    rules: WORKLOAD_RULES.statefulSet,
  }),

  entry("batch/v1", "cronjobs", "CronJob", {
    all: true,
    status: true,
    shortNames: ["cj"],
    rules: WORKLOAD_RULES.cronJob,
  }),
  entry("batch/v1", "jobs", "Job", { all: true, status: true, rules: WORKLOAD_RULES.job }),

  entry("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", { rules: NETWORK_RULES.endpointSlice }),
  entry("coordination.k8s.io/v1", "leases", "Lease", { rules: CORE_RULES.lease }),
  entry("events.k8s.io/v1", "events", "Event", { shortNames: ["ev"], storedAs: "events", rules: CORE_RULES.event }),
  entry("networking.k8s.io/v1", "ingresses", "Ingress", {
    shortNames: ["ing"],
    status: true,
    rules: NETWORK_RULES.ingress,
  }),
  entry("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", {
    shortNames: ["netpol"],
    rules: NETWORK_RULES.networkPolicy,
  }),
  entry("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", {
    shortNames: ["pdb"],
    status: true,
    rules: POLICY_RULES.disruptionBudget,
  }),
  entry("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", {
    shortNames: ["pc"],
    cluster: true,
    rules: POLICY_RULES.priorityClass,
  }),

  entry(RBAC, "clusterrolebindings", "ClusterRoleBinding", { cluster: true, rules: RBAC_RULES.binding }),
  entry(RBAC, "clusterroles", "ClusterRole", { cluster: true, rules: RBAC_RULES.role }),
  entry(RBAC, "rolebindings", "RoleBinding", { rules: RBAC_RULES.binding }),
  entry(RBAC, "roles", "Role", { rules: RBAC_RULES.role }),

  entry(ADMISSION, "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", {
    cluster: true,
    rules: EXTENSION_RULES.webhooks,
  }),
  entry(ADMISSION, "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", {
    cluster: true,
    rules: EXTENSION_RULES.webhooks,
  }),
  entry("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", {
    shortNames: ["crd", "crds"],
    cluster: true,
    status: true,
    rules: EXTENSION_RULES.customResourceDefinition,
  }),
  entry("apiregistration.k8s.io/v1", "apiservices", "APIService", {
    cluster: true,
    status: true,
    rules: EXTENSION_RULES.apiService,
  }),
];

function entry(apiVersion: string, plural: string, kind: string, extra: Extra = {}): CatalogEntry {
  const slash = apiVersion.indexOf("/");
  const group = apiVersion.slice(0, Math.max(slash, 0));
  const version = apiVersion.slice(slash + 1);
  // Definitions' modules are named by the group's first word: "discovery.k8s.io/v1" is in discovery/v1.
  const module = group === "" ? "core" : (group.split(".")[0] ?? group);
  return {
    group,
    version,
    plural,
    kind,
    definition: `${module}/${version}.${kind}`,
    namespaced: extra.cluster !== true,
    shortNames: extra.shortNames ?? [],
    categories: extra.all === true ? ["all"] : [],
    status: extra.status === true,
    ...(extra.scale === undefined ? {} : { scale: extra.scale }),
    ...(extra.storedAs === undefined ? {} : { storedAs: extra.storedAs }),
    rules: extra.rules ?? {},
  };
}
