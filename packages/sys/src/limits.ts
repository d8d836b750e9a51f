import { addressOf, libc } from "./libc.ts";

const RLIMIT_NOFILE = 7;

/** Raises the soft limit of open files to the hard one, and returns it. */
export function raiseOpenFilesLimit(): number {
  const limit = new BigUint64Array(2);
  const address = addressOf(limit);
  libc.getrlimit(RLIMIT_NOFILE, address);
  const hard = limit[1]!;
  if (limit[0]! < hard) {
    limit[0] = hard;
    libc.setrlimit(RLIMIT_NOFILE, address);
    libc.getrlimit(RLIMIT_NOFILE, address);
  }
  return Number(limit[0]!);
}
