import {
  ADMIN_PORT,
  ADMISSION_WEBHOOKS_LABEL,
  CNI_RESOURCE_LABEL,
  CONTROL_PLANE_COMPONENT_LABEL,
  CONTROLLER_UID,
  DEFAULT_OPAQUE_PORTS,
  INBOUND_PROXY_PORT,
  OUTBOUND_PROXY_PORT,
  PROXY_UID,
  TAP_PORT,
  VERSION,
} from "@bowline/contracts";

/**
 * What a control plane was installed with: the names of Linkerd's Helm chart, as far as Bowline has what they set, so
 * that `--set` and values files carry over. `install` renders manifests from it and keeps it in ConfigMap
 * linkerd-config under the key `values`; the injector reads it there. Empty texts and -1 mean unset, as in the chart.
 */
export interface Values {
  /** Where the control plane lives. */
  readonly namespace: string;
  readonly linkerdVersion: string;
  readonly clusterDomain: string;
  /** CIDRs, comma-separated: who counts as `cluster` in policies, and which addresses have profiles. */
  readonly clusterNetworks: string;
  readonly cniEnabled: boolean;
  readonly disableIPv6: boolean;
  readonly disableHeartBeat: boolean;
  readonly enableH2Upgrade: boolean;
  readonly enableEndpointSlices: boolean;
  readonly enablePodAntiAffinity: boolean;
  readonly enablePodDisruptionBudget: boolean;
  readonly highAvailability: boolean;
  readonly imagePullPolicy: ImagePullPolicy;
  readonly imagePullSecrets: readonly { readonly name: string }[];
  readonly podAnnotations: Readonly<Record<string, string>>;
  readonly podLabels: Readonly<Record<string, string>>;
  readonly commonLabels: Readonly<Record<string, string>>;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Readonly<Record<string, unknown>>[];
  readonly priorityClassName: string;
  readonly runtimeClassName: string;
  readonly prometheusUrl: string;
  readonly webhookFailurePolicy: "Ignore" | "Fail";

  readonly controllerImage: string;
  /** "": linkerdVersion. */
  readonly controllerImageVersion: string;
  readonly controllerLogLevel: string;
  readonly controllerLogFormat: "plain" | "json";
  readonly controllerReplicas: number;
  readonly controllerUID: number;
  readonly controllerGID: number;
  readonly destinationResources: Resources;
  readonly identityResources: Resources;
  readonly proxyInjectorResources: Resources;
  readonly deploymentStrategy: Readonly<Record<string, unknown>>;

  readonly identityTrustAnchorsPEM: string;
  /** "": clusterDomain. */
  readonly identityTrustDomain: string;
  readonly identity: IdentityValues;
  readonly policyController: PolicyControllerValues;
  readonly proxyInjector: WebhookValues;
  readonly profileValidator: WebhookValues;
  readonly policyValidator: WebhookValues;

  readonly proxy: ProxyValues;
  readonly proxyInit: ProxyInitValues;
  readonly networkValidator: NetworkValidatorValues;
  readonly debugContainer: { readonly image: ImageValues };
}

export type ImagePullPolicy = "Always" | "IfNotPresent" | "Never";

export interface ImageValues {
  readonly name: string;
  /** "": linkerdVersion. */
  readonly version: string;
  /** "": the imagePullPolicy of all. */
  readonly pullPolicy: ImagePullPolicy | "";
}

/** Kubernetes quantities; "" is unset. */
export interface Resources {
  readonly cpu: ResourceBounds;
  readonly memory: ResourceBounds;
  readonly "ephemeral-storage": ResourceBounds;
}

export interface ResourceBounds {
  readonly request: string;
  readonly limit: string;
}

export interface IdentityValues {
  /** Bowline's own: without it there is no identity service, and proxies speak plain text. */
  readonly enabled: boolean;
  readonly externalCA: boolean;
  /** Tokens of their own audience for proxies, in place of the service account's default token. */
  readonly serviceAccountTokenProjection: boolean;
  readonly issuer: {
    readonly scheme: "linkerd.io/tls" | "kubernetes.io/tls";
    readonly clockSkewAllowance: string;
    readonly issuanceLifetime: string;
    readonly tls: { readonly crtPEM: string; readonly keyPEM: string };
  };
}

export interface PolicyControllerValues {
  /** Bowline's own: without it proxies ask for no policies, and the default policy holds. */
  readonly enabled: boolean;
  readonly logLevel: string;
  readonly probeNetworks: readonly string[];
  readonly resources: Resources;
}

/** Certificate of a webhook; made at each rendering where nothing is given. */
export interface WebhookValues {
  readonly externalSecret: boolean;
  readonly crtPEM: string;
  readonly keyPEM: string;
  readonly caBundle: string;
  readonly injectCaFrom: string;
  readonly injectCaFromSecret: string;
  /** Which namespaces it is called for. */
  readonly namespaceSelector: Readonly<Record<string, unknown>>;
  readonly objectSelector: Readonly<Record<string, unknown>>;
  readonly timeoutSeconds: number;
}

