import { encodeSockaddr, formatAddress, sockaddrIp, sockaddrPort } from "@bowline/sys";

/** `10.0.0.1:80` or `[fd00::1]:80`, as the bytes of a struct sockaddr. */
export function addressText(sockaddr: Uint8Array): string {
  return formatAddress(sockaddrIp(sockaddr), sockaddrPort(sockaddr));
}

/** Writes the struct sockaddr of an address; an IPv4 one as ::ffff:a.b.c.d where the socket is an IPv6 one. */
export function writeSockaddr(out: Uint8Array, address: string, mapped: boolean): void {
  const colon = address.lastIndexOf(":");
  const ip = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(colon + 1));
  out.set(encodeSockaddr(mapped && !ip.includes(":") ? `::ffff:${ip}` : ip, port));
}
