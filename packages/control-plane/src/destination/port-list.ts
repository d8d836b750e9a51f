/** Ports as annotations and flags list them: `25,1000-2000,http`. */
export interface PortList {
  has(port: number): boolean;
}

const PORT_MAX = 65_535;
const RANGE = /^([0-9]+)(?:-([0-9]+))?$/;

/**
 * Reads numbers, ranges and, where `named` knows them, names of ports, separated by commas. What cannot be read is left
 * out, as by Linkerd.
 */
export function parsePortList(text: string, named: ReadonlyMap<string, number> = new Map()): PortList {
  const ranges: Range[] = [];
  for (const item of text.split(",")) {
    const range = parseRange(item.trim(), named);
    if (range !== null) ranges.push(range);
  }
  return { has: (port) => ranges.some(({ from, to }) => from <= port && port <= to) };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function parseRange(item: string, named: ReadonlyMap<string, number>): Range | null {
  // Ports without a name are under "" in such maps.
  const port = item === "" ? undefined : named.get(item);
  if (port !== undefined) return { from: port, to: port };
  const match = RANGE.exec(item);
  if (match === null) return null;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  return from >= 1 && to <= PORT_MAX && from <= to ? { from, to } : null;
}
