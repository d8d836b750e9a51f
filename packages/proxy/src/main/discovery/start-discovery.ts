import { BlockList, isIPv4, isIPv6 } from "node:net";
import { PROXY_ENV, SERVICE_ENV } from "@bowline/contracts";
import { destination, outbound } from "@bowline/contracts/proto";
import { SYSTEM_CLOCK } from "@bowline/grpc";
import type { Registry } from "@bowline/metrics";
import type { DescService } from "@bufbuild/protobuf";
import { isLoopbackHost, parseHostPort, parseSocketAddr } from "../../config/address-values.ts";
import { BadValue } from "../../config/bad-value.ts";
import type { BackoffConfig, Config, ControlService } from "../../config/types.ts";
import type { Logger } from "../../log/logger.ts";
import { logTarget } from "../../log/target.ts";
import { systemDns } from "./control/control-address.ts";
import { ControlClient } from "./control/control-client.ts";
import { ControlSeries, type ControlServiceName } from "./control/control-series.ts";
import { addressMessage } from "./convert/address.ts";
import { Discovery } from "./discovery.ts";
import type { DestinationService, PolicyService } from "./sources.ts";
import type { StreamLimits, WatchSettings } from "./watch.ts";

const TARGET = logTarget("discovery");

/** Linkerd's floor between two lookups; Kubernetes' DNS sends 5 s with its records, too. */
const DNS_TTL_MIN_MS = 5_000;
/** Without the control plane a proxy goes by what was true when it left: it must hear soon that it is back. */
const CONTROL_BACKOFF_MAX_MS = 5_000;
const NO_LIMITS: StreamLimits = { initialTimeoutMs: null, idleTimeoutMs: null, lifetimeMs: null };

/** Discovery for as long as the proxy runs. */
export interface RunningDiscovery {
  readonly discovery: Discovery;
  /** Ends all streams and connections. */
  stop(): void;
}

/**
 * Discovery by the services of the control plane that are configured, of which there must be one. That the other is
 * missing is said in the log; Discovery tells what it means.
 */
export function startDiscovery(config: Config, registry: Registry, log: Logger): RunningDiscovery {
  warnOfWhatIsMissing(config, log);
  const destinationClient = clientFor("destination", config.destination.service, destination.Destination);
  const policyClient = clientFor("policy", config.policy.service, outbound.OutboundPolicies);
  const discovery = new Discovery({
    destination: destinationClient === null ? null : destinationService(destinationClient, config),
    policy: policyClient === null ? null : policyService(policyClient, config),
    searchesProfile: profileSearch(config),
    log,
  });
  return {
    discovery,
    stop() {
      discovery.stop();
      destinationClient?.client.close();
      policyClient?.client.close();
    },
  };

  function clientFor<S extends DescService>(
    name: ControlServiceName,
    service: ControlService | null,
    definition: S,
  ): ConfiguredClient<S> | null {
    return service === null
      ? null
      : { service, client: controlClient(name, service, definition, config, registry, log) };
  }
}

interface ConfiguredClient<S extends DescService> {
  readonly service: ControlService;
  readonly client: ControlClient<S>;
}

/**
 * Which targets a profile is asked for: names below the profile suffixes and addresses in the profile networks. As with
 * Linkerd's proxy no network is the default, for where there are policies a profile is an addition. Without a policy
 * service profiles are all there is to find, and no network means every address.
 */
export function profileSearch({ destination: dst, policy }: Config): (target: string) => boolean {
  const networks = new BlockList();
  for (const network of dst.profileNetworks) {
    const [ip = "", prefix = ""] = network.split("/");
    networks.addSubnet(ip, Number(prefix), isIPv4(ip) ? "ipv4" : "ipv6");
  }
  const everyAddress = policy.service === null && dst.profileNetworks.length === 0;
  return (target) => {
    const parsed = parseHostPort(target);
    if (parsed instanceof BadValue) return false;
    const { host } = parsed;
    if (isIPv4(host)) return everyAddress || networks.check(host, "ipv4");
    if (isIPv6(host)) return everyAddress || networks.check(host, "ipv6");
    return dst.profileSuffixes.some((suffix) => isBelow(host, suffix));
  };
}

