import type * as Admission from "kubernetes-types/admissionregistration/v1";
import type * as Extensions from "kubernetes-types/apiextensions/v1";
import type * as Apps from "kubernetes-types/apps/v1";
import type * as Authentication from "kubernetes-types/authentication/v1";
import type * as Authorization from "kubernetes-types/authorization/v1";
import type * as Batch from "kubernetes-types/batch/v1";
import type * as Coordination from "kubernetes-types/coordination/v1";
import type * as Core from "kubernetes-types/core/v1";
import type * as Discovery from "kubernetes-types/discovery/v1";
import type { LabelSelector, ManagedFieldsEntry, OwnerReference, StatusDetails } from "kubernetes-types/meta/v1";
import type * as Policy from "kubernetes-types/policy/v1";
import type * as Rbac from "kubernetes-types/rbac/v1";

/**
 * Metadata as it is in objects that are handed about in a program: changeable, with a name. An object that is created
 * by `generateName` has the name "" until the server has chosen one.
 */
export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

/** Any object of the Kubernetes API, whatever its kind. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

export interface KubeList<T> {
  apiVersion: string;
  kind: string;
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

/** A published type with what every object has made mandatory, and `status` made writable. */
export type Stored<T extends { apiVersion?: string; kind?: string }> = {
  -readonly [K in keyof Omit<T, "apiVersion" | "kind" | "metadata">]: Omit<T, "apiVersion" | "kind" | "metadata">[K];
} & { apiVersion: NonNullable<T["apiVersion"]>; kind: NonNullable<T["kind"]>; metadata: ObjectMeta };

/** What a server says of a request that failed, and of a delete. */
export interface Status {
  apiVersion: "v1";
  kind: "Status";
  metadata: Record<string, never>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code?: number;
}

export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

export type ConfigMap = Stored<Core.ConfigMap>;
export type CronJob = Stored<Batch.CronJob>;
export type CustomResourceDefinition = Stored<Extensions.CustomResourceDefinition>;
export type DaemonSet = Stored<Apps.DaemonSet>;
export type ControllerRevision = Stored<Apps.ControllerRevision>;
export type Deployment = Stored<Apps.Deployment>;
export type EndpointSlice = Stored<Discovery.EndpointSlice>;
export type Endpoints = Stored<Core.Endpoints>;
export type Event = Stored<Core.Event>;
export type Job = Stored<Batch.Job>;
export type Lease = Stored<Coordination.Lease>;
export type MutatingWebhookConfiguration = Stored<Admission.MutatingWebhookConfiguration>;
export type Namespace = Stored<Core.Namespace>;
export type Node = Stored<Core.Node>;
export type Pod = Stored<Core.Pod>;
export type PodDisruptionBudget = Stored<Policy.PodDisruptionBudget>;
export type ReplicaSet = Stored<Apps.ReplicaSet>;
export type ReplicationController = Stored<Core.ReplicationController>;
export type ClusterRole = Stored<Rbac.ClusterRole>;
export type ClusterRoleBinding = Stored<Rbac.ClusterRoleBinding>;
export type Role = Stored<Rbac.Role>;
export type RoleBinding = Stored<Rbac.RoleBinding>;
export type Secret = Stored<Core.Secret>;
export type Service = Stored<Core.Service>;
export type ServiceAccount = Stored<Core.ServiceAccount>;
export type StatefulSet = Stored<Apps.StatefulSet>;
export type SubjectAccessReview = Stored<Authorization.SubjectAccessReview>;
export type SelfSubjectAccessReview = Stored<Authorization.SelfSubjectAccessReview>;
export type TokenRequest = Stored<Authentication.TokenRequest>;
export type TokenReview = Stored<Authentication.TokenReview>;
export type ValidatingWebhookConfiguration = Stored<Admission.ValidatingWebhookConfiguration>;

export type { MutatingWebhook, ValidatingWebhook } from "kubernetes-types/admissionregistration/v1";
export type { CustomResourceDefinitionVersion, JSONSchemaProps } from "kubernetes-types/apiextensions/v1";
export type { ResourceAttributes } from "kubernetes-types/authorization/v1";
export type {
  Container,
  ContainerPort,
  ContainerState,
  ContainerStatus,
  EnvVar,
  PodCondition,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
  Probe,
  SecurityContext,
  ServicePort,
  ServiceSpec,
  Volume,
  VolumeMount,
} from "kubernetes-types/core/v1";
export type { Endpoint, EndpointPort } from "kubernetes-types/discovery/v1";
export type { PolicyRule, Subject } from "kubernetes-types/rbac/v1";
export type { LabelSelector, ManagedFieldsEntry, OwnerReference, StatusDetails };
