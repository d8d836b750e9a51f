import type { DefinitionName } from "../definitions/definitions.ts";
import type { ScalePaths } from "../resource-type.ts";
import type { KindRules } from "./kind-rules.ts";
import { RULES } from "./rules.ts";

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
  entry("v1", "configmaps", "ConfigMap", { shortNames: ["cm"] }),
  entry("v1", "endpoints", "Endpoints", { shortNames: ["ep"] }),
  entry("v1", "events", "Event", { shortNames: ["ev"] }),
  entry("v1", "limitranges", "LimitRange", { shortNames: ["limits"] }),
  entry("v1", "namespaces", "Namespace", {
    shortNames: ["ns"],
    cluster: true,
    status: true,
  }),
  entry("v1", "nodes", "Node", { shortNames: ["no"], cluster: true, status: true }),
  entry("v1", "persistentvolumeclaims", "PersistentVolumeClaim", {
    shortNames: ["pvc"],
    status: true,
  }),
  entry("v1", "persistentvolumes", "PersistentVolume", { shortNames: ["pv"], cluster: true, status: true }),
  entry("v1", "pods", "Pod", { shortNames: ["po"], all: true, status: true }),
  entry("v1", "replicationcontrollers", "ReplicationController", {
    ...WORKLOAD,
    shortNames: ["rc"],
  }),
  entry("v1", "resourcequotas", "ResourceQuota", { shortNames: ["quota"], status: true }),
  entry("v1", "secrets", "Secret"),
  entry("v1", "serviceaccounts", "ServiceAccount", { shortNames: ["sa"] }),
  entry("v1", "services", "Service", { shortNames: ["svc"], all: true, status: true }),

  entry("apps/v1", "controllerrevisions", "ControllerRevision"),
  entry("apps/v1", "daemonsets", "DaemonSet", {
    all: true,
    status: true,
    shortNames: ["ds"],
  }),
  entry("apps/v1", "deployments", "Deployment", {
    ...WORKLOAD,
    shortNames: ["deploy"],
  }),
  entry("apps/v1", "replicasets", "ReplicaSet", { ...WORKLOAD, shortNames: ["rs"] }),
  entry("apps/v1", "statefulsets", "StatefulSet", {
    ...WORKLOAD,
    shortNames: ["sts"],
  }),

  entry("batch/v1", "cronjobs", "CronJob", {
    all: true,
    status: true,
    shortNames: ["cj"],
  }),
  entry("batch/v1", "jobs", "Job", { all: true, status: true }),

  entry("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
  entry("coordination.k8s.io/v1", "leases", "Lease"),
  entry("events.k8s.io/v1", "events", "Event", { shortNames: ["ev"], storedAs: "events" }),
  entry("networking.k8s.io/v1", "ingresses", "Ingress", {
    shortNames: ["ing"],
    status: true,
  }),
  entry("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", {
    shortNames: ["netpol"],
  }),
  entry("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", {
    shortNames: ["pdb"],
    status: true,
  }),
  entry("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", {
    shortNames: ["pc"],
    cluster: true,
  }),

  entry(RBAC, "clusterrolebindings", "ClusterRoleBinding", { cluster: true }),
  entry(RBAC, "clusterroles", "ClusterRole", { cluster: true }),
  entry(RBAC, "rolebindings", "RoleBinding"),
  entry(RBAC, "roles", "Role"),

  entry(ADMISSION, "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", {
    cluster: true,
  }),
  entry(ADMISSION, "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", {
    cluster: true,
  }),
  entry("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", {
    shortNames: ["crd", "crds"],
    cluster: true,
    status: true,
  }),
  entry("apiregistration.k8s.io/v1", "apiservices", "APIService", {
    cluster: true,
    status: true,
  }),
];

function entry(apiVersion: string, plural: string, kind: string, extra: Extra = {}): CatalogEntry {
  const slash = apiVersion.indexOf("/");
  const group = apiVersion.slice(0, Math.max(slash, 0));
  const version = apiVersion.slice(slash + 1);
  // Definitions' modules are named by the group's first word: "discovery.k8s.io/v1" is in discovery/v1.
  const module = group === "" ? "core" : (group.split(".")[0] ?? group);
  const definition = `${module}/${version}.${kind}`;
  return {
    group,
    version,
    plural,
    kind,
    definition,
    namespaced: extra.cluster !== true,
    shortNames: extra.shortNames ?? [],
    categories: extra.all === true ? ["all"] : [],
    status: extra.status === true,
    ...(extra.scale === undefined ? {} : { scale: extra.scale }),
    ...(extra.storedAs === undefined ? {} : { storedAs: extra.storedAs }),
    rules: RULES[definition] ?? {},
  };
}
