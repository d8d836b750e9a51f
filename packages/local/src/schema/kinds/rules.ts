import { defaultPod } from "../defaults/pod-spec.ts";
import {
  defaultApiService,
  defaultCustomResourceDefinition,
  defaultNamespace,
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

export const CORE_RULES = {
  namespace: {
    name: dnsLabel,
    defaults: defaultNamespace,
    initialStatus: () => ({ phase: "Active" }),
    complete: completeNamespace,
  },
  pod: {
    defaults: defaultPod,
    initialStatus: initialPodStatus,
    validate: validatePod,
    validateUpdate: validatePodUpdate,
  },
  event: { validate: validateEvent },
  lease: { validate: validateLease },
} as const satisfies Record<string, KindRules>;

export const CONFIG_RULES = {
  configMap: { validate: validateConfigMap, validateUpdate: validateConfigMapUpdate },
  secret: { defaults: defaultSecret, validate: validateSecret, validateUpdate: validateSecretUpdate },
  persistentVolumeClaim: {
    defaults: defaultPersistentVolumeClaim,
    initialStatus: () => ({ phase: "Pending" }),
    validate: validatePersistentVolumeClaim,
  },
} as const satisfies Record<string, KindRules>;

export const NETWORK_RULES = {
  service: {
    name: dns1035Label,
    defaults: defaultService,
    initialStatus: () => ({ loadBalancer: {} }),
    complete: keepAllotted,
    validate: validateService,
    validateUpdate: validateServiceUpdate,
    allocate: allocateService,
  },
  endpoints: { defaults: defaultEndpoints, validate: validateEndpoints },
  endpointSlice: {
    defaults: defaultEndpointSlice,
    generation: ["endpoints", "ports", "addressType"],
    validate: validateEndpointSlice,
    validateUpdate: validateEndpointSliceUpdate,
  },
  ingress: { initialStatus: () => ({ loadBalancer: {} }), generation: SPEC },
  networkPolicy: { defaults: defaultNetworkPolicy, generation: SPEC, validate: validateNetworkPolicy },
} as const satisfies Record<string, KindRules>;

export const WORKLOAD_RULES = {
  deployment: {
    defaults: defaultDeployment,
    initialStatus: zeroStatus(),
    generation: SPEC,
    validate: validateDeployment,
    validateUpdate: validateFixedSelector,
  },
  replicaSet: {
    defaults: defaultReplicaSet,
    initialStatus: zeroStatus("replicas"),
    generation: SPEC,
    validate: validateReplicaSet,
    validateUpdate: validateFixedSelector,
  },
  statefulSet: {
    defaults: defaultStatefulSet,
    initialStatus: zeroStatus("replicas", "availableReplicas"),
    generation: SPEC,
    validate: validateStatefulSet,
    validateUpdate: validateStatefulSetUpdate,
  },
  daemonSet: {
    defaults: defaultDaemonSet,
    initialStatus: zeroStatus("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"),
    generation: SPEC,
    validate: validateDaemonSet,
    validateUpdate: validateFixedSelector,
  },
  replicationController: {
    defaults: defaultReplicationController,
    initialStatus: zeroStatus("replicas"),
    generation: SPEC,
    validate: validateReplicationController,
  },
  controllerRevision: { validateUpdate: validateControllerRevisionUpdate },
  job: {
    defaults: defaultJob,
    initialStatus: zeroStatus(),
    generation: SPEC,
    complete: completeJob,
    validate: validateJob,
    validateUpdate: validateJobUpdate,
  },
  cronJob: { defaults: defaultCronJob, initialStatus: zeroStatus(), generation: SPEC, validate: validateCronJob },
} as const satisfies Record<string, KindRules>;

export const POLICY_RULES = {
  disruptionBudget: {
    initialStatus: zeroStatus("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"),
    generation: SPEC,
    validate: validateDisruptionBudget,
  },
  priorityClass: {
    defaults: defaultPriorityClass,
    generation: ["value", "description", "globalDefault", "preemptionPolicy"],
    validate: validatePriorityClass,
    validateUpdate: validatePriorityClassUpdate,
  },
} as const satisfies Record<string, KindRules>;

export const RBAC_RULES = {
  role: { name: pathSegment, validate: validateRole },
  binding: {
    name: pathSegment,
    defaults: defaultRoleBinding,
    validate: validateRoleBinding,
    validateUpdate: validateRoleBindingUpdate,
  },
} as const satisfies Record<string, KindRules>;

export const EXTENSION_RULES = {
  webhooks: { defaults: defaultWebhooks, generation: ["webhooks"], validate: validateWebhooks },
  customResourceDefinition: {
    defaults: defaultCustomResourceDefinition,
    initialStatus: zeroStatus(),
    generation: SPEC,
    complete: completeCustomResourceDefinition,
    validate: validateCustomResourceDefinition,
    validateUpdate: validateCustomResourceDefinitionUpdate,
  },
  apiService: {
    defaults: defaultApiService,
    validateUpdate: (object, old, errors) => {
      for (const field of ["spec.group", "spec.version"]) validateImmutable(object, old, field, errors);
    },
  },
} as const satisfies Record<string, KindRules>;
