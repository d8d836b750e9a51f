import { isIP } from "node:net";
import { BadValue } from "./bad-value.ts";
import type { SocketAddr } from "./types.ts";

/** An address that need not be an IP address yet. */
export interface HostPort {
  /** An IP address without brackets, or a DNS name in lower case, whose trailing dot is kept. */
  readonly host: string;
  readonly port: number;
}

/** `ip:port` or `[ipv6]:port`. Port 0 lets the kernel choose. */
export function parseSocketAddr(text: string): SocketAddr | BadValue {
  const addr = parseHostPort(text);
  if (addr instanceof BadValue) return addr;
  return isIP(addr.host) === 0 ? new BadValue("the host is not an IP address") : { ip: addr.host, port: addr.port };
}

/** One or two socket addresses separated by a comma: one for each IP family. */
export function parseSocketAddrs(text: string): readonly SocketAddr[] | BadValue {
  const parts = text.split(",");
  if (parts.length > 2) return new BadValue("more than two addresses");
  const addrs: SocketAddr[] = [];
  for (const part of parts) {
    const addr = parseSocketAddr(part.trim());
    if (addr instanceof BadValue) return addr;
    addrs.push(addr);
  }
  return addrs;
}

/** `ip:port`, `[ipv6]:port` or `name:port`. */
export function parseHostPort(text: string): HostPort | BadValue {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) return new BadValue("not an address such as 127.0.0.1:80 or [::1]:80");
  const port = Number(match[3]);
  if (port > 65535) return new BadValue("the port is above 65535");
  if (match[1] !== undefined) {
    return isIP(host) === 6 ? { host: canonicalIp(host), port } : new BadValue("not an IPv6 address in the brackets");
  }
  const name = isIP(host) === 4 ? host : parseDnsName(host);
  return name instanceof BadValue ? new BadValue("the host is no IP address and no DNS name") : { host: name, port };
}

/**
 * A listener or forward address as 2018's variables write it: `tcp://ip:port`, a single `/` after it allowed.
 * 2018 wanted the scheme, an authority with a port, no path, and an IP address where something is to be bound.
 */
export function parseTcpUrlSocketAddr(text: string): SocketAddr | BadValue {
  const addr = parseTcpUrl(text);
  if (addr instanceof BadValue) return addr;
  return isIP(addr.host) === 0 ? new BadValue("the host is not an IP address") : { ip: addr.host, port: addr.port };
}

/** `tcp://host:port`, where the host may be a name. */
export function parseTcpUrl(text: string): HostPort | BadValue {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]*)(.*)$/s.exec(text);
  if (match === null) return new BadValue("not a URL such as tcp://127.0.0.1:80");
  const [, scheme = "", authority = "", path = ""] = match;
  if (scheme.toLowerCase() !== "tcp") return new BadValue("the scheme is not tcp");
  if (path !== "" && path !== "/") return new BadValue("a path is not allowed");
  return parseHostPort(authority);
}

/** An IP address in canonical text, IPv4-mapped IPv6 as IPv4: the form the kernel's addresses are compared in. */
export function parseIp(text: string): string | BadValue {
  return isIP(text) === 0 ? new BadValue(`"${text}" is not an IP address`) : canonicalIp(text);
}

/** Bare IP addresses separated by commas; the empty text is no address. */
export function parseIpSet(text: string): readonly string[] | BadValue {
  const ips = new Set<string>();
  for (const part of listItems(text)) {
    const ip = parseIp(part);
    if (ip instanceof BadValue) return ip;
    ips.add(ip);
  }
  return [...ips];
}

/** CIDR networks separated by commas, such as `10.0.0.0/8,fd00::/8`; host bits may be set. */
export function parseNetworks(text: string): readonly string[] | BadValue {
  const networks: string[] = [];
  for (const part of listItems(text)) {
    const match = /^([^/]+)\/([0-9]{1,3})$/.exec(part);
    const family = isIP(match?.[1] ?? "");
    if (match === null || family === 0) return new BadValue(`"${part}" is not a network such as 10.0.0.0/8`);
    if (Number(match[2]) > (family === 4 ? 32 : 128)) return new BadValue(`the prefix of "${part}" is too long`);
    networks.push(`${canonicalNetworkIp(match[1] ?? "", family)}/${Number(match[2])}`);
  }
  return networks;
}

/** A DNS name in lower case; a trailing dot is kept. */
export function parseDnsName(text: string): string | BadValue {
  const labels = (text.endsWith(".") ? text.slice(0, -1) : text).split(".");
  const valid = text.length <= 254 && labels.every((label) => DNS_LABEL.test(label));
  return valid ? text.toLowerCase() : new BadValue(`"${text}" is not a DNS name`);
}

/** DNS suffixes separated by commas; `.` stands for every name. */
export function parseDnsSuffixes(text: string): readonly string[] | BadValue {
  const suffixes = new Set<string>();
  for (const part of listItems(text)) {
    const suffix = part === "." ? part : parseDnsName(part);
    if (suffix instanceof BadValue) return suffix;
    suffixes.add(suffix);
  }
  return [...suffixes];
}

/** True for 127.0.0.0/8, ::1 and the name localhost. */
export function isLoopbackHost(host: string): boolean {
  return (
    (isIP(host) === 4 && host.startsWith("127.")) || host === "::1" || host === "localhost" || host === "localhost."
  );
}

// Underscores occur in the names of real services although host names have none.
const DNS_LABEL = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/;

function listItems(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function canonicalIp(ip: string): string {
  if (isIP(ip) === 4) return ip;
  const canonical = canonicalIpv6(ip);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return canonical;
  const [high, low] = [Number.parseInt(mapped[1] ?? "", 16), Number.parseInt(mapped[2] ?? "", 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** A network keeps its family, or the prefix length would no longer fit. */
function canonicalNetworkIp(ip: string, family: number): string {
  return family === 4 ? ip : canonicalIpv6(ip);
}

function canonicalIpv6(ip: string): string {
  // The URL parser knows RFC 5952; a zone (%eth0) is not part of a URL and stays behind the address.
  const [address = "", zone] = ip.split("%");
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}
