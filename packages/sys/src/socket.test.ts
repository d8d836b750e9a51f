import { afterEach, describe, expect, test } from "bun:test";
import { spawnProcess, waitFor } from "@bowline/testkit";
import { EPOLLIN, EPOLLOUT, Epoll } from "./epoll.ts";
import { Errno } from "./errno.ts";
import { addressOf } from "./libc.ts";
import { encodeSockaddr, SOCKADDR_BYTES, sockaddrIp, sockaddrPort } from "./sockaddr.ts";
import {
  acceptTcp,
  bytesAcknowledged,
  closeFd,
  closeTcp,
  connectTcp,
  listenTcp,
  localAddress,
  originalDestination,
  peerAddress,
  recvInto,
  resetTcp,
  sendFrom,
  shutdownWrite,
  socketError,
} from "./socket.ts";

const options = { keepaliveMs: 10_000, userTimeoutMs: 20_000 };
const memory = new Uint8Array(65536).map((_, i) => i % 251);
const address = addressOf(memory);
const openFds = new Set<number>();
/** Asking for nothing still tells of EPOLLERR and EPOLLHUP. */
const BROKEN = 0;

afterEach(() => {
  for (const fd of openFds) resetTcp(fd);
  openFds.clear();
});

describe.each([
  { family: "IPv4", bind: "127.0.0.1", to: "127.0.0.1", seen: "127.0.0.1" },
  { family: "IPv6", bind: "::1", to: "::1", seen: "::1" },
  { family: "IPv4 to an IPv6 listener", bind: "::", to: "127.0.0.1", seen: "127.0.0.1" },
])("over $family", ({ bind, to, seen }) => {
  test("both sides know both addresses", () => {
    const { listener, client, server } = connectedPair(bind, to);
    expect(addressFrom(localAddress, server)).toEqual([seen, addressFrom(localAddress, listener)[1]]);
    expect(addressFrom(peerAddress, server)).toEqual(addressFrom(localAddress, client));
    expect(addressFrom(peerAddress, client)).toEqual(addressFrom(localAddress, server));
  });

  test("bytes arrive as sent, then the end; the other direction goes on", () => {
    const { client, server } = connectedPair(bind, to);
    expect(recvInto(server, address, 100)).toBe(-Errno.EAGAIN);
    expect(sendFrom(client, address, 1000)).toBe(1000);
    expect(receive(server, 1000)).toEqual(memory.slice(0, 1000));
    expect(shutdownWrite(client)).toBe(0);
    expect(receive(server, 1)).toHaveLength(0);
    expect(sendFrom(client, address, 1)).toBe(-Errno.EPIPE);
    expect(sendFrom(server, address + 10, 10)).toBe(10);
    expect(receive(client, 10)).toEqual(memory.slice(10, 20));
  });
});

test("a connection that was not redirected has no original destination", () => {
  const { server } = connectedPair("127.0.0.1", "127.0.0.1");
  const result = originalDestination(server, false, new Uint8Array(SOCKADDR_BYTES));
  expect([-Errno.ENOENT, -Errno.ENOPROTOOPT]).toContain(result);
});

test("the kernel's backlog gives EAGAIN when it is empty", () => {
  const { listener } = connectedPair("127.0.0.1", "127.0.0.1");
  expect(acceptTcp(listener)).toBe(-Errno.EAGAIN);
});

test("a port that nobody listens to refuses", () => {
  const { listener, port } = listen("127.0.0.1");
  close(listener);
  const to = encodeSockaddr("127.0.0.1", port);
  const fd = connectTcp(to, addressOf(to), options);
  // On loopback the answer is there before connect returns.
  expect(fd < 0 ? -fd : errorAfterDecision(opened(fd))).toBe(Errno.ECONNREFUSED);
});

test("two listeners share a port only with SO_REUSEPORT", () => {
  const first = listen("127.0.0.1", true);
  const same = encodeSockaddr("127.0.0.1", first.port);
  expect(listenTcp(same, 0, false, options)).toBe(-Errno.EADDRINUSE);
  expect(opened(listenTcp(same, 0, true, options))).toBeGreaterThan(0);
});

