import { describe, expect, test } from "bun:test";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  Errno,
  isLoopback,
  type Pipe,
  SOCKADDR_BYTES,
  sockaddrPort,
} from "@bowline/sys";
import { Buf } from "./buffer.ts";
import type { Destination, Io } from "./io.ts";

/** The other side of a connection: it sends and reads when told to, and reads nothing by itself. */
export interface CasePeer {
  send(bytes: Uint8Array): void;
  end(): void;
  close(): void;
  reset(): void;
  /** Reads all that has come by now. */
  read(): void;
  received(): Uint8Array;
  /** It has read the end of the stream. */
  readonly ended: boolean;
  /** Why reading failed; 0 while it has not. */
  readonly errno: number;
}

export interface CaseListener {
  readonly fd: number;
  /** A peer connects to it. */
  connect(): CasePeer;
}

/** An Io with something to talk to; one is Linux itself, the other the simulation. */
export interface CaseWorld {
  readonly io: Io;
  listen(): CaseListener;
  /** A peer listens; `accepted` is the connection, once there is one. */
  serve(): { readonly to: Destination; accepted(): CasePeer | null };
  /** An address where nobody listens. */
  refusing(): Destination;
  /** An address that never answers. */
  silent(): Destination;
  dispose(): void;
}

const options = { keepaliveMs: 0, userTimeoutMs: 0 };
const data = new Buf(65536, 0);
for (let i = 0; i < data.bytes.length; i++) data.bytes[i] = (i * 7 + (i >> 8)) & 0xff;

/** What the loop relies on, proven on each Io alike. */
export function describeIo(name: string, makeWorld: () => CaseWorld): void {
  describe(name, () => {
    const check = (what: string, body: (world: CaseWorld) => void): void => {
      test(what, () => {
        const world = makeWorld();
        try {
          body(world);
        } finally {
          world.dispose();
        }
      });
    };
    accepting(check);
    receiving(check);
    sending(check);
    ending(check);
    connecting(check);
    watching(check);
    splicing(check);
  });
}

type Check = (what: string, body: (world: CaseWorld) => void) => void;

function accepting(check: Check): void {
  check("accept: EAGAIN, then the connection, which knows its addresses", (world) => {
    const { io } = world;
    const listener = world.listen();
    expect(io.accept(listener.fd)).toBe(-Errno.EAGAIN);
    io.watch(listener.fd, EPOLLIN, 1);
    listener.connect();
    awaitEvents(world, listener.fd, EPOLLIN);
    const fd = io.accept(listener.fd);
    expect(fd).toBeGreaterThan(0);
    expect(io.accept(listener.fd)).toBe(-Errno.EAGAIN);
    const out = new Uint8Array(SOCKADDR_BYTES);
    expect(io.peerAddress(fd, out)).toBe(0);
    expect([isLoopback(out), sockaddrPort(out) > 1023]).toEqual([true, true]);
    expect(io.originalDestination(fd, false, out)).toBe(0);
    expect([isLoopback(out), sockaddrPort(out) > 1023]).toEqual([true, true]);
    io.close(fd);
  });

  check("a client that reset before it was accepted is accepted with its error", (world) => {
    const { io } = world;
    const listener = world.listen();
    io.watch(listener.fd, EPOLLIN, 1);
    const peer = listener.connect();
    awaitEvents(world, listener.fd, EPOLLIN);
    peer.reset();
    const fd = io.accept(listener.fd);
    expect(fd).toBeGreaterThan(0);
    io.watch(fd, EPOLLIN, 2);
    awaitEvents(world, fd, EPOLLIN | EPOLLERR | EPOLLHUP);
    expect(io.recv(fd, data, 0, 10)).toBe(-Errno.ECONNRESET);
    io.close(fd);
  });
}

