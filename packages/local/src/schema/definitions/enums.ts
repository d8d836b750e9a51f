/** The values of fields that the published types have as any string. */
export function enumOf(field: string): readonly string[] | undefined {
  return ENUMS[field];
}

const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const TERMINATION_MESSAGE_POLICIES = ["FallbackToLogsOnError", "File"];
const CLUSTER_OR_LOCAL = ["Cluster", "Local"];
const WEBHOOK_ENUMS = {
  failurePolicy: ["Fail", "Ignore"],
  matchPolicy: ["Equivalent", "Exact"],
  sideEffects: ["None", "NoneOnDryRun"],
};

const ENUMS: Readonly<Record<string, readonly string[]>> = {
  ...prefixed("core/v1.Container", {
    imagePullPolicy: PULL_POLICIES,
    restartPolicy: ["Always"],
    terminationMessagePolicy: TERMINATION_MESSAGE_POLICIES,
  }),
  ...prefixed("core/v1.EphemeralContainer", {
    imagePullPolicy: PULL_POLICIES,
    terminationMessagePolicy: TERMINATION_MESSAGE_POLICIES,
  }),
  ...prefixed("core/v1.PodSpec", {
    dnsPolicy: ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
    preemptionPolicy: ["Never", "PreemptLowerPriority"],
    restartPolicy: ["Always", "Never", "OnFailure"],
  }),
  ...prefixed("core/v1.ServiceSpec", {
    externalTrafficPolicy: CLUSTER_OR_LOCAL,
    internalTrafficPolicy: CLUSTER_OR_LOCAL,
    ipFamilyPolicy: ["PreferDualStack", "RequireDualStack", "SingleStack"],
    sessionAffinity: ["ClientIP", "None"],
    type: ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
  }),
  "core/v1.ContainerPort.protocol": PROTOCOLS,
  "core/v1.EndpointPort.protocol": PROTOCOLS,
  "core/v1.ServicePort.protocol": PROTOCOLS,
  "core/v1.EmptyDirVolumeSource.medium": ["", "HugePages", "Memory"],
  "core/v1.HTTPGetAction.scheme": ["HTTP", "HTTPS"],
  "core/v1.HostPathVolumeSource.type": [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
  ],
  "core/v1.PodSecurityContext.fsGroupChangePolicy": ["Always", "OnRootMismatch"],
  "core/v1.PodSecurityContext.supplementalGroupsPolicy": ["Merge", "Strict"],
  "core/v1.PodOS.name": ["linux", "windows"],
  "core/v1.SeccompProfile.type": ["Localhost", "RuntimeDefault", "Unconfined"],
  "core/v1.SecurityContext.procMount": ["Default", "Unmasked"],
  "core/v1.Taint.effect": ["NoExecute", "NoSchedule", "PreferNoSchedule"],
  "core/v1.Toleration.operator": ["", "Equal", "Exists"],
  "core/v1.TopologySpreadConstraint.whenUnsatisfiable": ["DoNotSchedule", "ScheduleAnyway"],
  "core/v1.VolumeMount.mountPropagation": ["Bidirectional", "HostToContainer", "None"],
  "apps/v1.DeploymentStrategy.type": ["Recreate", "RollingUpdate"],
  "apps/v1.DaemonSetUpdateStrategy.type": ["OnDelete", "RollingUpdate"],
  "apps/v1.StatefulSetUpdateStrategy.type": ["OnDelete", "RollingUpdate"],
  "apps/v1.StatefulSetSpec.podManagementPolicy": ["OrderedReady", "Parallel"],
  "batch/v1.JobSpec.completionMode": ["Indexed", "NonIndexed"],
  "batch/v1.JobSpec.podReplacementPolicy": ["Failed", "TerminatingOrFailed"],
  "batch/v1.CronJobSpec.concurrencyPolicy": ["Allow", "Forbid", "Replace"],
  "discovery/v1.EndpointSlice.addressType": ["FQDN", "IPv4", "IPv6"],
  "networking/v1.HTTPIngressPath.pathType": ["Exact", "ImplementationSpecific", "Prefix"],
  "networking/v1.NetworkPolicyPort.protocol": PROTOCOLS,
  "policy/v1.PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": ["AlwaysAllow", "IfHealthyBudget"],
  "rbac/v1.Subject.kind": ["Group", "ServiceAccount", "User"],
  "scheduling/v1.PriorityClass.preemptionPolicy": ["Never", "PreemptLowerPriority"],
  ...prefixed("admissionregistration/v1.MutatingWebhook", {
    ...WEBHOOK_ENUMS,
    reinvocationPolicy: ["IfNeeded", "Never"],
  }),
  ...prefixed("admissionregistration/v1.ValidatingWebhook", WEBHOOK_ENUMS),
  "admissionregistration/v1.RuleWithOperations.scope": ["*", "Cluster", "Namespaced"],
  "apiextensions/v1.CustomResourceConversion.strategy": ["None"],
  "apiextensions/v1.CustomResourceDefinitionSpec.scope": ["Cluster", "Namespaced"],
};

function prefixed(
  definition: string,
  fields: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(fields).map(([field, values]) => [`${definition}.${field}`, values]));
}