describe("how a connection ends", () => {
  test("resetTcp: the peer reads what had arrived, then ECONNRESET, once", () => {
    const { client, server } = connectedPair("127.0.0.1", "127.0.0.1");
    sendFrom(client, address, 5);
    reset(client);
    awaitEvents(server, BROKEN);
    expect(receive(server, 100)).toHaveLength(5);
    expect(recvInto(server, address, 100)).toBe(-Errno.ECONNRESET);
    expect(recvInto(server, address, 100)).toBe(0);
    expect(socketError(server)).toBe(0);
    expect(shutdownWrite(server)).toBe(-Errno.ENOTCONN);
  });

  test("a send may take the error that a read would have told", () => {
    const { client, server } = connectedPair("127.0.0.1", "127.0.0.1");
    reset(client);
    awaitEvents(server, BROKEN);
    expect(sendFrom(server, address, 1)).toBe(-Errno.ECONNRESET);
    expect(recvInto(server, address, 100)).toBe(0);
  });

  test("socketError reads and clears", () => {
    const { client, server } = connectedPair("127.0.0.1", "127.0.0.1");
    reset(client);
    awaitEvents(server, BROKEN);
    expect([socketError(server), socketError(server)]).toEqual([Errno.ECONNRESET, 0]);
  });

  test("a reset after the end leaves the end, and the error is EPIPE", () => {
    const { client, server } = connectedPair("127.0.0.1", "127.0.0.1");
    sendFrom(client, address, 5);
    shutdownWrite(client);
    reset(client);
    awaitEvents(server, BROKEN);
    expect(receive(server, 100)).toHaveLength(5);
    expect(recvInto(server, address, 100)).toBe(0);
    expect(socketError(server)).toBe(Errno.EPIPE);
  });

  test("closeTcp ends in order, also on an accepted socket, which inherits the reset of its listener", () => {
    for (const closing of ["client", "server"] as const) {
      const pair = connectedPair("127.0.0.1", "127.0.0.1");
      const other = closing === "client" ? pair.server : pair.client;
      sendFrom(pair[closing], address, 100);
      close(pair[closing]);
      expect(receive(other, 100)).toHaveLength(100);
      expect(receive(other, 100)).toHaveLength(0);
      expect(socketError(other)).toBe(0);
    }
  });

  test("closeTcp with unread bytes resets", () => {
    const { client, server } = connectedPair("127.0.0.1", "127.0.0.1");
    sendFrom(client, address, 100);
    awaitEvents(server, EPOLLIN);
    close(server);
    awaitEvents(client, BROKEN);
    expect(recvInto(client, address, 100)).toBe(-Errno.ECONNRESET);
  });

  test.each(["connectTcp", "acceptTcp"])("a killed process resets its connections (%s)", async (made) => {
    const { listener, port } = listen("127.0.0.1");
    const script =
      made === "connectTcp"
        ? `const fd = connectTcp(at, addressOf(at), none);`
        : `const out = new Uint8Array(28);
           const listener = listenTcp(encodeSockaddr("127.0.0.1", 0), 0, false, none);
           localAddress(listener, out);
           const via = connectTcp(at, addressOf(at), none);
           sendFrom(via, addressOf(out), 28);
           let fd = -11;
           while (fd < 0) fd = acceptTcp(listener);`;
    await using child = spawnProcess(
      [
        process.execPath,
        "-e",
        `import { acceptTcp, addressOf, connectTcp, encodeSockaddr, listenTcp, localAddress, sendFrom } from "./index.ts";
         const none = { keepaliveMs: 0, userTimeoutMs: 0 };
         const at = encodeSockaddr("127.0.0.1", ${port});
         const bytes = new Uint8Array(2000);
         ${script}
         setInterval(() => sendFrom(fd, addressOf(bytes), 2000), 1);`,
      ],
      { cwd: import.meta.dir },
    );
    const first = opened(await accepted(listener));
    const peer = made === "connectTcp" ? first : opened(await connectBack(first));
    await waitFor(() => recvInto(peer, address, 65536) > 0, { what: "bytes from the child" });
    child.kill("SIGKILL");
    await child.exited;
    let received = 1;
    while (received > 0) received = recvInto(peer, address, 65536);
    expect(received).toBe(-Errno.ECONNRESET);
  });
});