function receiving(check: Check): void {
  check("recv: EAGAIN, then the bytes, told again as long as some are left", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    const into = new Buf(8192, 0);
    io.watch(fd, EPOLLIN, 1);
    expect(io.recv(fd, into, 0, 100)).toBe(-Errno.EAGAIN);
    peer.send(data.bytes.slice(0, 300));
    const got = receive(world, fd, into, 100, 100);
    awaitEvents(world, fd, EPOLLIN);
    expect(got + receive(world, fd, into, 100 + got, 300 - got)).toBe(300);
    expect(into.bytes.slice(100, 400)).toEqual(data.bytes.slice(0, 300));
    expect(eventsNow(world, fd)).toBe(0);
    expect(io.recv(fd, into, 0, 100)).toBe(-Errno.EAGAIN);
    io.close(fd);
  });
}

function sending(check: Check): void {
  check("send: takes what fits, EAGAIN and no EPOLLOUT when full, EPOLLOUT when there is room again", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    const sent = sendUntilFull(world, fd);
    io.watch(fd, EPOLLOUT, 1);
    expect(eventsNow(world, fd)).toBe(0);
    while ((eventsNow(world, fd) & EPOLLOUT) === 0) peer.read();
    expect(io.send(fd, data, 0, 1000)).toBe(1000);
    io.shutdownWrite(fd);
    until(world, () => peer.ended, peer);
    expect(peer.received().length).toBe(sent + 1000);
    io.close(fd);
  });

  check("bytesAcknowledged: what the peer's kernel has, also when it never reads", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    expect(io.send(fd, data, 0, 1234)).toBe(1234);
    until(world, () => io.bytesAcknowledged(fd) === 1234);
    const sent = 1234 + sendUntilFull(world, fd);
    expect(io.bytesAcknowledged(fd)).toBeLessThan(sent);
    until(world, () => io.bytesAcknowledged(fd) === sent, peer);
    io.reset(fd);
  });

  check("sending to a peer that has left: taken once, then EPIPE", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.watch(fd, 0, 1);
    peer.close();
    until(world, () => io.recv(fd, data, 0, 1) === 0);
    expect(io.send(fd, data, 0, 10)).toBe(10);
    awaitEvents(world, fd, EPOLLERR | EPOLLHUP);
    expect(io.send(fd, data, 0, 10)).toBe(-Errno.EPIPE);
    expect(io.send(fd, data, 0, 10)).toBe(-Errno.EPIPE);
    expect(io.socketError(fd)).toBe(0);
    io.close(fd);
  });
}

