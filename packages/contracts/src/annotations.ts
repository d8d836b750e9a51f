// Annotations of Linkerd on pods, workloads, namespaces and services.

export const INJECT_ANNOTATION = "linkerd.io/inject";
export const CREATED_BY_ANNOTATION = "linkerd.io/created-by";
export const PROXY_VERSION_ANNOTATION = "linkerd.io/proxy-version";
/** Hex SHA-256 of the trust anchors' PEM text the proxy was given. */
export const TRUST_ROOT_ANNOTATION = "linkerd.io/trust-root-sha256";

/** What `uninject` takes away begins with this; `config.linkerd.io` does not. */
export const LINKERD_PREFIX = "linkerd.io";
export const CONFIG_PREFIX = "config.linkerd.io/";
export const CONFIG_ALPHA_PREFIX = "config.alpha.linkerd.io/";
export const CONFIG_BETA_PREFIX = "config.beta.linkerd.io/";
/** Attributes for traces, which pods take over from their namespace as configuration. */
export const OTEL_RESOURCE_PREFIX = "resource.opentelemetry.io/";

/** How a pod's proxy is configured; on a namespace they hold for its pods that do not say otherwise. */
export const CONFIG_ANNOTATION = {
  accessLog: "config.linkerd.io/access-log",
  adminPort: "config.linkerd.io/admin-port",
  closeWaitTimeout: "config.linkerd.io/close-wait-timeout",
  controlPort: "config.linkerd.io/control-port",
  debugImage: "config.linkerd.io/debug-image",
  debugImagePullPolicy: "config.linkerd.io/debug-image-pull-policy",
  debugImageVersion: "config.linkerd.io/debug-image-version",
  defaultInboundPolicy: "config.linkerd.io/default-inbound-policy",
  enableDebugSidecar: "config.linkerd.io/enable-debug-sidecar",
  enableExternalProfiles: "config.linkerd.io/enable-external-profiles",
  enableGateway: "config.linkerd.io/enable-gateway",
  imagePullPolicy: "config.linkerd.io/image-pull-policy",
  inboundPort: "config.linkerd.io/inbound-port",
  opaquePorts: "config.linkerd.io/opaque-ports",
  outboundPort: "config.linkerd.io/outbound-port",
  podInboundPorts: "config.linkerd.io/pod-inbound-ports",
  proxyAdditionalEnv: "config.linkerd.io/proxy-additional-env",
  proxyAdminShutdown: "config.linkerd.io/proxy-admin-shutdown",
  proxyAwait: "config.linkerd.io/proxy-await",
  proxyCpuLimit: "config.linkerd.io/proxy-cpu-limit",
  proxyCpuRatioLimit: "config.linkerd.io/proxy-cpu-ratio-limit",
  proxyCpuRequest: "config.linkerd.io/proxy-cpu-request",
  proxyDisableInboundProtocolDetectTimeout: "config.linkerd.io/proxy-disable-inbound-protocol-detect-timeout",
  proxyDisableOutboundProtocolDetectTimeout: "config.linkerd.io/proxy-disable-outbound-protocol-detect-timeout",
  proxyEnableNativeSidecar: "config.linkerd.io/proxy-enable-native-sidecar",
  proxyEnableNativeSidecarBeta: "config.beta.linkerd.io/proxy-enable-native-sidecar",
  proxyEnableNativeSidecarAlpha: "config.alpha.linkerd.io/proxy-enable-native-sidecar",
  proxyEphemeralStorageLimit: "config.linkerd.io/proxy-ephemeral-storage-limit",
  proxyEphemeralStorageRequest: "config.linkerd.io/proxy-ephemeral-storage-request",
  proxyGid: "config.linkerd.io/proxy-gid",
  proxyImage: "config.linkerd.io/proxy-image",
  proxyInboundConnectTimeout: "config.linkerd.io/proxy-inbound-connect-timeout",
  proxyInboundDiscoveryCacheUnusedTimeout: "config.linkerd.io/proxy-inbound-discovery-cache-unused-timeout",
  proxyLogFormat: "config.linkerd.io/proxy-log-format",
  proxyLogHttpHeaders: "config.linkerd.io/proxy-log-http-headers",
  proxyLogLevel: "config.linkerd.io/proxy-log-level",
  proxyMemoryLimit: "config.linkerd.io/proxy-memory-limit",
  proxyMemoryRequest: "config.linkerd.io/proxy-memory-request",
  proxyMetricsHostnameLabels: "config.linkerd.io/proxy-metrics-hostname-labels",
  proxyOutboundConnectTimeout: "config.linkerd.io/proxy-outbound-connect-timeout",
  proxyOutboundDiscoveryCacheUnusedTimeout: "config.linkerd.io/proxy-outbound-discovery-cache-unused-timeout",
  proxyRequireIdentityInboundPorts: "config.linkerd.io/proxy-require-identity-inbound-ports",
  proxyUid: "config.linkerd.io/proxy-uid",
  proxyVersion: "config.linkerd.io/proxy-version",
  proxyWaitBeforeExitSeconds: "config.alpha.linkerd.io/proxy-wait-before-exit-seconds",
  shutdownGracePeriod: "config.linkerd.io/shutdown-grace-period",
  skipInboundPorts: "config.linkerd.io/skip-inbound-ports",
  skipOutboundPorts: "config.linkerd.io/skip-outbound-ports",
  skipSubnets: "config.linkerd.io/skip-subnets",
} as const;

/** What the annotation of the default inbound policy may say, and the proxy's variable of it. */
export const DEFAULT_POLICIES = [
  "all-unauthenticated",
  "all-authenticated",
  "cluster-unauthenticated",
  "cluster-authenticated",
  "deny",
  "audit",
] as const;

/** On a namespace: `disabled` keeps the webhooks away from it. */
export const ADMISSION_WEBHOOKS_LABEL = "config.linkerd.io/admission-webhooks";
