import { Command, Option } from "commander";
import { FlagReader, type FlagsEnd, runCommander } from "./flag-reader.ts";
import {
  parseFirewallBinary,
  parseId,
  parseLogLevel,
  parseMode,
  parsePortRange,
  parseProxyPort,
  parseSeconds,
  parseSubnet,
  parseSwitch,
} from "./flag-values.ts";
import type { HostOptions, InitOptions, Ipv6Choice, RuleOptions } from "./options.ts";

export type FlagsResult = { readonly kind: "options"; readonly options: InitOptions } | FlagsEnd;

/** `true` when the flag was given without a value. */
type Toggle = string | true;

/** What commander hands over: texts as they were given, lists one entry per mention of the flag. */
interface RawFlags {
  incomingProxyPort?: string;
  outgoingProxyPort?: string;
  proxyUid: string;
  proxyGid: string;
  portsToRedirect: string[];
  inboundPortsToIgnore: string[];
  outboundPortsToIgnore: string[];
  subnetsToIgnore: string[];
  simulate: Toggle;
  cleanup: Toggle;
  netns: string;
  useWaitFlag: Toggle;
  timeoutCloseWaitSecs: string;
  logFormat: string;
  logLevel: string;
  iptablesMode: string;
  ipv6: Toggle;
  firewallBinPath: string;
}

/** Reads proxy-init's arguments. Every mistake is reported, each naming its flag and value. */
export function parseFlags(args: readonly string[]): FlagsResult {
  const command = declareFlags();
  const parsed = runCommander(command, args);
  if (parsed !== null) return parsed;
  const reader = new FlagReader();
  const raw = command.opts<RawFlags>();
  const options: InitOptions = {
    rules: reader.read("--cleanup", String(raw.cleanup), parseSwitch, false) ? null : readRules(reader, raw),
    host: readHost(reader, raw, command.getOptionValueSource("ipv6") === "cli"),
  };
  return reader.errors.length === 0 ? { kind: "options", options } : { kind: "errors", errors: reader.errors };
}

function readRules(reader: FlagReader, raw: RawFlags): RuleOptions {
  return {
    incomingPort: reader.required("--incoming-proxy-port", raw.incomingProxyPort, parseProxyPort, 0),
    outgoingPort: reader.required("--outgoing-proxy-port", raw.outgoingProxyPort, parseProxyPort, 0),
    proxyUid: reader.read("--proxy-uid", raw.proxyUid, parseId, null),
    proxyGid: reader.read("--proxy-gid", raw.proxyGid, parseId, null),
    portsToRedirect: reader.list("--ports-to-redirect", raw.portsToRedirect, parsePortRange),
    inboundPortsToIgnore: reader.list("--inbound-ports-to-ignore", raw.inboundPortsToIgnore, parsePortRange),
    outboundPortsToIgnore: reader.list("--outbound-ports-to-ignore", raw.outboundPortsToIgnore, parsePortRange),
    subnetsToIgnore: reader.list("--subnets-to-ignore", raw.subnetsToIgnore, parseSubnet),
  };
}

function readHost(reader: FlagReader, raw: RawFlags, ipv6Given: boolean): HostOptions {
  const binary = reader.read("--firewall-bin-path", raw.firewallBinPath, parseFirewallBinary, null);
  const mode = reader.read("--iptables-mode", raw.iptablesMode, parseMode, null);
  const wanted = reader.read("--ipv6", String(raw.ipv6), parseSwitch, true);
  const ipv6: Ipv6Choice = !wanted ? "off" : ipv6Given ? "required" : "if-available";
  return {
    mode: mode ?? binary ?? "plain",
    netns: raw.netns === "" ? null : raw.netns,
    waitForLock: reader.read("--use-wait-flag", String(raw.useWaitFlag), parseSwitch, false),
    ipv6,
    closeWaitTimeoutSecs: reader.read("--timeout-close-wait-secs", raw.timeoutCloseWaitSecs, parseSeconds, null),
    simulate: reader.read("--simulate", String(raw.simulate), parseSwitch, false),
    logFormat: raw.logFormat === "json" ? "json" : "plain",
    logLevel: reader.read("--log-level", raw.logLevel, parseLogLevel, "info"),
  };
}

function declareFlags(): Command {
  const command = new Command("proxy-init")
    .description("Redirects a pod's TCP traffic to its proxy by nat rules of iptables and ip6tables.")
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .helpOption("-h, --help", "show this help");
  const text = (flags: string, description: string, fallback?: string, shown = fallback || "none"): void => {
    const option = new Option(flags, description);
    command.addOption(fallback === undefined ? option : option.default(fallback, shown));
  };
  const list = (flags: string, description: string): void => {
    const option = new Option(flags, `${description} (comma-separated, repeatable)`).default([], "none");
    command.addOption(option.argParser((value: string, before: string[]) => [...before, value]));
  };
  const toggle = (flags: string, description: string, fallback: string): void => {
    command.addOption(new Option(`${flags} [true|false]`, description).default(fallback, fallback));
  };
  text("-p, --incoming-proxy-port <port>", "port that inbound traffic is redirected to (required)");
  text("-o, --outgoing-proxy-port <port>", "port that outbound traffic is redirected to (required)");
  text("-u, --proxy-uid <uid>", "user whose outbound traffic is left alone: the proxy's", "-1");
  text("-g, --proxy-gid <gid>", "group whose outbound traffic is left alone", "-1");
  list("-r, --ports-to-redirect <ports>", "inbound ports or ranges to redirect, all when empty");
  list("--inbound-ports-to-ignore <ports>", "inbound ports or ranges to leave alone");
  list("--outbound-ports-to-ignore <ports>", "outbound ports or ranges to leave alone");
  list("--subnets-to-ignore <cidrs>", "sources whose inbound traffic is left alone");
  toggle("--cleanup", "remove the rules that proxy-init installed, and nothing else", "false");
  toggle("--simulate", "print the commands and their input as a shell script, run nothing", "false");
  text("--netns <path>", "network namespace to work in, by nsenter", "");
  toggle("-w, --use-wait-flag", "wait for the lock of iptables", "false");
  text("--timeout-close-wait-secs <secs>", "nf_conntrack_tcp_timeout_close_wait, unchanged when 0", "0");
  text("--log-format <format>", "plain or json", "plain");
  text("--log-level <level>", "error, warn, info, debug or trace", "info");
  text("--iptables-mode <mode>", "legacy, nft or plain: whatever iptables is there", "", "plain");
  toggle("--ipv6", "install the rules for IPv6 too; given explicitly, a kernel without IPv6 NAT is an error", "true");
  text("--firewall-bin-path <name>", "older way to choose the mode: iptables, iptables-legacy, iptables-nft", "");
  text("--firewall-save-bin-path <name>", "accepted for older callers; follows from the mode", "");
  return command;
}
