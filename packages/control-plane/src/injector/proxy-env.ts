import {
  DESTINATION_PORT,
  DIRECTION_ENV,
  END_ENTITY_DIR,
  IDENTITY_ENV,
  IDENTITY_PORT,
  IDENTITY_TOKEN_DIR,
  IDENTITY_TOKEN_VOLUME,
  POLICY_PORT,
  PROXY_CONTAINER,
  PROXY_ENV,
  PROXY_ENV_2018,
  SERVICE_ACCOUNT_DIR,
  SERVICE_ENV,
  TRUST_ROOTS,
  TRUST_ROOTS_KEY,
} from "@bowline/contracts";
import { parseQuantity } from "@bowline/kube";
import type { EnvVarValue, ResourceBounds, Values } from "../values.ts";

/** The parts of a pod that its proxy's environment depends on. */
export interface ProxyEnvInput {
  readonly values: Values;
  /** Of the control plane's own pods: who is reached at localhost. "" for everybody else's. */
  readonly component: string;
  /** Ports the application listens on, as far as the pod says. */
  readonly inboundPorts: readonly number[];
}

/** Where a service of the control plane is, as seen from one pod. */
interface ServiceAddress {
  readonly addr: string;
  /** Who must answer there; null on loopback, which needs no TLS. */
  readonly identity: string | null;
}

/** The proxy has no word for never; Linkerd writes a year. */
const NEVER = "365d";

/** In Linkerd's order: variables that others refer to come first. */
export function proxyEnv(input: ProxyEnvInput): EnvVarValue[] {
  return [
    ...downwardEnv(),
    ...processEnv(input.values),
    ...destinationAndPolicyEnv(input),
    ...controlStreamEnv(input.values),
    ...timeoutEnv(input.values),
    ...listenEnv(input),
    ...profileAndSocketEnv(input.values),
    ...contextEnv(input.values),
    ...identityEnv(input),
    ...env2018(input),
    ...lastEnv(input.values),
    ...input.values.proxy.additionalEnv,
  ];
}

/** The name in a certificate of the mesh. */
function identityName(serviceAccount: string, namespace: string, values: Values): string {
  return `${serviceAccount}.${namespace}.serviceaccount.identity.${values.namespace}.${trustDomain(values)}`;
}

function trustDomain(values: Values): string {
  return values.identityTrustDomain || values.clusterDomain;
}

function downwardEnv(): EnvVarValue[] {
  return [
    fromField("_pod_name", "metadata.name"),
    fromField("_pod_ns", "metadata.namespace"),
    fromField("_pod_uid", "metadata.uid"),
    fromField("_pod_ip", "status.podIP"),
    fromField("_pod_nodeName", "spec.nodeName"),
    text("_pod_containerName", PROXY_CONTAINER),
  ];
}

function processEnv({ proxy }: Values): EnvVarValue[] {
  const { minimum, maximumCPURatio } = proxy.runtime.workers;
  const min = cores(proxy.resources.cpu, "request") ?? minimum;
  const max = cores(proxy.resources.cpu, "limit");
  const headers = proxy.logHTTPHeaders === "off" ? ",[{headers}]=off,[{request}]=off" : "";
  return [
    // The older name, and to older proxies the only one.
    text(PROXY_ENV.cores, max ?? min),
    text(PROXY_ENV.coresMin, Math.min(min, max ?? min)),
    ...when(max !== null, text(PROXY_ENV.coresMax, max ?? 0)),
    ...when(maximumCPURatio !== null, text(PROXY_ENV.coresMaxRatio, maximumCPURatio ?? 0)),
    ...when(
      proxy.requireIdentityOnInboundPorts !== "",
      text("LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_IDENTITY", proxy.requireIdentityOnInboundPorts),
    ),
    ...when(
      proxy.requireTLSOnInboundPorts !== "",
      text("LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_TLS", proxy.requireTLSOnInboundPorts),
    ),
    text(PROXY_ENV.shutdownEndpointEnabled, proxy.enableShutdownEndpoint),
    text(PROXY_ENV.log, `${proxy.logLevel}${headers}`),
    text(PROXY_ENV.logFormat, proxy.logFormat),
  ];
}

function destinationAndPolicyEnv({ values, component }: ProxyEnvInput): EnvVarValue[] {
  const policy = policyAddress(values, component);
  return [
    text(SERVICE_ENV.destination.addr, destinationAddress(values, component).addr),
    text(PROXY_ENV.destinationProfileNetworks, values.clusterNetworks),
    ...when(policy !== null, text(SERVICE_ENV.policy.addr, policy?.addr ?? "")),
    text(PROXY_ENV.policyWorkload, '{"ns":"$(_pod_ns)", "pod":"$(_pod_name)"}\n'),
    text(PROXY_ENV.inboundDefaultPolicy, values.proxy.defaultInboundPolicy),
    text(PROXY_ENV.policyClusterNetworks, values.clusterNetworks),
  ];
}

