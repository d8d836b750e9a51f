import { CONFIG_ANNOTATION as A } from "@bowline/contracts";
import type { Command } from "commander";

/** A flag that says for all objects of the input what an annotation says for one. */
export interface OverrideFlag {
  readonly flags: string;
  readonly description: string;
  readonly annotation: string;
  /** true or false, true without a value. */
  readonly isSwitch?: true;
}

export const OVERRIDE_FLAGS: readonly OverrideFlag[] = [
  { flags: "--proxy-image <name>", description: "image of the proxy, without its tag", annotation: A.proxyImage },
  { flags: "--proxy-version <tag>", description: "tag of the proxy's image", annotation: A.proxyVersion },
  {
    flags: "--image-pull-policy <policy>",
    description: "Always, IfNotPresent or Never",
    annotation: A.imagePullPolicy,
  },
  { flags: "--inbound-port <port>", description: "port the proxy takes inbound traffic on", annotation: A.inboundPort },
  {
    flags: "--outbound-port <port>",
    description: "port the proxy takes outbound traffic on",
    annotation: A.outboundPort,
  },
  { flags: "--control-port <port>", description: "port the proxy can be tapped on", annotation: A.controlPort },
  { flags: "--admin-port <port>", description: "port of the proxy's metrics and probes", annotation: A.adminPort },
  {
    flags: "--skip-inbound-ports <ports>",
    description: "ports and ranges whose inbound traffic goes past the proxy",
    annotation: A.skipInboundPorts,
  },
  {
    flags: "--skip-outbound-ports <ports>",
    description: "ports and ranges whose outbound traffic goes past the proxy",
    annotation: A.skipOutboundPorts,
  },
  {
    flags: "--skip-subnets <cidrs>",
    description: "sources whose traffic goes past the proxy",
    annotation: A.skipSubnets,
  },
  {
    flags: "--opaque-ports <ports>",
    description: "ports whose protocol is not looked at; the only flag that annotates services, too",
    annotation: A.opaquePorts,
  },
  { flags: "--proxy-uid <uid>", description: "user the proxy runs as", annotation: A.proxyUid },
  { flags: "--proxy-gid <gid>", description: "group the proxy runs as", annotation: A.proxyGid },
  { flags: "--proxy-log-level <filter>", description: "what the proxy logs", annotation: A.proxyLogLevel },
  { flags: "--proxy-log-format <format>", description: "plain or json", annotation: A.proxyLogFormat },
  { flags: "--access-log <format>", description: "apache or json: the proxy logs requests", annotation: A.accessLog },
  { flags: "--proxy-cpu-request <cpu>", description: "CPU the proxy is promised", annotation: A.proxyCpuRequest },
  { flags: "--proxy-cpu-limit <cpu>", description: "most CPU the proxy may use", annotation: A.proxyCpuLimit },
  {
    flags: "--proxy-memory-request <bytes>",
    description: "memory the proxy is promised",
    annotation: A.proxyMemoryRequest,
  },
  {
    flags: "--proxy-memory-limit <bytes>",
    description: "most memory the proxy may use",
    annotation: A.proxyMemoryLimit,
  },
  {
    flags: "--enable-external-profiles [on]",
    description: "look up profiles of names outside the cluster, too",
    annotation: A.enableExternalProfiles,
    isSwitch: true,
  },
  {
    flags: "--default-inbound-policy <policy>",
    description: "who may call where no policy says",
    annotation: A.defaultInboundPolicy,
  },
  {
    flags: "--require-identity-on-inbound-ports <ports>",
    description: "ports on which clients need an identity",
    annotation: A.proxyRequireIdentityInboundPorts,
  },
  {
    flags: "--native-sidecar [on]",
    description: "run the proxy as an init container that stays, or with false as an ordinary one",
    annotation: A.proxyEnableNativeSidecar,
    isSwitch: true,
  },
  {
    flags: "--wait-before-exit-seconds <seconds>",
    description: "an ordinary sidecar waits that long before it ends",
    annotation: A.proxyWaitBeforeExitSeconds,
  },
  {
    flags: "--shutdown-grace-period <duration>",
    description: "how long the proxy lets connections end by themselves",
    annotation: A.shutdownGracePeriod,
  },
  {
    flags: "--close-wait-timeout <duration>",
    description: "nf_conntrack_tcp_timeout_close_wait of the pod",
    annotation: A.closeWaitTimeout,
  },
  {
    flags: "--enable-debug-sidecar [on]",
    description: "add a container with tools for debugging",
    annotation: A.enableDebugSidecar,
    isSwitch: true,
  },
];

/** Switches that are no annotations of `config.linkerd.io`. */
export const OTHER_SWITCHES: readonly Omit<OverrideFlag, "annotation">[] = [
  { flags: "--ingress [on]", description: "the proxy goes by the requests' host names, for ingress controllers" },
];

export function addOverrideFlags(command: Command): void {
  for (const { flags, description } of [...OVERRIDE_FLAGS, ...OTHER_SWITCHES]) command.option(flags, description);
  command.option("--registry <prefix>", "where the proxy's image comes from, in place of its first part");
}
