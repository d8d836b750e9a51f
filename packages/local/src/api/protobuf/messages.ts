/**
 * What Kubernetes' protobuf messages hold, for requests that kubectl and other clients written in Go send: facts of the wire
 * format, by message: `NUMBER FIELD TYPE`. A type is absent for text, or one of
 *
 *     int bool bytes     scalars; zero and false are not told, as JSON leaves them out
 *     int? bool?         scalars that are told whenever they are there
 *     Name               a message; `...Name`: its fields are the outer one's
 *     [] [int] [Name]    lists of text, numbers, messages
 *     {} {bytes} {Name}  maps from text
 *     -                  known, and of no use here
 *
 * Kinds, and what of them a client may create; a field that is not here makes the request fail rather than lose it.
 */
export const MESSAGES: Readonly<Record<string, string>> = {
  Namespace: "1 metadata ObjectMeta; 2 spec NamespaceSpec; 3 status -",
  ConfigMap: "1 metadata ObjectMeta; 2 data {}; 3 binaryData {bytes}; 4 immutable bool?",
  Secret: "1 metadata ObjectMeta; 2 data {bytes}; 3 type; 4 stringData {}; 5 immutable bool?",
  ServiceAccount:
    "1 metadata ObjectMeta; 2 secrets [ObjectReference]; 3 imagePullSecrets [LocalObjectReference]; 4 automountServiceAccountToken bool?",
  Service: "1 metadata ObjectMeta; 2 spec ServiceSpec; 3 status -",
  ResourceQuota: "1 metadata ObjectMeta; 2 spec ResourceQuotaSpec; 3 status -",
  Binding: "1 metadata ObjectMeta; 2 target ObjectReference",
  Pod: "1 metadata ObjectMeta; 2 spec PodSpec; 3 status -",
  Deployment: "1 metadata ObjectMeta; 2 spec DeploymentSpec; 3 status -",
  ReplicaSet: "1 metadata ObjectMeta; 2 spec ReplicaSetSpec; 3 status -",
  DaemonSet: "1 metadata ObjectMeta; 2 spec DaemonSetSpec; 3 status -",
  StatefulSet: "1 metadata ObjectMeta; 2 spec StatefulSetSpec; 3 status -",
  Job: "1 metadata ObjectMeta; 2 spec JobSpec; 3 status -",
  CronJob: "1 metadata ObjectMeta; 2 spec CronJobSpec; 3 status -",
  Role: "1 metadata ObjectMeta; 2 rules [PolicyRule]",
  RoleBinding: "1 metadata ObjectMeta; 2 subjects [Subject]; 3 roleRef RoleRef",
  ClusterRole: "1 metadata ObjectMeta; 2 rules [PolicyRule]; 3 aggregationRule AggregationRule",
  ClusterRoleBinding: "1 metadata ObjectMeta; 2 subjects [Subject]; 3 roleRef RoleRef",
  Ingress: "1 metadata ObjectMeta; 2 spec IngressSpec; 3 status -",
  PodDisruptionBudget: "1 metadata ObjectMeta; 2 spec PodDisruptionBudgetSpec; 3 status -",
  PriorityClass: "1 metadata ObjectMeta; 2 value int?; 3 globalDefault bool; 4 description; 5 preemptionPolicy",
  Lease: "1 metadata ObjectMeta; 2 spec LeaseSpec",
  Event:
    "1 metadata ObjectMeta; 2 involvedObject ObjectReference; 3 reason; 4 message; 5 source EventSource; 6 firstTimestamp Time; 7 lastTimestamp Time; 8 count int; 9 type; 10 eventTime MicroTime; 11 series EventSeries; 12 action; 13 related ObjectReference; 14 reportingComponent; 15 reportingInstance",
  DeleteOptions:
    "1 gracePeriodSeconds int?; 2 preconditions Preconditions; 3 orphanDependents bool?; 4 propagationPolicy; 5 dryRun []; 6 ignoreStoreReadErrorWithClusterBreakingPotential bool",
  Eviction: "1 metadata ObjectMeta; 2 deleteOptions DeleteOptions",
  Scale: "1 metadata ObjectMeta; 2 spec ScaleSpec; 3 status -",
  TokenRequest: "1 metadata ObjectMeta; 2 spec TokenRequestSpec; 3 status -",
  TokenReview: "1 metadata ObjectMeta; 2 spec TokenReviewSpec; 3 status -",
  SelfSubjectReview: "1 metadata ObjectMeta; 2 status -",
  SelfSubjectAccessReview: "1 metadata ObjectMeta; 2 spec SubjectAccessReviewSpec; 3 status -",
  SelfSubjectRulesReview: "1 metadata ObjectMeta; 2 spec SelfSubjectRulesReviewSpec; 3 status -",
  SubjectAccessReview: "1 metadata ObjectMeta; 2 spec SubjectAccessReviewSpec; 3 status -",
  LocalSubjectAccessReview: "1 metadata ObjectMeta; 2 spec SubjectAccessReviewSpec; 3 status -",

  ObjectMeta:
    "1 name; 2 generateName; 3 namespace; 4 selfLink -; 5 uid; 6 resourceVersion; 7 generation int; 8 creationTimestamp Time; 9 deletionTimestamp Time; 10 deletionGracePeriodSeconds int?; 11 labels {}; 12 annotations {}; 13 ownerReferences [OwnerReference]; 14 finalizers []; 17 managedFields -",
  OwnerReference: "1 kind; 3 name; 4 uid; 5 apiVersion; 6 controller bool?; 7 blockOwnerDeletion bool?",
  Preconditions: "1 uid; 2 resourceVersion",
  LabelSelector: "1 matchLabels {}; 2 matchExpressions [LabelSelectorRequirement]",
  LabelSelectorRequirement: "1 key; 2 operator; 3 values []",
  ObjectReference: "1 kind; 2 namespace; 3 name; 4 uid; 5 apiVersion; 6 resourceVersion; 7 fieldPath",
  LocalObjectReference: "1 name",
  TypedLocalObjectReference: "1 apiGroup; 2 kind; 3 name",

  NamespaceSpec: "1 finalizers []",
  ServiceSpec:
    "1 ports [ServicePort]; 2 selector {}; 3 clusterIP; 4 type; 5 externalIPs []; 7 sessionAffinity; 8 loadBalancerIP; 9 loadBalancerSourceRanges []; 10 externalName; 11 externalTrafficPolicy; 12 healthCheckNodePort int; 13 publishNotReadyAddresses bool; 14 sessionAffinityConfig SessionAffinityConfig; 17 ipFamilyPolicy; 18 clusterIPs []; 19 ipFamilies []; 20 allocateLoadBalancerNodePorts bool?; 21 loadBalancerClass; 22 internalTrafficPolicy; 23 trafficDistribution",
  ServicePort: "1 name; 2 protocol; 3 port int; 4 targetPort IntOrString; 5 nodePort int; 6 appProtocol",
  SessionAffinityConfig: "1 clientIP ClientIPConfig",
  ClientIPConfig: "1 timeoutSeconds int?",
  ResourceQuotaSpec: "1 hard {Quantity}; 2 scopes []; 3 scopeSelector ScopeSelector",
  ScopeSelector: "1 matchExpressions [ScopedResourceSelectorRequirement]",
  ScopedResourceSelectorRequirement: "1 scopeName; 2 operator; 3 values []",
  EventSource: "1 component; 2 host",
  EventSeries: "1 count int; 2 lastObservedTime MicroTime",
  LeaseSpec:
    "1 holderIdentity; 2 leaseDurationSeconds int?; 3 acquireTime MicroTime; 4 renewTime MicroTime; 5 leaseTransitions int?; 6 strategy; 7 preferredHolder",
  ScaleSpec: "1 replicas int?",

  DeploymentSpec:
    "1 replicas int?; 2 selector LabelSelector; 3 template PodTemplateSpec; 4 strategy DeploymentStrategy; 5 minReadySeconds int; 6 revisionHistoryLimit int?; 7 paused bool; 9 progressDeadlineSeconds int?",
  DeploymentStrategy: "1 type; 2 rollingUpdate RollingUpdate",
  RollingUpdate: "1 maxUnavailable IntOrString; 2 maxSurge IntOrString",
  ReplicaSetSpec: "1 replicas int?; 2 selector LabelSelector; 3 template PodTemplateSpec; 4 minReadySeconds int",
  DaemonSetSpec:
    "1 selector LabelSelector; 2 template PodTemplateSpec; 3 updateStrategy DeploymentStrategy; 4 minReadySeconds int; 6 revisionHistoryLimit int?",
  StatefulSetSpec:
    "1 replicas int?; 2 selector LabelSelector; 3 template PodTemplateSpec; 5 serviceName; 6 podManagementPolicy; 7 updateStrategy StatefulSetUpdateStrategy; 8 revisionHistoryLimit int?; 9 minReadySeconds int; 11 ordinals StatefulSetOrdinals",
  StatefulSetUpdateStrategy: "1 type; 2 rollingUpdate RollingUpdateStatefulSet",
  RollingUpdateStatefulSet: "1 partition int?; 2 maxUnavailable IntOrString",
  StatefulSetOrdinals: "1 start int",
  JobSpec:
    "1 parallelism int?; 2 completions int?; 3 activeDeadlineSeconds int?; 4 selector LabelSelector; 5 manualSelector bool?; 6 template PodTemplateSpec; 7 backoffLimit int?; 8 ttlSecondsAfterFinished int?; 9 completionMode; 10 suspend bool?; 12 backoffLimitPerIndex int?; 13 maxFailedIndexes int?; 14 podReplacementPolicy; 15 managedBy",
  CronJobSpec:
    "1 schedule; 2 startingDeadlineSeconds int?; 3 concurrencyPolicy; 4 suspend bool?; 5 jobTemplate JobTemplateSpec; 6 successfulJobsHistoryLimit int?; 7 failedJobsHistoryLimit int?; 8 timeZone",
  JobTemplateSpec: "1 metadata ObjectMeta; 2 spec JobSpec",
  PodTemplateSpec: "1 metadata ObjectMeta; 2 spec PodSpec",

  PodSpec:
    "1 volumes [Volume]; 2 containers [Container]; 3 restartPolicy; 4 terminationGracePeriodSeconds int?; 5 activeDeadlineSeconds int?; 6 dnsPolicy; 7 nodeSelector {}; 8 serviceAccountName; 9 serviceAccount; 10 nodeName; 11 hostNetwork bool; 12 hostPID bool; 13 hostIPC bool; 14 securityContext PodSecurityContext; 15 imagePullSecrets [LocalObjectReference]; 16 hostname; 17 subdomain; 19 schedulerName; 20 initContainers [Container]; 21 automountServiceAccountToken bool?; 22 tolerations [Toleration]; 23 hostAliases [HostAlias]; 24 priorityClassName; 25 priority int?; 26 dnsConfig PodDNSConfig; 27 shareProcessNamespace bool?; 28 readinessGates [PodReadinessGate]; 29 runtimeClassName; 30 enableServiceLinks bool?; 31 preemptionPolicy; 32 overhead {Quantity}; 33 topologySpreadConstraints [TopologySpreadConstraint]; 35 setHostnameAsFQDN bool?; 36 os PodOS; 37 hostUsers bool?",
  PodSecurityContext:
    "2 runAsUser int?; 3 runAsNonRoot bool?; 4 supplementalGroups [int]; 5 fsGroup int?; 6 runAsGroup int?; 7 sysctls [NameAndValue]; 9 fsGroupChangePolicy; 10 seccompProfile Profile; 11 appArmorProfile Profile; 12 supplementalGroupsPolicy",
  Toleration: "1 key; 2 operator; 3 value; 4 effect; 5 tolerationSeconds int?",
  HostAlias: "1 ip; 2 hostnames []",
  PodDNSConfig: "1 nameservers []; 2 searches []; 3 options [NameAndValue]",
  PodReadinessGate: "1 conditionType",
  TopologySpreadConstraint:
    "1 maxSkew int; 2 topologyKey; 3 whenUnsatisfiable; 4 labelSelector LabelSelector; 5 minDomains int?; 6 nodeAffinityPolicy; 7 nodeTaintsPolicy; 8 matchLabelKeys []",
  PodOS: "1 name",
  Profile: "1 type; 2 localhostProfile",
  NameAndValue: "1 name; 2 value",

  Container:
    "1 name; 2 image; 3 command []; 4 args []; 5 workingDir; 6 ports [ContainerPort]; 7 env [EnvVar]; 8 resources ResourceRequirements; 9 volumeMounts [VolumeMount]; 10 livenessProbe Probe; 11 readinessProbe Probe; 12 lifecycle Lifecycle; 13 terminationMessagePath; 14 imagePullPolicy; 15 securityContext SecurityContext; 16 stdin bool; 17 stdinOnce bool; 18 tty bool; 19 envFrom [EnvFromSource]; 20 terminationMessagePolicy; 22 startupProbe Probe; 24 restartPolicy",
  ContainerPort: "1 name; 2 hostPort int; 3 containerPort int; 4 protocol; 5 hostIP",
  EnvVar: "1 name; 2 value; 3 valueFrom EnvVarSource",
  EnvVarSource:
    "1 fieldRef ObjectFieldSelector; 2 resourceFieldRef ResourceFieldSelector; 3 configMapKeyRef KeySelector; 4 secretKeyRef KeySelector",
  EnvFromSource: "1 prefix; 2 configMapRef NameSelector; 3 secretRef NameSelector",
  NameSelector: "1 name ...LocalObjectReference; 2 optional bool?",
  KeySelector: "1 name ...LocalObjectReference; 2 key; 3 optional bool?",
  ObjectFieldSelector: "1 apiVersion; 2 fieldPath",
  ResourceFieldSelector: "1 containerName; 2 resource; 3 divisor Quantity",
  ResourceRequirements: "1 limits {Quantity}; 2 requests {Quantity}",
  VolumeMount:
    "1 name; 2 readOnly bool; 3 mountPath; 4 subPath; 5 mountPropagation; 6 subPathExpr; 7 recursiveReadOnly",
  Probe:
    "1 handler ...Handler; 2 initialDelaySeconds int; 3 timeoutSeconds int; 4 periodSeconds int; 5 successThreshold int; 6 failureThreshold int; 7 terminationGracePeriodSeconds int?",
  Lifecycle: "1 postStart LifecycleHandler; 2 preStop LifecycleHandler",
  Handler: "1 exec ExecAction; 2 httpGet HTTPGetAction; 3 tcpSocket TCPSocketAction; 4 grpc GRPCAction",
  LifecycleHandler: "1 exec ExecAction; 2 httpGet HTTPGetAction; 3 tcpSocket TCPSocketAction; 4 sleep SleepAction",
  ExecAction: "1 command []",
  HTTPGetAction: "1 path; 2 port IntOrString; 3 host; 4 scheme; 5 httpHeaders [NameAndValue]",
  TCPSocketAction: "1 port IntOrString; 2 host",
  GRPCAction: "1 port int; 2 service",
  SleepAction: "1 seconds int",
  SecurityContext:
    "1 capabilities Capabilities; 2 privileged bool?; 4 runAsUser int?; 5 runAsNonRoot bool?; 6 readOnlyRootFilesystem bool?; 7 allowPrivilegeEscalation bool?; 8 runAsGroup int?; 9 procMount; 11 seccompProfile Profile; 12 appArmorProfile Profile",
  Capabilities: "1 add []; 2 drop []",

  Volume: "1 name; 2 source ...VolumeSource",
  VolumeSource:
    "1 hostPath HostPathVolume; 2 emptyDir EmptyDirVolume; 6 secret SecretVolume; 10 persistentVolumeClaim ClaimVolume; 16 downwardAPI DownwardAPIVolume; 19 configMap ConfigMapVolume; 26 projected ProjectedVolume",
  HostPathVolume: "1 path; 2 type",
  EmptyDirVolume: "1 medium; 2 sizeLimit Quantity",
  SecretVolume: "1 secretName; 2 items [KeyToPath]; 3 defaultMode int?; 4 optional bool?",
  ClaimVolume: "1 claimName; 2 readOnly bool",
  DownwardAPIVolume: "1 items [DownwardAPIFile]; 2 defaultMode int?",
  ConfigMapVolume: "1 name ...LocalObjectReference; 2 items [KeyToPath]; 3 defaultMode int?; 4 optional bool?",
  ProjectedVolume: "1 sources [VolumeProjection]; 2 defaultMode int?",
  KeyToPath: "1 key; 2 path; 3 mode int?",
  DownwardAPIFile: "1 path; 2 fieldRef ObjectFieldSelector; 3 resourceFieldRef ResourceFieldSelector; 4 mode int?",
  VolumeProjection:
    "1 secret NamedProjection; 2 downwardAPI DownwardAPIProjection; 3 configMap NamedProjection; 4 serviceAccountToken TokenProjection",
  NamedProjection: "1 name ...LocalObjectReference; 2 items [KeyToPath]; 4 optional bool?",
  DownwardAPIProjection: "1 items [DownwardAPIFile]",
  TokenProjection: "1 audience; 2 expirationSeconds int?; 3 path",

  PolicyRule: "1 verbs []; 2 apiGroups []; 3 resources []; 4 resourceNames []; 5 nonResourceURLs []",
  Subject: "1 kind; 2 apiGroup; 3 name; 4 namespace",
  RoleRef: "1 apiGroup; 2 kind; 3 name",
  AggregationRule: "1 clusterRoleSelectors [LabelSelector]",
  IngressSpec: "1 defaultBackend IngressBackend; 2 tls [IngressTLS]; 3 rules [IngressRule]; 4 ingressClassName",
  IngressBackend: "3 resource TypedLocalObjectReference; 4 service IngressServiceBackend",
  IngressServiceBackend: "1 name; 2 port ServiceBackendPort",
  ServiceBackendPort: "1 name; 2 number int",
  IngressTLS: "1 hosts []; 2 secretName",
  IngressRule: "1 host; 2 value ...IngressRuleValue",
  IngressRuleValue: "1 http HTTPIngressRuleValue",
  HTTPIngressRuleValue: "1 paths [HTTPIngressPath]",
  HTTPIngressPath: "1 path; 2 backend IngressBackend; 3 pathType",
  PodDisruptionBudgetSpec:
    "1 minAvailable IntOrString; 2 selector LabelSelector; 3 maxUnavailable IntOrString; 4 unhealthyPodEvictionPolicy",
  TokenRequestSpec: "1 audiences []; 3 boundObjectRef BoundObjectReference; 4 expirationSeconds int?",
  BoundObjectReference: "1 kind; 2 apiVersion; 3 name; 4 uid",
  TokenReviewSpec: "1 token; 2 audiences []",
  SelfSubjectRulesReviewSpec: "1 namespace",
  SubjectAccessReviewSpec:
    "1 resourceAttributes ResourceAttributes; 2 nonResourceAttributes NonResourceAttributes; 3 user; 4 groups []; 5 extra {ExtraValue}; 6 uid",
  ResourceAttributes: "1 namespace; 2 verb; 3 group; 4 version; 5 resource; 6 subresource; 7 name",
  NonResourceAttributes: "1 path; 2 verb",
};
