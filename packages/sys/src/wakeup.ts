import { errnoName } from "./errno.ts";
import { addressOf, libc, sysResult } from "./libc.ts";

const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;

// Named in the functions that use them: what only a module's first run names, the collector takes.
const one = new BigUint64Array([1n]);
const drained = new BigUint64Array(1);

/** An eventfd with which one thread wakes another's epoll wait. Throws when the process has no fd left. */
export function openWakeup(): number {
  const fd = sysResult(libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (fd < 0) throw new Error(`eventfd failed (${errnoName(-fd)})`);
  return fd;
}

export function wake(fd: number): void {
  libc.write(fd, addressOf(one), 8);
}

/** Resets the eventfd, so that epoll reports it only for the next wake. */
export function clearWakeup(fd: number): void {
  libc.read(fd, addressOf(drained), 8);
}
