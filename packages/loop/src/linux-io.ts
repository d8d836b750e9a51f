import {
  acceptTcp,
  bytesAcknowledged,
  closeFd,
  closeTcp,
  connectTcp,
  copyBytes,
  Epoll,
  isIpv4,
  localAddress,
  openPipe,
  originalDestination,
  type Pipe,
  peerAddress,
  recvInto,
  resetTcp,
  sendFrom,
  shutdownWrite,
  socketError,
  spliceBytes,
  type TcpOptions,
} from "@bowline/sys";
import type { Buf } from "./buffer.ts";
import type { Destination, Io } from "./io.ts";

/** Below this a byte loop beats the call into libc. */
const COPY_LOOP_BYTES_MAX = 32;

/** The kernel. */
export class LinuxIo implements Io {
  readonly #epoll = new Epoll();
  readonly #openFds: Uint8Array;

  /**
   * @param openFds one byte an fd, 1 while this loop has it open. It is shared with the thread that supervises this
   *   one: file descriptors belong to the process, so somebody must close them when this thread dies.
   */
  constructor(openFds: Uint8Array) {
    this.#openFds = openFds;
    this.#opened(this.#epoll.fd);
  }

  /** Gives the epoll instance back; nothing else may be asked of this object afterwards. */
  dispose(): void {
    this.#openFds[this.#epoll.fd] = 0;
    this.#epoll.close();
  }

  nowMs(): number {
    return performance.now();
  }

  wait(timeoutMs: number): number {
    return this.#epoll.wait(timeoutMs);
  }

  readyFd(index: number): number {
    return this.#epoll.readyFd(index);
  }

  readyTag(index: number): number {
    return this.#epoll.readyTag(index);
  }

  readyEvents(index: number): number {
    return this.#epoll.readyEvents(index);
  }

  watch(fd: number, events: number, tag: number): number {
    return this.#epoll.add(fd, events, tag);
  }

  rewatch(fd: number, events: number, tag: number): number {
    return this.#epoll.modify(fd, events, tag);
  }

  unwatch(fd: number): number {
    return this.#epoll.remove(fd);
  }

  accept(listener: number): number {
    return this.#opened(acceptTcp(listener));
  }

  originalDestination(fd: number, ipv6Listener: boolean, out: Uint8Array): number {
    // An IPv4 connection to an IPv6 listener has its NAT record at the IPv4 level.
    const overIpv6 = ipv6Listener && peerAddress(fd, out) === 0 && !isIpv4(out);
    // No NAT record (ENOENT), or no conntrack in this kernel or namespace (ENOPROTOOPT): the connection came here
    // straight, so its destination is the socket's own address.
    return originalDestination(fd, overIpv6, out) === 0 ? 0 : localAddress(fd, out);
  }

  peerAddress(fd: number, out: Uint8Array): number {
    return peerAddress(fd, out);
  }

  connect(to: Destination, options: TcpOptions): number {
    return this.#opened(connectTcp(to.sockaddr, to.sockaddrAddress, options));
  }

  socketError(fd: number): number {
    return socketError(fd);
  }

  bytesAcknowledged(fd: number): number {
    return bytesAcknowledged(fd);
  }

  recv(fd: number, buf: Buf, at: number, bytes: number): number {
    return recvInto(fd, buf.address + at, bytes);
  }

  send(fd: number, buf: Buf, at: number, bytes: number, moreComing = false): number {
    return sendFrom(fd, buf.address + at, bytes, moreComing);
  }

  shutdownWrite(fd: number): number {
    return shutdownWrite(fd);
  }

  close(fd: number): void {
    this.#openFds[fd] = 0;
    closeTcp(fd);
  }

  reset(fd: number): void {
    this.#openFds[fd] = 0;
    resetTcp(fd);
  }

  openPipe(bytes: number): Pipe | number {
    const pipe = openPipe(bytes);
    if (typeof pipe !== "number") {
      this.#openFds[pipe.readFd] = 1;
      this.#openFds[pipe.writeFd] = 1;
    }
    return pipe;
  }

  closePipe(pipe: Pipe): void {
    this.#openFds[pipe.readFd] = 0;
    this.#openFds[pipe.writeFd] = 0;
    closeFd(pipe.readFd);
    closeFd(pipe.writeFd);
  }

  splice(fromFd: number, toFd: number, bytes: number, moreComing: boolean): number {
    return spliceBytes(fromFd, toFd, bytes, moreComing);
  }

  copy(to: Buf, toAt: number, from: Buf, fromAt: number, bytes: number): void {
    if (to === from) {
      to.bytes.copyWithin(toAt, fromAt, fromAt + bytes);
    } else if (bytes > COPY_LOOP_BYTES_MAX) {
      copyBytes(to.address + toAt, from.address + fromAt, bytes);
    } else {
      for (let i = 0; i < bytes; i++) to.bytes[toAt + i] = from.bytes[fromAt + i]!;
    }
  }

  #opened(fd: number): number {
    if (fd >= 0) this.#openFds[fd] = 1;
    return fd;
  }
}