function controlStreamEnv({ proxy }: Values): EnvVarValue[] {
  const { initialTimeout, idleTimeout, lifetime } = proxy.control.streams;
  return [
    text(PROXY_ENV.controlStreamInitialTimeout, initialTimeout),
    text(PROXY_ENV.controlStreamIdleTimeout, idleTimeout),
    text(PROXY_ENV.controlStreamLifetime, lifetime),
  ];
}

function timeoutEnv({ proxy }: Values): EnvVarValue[] {
  const { inbound, outbound } = DIRECTION_ENV;
  return [
    text(inbound.connectTimeout, proxy.inboundConnectTimeout),
    text(outbound.connectTimeout, proxy.outboundConnectTimeout),
    text(outbound.discoveryIdleTimeout, proxy.outboundDiscoveryCacheUnusedTimeout),
    text(inbound.discoveryIdleTimeout, proxy.inboundDiscoveryCacheUnusedTimeout),
    ...when(proxy.disableOutboundProtocolDetectTimeout, text(outbound.detectTimeout, NEVER)),
    ...when(proxy.disableInboundProtocolDetectTimeout, text(inbound.detectTimeout, NEVER)),
  ];
}

function listenEnv({ values, inboundPorts }: ProxyEnvInput): EnvVarValue[] {
  const { ports, isGateway, isIngress } = values.proxy;
  const any = anyHost(values);
  const outbound = `127.0.0.1:${ports.outbound}`;
  return [
    text(PROXY_ENV.controlListenAddr, `${any}:${ports.control}`),
    text(PROXY_ENV.adminListenAddr, `${any}:${ports.admin}`),
    // Deprecated, and what proxies of before dual stack know.
    text(DIRECTION_ENV.outbound.listenAddr, outbound),
    text(PROXY_ENV.outboundListenAddrs, values.disableIPv6 ? outbound : `${outbound},[::1]:${ports.outbound}`),
    text(DIRECTION_ENV.inbound.listenAddr, `${any}:${ports.inbound}`),
    fromField(PROXY_ENV.inboundIps, "status.podIPs"),
    text(PROXY_ENV.inboundPorts, values.proxy.podInboundPorts || sortedAsText(inboundPorts).join(",")),
    ...when(isGateway, text(PROXY_ENV.inboundGatewaySuffixes, `svc.${values.clusterDomain}.`)),
    ...when(isIngress, text(PROXY_ENV.ingressMode, true)),
  ];
}

function profileAndSocketEnv(values: Values): EnvVarValue[] {
  const { proxy } = values;
  const { inbound, outbound } = DIRECTION_ENV;
  return [
    text(PROXY_ENV.destinationProfileSuffixes, proxy.enableExternalProfiles ? "." : `svc.${values.clusterDomain}.`),
    text(inbound.acceptKeepalive, "10000ms"),
    text(outbound.connectKeepalive, "10000ms"),
    text(inbound.acceptUserTimeout, "30s"),
    text(outbound.connectUserTimeout, "30s"),
    text(PROXY_ENV.outboundMetricsHostnameLabels, proxy.metrics.hostnameLabels),
    text(inbound.serverHttp2.keepAliveInterval, proxy.inbound.server.http2.keepAliveInterval),
    text(inbound.serverHttp2.keepAliveTimeout, proxy.inbound.server.http2.keepAliveTimeout),
    text(outbound.serverHttp2.keepAliveInterval, proxy.outbound.server.http2.keepAliveInterval),
    text(outbound.serverHttp2.keepAliveTimeout, proxy.outbound.server.http2.keepAliveTimeout),
  ];
}

function contextEnv({ proxy }: Values): EnvVarValue[] {
  return [
    text(DIRECTION_ENV.inbound.portsDisableProtocolDetection, proxy.opaquePorts),
    text(PROXY_ENV.destinationContext, '{"ns":"$(_pod_ns)", "nodeName":"$(_pod_nodeName)", "pod":"$(_pod_name)"}\n'),
  ];
}

