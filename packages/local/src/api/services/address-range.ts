/** A block of addresses that are handed out one by one. */
export interface AddressRange {
  readonly family: "IPv4" | "IPv6";
  /** "10.96.0.0/16", for messages. */
  readonly cidr: string;
  /** How many addresses there are to give. */
  readonly size: number;
  /** The address at an offset, 0 ≤ offset < size. */
  at(offset: number): string;
  /** Whether an address, in any spelling, is one of them; its usual spelling if so. */
  find(address: string): string | undefined;
}

/** The range of a cluster's services in a family: 10.96.0.0/16 or fd00:10:96::/112, of each 65,534 addresses. */
export function serviceRange(family: "IPv4" | "IPv6"): AddressRange {
  return family === "IPv4" ? V4 : V6;
}

/** The first and the last address of either block are kept back. */
const SIZE = 65_534;

const V4: AddressRange = {
  family: "IPv4",
  cidr: "10.96.0.0/16",
  size: SIZE,
  at: (offset) => `10.96.${(offset + 1) >> 8}.${(offset + 1) & 0xff}`,
  find(address) {
    const match = /^10\.96\.(\d{1,3})\.(\d{1,3})$/.exec(address);
    if (match === null) return undefined;
    const [high, low] = [Number(match[1]), Number(match[2])];
    return high < 256 && low < 256 && isGiven((high << 8) | low) ? `10.96.${high}.${low}` : undefined;
  },
};

const V6: AddressRange = {
  family: "IPv6",
  cidr: "fd00:10:96::/112",
  size: SIZE,
  at: (offset) => `fd00:10:96::${(offset + 1).toString(16)}`,
  find(address) {
    const match = /^fd00:0{0,2}10:0{0,2}96:(?::|0{1,4}(?::0{1,4}){3}:)([0-9a-f]{1,4})$/i.exec(address);
    if (match?.[1] === undefined) return undefined;
    const host = Number.parseInt(match[1], 16);
    return isGiven(host) ? `fd00:10:96::${host.toString(16)}` : undefined;
  },
};

function isGiven(host: number): boolean {
  return host >= 1 && host <= SIZE;
}