export interface ProxyValues {
  readonly image: ImageValues;
  readonly uid: number;
  readonly gid: number;
  readonly logLevel: string;
  readonly logFormat: "plain" | "json";
  readonly logHTTPHeaders: "off" | "insecure";
  readonly accessLog: "" | "apache" | "json";
  readonly ports: ProxyPorts;
  /** Of workloads without an annotation; comma-separated ports and ranges. */
  readonly opaquePorts: string;
  /** "": what the pod's containers declare. */
  readonly podInboundPorts: string;
  readonly requireIdentityOnInboundPorts: string;
  /** Ports on which a client without identity gets nothing, for control-plane pods. */
  readonly requireTLSOnInboundPorts: string;
  readonly defaultInboundPolicy: string;
  readonly enableExternalProfiles: boolean;
  readonly enableShutdownEndpoint: boolean;
  readonly isGateway: boolean;
  readonly isIngress: boolean;
  readonly nativeSidecar: boolean;
  /** The application's containers start when the proxy is ready. */
  readonly await: boolean;
  readonly waitBeforeExitSeconds: number;
  readonly shutdownGracePeriod: string;
  readonly outboundConnectTimeout: string;
  readonly inboundConnectTimeout: string;
  readonly outboundDiscoveryCacheUnusedTimeout: string;
  readonly inboundDiscoveryCacheUnusedTimeout: string;
  readonly disableOutboundProtocolDetectTimeout: boolean;
  readonly disableInboundProtocolDetectTimeout: boolean;
  readonly outboundTransportMode: "transport-header" | "transparent";
  readonly inbound: { readonly server: ServerValues };
  readonly outbound: { readonly server: ServerValues };
  readonly control: {
    readonly streams: { readonly initialTimeout: string; readonly idleTimeout: string; readonly lifetime: string };
  };
  readonly metrics: { readonly hostnameLabels: boolean };
  /** maximumCPURatio: share of the node's CPUs, between 0 and 1; null: none. */
  readonly runtime: { readonly workers: { readonly minimum: number; readonly maximumCPURatio: number | null } };
  readonly resources: Resources;
  readonly livenessProbe: ProbeValues;
  readonly readinessProbe: ProbeValues;
  readonly startupProbe: {
    readonly initialDelaySeconds: number;
    readonly periodSeconds: number;
    readonly failureThreshold: number;
  };
  /** More of the container's environment. It comes last, so it wins over what the other values say. */
  readonly additionalEnv: readonly EnvVarValue[];
}

interface ProxyPorts {
  readonly admin: number;
  readonly control: number;
  readonly inbound: number;
  readonly outbound: number;
}

interface ServerValues {
  readonly http2: { readonly keepAliveInterval: string; readonly keepAliveTimeout: string };
}

interface ProbeValues {
  readonly initialDelaySeconds: number;
  readonly timeoutSeconds: number;
}

/** A Kubernetes EnvVar, valueFrom as it is. */
export interface EnvVarValue {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: Readonly<Record<string, unknown>>;
}

export interface ProxyInitValues {
  readonly iptablesMode: "nft" | "legacy" | "plain";
  readonly ignoreInboundPorts: string;
  readonly ignoreOutboundPorts: string;
  /** Ports of the API server, which control-plane pods reach without their proxy. */
  readonly kubeAPIServerPorts: string;
  readonly skipSubnets: string;
  readonly closeWaitTimeoutSecs: number;
  readonly logLevel: string;
  readonly logFormat: string;
  readonly privileged: boolean;
  readonly runAsRoot: boolean;
  readonly runAsUser: number;
  readonly runAsGroup: number;
}

interface NetworkValidatorValues {
  readonly logLevel: string;
  readonly logFormat: "plain" | "json";
  /** "": a documentation address of the right family. */
  readonly connectAddr: string;
  /** "": the outbound port on all addresses. */
  readonly listenAddr: string;
  readonly timeout: string;
}

const NO_RESOURCES: Resources = {
  cpu: { request: "", limit: "" },
  memory: { request: "", limit: "" },
  "ephemeral-storage": { request: "", limit: "" },
};

