/** An inclusive range; a single port has `low` equal to `high`. */
export interface PortRange {
  readonly low: number;
  readonly high: number;
}

export const IpFamily = { V4: 4, V6: 6 } as const;
export type IpFamily = (typeof IpFamily)[keyof typeof IpFamily];

export interface Subnet {
  readonly family: IpFamily;
  /** As given, with its prefix length; the kernel masks host bits itself. */
  readonly cidr: string;
}

/** What the rules are made from; nothing here depends on the host they are for. */
export interface RuleOptions {
  readonly incomingPort: number;
  readonly outgoingPort: number;
  /** Null: no rule lets a user's connections through. */
  readonly proxyUid: number | null;
  readonly proxyGid: number | null;
  /** Empty: every port is redirected. */
  readonly portsToRedirect: readonly PortRange[];
  readonly inboundPortsToIgnore: readonly PortRange[];
  readonly outboundPortsToIgnore: readonly PortRange[];
  readonly subnetsToIgnore: readonly Subnet[];
}

/** Which of a host's iptables programs to use: `iptables-legacy`, `iptables-nft` or whatever `iptables` is there. */
export type IptablesMode = "legacy" | "nft" | "plain";

/**
 * `if-available` is the default: a kernel without IPv6 NAT is passed over with a warning as long as the namespace has
 * no IPv6 address beyond its links. `required` comes from an explicit `--ipv6`.
 */
export type Ipv6Choice = "off" | "if-available" | "required";

export type LogFormat = "plain" | "json";
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

export interface HostOptions {
  readonly mode: IptablesMode;
  /** Path of another network namespace to work in. */
  readonly netns: string | null;
  /** Wait for the lock that other iptables programs hold instead of trying again a few times. */
  readonly waitForLock: boolean;
  readonly ipv6: Ipv6Choice;
  readonly closeWaitTimeoutSecs: number | null;
  readonly simulate: boolean;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

export interface InitOptions {
  /** Null with `--cleanup`: what was installed is to be removed. */
  readonly rules: RuleOptions | null;
  readonly host: HostOptions;
}
