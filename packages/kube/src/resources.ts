/** Where a kind of object lives in the API. */
export interface ResourceRef {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export type ResourceName =
  | "authorizationpolicies"
  | "bindings"
  | "clusterrolebindings"
  | "clusterroles"
  | "configmaps"
  | "controllerrevisions"
  | "cronjobs"
  | "customresourcedefinitions"
  | "daemonsets"
  | "deployments"
  | "egressnetworks"
  | "endpoints"
  | "endpointslices"
  | "events"
  | "externalworkloads"
  | "httplocalratelimitpolicies"
  | "httproutes"
  | "jobs"
  | "leases"
  | "meshtlsauthentications"
  | "mutatingwebhookconfigurations"
  | "namespaces"
  | "networkauthentications"
  | "nodes"
  | "poddisruptionbudgets"
  | "pods"
  | "replicasets"
  | "replicationcontrollers"
  | "rolebindings"
  | "roles"
  | "secrets"
  | "selfsubjectaccessreviews"
  | "serverauthorizations"
  | "servers"
  | "serviceaccounts"
  | "serviceprofiles"
  | "services"
  | "statefulsets"
  | "subjectaccessreviews"
  | "tokenreviews"
  | "validatingwebhookconfigurations";

/** The kinds that this project itself reads or writes, by their plural names. Others are found by discovery. */
export const RESOURCES: Readonly<Record<ResourceName, ResourceRef>> = {
  bindings: resource("v1", "bindings", "Binding"),
  configmaps: resource("v1", "configmaps", "ConfigMap"),
  controllerrevisions: resource("apps/v1", "controllerrevisions", "ControllerRevision"),
  cronjobs: resource("batch/v1", "cronjobs", "CronJob"),
  daemonsets: resource("apps/v1", "daemonsets", "DaemonSet"),
  deployments: resource("apps/v1", "deployments", "Deployment"),
  endpoints: resource("v1", "endpoints", "Endpoints"),
  endpointslices: resource("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
  events: resource("v1", "events", "Event"),
  jobs: resource("batch/v1", "jobs", "Job"),
  leases: resource("coordination.k8s.io/v1", "leases", "Lease"),
  poddisruptionbudgets: resource("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
  pods: resource("v1", "pods", "Pod"),
  replicasets: resource("apps/v1", "replicasets", "ReplicaSet"),
  replicationcontrollers: resource("v1", "replicationcontrollers", "ReplicationController"),
  rolebindings: resource("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding"),
  roles: resource("rbac.authorization.k8s.io/v1", "roles", "Role"),
  secrets: resource("v1", "secrets", "Secret"),
  serviceaccounts: resource("v1", "serviceaccounts", "ServiceAccount"),
  services: resource("v1", "services", "Service"),
  statefulsets: resource("apps/v1", "statefulsets", "StatefulSet"),

  clusterrolebindings: clusterResource("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding"),
  clusterroles: clusterResource("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole"),
  customresourcedefinitions: clusterResource(
    "apiextensions.k8s.io/v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
  ),
  mutatingwebhookconfigurations: clusterResource(
    "admissionregistration.k8s.io/v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
  ),
  namespaces: clusterResource("v1", "namespaces", "Namespace"),
  nodes: clusterResource("v1", "nodes", "Node"),
  selfsubjectaccessreviews: clusterResource(
    "authorization.k8s.io/v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
  ),
  subjectaccessreviews: clusterResource("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview"),
  tokenreviews: clusterResource("authentication.k8s.io/v1", "tokenreviews", "TokenReview"),
  validatingwebhookconfigurations: clusterResource(
    "admissionregistration.k8s.io/v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
  ),

  externalworkloads: resource("workload.linkerd.io/v1beta1", "externalworkloads", "ExternalWorkload"),
  serviceprofiles: resource("linkerd.io/v1alpha2", "serviceprofiles", "ServiceProfile"),
  authorizationpolicies: resource("policy.linkerd.io/v1alpha1", "authorizationpolicies", "AuthorizationPolicy"),
  egressnetworks: resource("policy.linkerd.io/v1alpha1", "egressnetworks", "EgressNetwork"),
  httplocalratelimitpolicies: resource(
    "policy.linkerd.io/v1alpha1",
    "httplocalratelimitpolicies",
    "HTTPLocalRateLimitPolicy",
  ),
  httproutes: resource("policy.linkerd.io/v1beta3", "httproutes", "HTTPRoute"),
  meshtlsauthentications: resource("policy.linkerd.io/v1alpha1", "meshtlsauthentications", "MeshTLSAuthentication"),
  networkauthentications: resource("policy.linkerd.io/v1alpha1", "networkauthentications", "NetworkAuthentication"),
  serverauthorizations: resource("policy.linkerd.io/v1beta1", "serverauthorizations", "ServerAuthorization"),
  servers: resource("policy.linkerd.io/v1beta3", "servers", "Server"),
};

/** "v1" or "apps/v1", as objects say it. */
export function apiVersionOf(ref: Pick<ResourceRef, "group" | "version">): string {
  return ref.group === "" ? ref.version : `${ref.group}/${ref.version}`;
}

/** The inverse of `apiVersionOf`. */
export function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf("/");
  return { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1) };
}

/** The path of a kind's collection, or of one object; `namespace` is left out of the paths of cluster-scoped kinds. */
export function resourcePath(ref: ResourceRef, namespace?: string, name?: string, subresource?: string): string {
  const parts = [ref.group === "" ? `/api/${ref.version}` : `/apis/${ref.group}/${ref.version}`];
  if (ref.namespaced && namespace !== undefined && namespace !== "") {
    parts.push("namespaces", encodeURIComponent(namespace));
  }
  parts.push(ref.plural);
  if (name !== undefined) parts.push(encodeURIComponent(name));
  if (subresource !== undefined) parts.push(subresource);
  return parts.join("/");
}

function resource(apiVersion: string, plural: string, kind: string): ResourceRef {
  return { ...splitApiVersion(apiVersion), plural, kind, namespaced: true };
}

function clusterResource(apiVersion: string, plural: string, kind: string): ResourceRef {
  return { ...splitApiVersion(apiVersion), plural, kind, namespaced: false };
}
