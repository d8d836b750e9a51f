import type { DEFAULT_POLICIES } from "@bowline/contracts";
import type { LogFormat } from "../log/format.ts";

/** `ip` without brackets, in the kernel's canonical text form. */
export interface SocketAddr {
  readonly ip: string;
  readonly port: number;
}

/** Inclusive on both ends. */
export interface PortRange {
  readonly lo: number;
  readonly hi: number;
}

/** Everything a direction's listeners, connections and pools are tuned by. */
export interface DirectionConfig {
  readonly listenAddrs: readonly SocketAddr[];
  /** 0 leaves the backlog to the system. */
  readonly listenBacklog: number;
  /** 0 leaves the idle time before keepalive probes to the system; probes themselves are always on. */
  readonly acceptKeepaliveMs: number;
  /** TCP_USER_TIMEOUT; 0 leaves it unset. */
  readonly acceptUserTimeoutMs: number;
  readonly connectKeepaliveMs: number;
  readonly connectUserTimeoutMs: number;
  readonly detectTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly poolIdleTimeoutMs: number;
  /** Per endpoint. */
  readonly poolIdleConnectionsMax: number;
  /** Requests that have no response head yet; one more is answered 503. */
  readonly requestsInFlightMax: number;
  /** Ports whose connections are never looked into; sorted, disjoint, not even touching. */
  readonly opaquePorts: readonly PortRange[];
  /** How long a request may wait for an endpoint that can take it. */
  readonly failfastTimeoutMs: number;
}

export interface BackoffConfig {
  readonly minMs: number;
  readonly maxMs: number;
  /** 0..1 or more: up to this share of the base is added at random. */
  readonly jitter: number;
}

/** null means: as the HTTP/2 engine does by default. */
export interface ServerHttp2Config {
  readonly initialStreamWindowBytes: number | null;
  readonly initialConnectionWindowBytes: number | null;
  readonly adaptiveFlowControl: boolean;
  readonly keepAlive: { readonly intervalMs: number; readonly timeoutMs: number } | null;
  readonly concurrentStreamsMax: number | null;
  readonly frameBytesMax: number | null;
  readonly headerListBytesMax: number | null;
  readonly pendingAcceptResetStreamsMax: number | null;
  readonly sendBufferBytesMax: number | null;
}

/** A service of the control plane. Without a TLS name it is spoken to in plain text: on loopback, or as in 2018. */
export interface ControlService {
  readonly host: string;
  readonly port: number;
  readonly tlsName: string | null;
}

export type DefaultPolicy = (typeof DEFAULT_POLICIES)[number];

/** Read and checked for shape; nothing of it is required, and files are not opened, while reading the configuration. */
export interface IdentityConfig {
  readonly trustAnchorsPem: string | null;
  /** A DNS name, or a URI such as `spiffe://…`. */
  readonly serverId: string | null;
  readonly serverName: string | null;
  readonly dir: string | null;
  readonly tokenFile: string | null;
  readonly service: ControlService | null;
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  readonly spire: { readonly workloadApiAddress: string; readonly backoff: BackoffConfig } | null;
}

/** What only the variables of 2018 say; absent parts are null. */
export interface LegacyConfig {
  readonly tls: {
    readonly trustAnchorsFile: string;
    readonly certFile: string;
    readonly privateKeyFile: string;
    readonly podIdentity: string;
    readonly controllerIdentity: string | null;
  } | null;
  readonly controllerNamespace: string | null;
  readonly inboundRouterCapacity: number;
  readonly outboundRouterCapacity: number;
  readonly destinationConcurrencyMax: number;
  readonly controlBackoffMs: number;
  readonly controlConnectTimeoutMs: number;
  readonly resolvConfFile: string;
}

/** The whole configuration: plain frozen data, every default filled in; may be posted to another thread. */
export interface Config {
  readonly inbound: DirectionConfig;
  readonly outbound: DirectionConfig;
  /** Original destinations the inbound side accepts; empty accepts any. */
  readonly inboundIps: readonly string[];
  /** 2018: where inbound connections without an original destination go. */
  readonly inboundForward: SocketAddr | null;
  readonly admin: {
    readonly listenAddr: SocketAddr;
    readonly shutdownEndpoint: boolean;
    readonly metricsRetainIdleMs: number;
  };
  /** The tap server's listener, used only when tapServiceName is set. */
  readonly control: { readonly listenAddr: SocketAddr };
  readonly tapServiceName: string | null;
  readonly http1: { readonly headBytesMax: number; readonly fieldsMax: number; readonly headTimeoutMs: number };
  readonly http2: {
    readonly clientInitialStreamWindowBytes: number;
    readonly clientInitialConnectionWindowBytes: number;
    readonly inboundServer: ServerHttp2Config;
    readonly outboundServer: ServerHttp2Config;
  };
  readonly shutdownGraceMs: number;
  /** How long starting may take until every listener is bound. */
  readonly bindTimeoutMs: number;
  readonly dataThreads: number;
  readonly log: { readonly filter: string; readonly format: LogFormat };
  readonly accessLog: "apache" | "json" | null;
  /** Whether synthesised responses may say what went wrong; inbound only tells mesh peers. */
  readonly informationalHeaders: { readonly inbound: boolean; readonly outbound: boolean };
  readonly podNamespace: string | null;
  readonly ingressMode: boolean;
  readonly queues: {
    readonly inboundHttpCapacity: number;
    readonly outboundHttpCapacity: number;
    readonly outboundTcpCapacity: number;
    readonly outboundTcpFailfastTimeoutMs: number;
  };
  readonly connectBackoff: { readonly inbound: BackoffConfig; readonly outbound: BackoffConfig };
  readonly discoveryIdleTimeoutMs: { readonly inbound: number; readonly outbound: number };
  readonly destination: {
    readonly service: ControlService | null;
    readonly contextToken: string | null;
    readonly profileSuffixes: readonly string[];
    readonly profileNetworks: readonly string[];
    readonly profileInitialTimeoutMs: number;
  };
  readonly policy: {
    readonly service: ControlService | null;
    readonly workload: string | null;
    readonly inboundDefault: DefaultPolicy;
    readonly inboundPorts: readonly PortRange[];
    readonly clusterNetworks: readonly string[];
    readonly gatewaySuffixes: readonly string[];
  };
  readonly identity: IdentityConfig;
  readonly controlStreams: {
    readonly initialTimeoutMs: number | null;
    readonly idleTimeoutMs: number | null;
    readonly lifetimeMs: number | null;
  };
  readonly dns: { readonly minTtlMs: number | null; readonly maxTtlMs: number | null };
  readonly metricLabels: { readonly inboundAuthority: boolean; readonly outboundHostname: boolean };
  readonly trace: {
    readonly collector: ControlService | null;
    readonly attributesFile: string | null;
    readonly serviceName: string | null;
    /** Newline-separated k=v lists as given. */
    readonly extraAttributes: string | null;
    readonly otelAttributes: string | null;
    readonly hostname: string | null;
  };
  readonly legacy: LegacyConfig;
}
