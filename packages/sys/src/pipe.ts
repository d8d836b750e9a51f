import { Errno } from "./errno.ts";
import { addressOf, libc, sysResult } from "./libc.ts";

const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;

const pair = new Int32Array(2);
const pairAddress = addressOf(pair);

/**
 * The two ends of a kernel pipe that carries spliced bytes, and how many it can hold at most: a pipe has one slot per
 * page of its capacity, and a spliced fragment takes a slot however short it is, so a pipe may be full much earlier.
 */
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
  // Refused beyond pipe-max-size, or when the user's pipes together are over pipe-user-pages-soft; the pipe then keeps
  // the size it was made with, which is not always the usual 16 pages (pipe(7)).
  sysResult(libc.fcntl(writeFd, F_SETPIPE_SZ, bytes));
  return { readFd, writeFd, capacityBytes: sysResult(libc.fcntl(writeFd, F_GETPIPE_SZ, 0)) };
}

/**
 * Moves up to `bytes` between a socket and a pipe inside the kernel: bytes moved, 0 at the end of the socket's stream,
 * or -errno. EAGAIN does not say which side is to blame: the source is empty or the target is full.
 */
export function spliceBytes(fromFd: number, toFd: number, bytes: number, moreComing: boolean): number {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (moreComing ? SPLICE_F_MORE : 0);
  const moved = sysResult(libc.splice(fromFd, null, toFd, null, bytes, flags));
  return moved === -Errno.EINTR ? sysResult(libc.splice(fromFd, null, toFd, null, bytes, flags)) : moved;
}
