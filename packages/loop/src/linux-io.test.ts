import { expect, test } from "bun:test";
import {
  acceptTcp,
  addressOf,
  closeFd,
  closeTcp,
  connectTcp,
  Errno,
  encodeSockaddr,
  listenTcp,
  localAddress,
  recvInto,
  resetTcp,
  SOCKADDR_BYTES,
  sendFrom,
  shutdownWrite,
  sockaddrPort,
} from "@bowline/sys";
import { type CaseListener, type CasePeer, type CaseWorld, describeIo } from "./io.case.test.ts";
import type { Destination } from "./io.ts";
import { LinuxIo } from "./linux-io.ts";

const options = { keepaliveMs: 0, userTimeoutMs: 0 };
const memory = new Uint8Array(65536);
const address = addressOf(memory);

describeIo("LinuxIo", () => new LinuxWorld());

test("the table of open fds holds exactly what is open", () => {
  const openFds = new Uint8Array(4096);
  const io = new LinuxIo(openFds);
  const epollOnly = openFdsOf(openFds);
  expect(epollOnly).toHaveLength(1);
  const listener = listenTcp(encodeSockaddr("127.0.0.1", 0), 0, false, options);
  const client = io.connect(destination(portOf(listener)), options);
  const server = io.accept(listener);
  const pipe = io.openPipe(65536);
  if (typeof pipe === "number") throw new Error("no pipe");
  expect(openFdsOf(openFds)).toEqual([...epollOnly, client, server, pipe.readFd, pipe.writeFd].toSorted(byNumber));
  io.close(client);
  io.reset(server);
  io.closePipe(pipe);
  expect(openFdsOf(openFds)).toEqual(epollOnly);
  io.dispose();
  expect(openFdsOf(openFds)).toEqual([]);
  closeFd(listener);
});

/** The kernel itself over loopback; the peers are sockets of the same thread, so that a test needs no event loop. */
class LinuxWorld implements CaseWorld {
  readonly #openFds = new Uint8Array(65536);
  readonly io: LinuxIo = new LinuxIo(this.#openFds);
  readonly #cleanups: (() => void)[] = [];

  listen(): CaseListener {
    const fd = this.#listener(128);
    return { fd, connect: () => this.#peer(connectTcp(...connectTo(portOf(fd)), options)) };
  }

  serve(): { to: Destination; accepted(): CasePeer | null } {
    const fd = this.#listener(128);
    let peer: CasePeer | null = null;
    const accepted = (): CasePeer | null => {
      const connection = peer === null ? acceptTcp(fd) : -1;
      if (connection >= 0) peer = this.#peer(connection);
      return peer;
    };
    return { to: destination(portOf(fd)), accepted };
  }

  refusing(): Destination {
    const fd = listenTcp(encodeSockaddr("127.0.0.1", 0), 1, false, options);
    const to = destination(portOf(fd));
    closeFd(fd);
    return to;
  }

  /** A full backlog: Linux drops the SYN. */
  silent(): Destination {
    const fd = this.#listener(1);
    for (let i = 0; i < 4; i++) {
      const filler = connectTcp(...connectTo(portOf(fd)), options);
      this.#cleanups.push(() => resetTcp(filler));
    }
    return destination(portOf(fd));
  }

  dispose(): void {
    for (const cleanup of this.#cleanups) cleanup();
    for (const fd of openFdsOf(this.#openFds)) closeFd(fd);
  }

  #listener(backlog: number): number {
    const fd = listenTcp(encodeSockaddr("127.0.0.1", 0), backlog, false, options);
    this.#cleanups.push(() => closeFd(fd));
    return fd;
  }

  #peer(fd: number): SocketPeer {
    const peer = new SocketPeer(fd);
    this.#cleanups.push(() => peer.close());
    return peer;
  }
}

class SocketPeer implements CasePeer {
  ended = false;
  errno = 0;
  #fd: number;
  readonly #chunks: Uint8Array[] = [];

  constructor(fd: number) {
    this.#fd = fd;
  }

  send(bytes: Uint8Array): void {
    memory.set(bytes);
    const sent = sendFrom(this.#fd, address, bytes.length);
    if (sent !== bytes.length) throw new Error(`the peer sent ${sent} of ${bytes.length} bytes`);
  }

  end(): void {
    shutdownWrite(this.#fd);
  }

  close(): void {
    if (this.#fd >= 0) closeTcp(this.#fd);
    this.#fd = -1;
  }

  reset(): void {
    resetTcp(this.#fd);
    this.#fd = -1;
  }

  read(): void {
    while (!this.ended && this.errno === 0) {
      const received = recvInto(this.#fd, address, memory.length);
      if (received === -Errno.EAGAIN) return;
      if (received > 0) this.#chunks.push(memory.slice(0, received));
      else if (received === 0) this.ended = true;
      else this.errno = -received;
    }
  }

  received(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#chunks));
  }
}

function openFdsOf(table: Uint8Array): number[] {
  return [...table.keys()].filter((fd) => table[fd] === 1);
}

function byNumber(a: number, b: number): number {
  return a - b;
}

function portOf(fd: number): number {
  const out = new Uint8Array(SOCKADDR_BYTES);
  localAddress(fd, out);
  return sockaddrPort(out);
}

function destination(port: number): Destination {
  const sockaddr = encodeSockaddr("127.0.0.1", port);
  return { sockaddr, sockaddrAddress: addressOf(sockaddr) };
}

function connectTo(port: number): [Uint8Array, number] {
  const { sockaddr, sockaddrAddress } = destination(port);
  return [sockaddr, sockaddrAddress];
}