function ending(check: Check): void {
  check("the peer's end: EPOLLIN and 0 for ever, EPOLLHUP only when both directions have ended", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.watch(fd, EPOLLIN | EPOLLOUT, 1);
    peer.end();
    awaitEvents(world, fd, EPOLLIN);
    expect([io.recv(fd, data, 0, 10), io.recv(fd, data, 0, 10)]).toEqual([0, 0]);
    expect(eventsNow(world, fd)).toBe(EPOLLIN | EPOLLOUT);
    expect(io.send(fd, data, 0, 500)).toBe(500);
    expect(io.shutdownWrite(fd)).toBe(0);
    expect(eventsNow(world, fd)).toBe(EPOLLIN | EPOLLOUT | EPOLLHUP);
    expect(io.send(fd, data, 0, 1)).toBe(-Errno.EPIPE);
    until(world, () => peer.ended, peer);
    expect([peer.received().length, peer.errno]).toEqual([500, 0]);
    io.close(fd);
  });

  check("our end: the peer reads it after the bytes, and may go on sending", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.watch(fd, EPOLLIN, 1);
    io.send(fd, data, 0, 500);
    expect([io.shutdownWrite(fd), io.shutdownWrite(fd)]).toEqual([0, 0]);
    until(world, () => peer.ended, peer);
    expect(peer.received()).toEqual(data.bytes.slice(0, 500));
    peer.send(data.bytes.slice(0, 50));
    awaitEvents(world, fd, EPOLLIN);
    expect(eventsNow(world, fd)).toBe(EPOLLIN);
    io.close(fd);
  });

  check("a reset by the peer: what had arrived, then ECONNRESET once, then 0", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.watch(fd, EPOLLIN, 1);
    peer.send(data.bytes.slice(0, 1));
    awaitEvents(world, fd, EPOLLIN);
    peer.reset();
    awaitEvents(world, fd, EPOLLIN | EPOLLERR | EPOLLHUP);
    const into = new Buf(4096, 0);
    expect([io.recv(fd, into, 0, 100), io.recv(fd, into, 0, 100), io.recv(fd, into, 0, 100)]).toEqual([
      1,
      -Errno.ECONNRESET,
      0,
    ]);
    expect(eventsNow(world, fd)).toBe(EPOLLIN | EPOLLHUP);
    expect([io.shutdownWrite(fd), io.peerAddress(fd, new Uint8Array(SOCKADDR_BYTES))]).toEqual([
      -Errno.ENOTCONN,
      -Errno.ENOTCONN,
    ]);
    io.close(fd);
  });

  check("a reset after the peer's end: the end stays, the error is EPIPE", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.watch(fd, 0, 1);
    peer.end();
    until(world, () => io.recv(fd, data, 0, 1) === 0);
    peer.reset();
    awaitEvents(world, fd, EPOLLERR | EPOLLHUP);
    expect(io.recv(fd, data, 0, 1)).toBe(0);
    expect([io.socketError(fd), io.socketError(fd)]).toEqual([Errno.EPIPE, 0]);
    io.close(fd);
  });

  check("a send takes the error, and the read behind it sees 0", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.watch(fd, 0, 1);
    peer.reset();
    awaitEvents(world, fd, EPOLLERR | EPOLLHUP);
    expect([io.send(fd, data, 0, 1), io.send(fd, data, 0, 1)]).toEqual([-Errno.ECONNRESET, -Errno.EPIPE]);
    expect(io.recv(fd, data, 0, 1)).toBe(0);
    io.close(fd);
  });

  check("reset: the peer sees ECONNRESET", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.reset(fd);
    until(world, () => peer.errno === Errno.ECONNRESET, peer);
    expect(peer.ended).toBe(false);
  });

  check("reset after both directions have ended: the peer sees the end", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    peer.end();
    until(world, () => io.recv(fd, data, 0, 1) === 0);
    io.shutdownWrite(fd);
    io.reset(fd);
    until(world, () => peer.ended, peer);
    expect(peer.errno).toBe(0);
  });

  check("close: the peer sees the bytes and the end", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.send(fd, data, 0, 3000);
    io.close(fd);
    until(world, () => peer.ended, peer);
    expect([peer.received().length, peer.errno]).toEqual([3000, 0]);
  });

  check("close with unread bytes: the peer sees ECONNRESET", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    io.watch(fd, EPOLLIN, 1);
    peer.send(data.bytes.slice(0, 20));
    awaitEvents(world, fd, EPOLLIN);
    io.close(fd);
    until(world, () => peer.errno === Errno.ECONNRESET, peer);
  });
}

