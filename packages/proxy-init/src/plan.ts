import {
  IGNORE_LOOPBACK_RULE,
  IGNORE_PORT_RULE_PREFIX,
  IGNORE_PROXY_GID_RULE,
  IGNORE_PROXY_UID_RULE,
  IGNORE_SUBNET_RULE_PREFIX,
  INSTALL_OUTPUT_RULE,
  INSTALL_PREROUTING_RULE,
  OUTPUT_CHAIN,
  REDIRECT_ALL_INCOMING_RULE,
  REDIRECT_ALL_OUTGOING_RULE,
  REDIRECT_CHAIN,
  RULE_COMMENT_PREFIX,
} from "@bowline/contracts";
import type { IpFamily, PortRange, RuleOptions } from "./options.ts";

/** One of the kernel's chains that we hook into, and the chain of ours that it then jumps to. */
export interface PlannedChain {
  readonly name: string;
  readonly hook: string;
  /** The rule in `hook` that jumps here. Rules are what follows `-A CHAIN` in iptables' own notation. */
  readonly jump: string;
  readonly rules: readonly string[];
}

/** Our chains with the hook each belongs to: inbound traffic passes PREROUTING, what the pod itself sends OUTPUT. */
export const HOOKS: Readonly<Record<string, string>> = {
  [REDIRECT_CHAIN]: "PREROUTING",
  [OUTPUT_CHAIN]: "OUTPUT",
};

/**
 * The nat rules of one address family. Order matters: the first rule that matches decides, so what is to be left
 * alone returns to the hook before the last rule redirects the rest.
 *
 * @param unixSecs ends every comment, so that a listing tells when the rules were made
 */
export function planRules(options: RuleOptions, family: IpFamily, unixSecs: number): readonly PlannedChain[] {
  const comment = (suffix: string): string => `-m comment --comment "${RULE_COMMENT_PREFIX}/${suffix}/${unixSecs}"`;
  const ignorePort = (range: PortRange): string =>
    `-p tcp -m tcp --dport ${portsText(range)} ${comment(IGNORE_PORT_RULE_PREFIX + portsText(range))} -j RETURN`;
  return [
    {
      name: REDIRECT_CHAIN,
      hook: "PREROUTING",
      jump: `${comment(INSTALL_PREROUTING_RULE)} -j ${REDIRECT_CHAIN}`,
      rules: [
        ...options.inboundPortsToIgnore.map(ignorePort),
        ...options.subnetsToIgnore
          .filter((subnet) => subnet.family === family)
          .map(({ cidr }) => `-s ${cidr} ${comment(IGNORE_SUBNET_RULE_PREFIX + cidr)} -j RETURN`),
        ...redirectIncoming(options, comment),
      ],
    },
    {
      name: OUTPUT_CHAIN,
      hook: "OUTPUT",
      jump: `${comment(INSTALL_OUTPUT_RULE)} -j ${OUTPUT_CHAIN}`,
      rules: [
        ...ignoreOwner("uid", options.proxyUid, comment(IGNORE_PROXY_UID_RULE)),
        ...ignoreOwner("gid", options.proxyGid, comment(IGNORE_PROXY_GID_RULE)),
        // Covers 127.0.0.1 and the pod's own address, which the kernel sends over lo too.
        `-o lo ${comment(IGNORE_LOOPBACK_RULE)} -j RETURN`,
        ...options.outboundPortsToIgnore.map(ignorePort),
        `-p tcp ${comment(REDIRECT_ALL_OUTGOING_RULE)} -j REDIRECT --to-ports ${options.outgoingPort}`,
      ],
    },
  ];
}

function redirectIncoming(options: RuleOptions, comment: (suffix: string) => string): string[] {
  const target = `-j REDIRECT --to-ports ${options.incomingPort}`;
  if (options.portsToRedirect.length === 0) return [`-p tcp ${comment(REDIRECT_ALL_INCOMING_RULE)} ${target}`];
  return options.portsToRedirect.map((range) => {
    const ports = portsText(range);
    return `-p tcp -m tcp --dport ${ports} ${comment(`redirect-port-${ports}-to-proxy-port`)} ${target}`;
  });
}

function ignoreOwner(kind: "uid" | "gid", id: number | null, comment: string): string[] {
  return id === null ? [] : [`-m owner --${kind}-owner ${id} ${comment} -j RETURN`];
}

function portsText({ low, high }: PortRange): string {
  return low === high ? `${low}` : `${low}:${high}`;
}
