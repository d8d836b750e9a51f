import { dlopen, FFIType, type Pointer, ptr, toArrayBuffer } from "bun:ffi";

type Address = number | null;

/** The libc calls the data path uses, with C's names and argument order; addresses are plain numbers. */
interface Libc {
  __errno_location(): Address;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, sockaddr: Address, bytes: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, sockaddr: Address, bytes: Address, flags: number): number;
  connect(fd: number, sockaddr: Address, bytes: number): number;
  getsockname(fd: number, sockaddr: Address, bytes: Address): number;
  getpeername(fd: number, sockaddr: Address, bytes: Address): number;
  setsockopt(fd: number, level: number, option: number, value: Address, bytes: number): number;
  getsockopt(fd: number, level: number, option: number, value: Address, bytes: Address): number;
  /** sendto and recvfrom by number: libc's own send and recv also guard against thread cancellation, at 50 ns a call. */
  syscall(
    number: number,
    fd: number,
    bytes: Address,
    count: number,
    flags: number,
    sockaddr: number,
    sockaddrBytes: number,
  ): number;
  read(fd: number, to: Address, bytes: number): number;
  write(fd: number, from: Address, bytes: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  pipe2(fds: Address, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  splice(from: number, fromAt: Address, to: number, toAt: Address, bytes: number, flags: number): number;
  eventfd(initial: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Address): number;
  epoll_wait(epoll: number, events: Address, eventsMax: number, timeoutMs: number): number;
  memcpy(to: Address, from: Address, bytes: number): void;
  madvise(from: Address, bytes: number, advice: number): number;
  getrlimit(resource: number, limit: Address): number;
  setrlimit(resource: number, limit: Address): number;
  setns(fd: number, type: number): number;
}

const i32 = FFIType.i32;
const u32 = FFIType.u32;
const u64 = FFIType.u64;
const address = FFIType.ptr;

/**
 * Bound once. Whoever passes an address keeps the memory behind it referenced during the call; no call here keeps an
 * address after it has returned.
 */
export const libc: Libc = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: address },
  socket: { args: [i32, i32, i32], returns: i32 },
  bind: { args: [i32, address, u32], returns: i32 },
  listen: { args: [i32, i32], returns: i32 },
  accept4: { args: [i32, address, address, i32], returns: i32 },
  connect: { args: [i32, address, u32], returns: i32 },
  getsockname: { args: [i32, address, address], returns: i32 },
  getpeername: { args: [i32, address, address], returns: i32 },
  setsockopt: { args: [i32, i32, i32, address, u32], returns: i32 },
  getsockopt: { args: [i32, i32, i32, address, address], returns: i32 },
  syscall: { args: [u64, i32, address, u64, i32, u64, u64], returns: i32 },
  read: { args: [i32, address, u64], returns: i32 },
  write: { args: [i32, address, u64], returns: i32 },
  shutdown: { args: [i32, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
  pipe2: { args: [address, i32], returns: i32 },
  fcntl: { args: [i32, i32, i32], returns: i32 },
  splice: { args: [i32, address, i32, address, u64, u32], returns: i32 },
  eventfd: { args: [u32, i32], returns: i32 },
  epoll_create1: { args: [i32], returns: i32 },
  epoll_ctl: { args: [i32, i32, i32, address], returns: i32 },
  epoll_wait: { args: [i32, address, i32, i32], returns: i32 },
  memcpy: { args: [address, address, u64], returns: FFIType.void },
  madvise: { args: [address, u64, i32], returns: i32 },
  getrlimit: { args: [i32, address], returns: i32 },
  setrlimit: { args: [i32, address], returns: i32 },
  setns: { args: [i32, i32], returns: i32 },
}).symbols as unknown as Libc;

/** System call numbers by architecture (asm/unistd_64.h, asm-generic/unistd.h). */
export const SYS_SENDTO: number = process.arch === "x64" ? 44 : 206;
export const SYS_RECVFROM: number = process.arch === "x64" ? 45 : 207;

/**
 * The address of a typed array's bytes, for good. The caller keeps the array referenced for as long as the address is
 * used.
 *
 * The engine keeps the bytes of a small array in its own heap and moves them out when somebody asks for `buffer`; its
 * compiler does so too, once code that uses the array is hot. An address taken before would from then on belong to
 * nobody, so it is asked for here first.
 */
export function addressOf(bytes: NodeJS.TypedArray): number {
  const { buffer } = bytes;
  return Number(ptr(buffer)) + bytes.byteOffset;
}

/**
 * This thread's errno as a one-element view. Read it directly after the failed call: anything that runs between may
 * change it.
 */
const errnoView: Int32Array = errnoOfThisThread();

function errnoOfThisThread(): Int32Array {
  const location = libc.__errno_location();
  if (location === null) throw new Error("libc gave no address for errno");
  return new Int32Array(toArrayBuffer(location as Pointer, 0, 4));
}

/** libc's -1 as -errno, anything else unchanged. */
export function sysResult(returned: number): number {
  return returned === -1 ? -errnoView[0]! : returned;
}

/** Copies `bytes` bytes between two places that do not overlap (memcpy: no view is made). */
export function copyBytes(toAddress: number, fromAddress: number, bytes: number): void {
  libc.memcpy(toAddress, fromAddress, bytes);
}
