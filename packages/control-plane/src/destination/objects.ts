import type {
  EndpointSlice,
  Job,
  KubeObject,
  LabelSelector,
  Node,
  ObjectMeta,
  Pod,
  ReplicaSet,
  Service,
} from "@bowline/kube";

/** The kinds of objects that discovery is made of, by their plural names. */
export interface ObjectsByKind {
  services: Service;
  endpointslices: EndpointSlice;
  pods: Pod;
  serviceprofiles: ServiceProfile;
  nodes: Node;
  replicasets: ReplicaSet;
  jobs: Job;
  servers: Server;
  externalworkloads: ExternalWorkload;
}

export type ObjectKind = keyof ObjectsByKind;

export const OBJECT_KINDS: readonly ObjectKind[] = [
  "services",
  "endpointslices",
  "pods",
  "serviceprofiles",
  "nodes",
  "replicasets",
  "jobs",
  "servers",
  "externalworkloads",
];

/** linkerd.io/v1alpha2. Its schema is checked by the API server, so what is read here may still be anything. */
export interface ServiceProfile {
  metadata: ObjectMeta;
  spec?: ServiceProfileSpec;
}

export interface ServiceProfileSpec {
  routes?: readonly RouteSpec[];
  retryBudget?: { retryRatio?: number; minRetriesPerSecond?: number; ttl?: string };
  dstOverrides?: readonly { authority: string; weight: string | number }[];
  opaquePorts?: readonly string[];
}

export interface RouteSpec {
  name?: string;
  condition?: RequestMatchSpec;
  responseClasses?: readonly { condition?: ResponseMatchSpec; isFailure?: boolean }[];
  isRetryable?: boolean;
  timeout?: string;
}

export interface RequestMatchSpec {
  all?: readonly RequestMatchSpec[];
  any?: readonly RequestMatchSpec[];
  not?: RequestMatchSpec;
  pathRegex?: string;
  method?: string;
}

export interface ResponseMatchSpec {
  all?: readonly ResponseMatchSpec[];
  any?: readonly ResponseMatchSpec[];
  not?: ResponseMatchSpec;
  status?: { min?: number; max?: number };
}

/** policy.linkerd.io: how a port of some pods is to be treated by their proxies. */
export interface Server {
  metadata: ObjectMeta;
  spec?: {
    podSelector?: LabelSelector;
    externalWorkloadSelector?: LabelSelector;
    /** A number, or the name of a container's port. */
    port?: number | string;
    proxyProtocol?: string;
  };
}

/** workload.linkerd.io: a meshed workload outside the cluster. */
export interface ExternalWorkload {
  metadata: ObjectMeta;
  spec?: {
    meshTLS?: { identity?: string; serverName?: string };
    ports?: readonly { name?: string; port: number; protocol?: string }[];
    workloadIPs?: readonly { ip: string }[];
  };
}

/** What every object here has. */
export type AnyObject = Pick<KubeObject, "metadata">;

/** `namespace/name`; cluster-scoped objects have the namespace "". */
export function keyOf({ metadata }: AnyObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