/** Values without any option given: Linkerd's defaults, Bowline's images, no identity and no policy service. */
export const DEFAULT_VALUES: Values = {
  namespace: "linkerd",
  linkerdVersion: VERSION,
  clusterDomain: "cluster.local",
  clusterNetworks: "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8",
  cniEnabled: false,
  disableIPv6: true,
  disableHeartBeat: true,
  enableH2Upgrade: true,
  enableEndpointSlices: true,
  enablePodAntiAffinity: false,
  enablePodDisruptionBudget: false,
  highAvailability: false,
  imagePullPolicy: "IfNotPresent",
  imagePullSecrets: [],
  podAnnotations: {},
  podLabels: {},
  commonLabels: {},
  nodeSelector: { "kubernetes.io/os": "linux" },
  tolerations: [],
  priorityClassName: "",
  runtimeClassName: "",
  prometheusUrl: "",
  webhookFailurePolicy: "Ignore",

  controllerImage: "bowline/controller",
  controllerImageVersion: "",
  controllerLogLevel: "info",
  controllerLogFormat: "plain",
  controllerReplicas: 1,
  controllerUID: CONTROLLER_UID,
  controllerGID: -1,
  destinationResources: NO_RESOURCES,
  identityResources: NO_RESOURCES,
  proxyInjectorResources: NO_RESOURCES,
  deploymentStrategy: { rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },

  identityTrustAnchorsPEM: "",
  identityTrustDomain: "",
  identity: {
    enabled: false,
    externalCA: false,
    serviceAccountTokenProjection: true,
    issuer: {
      scheme: "linkerd.io/tls",
      clockSkewAllowance: "20s",
      issuanceLifetime: "24h0m0s",
      tls: { crtPEM: "", keyPEM: "" },
    },
  },
  policyController: {
    enabled: false,
    logLevel: "info",
    probeNetworks: ["0.0.0.0/0", "::/0"],
    resources: NO_RESOURCES,
  },
  proxyInjector: webhook({
    matchExpressions: [
      { key: ADMISSION_WEBHOOKS_LABEL, operator: "NotIn", values: ["disabled"] },
      { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", "cert-manager"] },
    ],
  }),
  profileValidator: webhook({
    matchExpressions: [{ key: ADMISSION_WEBHOOKS_LABEL, operator: "NotIn", values: ["disabled"] }],
  }),
  policyValidator: webhook({
    matchExpressions: [{ key: ADMISSION_WEBHOOKS_LABEL, operator: "NotIn", values: ["disabled"] }],
  }),

  proxy: {
    image: { name: "bowline/proxy", version: "", pullPolicy: "" },
    uid: PROXY_UID,
    gid: -1,
    logLevel: "warn,linkerd=info,hickory=error",
    logFormat: "plain",
    logHTTPHeaders: "off",
    accessLog: "",
    ports: { admin: ADMIN_PORT, control: TAP_PORT, inbound: INBOUND_PROXY_PORT, outbound: OUTBOUND_PROXY_PORT },
    opaquePorts: DEFAULT_OPAQUE_PORTS,
    podInboundPorts: "",
    requireIdentityOnInboundPorts: "",
    requireTLSOnInboundPorts: "",
    defaultInboundPolicy: "all-unauthenticated",
    enableExternalProfiles: false,
    enableShutdownEndpoint: false,
    isGateway: false,
    isIngress: false,
    nativeSidecar: true,
    await: true,
    waitBeforeExitSeconds: 0,
    shutdownGracePeriod: "",
    outboundConnectTimeout: "1000ms",
    inboundConnectTimeout: "100ms",
    outboundDiscoveryCacheUnusedTimeout: "5s",
    inboundDiscoveryCacheUnusedTimeout: "90s",
    disableOutboundProtocolDetectTimeout: false,
    disableInboundProtocolDetectTimeout: false,
    outboundTransportMode: "transport-header",
    inbound: { server: { http2: { keepAliveInterval: "10s", keepAliveTimeout: "3s" } } },
    outbound: { server: { http2: { keepAliveInterval: "10s", keepAliveTimeout: "3s" } } },
    control: { streams: { initialTimeout: "3s", idleTimeout: "5m", lifetime: "1h" } },
    metrics: { hostnameLabels: false },
    runtime: { workers: { minimum: 1, maximumCPURatio: null } },
    resources: NO_RESOURCES,
    livenessProbe: { initialDelaySeconds: 10, timeoutSeconds: 1 },
    readinessProbe: { initialDelaySeconds: 2, timeoutSeconds: 1 },
    startupProbe: { initialDelaySeconds: 0, periodSeconds: 1, failureThreshold: 120 },
    additionalEnv: [],
  },
  proxyInit: {
    iptablesMode: "nft",
    ignoreInboundPorts: "4567,4568",
    ignoreOutboundPorts: "4567,4568",
    kubeAPIServerPorts: "443,6443",
    skipSubnets: "",
    closeWaitTimeoutSecs: 0,
    logLevel: "",
    logFormat: "",
    privileged: false,
    runAsRoot: false,
    runAsUser: 65534,
    runAsGroup: 65534,
  },
  networkValidator: { logLevel: "info", logFormat: "plain", connectAddr: "", listenAddr: "", timeout: "10s" },
  debugContainer: { image: { name: "bowline/debug", version: "", pullPolicy: "" } },
};

function webhook(namespaceSelector: Readonly<Record<string, unknown>>): WebhookValues {
  return {
    externalSecret: false,
    crtPEM: "",
    keyPEM: "",
    caBundle: "",
    injectCaFrom: "",
    injectCaFromSecret: "",
    namespaceSelector,
    objectSelector: {
      matchExpressions: [
        { key: CONTROL_PLANE_COMPONENT_LABEL, operator: "DoesNotExist" },
        { key: CNI_RESOURCE_LABEL, operator: "DoesNotExist" },
      ],
    },
    timeoutSeconds: 10,
  };
}
