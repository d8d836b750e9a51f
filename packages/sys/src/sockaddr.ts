import { isIP, isIPv6 } from "node:net";

/** sizeof(struct sockaddr_in6), the larger of the two kinds; a buffer of this size takes either. */
export const SOCKADDR_BYTES = 28;
export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCKADDR_IN_BYTES = 16;

/**
 * struct sockaddr_in or sockaddr_in6 for an address. Throws RangeError when `ip` is not an IP address or has a zone
 * (`fe80::1%eth0`), or `port` is none.
 */
export function encodeSockaddr(ip: string, port: number): Uint8Array {
  const family = isIP(ip);
  if (family === 0) throw new RangeError(`${ip} is not an IP address`);
  // Without its zone the address would name another host.
  if (ip.includes("%")) throw new RangeError(`${ip} has a zone`);
  if (!(Number.isInteger(port) && port >= 0 && port <= 65535)) throw new RangeError(`${port} is not a port`);
  const bytes = new Uint8Array(family === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  if (family === 4) bytes.set(ip.split(".").map(Number), 4);
  else bytes.set(parseIpv6(ip), 8);
  return bytes;
}

/** The textual address in a sockaddr at `at`; IPv4-mapped IPv6 comes out as IPv4. */
export function sockaddrIp(bytes: Uint8Array, at = 0): string {
  if (isIpv4(bytes, at)) {
    const first = at + ipv4Offset(bytes, at);
    return `${bytes[first]}.${bytes[first + 1]}.${bytes[first + 2]}.${bytes[first + 3]}`;
  }
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[at + 8 + i]! << 8) | bytes[at + 9 + i]!);
  return compressIpv6(groups);
}

export function sockaddrPort(bytes: Uint8Array, at = 0): number {
  return (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** True for AF_INET and for IPv4-mapped IPv6 (::ffff:a.b.c.d). */
export function isIpv4(bytes: Uint8Array, at = 0): boolean {
  if (bytes[at] === AF_INET) return true;
  for (let i = 8; i < 18; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 18] === 0xff && bytes[at + 19] === 0xff;
}

/**
 * The IPv4 address and port as one number below 2^48, a key that costs no string; -1 for real IPv6.
 */
export function ipv4Key(bytes: Uint8Array, at = 0): number {
  if (!isIpv4(bytes, at)) return -1;
  const first = at + ipv4Offset(bytes, at);
  const ip = bytes[first]! * 0x1000000 + ((bytes[first + 1]! << 16) | (bytes[first + 2]! << 8) | bytes[first + 3]!);
  return ip * 0x10000 + sockaddrPort(bytes, at);
}

/** 127.0.0.0/8, ::1 and the mapped forms. */
export function isLoopback(bytes: Uint8Array, at = 0): boolean {
  if (isIpv4(bytes, at)) return bytes[at + ipv4Offset(bytes, at)] === 127;
  for (let i = 8; i < 23; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 23] === 1;
}

/** `10.0.0.1:80` or `[fd00::1]:80`. */
export function formatAddress(ip: string, port: number): string {
  return isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function ipv4Offset(bytes: Uint8Array, at: number): number {
  return bytes[at] === AF_INET ? 4 : 20;
}

function parseIpv6(ip: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const plain = ip.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => {
    const high = (Number(a) << 8) | Number(b);
    const low = (Number(c) << 8) | Number(d);
    return `${high.toString(16)}:${low.toString(16)}`;
  });
  const [head = "", tail] = plain.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  const groups = [...front, ...Array.from({ length: zeros }, () => "0"), ...back];
  groups.forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}

/** RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals, becomes `::`. */
function compressIpv6(groups: readonly number[]): string {
  let bestAt = -1;
  let bestLength = 1;
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > bestLength) {
      bestAt = at;
      bestLength = length;
    }
    at += length;
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestAt < 0) return hex.join(":");
  return `${hex.slice(0, bestAt).join(":")}::${hex.slice(bestAt + bestLength).join(":")}`;
}
