import { PROXY_ENV, PROXY_ENV_2018 } from "@bowline/contracts";
import { parseDnsName, parseTcpUrlSocketAddr } from "./address-values.ts";
import { BadValue } from "./bad-value.ts";
import type { EnvReader } from "./env-reader.ts";
import { parseDuration, parseNonEmpty, parsePositiveDuration, wholeNumber } from "./scalar-values.ts";
import type { LegacyConfig, SocketAddr } from "./types.ts";

const BIND_TIMEOUT_MS = 10_000;
const ROUTER_CAPACITY = 100;
const DESTINATION_CONCURRENCY_MAX = 100;
const CONTROL_BACKOFF_MS = 5_000;
const CONTROL_CONNECT_TIMEOUT_MS = 3_000;
const RESOLV_CONF = "/etc/resolv.conf";

const parseCapacity = wholeNumber(1, 0xffff_ffff);
const ENV = PROXY_ENV_2018;

/**
 * Whether the proxy is run as in 2018: with at least one of the names only 2018 knows, and without the variables by
 * which today's injector says who the pod is. Then 2018's defaults hold where they differ for traffic.
 */
export function isStyle2018(env: EnvReader): boolean {
  return !hasTodaysPodIdentity(env) && Object.values(ENV).some((name) => env.isSet(name));
}

/**
 * The pod's namespace. It is required, as in 2018, unless the environment carries today's DESTINATION_CONTEXT or
 * POLICY_WORKLOAD, which hold it for the control plane in their own form.
 */
export function readPodNamespace(env: EnvReader): string | null {
  if (!env.isSet(ENV.podNamespace) && !hasTodaysPodIdentity(env)) env.missing(ENV.podNamespace);
  return env.read(ENV.podNamespace, parseNonEmpty);
}

/** The longest the listeners may take to be bound. */
export function readBindTimeoutMs(env: EnvReader): number {
  return env.read(ENV.bindTimeout, parsePositiveDuration) ?? BIND_TIMEOUT_MS;
}

export function readInboundForward(env: EnvReader): SocketAddr | null {
  return env.readFirst([ENV.inboundForward, parseTcpUrlSocketAddr], [ENV.privateForward, parseTcpUrlSocketAddr]);
}

export function readLegacy(env: EnvReader, podNamespace: string | null): LegacyConfig {
  return {
    tls: readTls(env, podNamespace),
    controllerNamespace: env.read(ENV.controllerNamespace, parseNonEmpty),
    inboundRouterCapacity: env.read(ENV.inboundRouterCapacity, parseCapacity) ?? ROUTER_CAPACITY,
    outboundRouterCapacity: env.read(ENV.outboundRouterCapacity, parseCapacity) ?? ROUTER_CAPACITY,
    destinationConcurrencyMax:
      env.read(ENV.destinationClientConcurrencyLimit, parseCapacity) ?? DESTINATION_CONCURRENCY_MAX,
    controlBackoffMs: env.read(ENV.controlBackoffDelay, parseDuration) ?? CONTROL_BACKOFF_MS,
    controlConnectTimeoutMs: env.read(ENV.controlConnectTimeout, parsePositiveDuration) ?? CONTROL_CONNECT_TIMEOUT_MS,
    resolvConfFile: env.read(ENV.resolvConf, parseNonEmpty) ?? RESOLV_CONF,
  };
}

/** Trust anchors, certificate, key and pod identity come all together or not at all. */
function readTls(env: EnvReader, podNamespace: string | null): LegacyConfig["tls"] {
  const trustAnchorsFile = env.read(ENV.tlsTrustAnchors, parseNonEmpty);
  const certFile = env.read(ENV.tlsCert, parseNonEmpty);
  const privateKeyFile = env.read(ENV.tlsPrivateKey, parseNonEmpty);
  const podIdentity = env.read(ENV.tlsPodIdentity, (text) => parsePodIdentity(text, podNamespace));
  const controllerIdentity = env.read(ENV.tlsControllerIdentity, parseDnsName);
  const names = [ENV.tlsTrustAnchors, ENV.tlsCert, ENV.tlsPrivateKey, ENV.tlsPodIdentity];
  const given = names.find((name) => env.isSet(name));
  for (const name of names) if (given !== undefined && !env.isSet(name)) env.missing(name, given);
  if (trustAnchorsFile === null || certFile === null || privateKeyFile === null || podIdentity === null) return null;
  return { trustAnchorsFile, certFile, privateKeyFile, podIdentity, controllerIdentity };
}

/** The name may refer to the namespace, which the kubelet fills in only after this text was written. */
export function parsePodIdentity(text: string, podNamespace: string | null): string | BadValue {
  const reference = `$${ENV.podNamespace}`;
  if (!text.includes(reference)) return parseDnsName(text);
  if (podNamespace === null) return new BadValue(`it refers to ${ENV.podNamespace}, which is not usable`);
  return parseDnsName(text.replaceAll(reference, podNamespace));
}

function hasTodaysPodIdentity(env: EnvReader): boolean {
  return env.isSet(PROXY_ENV.destinationContext) || env.isSet(PROXY_ENV.policyWorkload);
}
