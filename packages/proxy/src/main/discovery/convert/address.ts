import { net } from "@bowline/contracts/proto";
import { create } from "@bufbuild/protobuf";
import { parseIp } from "../../../config/address-values.ts";
import { BadValue } from "../../../config/bad-value.ts";
import type { SocketAddr } from "../../../config/types.ts";

const PORT_MAX = 65_535;
const LOW_64_BITS = 0xffff_ffff_ffff_ffffn;

/** The address in the text form that the kernel's addresses are compared in; null when nothing could connect to it. */
export function convertAddress(address: net.TcpAddress | undefined): SocketAddr | null {
  const ip = address?.ip?.ip;
  if (address === undefined || ip?.case === undefined) return null;
  if (address.port < 1 || address.port > PORT_MAX) return null;
  return { ip: ip.case === "ipv4" ? ipv4Text(ip.value) : ipv6Text(ip.value), port: address.port };
}

/** The message for an address whose IP is in the kernel's canonical text form. */
export function addressMessage({ ip, port }: SocketAddr): net.TcpAddress {
  return create(net.TcpAddressSchema, {
    ip: { ip: ip.includes(":") ? { case: "ipv6", value: ipv6Halves(ip) } : { case: "ipv4", value: ipv4Number(ip) } },
    port,
  });
}

function ipv4Text(number: number): string {
  return [number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255].join(".");
}

function ipv4Number(ip: string): number {
  return ip.split(".").reduce((number, byte) => number * 256 + Number(byte), 0);
}

function ipv6Text({ first, last }: net.IPv6): string {
  const digits = ((first << 64n) | last).toString(16).padStart(32, "0");
  const ip = parseIp((digits.match(/.{4}/g) ?? []).join(":"));
  if (ip instanceof BadValue) throw new Error(`128 bits are no IPv6 address: ${ip.reason}`);
  return ip;
}

function ipv6Halves(ip: string): { first: bigint; last: bigint } {
  const [head = "", tail] = ip.split("::");
  const before = hextets(head);
  const after = tail === undefined ? [] : hextets(tail);
  const zeros: bigint[] = Array.from({ length: 8 - before.length - after.length }, () => 0n);
  const bits = [...before, ...zeros, ...after].reduce((sum, hextet) => (sum << 16n) | hextet, 0n);
  return { first: bits >> 64n, last: bits & LOW_64_BITS };
}

function hextets(text: string): bigint[] {
  return text === "" ? [] : text.split(":").map((digits) => BigInt(`0x${digits}`));
}
