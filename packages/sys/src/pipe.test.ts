import { afterEach, expect, test } from "bun:test";
import { EPOLLIN, Epoll } from "./epoll.ts";
import { Errno } from "./errno.ts";
import { addressOf } from "./libc.ts";
import { openPipe, type Pipe, spliceBytes } from "./pipe.ts";
import { encodeSockaddr, SOCKADDR_BYTES, sockaddrPort } from "./sockaddr.ts";
import {
  acceptTcp,
  closeFd,
  connectTcp,
  listenTcp,
  localAddress,
  recvInto,
  resetTcp,
  sendFrom,
  shutdownWrite,
} from "./socket.ts";

const none = { keepaliveMs: 0, userTimeoutMs: 0 };
const memory = new Uint8Array(65536).map((_, i) => i % 251);
const address = addressOf(memory);
const openFds: number[] = [];

afterEach(() => {
  for (const fd of openFds.splice(0)) closeFd(fd);
});

test("bytes and the end go through a pipe from socket to socket", () => {
  const pipe = pipeOf(65536);
  const [sender, from] = connectedPair();
  const [to, receiver] = connectedPair();
  expect(spliceBytes(from, pipe.writeFd, 65536, false)).toBe(-Errno.EAGAIN);
  expect(spliceBytes(pipe.readFd, to, 65536, false)).toBe(-Errno.EAGAIN);
  sendFrom(sender, address, 5000);
  awaitEvents(from, EPOLLIN);
  expect(spliceBytes(from, pipe.writeFd, 65536, false)).toBe(5000);
  expect(spliceBytes(pipe.readFd, to, 3000, true)).toBe(3000);
  expect(spliceBytes(pipe.readFd, to, 65536, false)).toBe(2000);
  const into = new Uint8Array(6000);
  awaitEvents(receiver, EPOLLIN);
  expect(recvInto(receiver, addressOf(into), 6000)).toBe(5000);
  expect(into.subarray(0, 5000)).toEqual(memory.subarray(0, 5000));
  shutdownWrite(sender);
  awaitEvents(from, EPOLLIN);
  expect(spliceBytes(from, pipe.writeFd, 65536, false)).toBe(0);
});

test("a full pipe takes nothing, though the socket has more", () => {
  const pipe = pipeOf(4096);
  expect(pipe.capacityBytes).toBe(4096);
  const [sender, from] = connectedPair();
  sendFrom(sender, address, 65536);
  awaitEvents(from, EPOLLIN);
  const moved = spliceBytes(from, pipe.writeFd, 65536, false);
  expect(moved).toBeGreaterThan(0);
  expect(moved).toBeLessThanOrEqual(4096);
  expect(spliceBytes(from, pipe.writeFd, 65536, false)).toBe(-Errno.EAGAIN);
});

test("a broken target gives its error, not a signal, and the bytes stay in the pipe", () => {
  const pipe = pipeOf(65536);
  const [sender, from] = connectedPair();
  const [to, receiver] = connectedPair();
  sendFrom(sender, address, 100);
  awaitEvents(from, EPOLLIN);
  spliceBytes(from, pipe.writeFd, 100, false);
  openFds.splice(openFds.indexOf(receiver), 1);
  resetTcp(receiver);
  awaitEvents(to, 0);
  expect(spliceBytes(pipe.readFd, to, 100, false)).toBe(-Errno.ECONNRESET);
  expect(spliceBytes(pipe.readFd, to, 100, false)).toBe(-Errno.EPIPE);
});

test("the capacity is the kernel's, not the one asked for", () => {
  // More than pipe-max-size is refused to a user without rights, and what root gets is rounded up to pages.
  expect(pipeOf(5000).capacityBytes).toBe(8192);
});

function pipeOf(bytes: number): Pipe {
  const pipe = openPipe(bytes);
  if (typeof pipe === "number") throw new Error(`no pipe: ${pipe}`);
  openFds.push(pipe.readFd, pipe.writeFd);
  return pipe;
}

function awaitEvents(fd: number, events: number): void {
  const epoll = new Epoll();
  epoll.add(fd, events, 1);
  const ready = epoll.wait(2_000);
  epoll.close();
  expect(ready).toBe(1);
}

function connectedPair(): [number, number] {
  const listener = listenTcp(encodeSockaddr("127.0.0.1", 0), 0, false, none);
  const at = new Uint8Array(SOCKADDR_BYTES);
  localAddress(listener, at);
  const to = encodeSockaddr("127.0.0.1", sockaddrPort(at));
  const client = connectTcp(to, addressOf(to), none);
  const server = acceptTcp(listener);
  openFds.push(listener, client, server);
  return [client, server];
}