test("bytesAcknowledged counts what the peer's kernel has, the connecting side's SYN and a FIN, also after a reset", () => {
  const { client, server } = connectedPair("127.0.0.1", "127.0.0.1");
  sendFrom(client, address, 1000);
  sendFrom(server, address, 300);
  awaitEvents(client, EPOLLIN);
  expect(receive(server, 1000)).toHaveLength(1000);
  expect([bytesAcknowledged(client), bytesAcknowledged(server)]).toEqual([1001, 300]);
  shutdownWrite(client);
  reset(server);
  awaitEvents(client, BROKEN);
  expect(receive(client, 300)).toHaveLength(300);
  expect(recvInto(client, address, 1)).toBe(-Errno.ECONNRESET);
  expect([1001, 1002]).toContain(bytesAcknowledged(client));
});

test("bytesAcknowledged stops at what the peer's kernel takes", () => {
  const { client } = connectedPair("127.0.0.1", "127.0.0.1");
  let sent = 0;
  for (let taken = 1; taken > 0; sent += Math.max(0, taken)) taken = sendFrom(client, address, 65536);
  const acknowledged = bytesAcknowledged(client) - 1;
  expect(acknowledged).toBeGreaterThan(0);
  expect(acknowledged).toBeLessThan(sent);
});

test("every call on a closed fd says EBADF", () => {
  const { client } = connectedPair("127.0.0.1", "127.0.0.1");
  close(client);
  const out = new Uint8Array(SOCKADDR_BYTES);
  expect([
    recvInto(client, address, 1),
    sendFrom(client, address, 1),
    shutdownWrite(client),
    -socketError(client),
    bytesAcknowledged(client),
    localAddress(client, out),
    peerAddress(client, out),
    acceptTcp(client),
  ]).toEqual(Array.from({ length: 8 }, () => -Errno.EBADF));
});

interface ConnectedPair {
  readonly listener: number;
  readonly client: number;
  readonly server: number;
}

function connectedPair(bind: string, to: string): ConnectedPair {
  const { listener, port } = listen(bind);
  const sockaddr = encodeSockaddr(to, port);
  const client = opened(connectTcp(sockaddr, addressOf(sockaddr), options));
  awaitEvents(client, EPOLLOUT);
  expect(socketError(client)).toBe(0);
  return { listener, client, server: opened(acceptTcp(listener)) };
}

function listen(bind: string, reusePort = false): { listener: number; port: number } {
  const listener = opened(listenTcp(encodeSockaddr(bind, 0), 0, reusePort, options));
  return { listener, port: addressFrom(localAddress, listener)[1] };
}

function addressFrom(ask: (fd: number, out: Uint8Array) => number, fd: number): [string, number] {
  const out = new Uint8Array(SOCKADDR_BYTES);
  expect(ask(fd, out)).toBe(0);
  return [sockaddrIp(out), sockaddrPort(out)];
}

function opened(fd: number): number {
  if (fd < 0) throw new Error(`the call failed with ${fd}`);
  openFds.add(fd);
  return fd;
}

function close(fd: number): void {
  openFds.delete(fd);
  closeTcp(fd);
}

function reset(fd: number): void {
  openFds.delete(fd);
  resetTcp(fd);
}

/** Waits until bytes, the end or an error are there, then reads once. */
function receive(fd: number, bytes: number): Uint8Array {
  awaitEvents(fd, EPOLLIN);
  const into = new Uint8Array(bytes);
  const received = recvInto(fd, addressOf(into), bytes);
  expect(received).toBeGreaterThanOrEqual(0);
  return into.slice(0, received);
}

function errorAfterDecision(fd: number): number {
  awaitEvents(fd, EPOLLOUT);
  return socketError(fd);
}

function awaitEvents(fd: number, events: number): void {
  const epoll = new Epoll();
  try {
    expect(epoll.add(fd, events, 1)).toBe(0);
    expect(epoll.wait(2_000)).toBe(1);
  } finally {
    epoll.close();
  }
}

function accepted(listener: number): Promise<number> {
  return waitFor(() => Math.max(0, acceptTcp(listener)), { what: "a connection from the child" });
}

/** Connects to the listener whose sockaddr the child sends over its first connection. */
async function connectBack(via: number): Promise<number> {
  const sockaddr = new Uint8Array(SOCKADDR_BYTES);
  await waitFor(() => recvInto(via, addressOf(sockaddr), SOCKADDR_BYTES) > 0, { what: "the child's address" });
  closeFd(via);
  openFds.delete(via);
  return connectTcp(sockaddr, addressOf(sockaddr), options);
}
