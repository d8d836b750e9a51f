import { defaultPod } from "../defaults/pod-spec.ts";
import {
  defaultApiService,
  defaultCustomResourceDefinition,
  defaultNamespace,
  defaultPersistentVolume,
  defaultPersistentVolumeClaim,
  defaultPriorityClass,
  defaultRoleBinding,
  defaultWebhooks,
} from "../defaults/policies.ts";
import {
  defaultEndpointSlice,
  defaultEndpoints,
  defaultNetworkPolicy,
  defaultSecret,
  defaultService,
} from "../defaults/service.ts";
import {
  defaultCronJob,
  defaultDaemonSet,
  defaultDeployment,
  defaultJob,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from "../defaults/workloads.ts";
import type { DefinitionName } from "../definitions/definitions.ts";
import { validateCronJob, validateJob, validateJobUpdate } from "../validation/batch.ts";
import {
  validateConfigMap,
  validateConfigMapUpdate,
  validateSecret,
  validateSecretUpdate,
} from "../validation/config.ts";
import {
  validateCustomResourceDefinition,
  validateCustomResourceDefinitionUpdate,
} from "../validation/custom-resource-definition.ts";
import { validateImmutable } from "../validation/metadata.ts";
import { dns1035Label, dnsLabel, pathSegment } from "../validation/names.ts";
import { validatePod, validatePodUpdate } from "../validation/pods.ts";
import {
  validateControllerRevisionUpdate,
  validateDisruptionBudget,
  validateEvent,
  validateLease,
  validatePersistentVolumeClaim,
  validatePriorityClass,
  validatePriorityClassUpdate,
  validateRole,
  validateRoleBinding,
  validateRoleBindingUpdate,
  validateWebhooks,
} from "../validation/policies.ts";
import {
  validateEndpointSlice,
  validateEndpointSliceUpdate,
  validateEndpoints,
  validateNetworkPolicy,
  validateService,
  validateServiceUpdate,
} from "../validation/service.ts";
import {
  validateDaemonSet,
  validateDeployment,
  validateFixedSelector,
  validateReplicaSet,
  validateReplicationController,
  validateStatefulSet,
  validateStatefulSetUpdate,
} from "../validation/workloads.ts";
import { allocateService, keepAllotted } from "./allocate-service.ts";
import {
  completeCustomResourceDefinition,
  completeJob,
  completeNamespace,
  initialPodStatus,
  zeroStatus,
} from "./complete.ts";
import type { KindRules } from "./kind-rules.ts";

const SPEC = ["spec"];
const ROLE: KindRules = { name: pathSegment, validate: validateRole };
const BINDING: KindRules = {
  name: pathSegment,
  defaults: defaultRoleBinding,
  validate: validateRoleBinding,
  validateUpdate: validateRoleBindingUpdate,
};
const WEBHOOKS: KindRules = { defaults: defaultWebhooks, generation: ["webhooks"], validate: validateWebhooks };

/** What is particular to each kind, by its definition. Kinds that are only stored are not named. */
export const RULES: Readonly<Record<DefinitionName, KindRules>> = {
  "core/v1.Namespace": {
    name: dnsLabel,
    defaults: defaultNamespace,
    initialStatus: () => ({ phase: "Active" }),
    complete: completeNamespace,
  },
  "core/v1.Pod": {
    defaults: defaultPod,
    initialStatus: initialPodStatus,
    validate: validatePod,
    validateUpdate: validatePodUpdate,
  },
  "core/v1.Event": { validate: validateEvent },
  "events/v1.Event": { validate: validateEvent },
  "coordination/v1.Lease": { validate: validateLease },
  "core/v1.ConfigMap": { validate: validateConfigMap, validateUpdate: validateConfigMapUpdate },
  "core/v1.Secret": { defaults: defaultSecret, validate: validateSecret, validateUpdate: validateSecretUpdate },
  "core/v1.PersistentVolume": {
    defaults: defaultPersistentVolume,
    initialStatus: () => ({ phase: "Available" }),
  },
  "core/v1.PersistentVolumeClaim": {
    defaults: defaultPersistentVolumeClaim,
    initialStatus: () => ({ phase: "Pending" }),
    validate: validatePersistentVolumeClaim,
  },
  "core/v1.Service": {
    name: dns1035Label,
    defaults: defaultService,
    initialStatus: () => ({ loadBalancer: {} }),
    complete: keepAllotted,
    validate: validateService,
    validateUpdate: validateServiceUpdate,
    allocate: allocateService,
  },
  "core/v1.Endpoints": { defaults: defaultEndpoints, validate: validateEndpoints },
  "discovery/v1.EndpointSlice": {
    defaults: defaultEndpointSlice,
    generation: ["endpoints", "ports", "addressType"],
    validate: validateEndpointSlice,
    validateUpdate: validateEndpointSliceUpdate,
  },
  "networking/v1.Ingress": { initialStatus: () => ({ loadBalancer: {} }), generation: SPEC },
  "networking/v1.NetworkPolicy": { defaults: defaultNetworkPolicy, generation: SPEC, validate: validateNetworkPolicy },
  "apps/v1.Deployment": {
    defaults: defaultDeployment,
    initialStatus: zeroStatus(),
    generation: SPEC,
    validate: validateDeployment,
    validateUpdate: validateFixedSelector,
  },
  "apps/v1.ReplicaSet": {
    defaults: defaultReplicaSet,
    initialStatus: zeroStatus("replicas"),
    generation: SPEC,
    validate: validateReplicaSet,
    validateUpdate: validateFixedSelector,
  },
  "apps/v1.StatefulSet": {
    defaults: defaultStatefulSet,
    initialStatus: zeroStatus("replicas", "availableReplicas"),
    generation: SPEC,
    validate: validateStatefulSet,
    validateUpdate: validateStatefulSetUpdate,
  },
  "apps/v1.DaemonSet": {
    defaults: defaultDaemonSet,
    initialStatus: zeroStatus("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"),
    generation: SPEC,
    validate: validateDaemonSet,
    validateUpdate: validateFixedSelector,
  },
  "core/v1.ReplicationController": {
    defaults: defaultReplicationController,
    initialStatus: zeroStatus("replicas"),
    generation: SPEC,
    validate: validateReplicationController,
  },
  "apps/v1.ControllerRevision": { validateUpdate: validateControllerRevisionUpdate },
  "batch/v1.Job": {
    defaults: defaultJob,
    initialStatus: zeroStatus(),
    generation: SPEC,
    complete: completeJob,
    validate: validateJob,
    validateUpdate: validateJobUpdate,
  },
  "batch/v1.CronJob": {
    defaults: defaultCronJob,
    initialStatus: zeroStatus(),
    generation: SPEC,
    validate: validateCronJob,
  },
  "policy/v1.PodDisruptionBudget": {
    initialStatus: zeroStatus("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"),
    generation: SPEC,
    validate: validateDisruptionBudget,
  },
  "scheduling/v1.PriorityClass": {
    defaults: defaultPriorityClass,
    generation: ["value", "description", "globalDefault", "preemptionPolicy"],
    validate: validatePriorityClass,
    validateUpdate: validatePriorityClassUpdate,
  },
  "rbac/v1.ClusterRole": ROLE,
  "rbac/v1.Role": ROLE,
  "rbac/v1.ClusterRoleBinding": BINDING,
  "rbac/v1.RoleBinding": BINDING,
  "admissionregistration/v1.MutatingWebhookConfiguration": WEBHOOKS,
  "admissionregistration/v1.ValidatingWebhookConfiguration": WEBHOOKS,
  "apiextensions/v1.CustomResourceDefinition": {
    defaults: defaultCustomResourceDefinition,
    initialStatus: zeroStatus(),
    generation: SPEC,
    complete: completeCustomResourceDefinition,
    validate: validateCustomResourceDefinition,
    validateUpdate: validateCustomResourceDefinitionUpdate,
  },
  "apiregistration/v1.APIService": {
    defaults: defaultApiService,
    validateUpdate: (object, old, errors) => {
      for (const field of ["spec.group", "spec.version"]) validateImmutable(object, old, field, errors);
    },
  },
};
