import { isIP } from "node:net";
import type { net } from "@bowline/contracts/proto";
import type { MessageInitShape } from "@bufbuild/protobuf";

type IpInit = NonNullable<Extract<MessageInitShape<typeof net.IPAddressSchema>, { $typeName?: never }>["ip"]>;

/**
 * An IP address in the one text form by which addresses are compared here: IPv6 in full and lower case, IPv4 mapped into
 * IPv6 as IPv4. null when the text is none.
 */
export function canonicalIp(text: string): string | null {
  switch (isIP(text)) {
    case 4:
      return text;
    case 6:
      return mappedIpv4(hextetsOf(text)) ?? hextetsOf(text).map(hex).join(":");
    default:
      return null;
  }
}

/** The family of an address in canonical form. */
export function familyOf(ip: string): 4 | 6 {
  return ip.includes(":") ? 6 : 4;
}

/** `ip:port` or `[ip]:port`: how endpoints are told apart. */
export function addressKey(ip: string, port: number): string {
  return familyOf(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** @param ip in canonical form */
export function addressMessage(ip: string, port: number): { ip: { ip: IpInit }; port: number } {
  return { ip: { ip: familyOf(ip) === 6 ? ipv6(ip) : { case: "ipv4", value: ipv4Number(ip) } }, port };
}

/** An IPv6 address as people write it (RFC 5952); others as they are. */
export function shownIp(ip: string): string {
  return familyOf(ip) === 6 ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;
}

function ipv6(ip: string): IpInit {
  const bits = ip.split(":").reduce((sum, digits) => (sum << 16n) | BigInt(`0x${digits}`), 0n);
  return { case: "ipv6", value: { first: bits >> 64n, last: bits & 0xffff_ffff_ffff_ffffn } };
}

function ipv4Number(ip: string): number {
  return ip.split(".").reduce((number, byte) => number * 256 + Number(byte), 0);
}

function hextetsOf(text: string): number[] {
  const [unzoned = ""] = text.split("%");
  const [head = "", tail] = unzoned.split("::");
  const before = readHextets(head);
  const after = tail === undefined ? [] : readHextets(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after];
}

function readHextets(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [Number.parseInt(part, 16)];
    const number = ipv4Number(part);
    return [Math.floor(number / 65_536), number % 65_536];
  });
}

/** RFC 4291 §2.5.5.2. */
function mappedIpv4(hextets: readonly number[]): string | null {
  const [high = 0, low = 0] = hextets.slice(6);
  const isMapped = hextets.slice(0, 5).every((hextet) => hextet === 0) && hextets[5] === 0xffff;
  return isMapped ? [high >>> 8, high & 255, low >>> 8, low & 255].join(".") : null;
}

function hex(hextet: number): string {
  return hextet.toString(16);
}

/** The canonical form of a message's address; "" when there is none. */
export function messageIp(ip: net.IPAddress["ip"] | undefined): string {
  switch (ip?.case) {
    case "ipv4":
      return [24, 16, 8, 0].map((shift) => (ip.value >>> shift) & 255).join(".");
    case "ipv6": {
      const digits = ((ip.value.first << 64n) | ip.value.last).toString(16).padStart(32, "0");
      return (digits.match(/.{4}/g) ?? []).map((hextet) => Number.parseInt(hextet, 16).toString(16)).join(":");
    }
    default:
      return "";
  }
}
