import { DEFAULT_POLICIES, PROXY_ENV, PROXY_ENV_2018, SERVICE_ENV, type ServiceEnv } from "@bowline/contracts";
import {
  isLoopbackHost,
  parseDnsName,
  parseDnsSuffixes,
  parseHostPort,
  parseNetworks,
  parseTcpUrl,
} from "./address-values.ts";
import type { EnvReader } from "./env-reader.ts";
import { parsePortRanges } from "./port-values.ts";
import { oneOf, parseAnyText, parseDuration, parseOptionalDuration } from "./scalar-values.ts";
import type { Config, ControlService, DefaultPolicy } from "./types.ts";

const PROFILE_SUFFIXES = ["svc.cluster.local."];
/** Long enough for a machine that is busy starting pods: what goes without its profile goes past the balancer. */
const PROFILE_INITIAL_TIMEOUT_MS = 2_000;

const parseDefaultPolicy = oneOf<DefaultPolicy>(DEFAULT_POLICIES);
/** Linkerd wants to know the cluster's networks for all of these, for `audit` too. */
const CLUSTER_POLICIES: readonly DefaultPolicy[] = ["cluster-authenticated", "cluster-unauthenticated", "audit"];

/** ADDR and NAME come together; a loopback ADDR needs no NAME and ignores one, since nothing then uses TLS. */
export function readService(env: EnvReader, names: ServiceEnv): ControlService | null {
  const addr = env.read(names.addr, parseHostPort);
  const tlsName = env.read(names.name, parseDnsName);
  if (addr !== null && isLoopbackHost(addr.host)) return { ...addr, tlsName: null };
  if (env.isSet(names.addr) && !env.isSet(names.name)) env.missing(names.name, names.addr);
  if (env.isSet(names.name) && !env.isSet(names.addr)) env.missing(names.addr, names.name);
  return addr === null || tlsName === null ? null : { ...addr, tlsName };
}

export function readDestination(env: EnvReader): Config["destination"] {
  return {
    service: readDestinationService(env),
    contextToken: env.read(PROXY_ENV.destinationContext, parseAnyText),
    profileSuffixes: env.read(PROXY_ENV.destinationProfileSuffixes, parseDnsSuffixes) ?? PROFILE_SUFFIXES,
    profileNetworks: env.read(PROXY_ENV.destinationProfileNetworks, parseNetworks) ?? [],
    profileInitialTimeoutMs:
      env.read(PROXY_ENV.destinationProfileInitialTimeout, parseDuration) ?? PROFILE_INITIAL_TIMEOUT_MS,
  };
}

export function readPolicy(env: EnvReader): Config["policy"] {
  const clusterNetworks = env.read(PROXY_ENV.policyClusterNetworks, parseNetworks) ?? [];
  const inboundDefault = env.read(PROXY_ENV.inboundDefaultPolicy, parseDefaultPolicy);
  if (inboundDefault !== null && CLUSTER_POLICIES.includes(inboundDefault) && clusterNetworks.length === 0) {
    env.invalid(PROXY_ENV.inboundDefaultPolicy, `${PROXY_ENV.policyClusterNetworks} names no network`);
  }
  return {
    service: readService(env, SERVICE_ENV.policy),
    workload: env.read(PROXY_ENV.policyWorkload, parseAnyText),
    inboundDefault: inboundDefault ?? "all-unauthenticated",
    inboundPorts: env.read(PROXY_ENV.inboundPorts, parsePortRanges) ?? [],
    clusterNetworks,
    gatewaySuffixes: env.read(PROXY_ENV.inboundGatewaySuffixes, parseDnsSuffixes) ?? [],
  };
}

/** Each limit may be unset or empty; those given must satisfy initial ≤ idle ≤ lifetime. */
export function readControlStreams(env: EnvReader): Config["controlStreams"] {
  const initial = PROXY_ENV.controlStreamInitialTimeout;
  const idle = PROXY_ENV.controlStreamIdleTimeout;
  const lifetime = PROXY_ENV.controlStreamLifetime;
  const limits = {
    initialTimeoutMs: env.read(initial, parseOptionalDuration),
    idleTimeoutMs: env.read(idle, parseOptionalDuration),
    lifetimeMs: env.read(lifetime, parseOptionalDuration),
  };
  const inOrder = (shorter: number | null, longer: number | null): boolean => (shorter ?? 0) <= (longer ?? Infinity);
  if (!inOrder(limits.initialTimeoutMs, limits.idleTimeoutMs)) env.invalid(initial, `longer than ${idle}`);
  else if (!inOrder(limits.initialTimeoutMs, limits.lifetimeMs)) env.invalid(initial, `longer than ${lifetime}`);
  if (!inOrder(limits.idleTimeoutMs, limits.lifetimeMs)) env.invalid(idle, `longer than ${lifetime}`);
  return limits;
}

/** 2018's controller answers in plain text, whatever its address. */
function readDestinationService(env: EnvReader): ControlService | null {
  const names = SERVICE_ENV.destination;
  if (env.isSet(names.addr) || env.isSet(names.name)) {
    const service = readService(env, names);
    const address = service === null ? null : { host: service.host, port: service.port };
    env.noteIgnored(PROXY_ENV_2018.controlUrl, parseTcpUrl, names.addr, address);
    return service;
  }
  const url = env.read(PROXY_ENV_2018.controlUrl, parseTcpUrl);
  return url === null ? null : { ...url, tlsName: null };
}
