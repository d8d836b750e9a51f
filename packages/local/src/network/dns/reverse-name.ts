import { isIP } from "node:net";

const V4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/;
const V6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/;

/** The address in a name that PTR records are asked for (RFC 1035 §3.5, RFC 3596 §2.5); undefined when it is none. */
export function addressOfReverseName(name: string): string | undefined {
  const v4 = V4.exec(name);
  if (v4 !== null) {
    const ip = v4.slice(1).reverse().join(".");
    return isIP(ip) === 4 ? ip : undefined;
  }
  const v6 = V6.exec(name)?.[1];
  if (v6 === undefined) return undefined;
  const digits = v6.split(".").reverse().join("");
  return canonicalIpv6(digits.match(/.{4}/g)?.join(":") ?? "");
}

/** `10-244-0-5` for 10.244.0.5: an address as one label of a name. */
export function dashed(ip: string): string {
  return ip.replaceAll(/[.:]/g, "-");
}

/** The address that a label spells; undefined when it is none. */
export function undashed(label: string): string | undefined {
  const v4 = label.replaceAll("-", ".");
  if (isIP(v4) === 4) return v4;
  const v6 = label.replaceAll("-", ":");
  return isIP(v6) === 6 ? canonicalIpv6(v6) : undefined;
}

/** RFC 5952: the one way of writing an IPv6 address, in which objects have them. */
function canonicalIpv6(ip: string): string {
  return new URL(`http://[${ip}]/`).hostname.slice(1, -1);
}
