import { BadValue } from "./bad-value.ts";
import type { PortRange } from "./types.ts";

/**
 * Ports and ranges such as `1-2, 42,,80-420`: spaces and empty items are fine, and the result is sorted with
 * overlapping and touching ranges merged. 2018's plain numbers are the same grammar without ranges.
 */
export function parsePortRanges(text: string): readonly PortRange[] | BadValue {
  const ranges: PortRange[] = [];
  for (const part of text.split(",").map((item) => item.trim())) {
    if (part === "") continue;
    const range = parsePortRange(part);
    if (range instanceof BadValue) return range;
    ranges.push(range);
  }
  return mergePortRanges(ranges);
}

/** Sorted, with overlapping and touching ranges made one. */
export function mergePortRanges(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.lo - b.lo)) {
    const last = merged.at(-1);
    if (last === undefined || range.lo > last.hi + 1) merged.push(range);
    else merged[merged.length - 1] = { lo: last.lo, hi: Math.max(last.hi, range.hi) };
  }
  return merged;
}

function parsePortRange(text: string): PortRange | BadValue {
  const match = /^([0-9]+)(?:\s*-\s*([0-9]+))?$/.exec(text);
  if (match === null) return new BadValue(`"${text}" is not a port or a range of ports`);
  const lo = Number(match[1]);
  const hi = Number(match[2] ?? match[1]);
  if (lo > 65535 || hi > 65535) return new BadValue(`a port of "${text}" is above 65535`);
  return hi < lo ? new BadValue(`the range "${text}" is reversed`) : { lo, hi };
}
