import type { KubeObject } from "@bowline/kube";
import { CustomType } from "../kinds/custom-type.ts";
import type { ResourceType, TableOptions } from "../resource-type.ts";
import {
  API_SERVICE_COLUMNS,
  CLAIM_COLUMNS,
  CONFIG_MAP_COLUMNS,
  DEFINITION_COLUMNS,
  DISRUPTION_BUDGET_COLUMNS,
  EVENT_COLUMNS,
  LEASE_COLUMNS,
  NAMESPACE_COLUMNS,
  NODE_COLUMNS,
  PRIORITY_CLASS_COLUMNS,
  QUOTA_COLUMNS,
  ROLE_BINDING_COLUMNS,
  ROLE_COLUMNS,
  SECRET_COLUMNS,
  SERVICE_ACCOUNT_COLUMNS,
  VOLUME_COLUMNS,
  WEBHOOK_COLUMNS,
} from "./cluster-columns.ts";
import { type Column, type ColumnDefinition, CREATED_AT, NAME } from "./columns.ts";
import { customColumns } from "./custom-columns.ts";
import {
  ENDPOINT_SLICE_COLUMNS,
  ENDPOINTS_COLUMNS,
  INGRESS_COLUMNS,
  NETWORK_POLICY_COLUMNS,
  SERVICE_COLUMNS,
} from "./network-columns.ts";
import { POD_COLUMNS } from "./pod-columns.ts";
import {
  CONTROLLER_REVISION_COLUMNS,
  CRON_JOB_COLUMNS,
  DAEMON_SET_COLUMNS,
  DEPLOYMENT_COLUMNS,
  JOB_COLUMNS,
  REPLICA_SET_COLUMNS,
  STATEFUL_SET_COLUMNS,
} from "./workload-columns.ts";

/** meta.k8s.io/v1 Table: objects as the rows that kubectl prints. */
export interface KubeTable {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly columnDefinitions: readonly ColumnDefinition[] | null;
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object: unknown }[];
}

/** @param objects as they are stored */
export function tableOf(type: ResourceType, objects: readonly KubeObject[], options: TableOptions = {}): KubeTable {
  const {
    includeObject = "Metadata",
    version = type.version,
    headless = false,
    nowMs = Date.now(),
    metadata = {},
  } = options;
  const columns = columnsOf(type, version);
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: headless ? null : columns.map(({ definition }) => definition),
    rows: objects.map((object) => ({
      cells: columns.map(({ cell }) => cell(object, nowMs)),
      object: shownObject(type, object, version, includeObject),
    })),
  };
}

function shownObject(
  type: ResourceType,
  object: KubeObject,
  version: string,
  include: NonNullable<TableOptions["includeObject"]>,
): unknown {
  if (include === "None") return null;
  if (include === "Object") return type.fromStored(object, version);
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

function columnsOf(type: ResourceType, version: string): readonly Column[] {
  if (!(type instanceof CustomType)) return COLUMNS[type.storedAs] ?? [NAME, CREATED_AT];
  const known = custom.get(type) ?? new Map<string, readonly Column[]>();
  custom.set(type, known);
  const columns = known.get(version) ?? customColumns(type, version);
  known.set(version, columns);
  return columns;
}

/** Paths are parsed once; a changed definition makes a new type. */
const custom = new WeakMap<CustomType, Map<string, readonly Column[]>>();

const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  configmaps: CONFIG_MAP_COLUMNS,
  endpoints: ENDPOINTS_COLUMNS,
  events: EVENT_COLUMNS,
  namespaces: NAMESPACE_COLUMNS,
  nodes: NODE_COLUMNS,
  persistentvolumeclaims: CLAIM_COLUMNS,
  persistentvolumes: VOLUME_COLUMNS,
  pods: POD_COLUMNS,
  replicationcontrollers: REPLICA_SET_COLUMNS,
  resourcequotas: QUOTA_COLUMNS,
  secrets: SECRET_COLUMNS,
  serviceaccounts: SERVICE_ACCOUNT_COLUMNS,
  services: SERVICE_COLUMNS,
  "apiservices.apiregistration.k8s.io": API_SERVICE_COLUMNS,
  "clusterrolebindings.rbac.authorization.k8s.io": ROLE_BINDING_COLUMNS,
  "clusterroles.rbac.authorization.k8s.io": ROLE_COLUMNS,
  "controllerrevisions.apps": CONTROLLER_REVISION_COLUMNS,
  "cronjobs.batch": CRON_JOB_COLUMNS,
  "customresourcedefinitions.apiextensions.k8s.io": DEFINITION_COLUMNS,
  "daemonsets.apps": DAEMON_SET_COLUMNS,
  "deployments.apps": DEPLOYMENT_COLUMNS,
  "endpointslices.discovery.k8s.io": ENDPOINT_SLICE_COLUMNS,
  "ingresses.networking.k8s.io": INGRESS_COLUMNS,
  "jobs.batch": JOB_COLUMNS,
  "leases.coordination.k8s.io": LEASE_COLUMNS,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOK_COLUMNS,
  "networkpolicies.networking.k8s.io": NETWORK_POLICY_COLUMNS,
  "poddisruptionbudgets.policy": DISRUPTION_BUDGET_COLUMNS,
  "priorityclasses.scheduling.k8s.io": PRIORITY_CLASS_COLUMNS,
  "replicasets.apps": REPLICA_SET_COLUMNS,
  "rolebindings.rbac.authorization.k8s.io": ROLE_BINDING_COLUMNS,
  "roles.rbac.authorization.k8s.io": ROLE_COLUMNS,
  "statefulsets.apps": STATEFUL_SET_COLUMNS,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOK_COLUMNS,
};
