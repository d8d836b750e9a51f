import { readFileSync } from "node:fs";
import { libc } from "./libc.ts";

const MADV_DONTNEED = 4;
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ +(\S+)\n/;

/**
 * Unmaps the pages of the executable's own file that were mapped while the process started: the parser, the transpiler
 * and much else of the runtime is not needed again, and what is comes back from the page cache by itself. They are a
 * third of a small proxy's resident memory. Mappings with a page of their own (Anonymous) are left alone: dropping
 * that would lose data, such as relocations.
 */
export function releaseStartupPages(): void {
  for (const entry of readFileSync("/proc/self/smaps", "latin1").split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const [, from, to, file] = MAPPING.exec(entry) ?? [];
    if (from === undefined || to === undefined || file !== process.execPath) continue;
    if (!/^Anonymous: +0 kB$/m.test(entry)) continue;
    const address = Number.parseInt(from, 16);
    libc.madvise(address, Number.parseInt(to, 16) - address, MADV_DONTNEED);
  }
}
