/**
 * What the published types lack, in their own notation: the extensions of JSON schemas in CustomResourceDefinitions, the aggregated APIs, and
 * fields that are newer than they are. Interfaces of the same name are merged.
 */
export const SUPPLEMENTS: Readonly<Record<string, string>> = {
  "admissionregistration/v1": `
export interface RuleWithOperations {
    /** Resources is a list of resources this rule applies to: 'pods', 'pods/log', '*', 'pods/*', '*/scale', '*/*'. Required. */
    resources?: Array<string>;
    /** scope specifies the scope of this rule: "Cluster", "Namespaced", or "*", which is the default. */
    scope?: string;
}
`,
  "apps/v1": `
export interface DeploymentStatus {
    /** Total number of terminating pods targeted by this deployment. */
    terminatingReplicas?: number;
}
export interface ReplicaSetStatus {
    /** The number of terminating pods for this replica set. */
    terminatingReplicas?: number;
}
`,
  "discovery/v1": `
export interface EndpointHints {
    /** forNodes indicates the node(s) this endpoint should be consumed by when using topology aware routing. */
    forNodes?: Array<ForNode>;
}
/** ForNode provides information about which nodes should consume this endpoint. */
export interface ForNode {
    /** name represents the name of the node. */
    name: string;
}
`,
  "apiextensions/v1": `
export interface JSONSchemaProps {
    /** x-kubernetes-embedded-resource defines that the value is an embedded Kubernetes object, with apiVersion, kind and metadata. */
    "x-kubernetes-embedded-resource"?: boolean;
    /** x-kubernetes-int-or-string specifies that this value is either an integer or a string. */
    "x-kubernetes-int-or-string"?: boolean;
    /** x-kubernetes-list-map-keys names the fields that are the key of a list with x-kubernetes-list-type map. */
    "x-kubernetes-list-map-keys"?: Array<string>;
    /** x-kubernetes-list-type says how lists are merged: atomic, set or map. */
    "x-kubernetes-list-type"?: string;
    /** x-kubernetes-map-type says whether a map is owned field by field (granular) or as a whole (atomic). */
    "x-kubernetes-map-type"?: string;
    /** x-kubernetes-preserve-unknown-fields stops the API server from pruning fields that are not specified. */
    "x-kubernetes-preserve-unknown-fields"?: boolean;
    /** x-kubernetes-validations is a list of rules in the CEL expression language. They are stored and not evaluated. */
    "x-kubernetes-validations"?: Array<ValidationRule>;
}
`,
  "apiregistration/v1": `
import { ListMeta, ObjectMeta, Time } from "../meta/v1";
/** APIService represents a server for a particular GroupVersion. Name must be "version.group". */
export interface APIService {
    /** APIVersion defines the versioned schema of this representation of an object. */
    apiVersion?: "apiregistration.k8s.io/v1";
    /** Kind is a string value representing the REST resource this object represents. */
    kind?: "APIService";
    /** Standard object's metadata. */
    metadata?: ObjectMeta;
    /** Spec contains information for locating and communicating with a server. */
    spec?: APIServiceSpec;
    /** Status contains derived information about an API server. */
    status?: APIServiceStatus;
}
/** APIServiceList is a list of APIService objects. */
export interface APIServiceList {
    /** APIVersion defines the versioned schema of this representation of an object. */
    apiVersion?: "apiregistration.k8s.io/v1";
    /** Items is the list of APIService. */
    items: Array<APIService>;
    /** Kind is a string value representing the REST resource this object represents. */
    kind?: "APIServiceList";
    /** Standard list metadata. */
    metadata?: ListMeta;
}
/** APIServiceSpec contains information for locating and communicating with a server. */
export interface APIServiceSpec {
    /** CABundle is a PEM encoded CA bundle which will be used to validate an API server's serving certificate. */
    caBundle?: string;
    /** Group is the API group name this server hosts. */
    group?: string;
    /** GroupPriorityMinimum is the priority this group should have at least. */
    groupPriorityMinimum: number;
    /** InsecureSkipTLSVerify disables TLS certificate verification when communicating with this server. */
    insecureSkipTLSVerify?: boolean;
    /** Service is a reference to the service for this API server. */
    service?: ServiceReference;
    /** Version is the API version this server hosts. */
    version?: string;
    /** VersionPriority controls the ordering of this API version inside of its group. */
    versionPriority: number;
}
/** APIServiceStatus contains derived information about an API server. */
export interface APIServiceStatus {
    /** Current service state of apiService. */
    conditions?: Array<APIServiceCondition>;
}
/** APIServiceCondition describes the state of an APIService at a particular point. */
export interface APIServiceCondition {
    /** Last time the condition transitioned from one status to another. */
    lastTransitionTime?: Time;
    /** Human-readable message indicating details about last transition. */
    message?: string;
    /** Unique, one-word, CamelCase reason for the condition's last transition. */
    reason?: string;
    /** Status is the status of the condition: True, False, Unknown. */
    status: string;
    /** Type is the type of the condition. */
    type: string;
}
/** ServiceReference holds a reference to Service.legacy.k8s.io. */
export interface ServiceReference {
    /** Name is the name of the service. */
    name?: string;
    /** Namespace is the namespace of the service. */
    namespace?: string;
    /** The port on the service that hosts the API server, 443 if it is absent. */
    port?: number;
}
`,
  "core/v1": `
export interface PodSecurityContext {
    /** Defines how the supplemental groups of the first container processes are calculated: Merge or Strict. */
    supplementalGroupsPolicy?: string;
    /** Defines how the container's SELinux label is applied to all volumes used by the Pod: MountOption or Recursive. */
    seLinuxChangePolicy?: string;
}
export interface PodSpec {
    /** HostnameOverride specifies an explicit override for the pod's hostname as perceived by the pod. */
    hostnameOverride?: string;
    /** Resources is the total amount of CPU and Memory resources required by all containers in the pod. */
    resources?: ResourceRequirements;
}
export interface PodStatus {
    /** If set, this represents the .metadata.generation that the pod status was set based upon. */
    observedGeneration?: number;
}
export interface PodCondition {
    /** If set, this represents the .metadata.generation that the pod condition was set based upon. */
    observedGeneration?: number;
}
export interface Lifecycle {
    /** StopSignal defines which signal will be sent to a container when it is being stopped. */
    stopSignal?: string;
}
`,
  "coordination/v1": `
export interface LeaseSpec {
    /** PreferredHolder signals to a lease holder that the lease has a more optimal holder and should be given up. */
    preferredHolder?: string;
    /** Strategy indicates the strategy for picking the leader for coordinated leader election. */
    strategy?: string;
}
`,
};