function connecting(check: Check): void {
  check("connect: EPOLLOUT when it stands, no error; the SYN is acknowledged", (world) => {
    const { io } = world;
    const server = world.serve();
    const fd = io.connect(server.to, options);
    io.watch(fd, EPOLLIN | EPOLLOUT, 1);
    awaitEvents(world, fd, EPOLLOUT);
    expect(eventsNow(world, fd)).toBe(EPOLLOUT);
    expect([io.socketError(fd), io.bytesAcknowledged(fd)]).toEqual([0, 1]);
    expect(io.send(fd, data, 0, 10)).toBe(10);
    until(world, () => server.accepted() !== null);
    const peer = server.accepted()!;
    until(world, () => peer.received().length === 10, peer);
    io.close(fd);
    until(world, () => peer.ended, peer);
  });

  check("connect to nobody: ECONNREFUSED, at once or with EPOLLERR", (world) => {
    const { io } = world;
    const fd = io.connect(world.refusing(), options);
    if (fd < 0) {
      expect(fd).toBe(-Errno.ECONNREFUSED);
      return;
    }
    io.watch(fd, EPOLLIN | EPOLLOUT, 1);
    awaitEvents(world, fd, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
    expect([io.socketError(fd), io.socketError(fd)]).toEqual([Errno.ECONNREFUSED, 0]);
    expect([io.recv(fd, data, 0, 1), io.send(fd, data, 0, 1)]).toEqual([0, -Errno.EPIPE]);
    io.close(fd);
  });

  check("before connect is decided nothing is ready, and send and recv say EAGAIN", (world) => {
    const { io } = world;
    const fd = io.connect(world.silent(), options);
    io.watch(fd, EPOLLIN | EPOLLOUT, 1);
    expect(eventsNow(world, fd)).toBe(0);
    expect([io.send(fd, data, 0, 1), io.recv(fd, data, 0, 1), io.socketError(fd)]).toEqual([
      -Errno.EAGAIN,
      -Errno.EAGAIN,
      0,
    ]);
    io.close(fd);
  });
}

function watching(check: Check): void {
  check("only what was asked for is told, with the tag of the last call", (world) => {
    const { io, fd, peer } = acceptedPair(world);
    peer.send(data.bytes.slice(0, 10));
    io.watch(fd, EPOLLIN, 77);
    awaitEvents(world, fd, EPOLLIN);
    expect(io.readyTag(0)).toBe(77);
    io.rewatch(fd, EPOLLOUT, 78);
    awaitEvents(world, fd, EPOLLOUT);
    expect([io.readyEvents(0), io.readyTag(0)]).toEqual([EPOLLOUT, 78]);
    io.rewatch(fd, 0, 79);
    expect(eventsNow(world, fd)).toBe(0);
    peer.reset();
    awaitEvents(world, fd, EPOLLERR | EPOLLHUP);
    expect(io.readyEvents(0)).toBe(EPOLLERR | EPOLLHUP);
    io.unwatch(fd);
    expect(io.wait(0)).toBe(0);
    io.watch(fd, 0, 80);
    awaitEvents(world, fd, EPOLLERR | EPOLLHUP);
    io.close(fd);
    expect(io.wait(0)).toBe(0);
  });

  check("wait ends at its timeout", (world) => {
    const { io } = world;
    const before = io.nowMs();
    expect(io.wait(15)).toBe(0);
    expect(io.nowMs() - before).toBeGreaterThan(14);
  });
}

function splicing(check: Check): void {
  check("splice: socket to pipe to socket, then the end", (world) => {
    const { io } = world;
    const pipe = pipeOf(io, 65536);
    const from = acceptedPair(world);
    const to = acceptedPair(world);
    io.watch(from.fd, EPOLLIN, 1);
    expect(io.splice(from.fd, pipe.writeFd, 65536, false)).toBe(-Errno.EAGAIN);
    expect(io.splice(pipe.readFd, to.fd, 65536, false)).toBe(-Errno.EAGAIN);
    from.peer.send(data.bytes.slice(0, 5000));
    let inside = 0;
    while (inside < 5000) {
      awaitEvents(world, from.fd, EPOLLIN);
      inside += io.splice(from.fd, pipe.writeFd, 65536, false);
    }
    while (inside > 0) inside -= io.splice(pipe.readFd, to.fd, 3000, false);
    until(world, () => to.peer.received().length === 5000, to.peer);
    expect(to.peer.received()).toEqual(data.bytes.slice(0, 5000));
    from.peer.end();
    awaitEvents(world, from.fd, EPOLLIN);
    expect(io.splice(from.fd, pipe.writeFd, 65536, false)).toBe(0);
    io.closePipe(pipe);
    io.close(from.fd);
    io.close(to.fd);
  });

  check("splice: a full pipe takes nothing more, a broken target leaves the bytes in it", (world) => {
    const { io } = world;
    const pipe = pipeOf(io, 4096);
    const from = acceptedPair(world);
    const to = acceptedPair(world);
    io.watch(from.fd, EPOLLIN, 1);
    io.watch(to.fd, 0, 2);
    from.peer.send(data.bytes.slice(0, 20_000));
    until(world, () => io.splice(from.fd, pipe.writeFd, 65536, true) > 0);
    awaitEvents(world, from.fd, EPOLLIN);
    expect(io.splice(from.fd, pipe.writeFd, 65536, true)).toBe(-Errno.EAGAIN);
    to.peer.reset();
    awaitEvents(world, to.fd, EPOLLERR | EPOLLHUP);
    expect(io.splice(pipe.readFd, to.fd, 65536, false)).toBe(-Errno.ECONNRESET);
    expect(io.splice(pipe.readFd, to.fd, 65536, false)).toBe(-Errno.EPIPE);
    expect(io.splice(from.fd, pipe.writeFd, 65536, true)).toBe(-Errno.EAGAIN);
    io.closePipe(pipe);
    io.close(from.fd);
    io.close(to.fd);
  });
}

interface AcceptedPair {
  readonly io: Io;
  readonly fd: number;
  readonly peer: CasePeer;
}

function acceptedPair(world: CaseWorld): AcceptedPair {
  const { io } = world;
  const listener = world.listen();
  const peer = listener.connect();
  let fd = -1;
  until(world, () => {
    fd = io.accept(listener.fd);
    return fd >= 0;
  });
  return { io, fd, peer };
}

function pipeOf(io: Io, bytes: number): Pipe {
  const pipe = io.openPipe(bytes);
  if (typeof pipe === "number") throw new Error(`no pipe: ${pipe}`);
  return pipe;
}

/** Waits, with `peer` reading meanwhile, until the condition holds. */
function until(world: CaseWorld, condition: () => boolean, peer?: CasePeer): void {
  const endMs = world.io.nowMs() + 3000;
  while (!condition()) {
    if (world.io.nowMs() > endMs) throw new Error(`waited in vain for ${String(condition)}`);
    world.io.wait(1);
    peer?.read();
  }
}

function awaitEvents(world: CaseWorld, fd: number, events: number): void {
  let seen = 0;
  const endMs = world.io.nowMs() + 3000;
  while ((seen & events) !== events) {
    if (world.io.nowMs() > endMs) throw new Error(`waited for events ${events}, saw ${seen}`);
    seen = eventsOf(world, fd, 5);
  }
}

/** What epoll says of `fd` when nothing moves any more. */
function eventsNow(world: CaseWorld, fd: number): number {
  for (let i = 0; i < 5; i++) world.io.wait(2);
  return eventsOf(world, fd, 2);
}

function eventsOf({ io }: CaseWorld, fd: number, timeoutMs: number): number {
  const ready = io.wait(timeoutMs);
  for (let i = 0; i < ready; i++) if (io.readyFd(i) === fd) return io.readyEvents(i);
  return 0;
}

/** Receives `bytes` bytes in as many calls as it takes. */
function receive(world: CaseWorld, fd: number, into: Buf, at: number, bytes: number): number {
  let got = 0;
  until(world, () => {
    const received = world.io.recv(fd, into, at + got, bytes - got);
    if (received > 0) got += received;
    return got === bytes;
  });
  return got;
}

/** Sends until the peer's kernel and ours take no more. */
function sendUntilFull(world: CaseWorld, fd: number): number {
  let sent = 0;
  for (let idle = 0; idle < 20; ) {
    const taken = world.io.send(fd, data, 0, data.bytes.length);
    if (taken > 0) {
      sent += taken;
      idle = 0;
    } else {
      expect(taken).toBe(-Errno.EAGAIN);
      idle++;
      world.io.wait(1);
    }
  }
  return sent;
}
