import { errnoName } from "./errno.ts";
import { addressOf, libc, sysResult } from "./libc.ts";

export const EPOLLIN = 0x001;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EVENTS_MAX = 512;

// struct epoll_event is packed on x86-64 only: { u32 events; u64 data } in 12 bytes there, 16 elsewhere.
const EVENT_WORDS = process.arch === "x64" ? 3 : 4;
const DATA_WORD = EVENT_WORDS - 2;

/** An epoll instance. Each watched fd carries a tag (a generation) that comes back with its events. */
export class Epoll {
  readonly fd: number;
  readonly #ready = new Int32Array(EVENT_WORDS * EVENTS_MAX);
  readonly #readyAddress = addressOf(this.#ready);
  readonly #change = new Int32Array(EVENT_WORDS);
  readonly #changeAddress = addressOf(this.#change);

  /** Throws when the system has no epoll instance to give. */
  constructor() {
    this.fd = sysResult(libc.epoll_create1(EPOLL_CLOEXEC));
    if (this.fd < 0) throw new Error(`epoll_create1 failed (${errnoName(-this.fd)})`);
  }

  add(fd: number, events: number, tag: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, events, tag);
  }

  modify(fd: number, events: number, tag: number): number {
    return this.#control(EPOLL_CTL_MOD, fd, events, tag);
  }

  remove(fd: number): number {
    return this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /** Waits up to `timeoutMs` (-1: without limit) and returns the number of ready fds, or -errno. */
  wait(timeoutMs: number): number {
    return sysResult(libc.epoll_wait(this.fd, this.#readyAddress, EVENTS_MAX, timeoutMs));
  }

  readyEvents(index: number): number {
    return this.#ready[index * EVENT_WORDS]!;
  }

  readyFd(index: number): number {
    return this.#ready[index * EVENT_WORDS + DATA_WORD]!;
  }

  readyTag(index: number): number {
    return this.#ready[index * EVENT_WORDS + DATA_WORD + 1]!;
  }

  close(): void {
    libc.close(this.fd);
  }

  #control(operation: number, fd: number, events: number, tag: number): number {
    this.#change[0] = events;
    this.#change[DATA_WORD] = fd;
    this.#change[DATA_WORD + 1] = tag;
    return sysResult(libc.epoll_ctl(this.fd, operation, fd, this.#changeAddress));
  }
}
