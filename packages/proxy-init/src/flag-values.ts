import { isIPv4, isIPv6 } from "node:net";
import { parseDurationMs } from "@bowline/contracts";
import { IpFamily, type IptablesMode, type LogFormat, type LogLevel, type PortRange, type Subnet } from "./options.ts";

/** A value, or the reason why the text is none. */
export type Parsed<T> = { readonly value: T } | { readonly reason: string };

const PORT_MAX = 65_535;
/** The kernel's ids are 32 bits, and the highest means "none". */
const ID_MAX = 4_294_967_294;
const SECONDS_MAX = 2_147_483_647;

// Go's strconv.ParseBool, which Linkerd's flags go through.
const TRUE_WORDS = ["1", "t", "T", "true", "TRUE", "True"];
const FALSE_WORDS = ["0", "f", "F", "false", "FALSE", "False"];

// logrus' names, by the level of ours that shows the same lines.
const LOG_LEVELS: Readonly<Record<string, LogLevel>> = {
  panic: "error",
  fatal: "error",
  error: "error",
  warn: "warn",
  warning: "warn",
  info: "info",
  debug: "debug",
  trace: "trace",
};

/** A port the proxy listens on; 0 is no port that traffic could be redirected to. */
export function parseProxyPort(text: string): Parsed<number> {
  const port = wholeNumber(text, PORT_MAX);
  return port === null || port === 0
    ? { reason: `must be a valid TCP port number (1 to ${PORT_MAX})` }
    : { value: port };
}

/** A port, or two joined by `-`, the lower first. Port 0 is allowed so that `0-65535` can mean all. */
export function parsePortRange(text: string): Parsed<PortRange> {
  const parts = text.trim().split("-");
  const low = wholeNumber(parts[0] ?? "", PORT_MAX);
  const high = parts.length === 1 ? low : wholeNumber(parts[1] ?? "", PORT_MAX);
  if (parts.length > 2 || low === null || high === null) {
    return { reason: `must be a port (0 to ${PORT_MAX}) or a range of two, such as 4567-4568` };
  }
  if (low > high) return { reason: "the first port of a range must not be above the second" };
  return { value: { low, high } };
}

/** An address with a prefix length, such as 10.0.0.0/8 or fd00::/8. */
export function parseSubnet(text: string): Parsed<Subnet> {
  const cidr = text.trim();
  const slash = cidr.indexOf("/");
  const address = cidr.slice(0, Math.max(slash, 0));
  const family = isIPv4(address) ? IpFamily.V4 : isIPv6(address) && !address.includes("%") ? IpFamily.V6 : null;
  const prefixBits = wholeNumber(cidr.slice(slash + 1), family === IpFamily.V4 ? 32 : 128);
  if (family === null || prefixBits === null)
    return { reason: "not a valid CIDR address, such as 10.0.0.0/8 or fd00::/8" };
  return { value: { family, cidr: `${address}/${prefixBits}` } };
}

/** A user or group id. Linkerd passes -1 and 0 for "no rule", which is null here. */
export function parseId(text: string): Parsed<number | null> {
  if (text.trim() === "-1") return { value: null };
  const id = wholeNumber(text, ID_MAX);
  if (id === null) return { reason: `must be a whole number from 1 to ${ID_MAX}, or -1 for none` };
  return { value: id === 0 ? null : id };
}

/** Seconds; 0, the default of Linkerd's flag, leaves the kernel's value alone. */
export function parseSeconds(text: string): Parsed<number | null> {
  const seconds = wholeNumber(text, SECONDS_MAX);
  if (seconds === null) return { reason: `must be a whole number of seconds up to ${SECONDS_MAX}` };
  return { value: seconds === 0 ? null : seconds };
}

export function parseSwitch(text: string): Parsed<boolean> {
  if (TRUE_WORDS.includes(text)) return { value: true };
  return FALSE_WORDS.includes(text) ? { value: false } : { reason: "must be true or false" };
}

/** An empty text, as Linkerd's charts pass it, is "not given". */
export function parseMode(text: string): Parsed<IptablesMode | null> {
  switch (text) {
    case "":
      return { value: null };
    case "legacy":
    case "nft":
    case "plain":
      return { value: text };
    default:
      return { reason: "must be legacy, nft or plain" };
  }
}

/** The flag that `--iptables-mode` replaced; it names a program rather than a mode. */
export function parseFirewallBinary(text: string): Parsed<IptablesMode | null> {
  switch (text) {
    case "":
      return { value: null };
    case "iptables-legacy":
      return { value: "legacy" };
    case "iptables-nft":
      return { value: "nft" };
    case "iptables":
      return { value: "plain" };
    default:
      return { reason: "must be iptables, iptables-legacy or iptables-nft" };
  }
}

export function parseLogLevel(text: string): Parsed<LogLevel> {
  const level = LOG_LEVELS[text.toLowerCase()];
  return level === undefined ? { reason: `must be one of ${Object.keys(LOG_LEVELS).join(", ")}` } : { value: level };
}

export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** `ip:port`, with brackets around an IPv6 address. */
export function parseSocketAddress(text: string): Parsed<SocketAddress> {
  const [, v6, v4, port = ""] = /^(?:\[([^\]%]+)\]|([^:]+)):([0-9]+)$/.exec(text) ?? [];
  const portNumber = wholeNumber(port, PORT_MAX);
  if (portNumber !== null && v4 !== undefined && isIPv4(v4)) return { value: { host: v4, port: portNumber } };
  if (portNumber !== null && v6 !== undefined && isIPv6(v6)) return { value: { host: v6, port: portNumber } };
  return { reason: "must be an IP address and a port, such as 0.0.0.0:4140 or [::]:4140" };
}

/** Milliseconds from a duration in Linkerd's grammar. */
export function parseTimeout(text: string): Parsed<number> {
  const ms = parseDurationMs(text);
  // Timers count in 31 bits of milliseconds; beyond that they would fire at once.
  if (ms === null || ms > 2_147_483_647) return { reason: "must be a duration of at most 24d, such as 500ms or 10s" };
  return { value: ms };
}

export function parseLogFormat(text: string): Parsed<LogFormat> {
  return text === "plain" || text === "json" ? { value: text } : { reason: "must be plain or json" };
}

/** Digits only: no sign, fraction, exponent or `0x`. */
function wholeNumber(text: string, max: number): number | null {
  const digits = text.trim();
  if (!/^[0-9]{1,10}$/.test(digits)) return null;
  const number = Number(digits);
  return number <= max ? number : null;
}
