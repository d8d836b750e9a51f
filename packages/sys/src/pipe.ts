import { Errno } from "./errno.ts";
import { addressOf, libc, sysResult } from "./libc.ts";

const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;
const F_SETPIPE_SZ = 1031;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;

const pair = new Int32Array(2);
const pairAddress = addressOf(pair);

/** The two ends of a kernel pipe that carries spliced bytes, and how many it can hold. */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
  readonly capacityBytes: number;
}

/** A non-blocking pipe of about `bytes` capacity (less where the system's limit for pipes is lower), or -errno. */
export function openPipe(bytes: number): Pipe | number {
  const result = sysResult(libc.pipe2(pairAddress, O_NONBLOCK | O_CLOEXEC));
  if (result < 0) return result;
  const readFd = pair[0]!;
  const writeFd = pair[1]!;
  const resized = sysResult(libc.fcntl(writeFd, F_SETPIPE_SZ, bytes));
  // Over /proc/sys/fs/pipe-user-pages-soft the pipe keeps its default of 16 pages.
  return { readFd, writeFd, capacityBytes: resized > 0 ? resized : 65536 };
}

/** Moves up to `bytes` between a socket and a pipe inside the kernel: bytes moved, 0 at the end, or -errno. */
export function spliceBytes(fromFd: number, toFd: number, bytes: number, moreComing: boolean): number {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (moreComing ? SPLICE_F_MORE : 0);
  const moved = sysResult(libc.splice(fromFd, null, toFd, null, bytes, flags));
  return moved === -Errno.EINTR ? sysResult(libc.splice(fromFd, null, toFd, null, bytes, flags)) : moved;
}
