import type { Pipe, TcpOptions } from "@bowline/sys";
import type { Buf } from "./buffer.ts";

/** Where to connect: a struct sockaddr and its address in memory (the bytes stay referenced by this object). */
export interface Destination {
  readonly sockaddr: Uint8Array;
  readonly sockaddrAddress: number;
}

/**
 * All that the loop asks of the kernel. `LinuxIo` is the kernel itself, the testkit's `ScriptedIo` one that a test
 * drives. Every call returns at once (only `wait` waits); where a result is a number, below zero means -errno.
 */
export interface Io {
  /** A monotonic clock, ms. */
  nowMs(): number;

  /**
   * Waits up to `timeoutMs` for watched fds and returns how many are ready; read them with ready*(0 … n-1). -EINTR
   * when a signal ended the wait.
   */
  wait(timeoutMs: number): number;
  readyFd(index: number): number;
  readyTag(index: number): number;
  readyEvents(index: number): number;
  /** Level-triggered, as epoll's EPOLLIN, EPOLLOUT; EPOLLERR and EPOLLHUP always come. */
  watch(fd: number, events: number, tag: number): number;
  rewatch(fd: number, events: number, tag: number): number;
  unwatch(fd: number): number;

  accept(listener: number): number;
  /**
   * Where an accepted connection was going before it was redirected, else the socket's own address, into `out`
   * (SOCKADDR_BYTES long).
   */
  originalDestination(fd: number, ipv6Listener: boolean, out: Uint8Array): number;
  peerAddress(fd: number, out: Uint8Array): number;
  /** Begins a connection; EPOLLOUT tells that it is decided, `socketError` how. */
  connect(to: Destination, options: TcpOptions): number;
  socketError(fd: number): number;
  /** As the kernel counts sequence numbers: the SYN of a socket that connected counts as one, an acknowledged FIN too. */
  bytesAcknowledged(fd: number): number;

  /** Bytes received into buf at `at`, 0 at the end of the stream. */
  recv(fd: number, buf: Buf, at: number, bytes: number): number;
  /** Bytes the kernel took; with `moreComing` it may keep the last of them until more bytes or the close come. */
  send(fd: number, buf: Buf, at: number, bytes: number, moreComing?: boolean): number;
  shutdownWrite(fd: number): number;
  /** Closes in order (what was sent, then FIN), except that Linux resets when received bytes are still unread. */
  close(fd: number): void;
  /** Closes with a reset, dropping what was not yet sent. */
  reset(fd: number): void;

  openPipe(bytes: number): Pipe | number;
  closePipe(pipe: Pipe): void;
  /** EAGAIN does not say which side is to blame: the source is empty or the target is full. */
  splice(fromFd: number, toFd: number, bytes: number, moreComing: boolean): number;

  copy(to: Buf, toAt: number, from: Buf, fromAt: number, bytes: number): void;
}
