const PORT_MAX = 65_535;
const ITEM = /^([0-9]+)(?:-([0-9]+))?$/;

export interface PortItems {
  /** Ports and ranges as proxy and proxy-init read them, in the order given. */
  readonly items: readonly string[];
  /** What was none of it. */
  readonly bad: readonly string[];
}

/**
 * Reads a comma-separated list of ports, ranges `lo-hi` and, where `named` knows them, names of ports. Empty items are
 * nothing: a comma at the end is common.
 */
export function readPortItems(text: string, named: ReadonlyMap<string, number> = new Map()): PortItems {
  const items: string[] = [];
  const bad: string[] = [];
  for (const part of text.split(",")) {
    const item = part.trim();
    if (item === "") continue;
    const port = named.get(item);
    if (port !== undefined) items.push(String(port));
    else if (isPortOrRange(item)) items.push(item);
    else bad.push(item);
  }
  return { items, bad };
}

/** Whether one of the items is or contains the port. */
export function containsPort(items: readonly string[], port: number): boolean {
  return items.some((item) => {
    const [, lo = "", hi = lo] = ITEM.exec(item) ?? [];
    return Number(lo) <= port && port <= Number(hi);
  });
}

export function isPort(port: unknown): port is number {
  return typeof port === "number" && Number.isInteger(port) && port >= 1 && port <= PORT_MAX;
}

function isPortOrRange(item: string): boolean {
  const match = ITEM.exec(item);
  if (match === null) return false;
  const lo = Number(match[1]);
  const hi = match[2] === undefined ? lo : Number(match[2]);
  return isPort(lo) && isPort(hi) && lo <= hi;
}
