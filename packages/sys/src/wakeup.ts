import { errnoName } from "./errno.ts";
import { addressOf, libc, sysResult } from "./libc.ts";

const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;

const one = new BigUint64Array([1n]);
const oneAddress = addressOf(one);
const drained = new BigUint64Array(1);
const drainedAddress = addressOf(drained);

/** An eventfd with which one thread wakes another's epoll wait. Throws when the process has no fd left. */
export function openWakeup(): number {
  const fd = sysResult(libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (fd < 0) throw new Error(`eventfd failed (${errnoName(-fd)})`);
  return fd;
}

export function wake(fd: number): void {
  libc.write(fd, oneAddress, 8);
}

/** Resets the eventfd, so that epoll reports it only for the next wake. */
export function clearWakeup(fd: number): void {
  libc.read(fd, drainedAddress, 8);
}