function identityEnv({ values, component }: ProxyEnvInput): EnvVarValue[] {
  const serviceNames = [
    ...nameOf(SERVICE_ENV.destination.name, destinationAddress(values, component)),
    ...nameOf(SERVICE_ENV.policy.name, policyAddress(values, component)),
  ];
  if (!values.identity.enabled) return serviceNames;
  const identity = identityAddress(values, component);
  const tokenFile = values.identity.serviceAccountTokenProjection
    ? `${IDENTITY_TOKEN_DIR}/${IDENTITY_TOKEN_VOLUME}`
    : `${SERVICE_ACCOUNT_DIR}/token`;
  return [
    fromField("_pod_sa", "spec.serviceAccountName"),
    text("_l5d_ns", values.namespace),
    text("_l5d_trustdomain", trustDomain(values)),
    text(IDENTITY_ENV.dir, END_ENTITY_DIR),
    component === ""
      ? text(IDENTITY_ENV.trustAnchors, values.identityTrustAnchorsPEM)
      : fromConfigMap(IDENTITY_ENV.trustAnchors, TRUST_ROOTS, TRUST_ROOTS_KEY),
    text(IDENTITY_ENV.tokenFile, tokenFile),
    text(SERVICE_ENV.identity.addr, identity.addr),
    text(IDENTITY_ENV.localName, "$(_pod_sa).$(_pod_ns).serviceaccount.identity.$(_l5d_ns).$(_l5d_trustdomain)"),
    ...nameOf(SERVICE_ENV.identity.name, identity),
    ...serviceNames,
  ];
}

/** What 2018's injector set, for people who know those names; today's names win where both are there. */
function env2018({ values, component }: ProxyEnvInput): EnvVarValue[] {
  const { ports } = values.proxy;
  const any = anyHost(values);
  return [
    text(PROXY_ENV_2018.bindTimeout, "10s"),
    text(PROXY_ENV_2018.controlUrl, `tcp://${destinationAddress(values, component).addr}`),
    text(PROXY_ENV_2018.controlListener, `tcp://${any}:${ports.control}`),
    text(PROXY_ENV_2018.metricsListener, `tcp://${any}:${ports.admin}`),
    text(PROXY_ENV_2018.outboundListener, `tcp://127.0.0.1:${ports.outbound}`),
    text(PROXY_ENV_2018.inboundListener, `tcp://${any}:${ports.inbound}`),
    fromField(PROXY_ENV_2018.podNamespace, "metadata.namespace"),
  ];
}

function lastEnv({ proxy }: Values): EnvVarValue[] {
  return [
    ...when(proxy.accessLog !== "", text(PROXY_ENV.accessLog, proxy.accessLog)),
    ...when(proxy.shutdownGracePeriod !== "", text(PROXY_ENV.shutdownGracePeriod, proxy.shutdownGracePeriod)),
  ];
}

function destinationAddress(values: Values, component: string): ServiceAddress {
  if (component === "destination") return loopback(DESTINATION_PORT);
  return remote("linkerd-dst-headless", "linkerd-destination", DESTINATION_PORT, values);
}

function policyAddress(values: Values, component: string): ServiceAddress | null {
  if (!values.policyController.enabled) return null;
  if (component === "destination") return loopback(POLICY_PORT);
  return remote("linkerd-policy", "linkerd-destination", POLICY_PORT, values);
}

function identityAddress(values: Values, component: string): ServiceAddress {
  if (component === "identity") return loopback(IDENTITY_PORT);
  return remote("linkerd-identity-headless", "linkerd-identity", IDENTITY_PORT, values);
}

function loopback(port: number): ServiceAddress {
  return { addr: `localhost.:${port}`, identity: null };
}

function remote(service: string, serviceAccount: string, port: number, values: Values): ServiceAddress {
  return {
    addr: `${service}.${values.namespace}.svc.${values.clusterDomain}.:${port}`,
    identity: identityName(serviceAccount, values.namespace, values),
  };
}

function nameOf(variable: string, address: ServiceAddress | null): EnvVarValue[] {
  return address === null || address.identity === null ? [] : [text(variable, address.identity)];
}

function anyHost(values: Values): string {
  return values.disableIPv6 ? "0.0.0.0" : "[::]";
}

/** Whole CPUs: a share of one needs a thread, too. */
function cores(bounds: ResourceBounds, bound: keyof ResourceBounds): number | null {
  return bounds[bound] === "" ? null : Math.max(1, Math.ceil(parseQuantity(bounds[bound])));
}

/** Linkerd sorts ports as texts: 11211 before 80. */
function sortedAsText(ports: readonly number[]): readonly string[] {
  return [...new Set(ports)].map(String).sort();
}

function when(condition: boolean, variable: EnvVarValue): EnvVarValue[] {
  return condition ? [variable] : [];
}

function text(name: string, value: string | number | boolean): EnvVarValue {
  return { name, value: String(value) };
}

function fromField(name: string, fieldPath: string): EnvVarValue {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

function fromConfigMap(name: string, configMap: string, key: string): EnvVarValue {
  return { name, valueFrom: { configMapKeyRef: { name: configMap, key } } };
}