/** Whether a name is the suffix, or ends with its labels; dots at the end make no difference, `.` has every name below it. */
function isBelow(name: string, suffix: string): boolean {
  const [end, full] = [withoutDot(suffix), withoutDot(name)];
  return end === "" || full === end || full.endsWith(`.${end}`);
}

function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

function controlClient<S extends DescService>(
  name: ControlServiceName,
  service: ControlService,
  definition: S,
  config: Config,
  registry: Registry,
  log: Logger,
): ControlClient<S> {
  const side = sideFor(service);
  return new ControlClient(definition, {
    service,
    dns: systemDns(),
    dnsTtlMs: Math.max(DNS_TTL_MIN_MS, config.dns.minTtlMs ?? 0),
    connectTimeoutMs: config[side].connectTimeoutMs,
    backoff: controlBackoff(config.connectBackoff[side]),
    series: new ControlSeries(registry, name, service),
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log,
  });
}

function destinationService(
  { service, client }: ConfiguredClient<typeof destination.Destination>,
  config: Config,
): DestinationService {
  const contextToken = config.destination.contextToken ?? "";
  return {
    profiles: client.source((stub, path: string, options) => stub.getProfile({ path, contextToken }, options)),
    endpoints: client.source((stub, path: string, options) => stub.get({ path, contextToken }, options)),
    settings: watchSettings(config, service),
    profileInitialTimeoutMs: config.destination.profileInitialTimeoutMs,
  };
}

function policyService(
  { service, client }: ConfiguredClient<typeof outbound.OutboundPolicies>,
  config: Config,
): PolicyService {
  const sourceWorkload = config.policy.workload ?? "";
  return {
    policies: client.source((stub, target: string, options) =>
      stub.watch({ sourceWorkload, target: trafficTarget(target) }, options),
    ),
    settings: watchSettings(config, service),
  };
}

function trafficTarget(target: string): outbound.TrafficSpec["target"] {
  const address = parseSocketAddr(target);
  if (address instanceof BadValue) return { case: "authority", value: target };
  return { case: "addr", value: addressMessage(address) };
}

/** How streams of a service are kept. The limits are for networks that lose things: on loopback there are none. */
export function watchSettings(config: Config, service: ControlService): WatchSettings {
  return {
    limits: isLoopbackHost(service.host) ? NO_LIMITS : config.controlStreams,
    backoff: { ...controlBackoff(config.connectBackoff[sideFor(service)]), respectRetryAfter: false },
    clock: SYSTEM_CLOCK,
    random: Math.random,
  };
}

function controlBackoff({ minMs, maxMs, jitter }: BackoffConfig): BackoffConfig {
  return { minMs: Math.min(minMs, CONTROL_BACKOFF_MAX_MS), maxMs: Math.min(maxMs, CONTROL_BACKOFF_MAX_MS), jitter };
}

/** Whose settings connections to the service are made with: on loopback, inbound's. */
function sideFor({ host }: ControlService): "inbound" | "outbound" {
  return isLoopbackHost(host) ? "inbound" : "outbound";
}

function warnOfWhatIsMissing({ destination: dst, policy }: Config, log: Logger): void {
  if (dst.service === null) {
    log.warn(
      TARGET,
      `without ${SERVICE_ENV.destination.addr} no service can be resolved: requests to services will fail`,
    );
  }
  if (policy.service === null) {
    log.warn(TARGET, `without ${SERVICE_ENV.policy.addr} there are no policies: profiles decide`);
  }
  if (policy.service !== null && policy.workload === null) {
    log.warn(TARGET, `without ${PROXY_ENV.policyWorkload} the policy service does not know who asks`);
  }
  if (dst.service?.tlsName != null || policy.service?.tlsName != null) {
    log.warn(TARGET, "there is no identity to speak TLS with: the control plane is asked in plain text");
  }
}
