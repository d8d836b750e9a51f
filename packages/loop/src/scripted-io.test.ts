import { describe, expect, test } from "bun:test";
import { addressOf, Errno, encodeSockaddr } from "@bowline/sys";
import { type Adversity, CALM, ScriptedIo, ScriptedIoError, type ScriptedPeer } from "@bowline/testkit";
import { Buf } from "./buffer.ts";
import { type CaseListener, type CasePeer, type CaseWorld, describeIo } from "./io.case.test.ts";
import type { Destination } from "./io.ts";

const options = { keepaliveMs: 0, userTimeoutMs: 0 };
const slowNetwork: Adversity = { ...CALM, latencyMsMax: 3, connectMsMax: 5, partialDelivery: 0.7, shuffle: true };

describeIo("ScriptedIo, calm", () => new ScriptedWorld(CALM));
describeIo("ScriptedIo, a slow network", () => new ScriptedWorld(slowNetwork));

describe("ScriptedIo refuses what no correct program does", () => {
  const buf = new Buf(4096, 0);
  const rows: { name: string; misuse: (io: ScriptedIo, fd: number) => void }[] = [
    { name: "recv on a closed fd", misuse: (io, fd) => [io.close(fd), io.recv(fd, buf, 0, 10)] },
    { name: "send on an fd that never was", misuse: (io) => io.send(99, buf, 0, 10) },
    { name: "double close", misuse: (io, fd) => [io.close(fd), io.close(fd)] },
    { name: "close after reset", misuse: (io, fd) => [io.reset(fd), io.close(fd)] },
    { name: "watching a closed fd", misuse: (io, fd) => [io.close(fd), io.watch(fd, 1, 1)] },
    { name: "watching twice", misuse: (io, fd) => [io.watch(fd, 1, 1), io.watch(fd, 1, 1)] },
    { name: "changing what is not watched", misuse: (io, fd) => io.rewatch(fd, 1, 1) },
    { name: "unwatching what is not watched", misuse: (io, fd) => io.unwatch(fd) },
    { name: "receiving behind the buffer", misuse: (io, fd) => io.recv(fd, buf, 4090, 7) },
    { name: "receiving before the buffer", misuse: (io, fd) => io.recv(fd, buf, -1, 7) },
    { name: "sending from behind the buffer", misuse: (io, fd) => io.send(fd, buf, 4096, 1) },
    { name: "receiving nothing", misuse: (io, fd) => io.recv(fd, buf, 0, 0) },
    { name: "copying behind the buffer", misuse: (io) => io.copy(buf, 4000, buf, 0, 100) },
    { name: "accepting on a connection", misuse: (io, fd) => io.accept(fd) },
    { name: "splicing between sockets", misuse: (io, fd) => io.splice(fd, fd, 10, false) },
    { name: "waiting for nothing for ever", misuse: (io) => io.wait(-1) },
    { name: "a leak", misuse: (io) => io.assertNothingOpen() },
    {
      name: "shutdown before the connection stands",
      misuse: (io) => io.shutdownWrite(io.connect(silent(io), options)),
    },
    {
      name: "an address that is not the sockaddr's",
      misuse: (io) => io.connect({ ...silent(io), sockaddrAddress: 1 }, options),
    },
  ];
  test.each(rows)("$name", ({ misuse }) => {
    const { io, fd } = accepted(CALM);
    expect(() => misuse(io, fd)).toThrow(ScriptedIoError);
  });

  test("a loop that is told of ready fds and does nothing", () => {
    const { io, fd, client } = accepted(CALM);
    io.watch(fd, 1, 1);
    client.send("x");
    expect(() => {
      for (let i = 0; i < 1000; i++) io.wait(10);
    }).toThrow("the loop spins");
  });

  test("a loop that reads the end again and again", () => {
    const { io, fd, client } = accepted(CALM);
    io.watch(fd, 1, 1);
    client.end();
    expect(() => {
      for (let i = 0; i < 1000; i++) {
        io.wait(10);
        io.recv(fd, buf, 0, 10);
      }
    }).toThrow("the loop spins");
  });

  test("the failure tells the seed, the open fds and the last calls", () => {
    const { io, fd } = accepted(CALM);
    io.recv(fd, buf, 8, 10);
    const failure = thrownBy(() => io.assertNothingOpen());
    expect(failure).toContain("seed 1");
    expect(failure).toMatch(/fd 4 \(call \d+, accept\): socket 10\.0\.0\.1:4140 - /);
    expect(failure).toContain("recv(4, +8, 10) = -EAGAIN");
  });
});

describe("ScriptedIo", () => {
  test("the same seed is the same run, another seed another", () => {
    expect(runOf(5)).toBe(runOf(5));
    expect(runOf(5)).not.toBe(runOf(6));
  });

  test("the lowest free fd is used again", () => {
    const { io, fd } = accepted(CALM);
    io.onConnect("10.9.9.9:80", () => undefined);
    io.close(fd);
    expect(io.connect(to("10.9.9.9", 80), options)).toBe(fd);
  });

  test("bytes behind a short receive are overwritten", () => {
    const { io, fd, client } = accepted(CALM);
    const buf = new Buf(4096, 0);
    buf.bytes.fill(1);
    client.send("ab");
    io.wait(1);
    expect(io.recv(fd, buf, 10, 5)).toBe(2);
    expect([...buf.bytes.subarray(9, 17)]).toEqual([1, 97, 98, 0xdb, 0xdb, 0xdb, 1, 1]);
  });

  test("the fd limit gives EMFILE, and the connection stays in the backlog", () => {
    const io = new ScriptedIo({ seed: 1, adversity: CALM, openFilesMax: 1 });
    const listener = io.listener("10.0.0.1:4140");
    const client = io.client(listener);
    io.wait(1);
    expect(io.accept(listener.fd)).toBe(-Errno.EMFILE);
    expect(io.connect(to("10.9.9.9", 80), options)).toBe(-Errno.EMFILE);
    expect(io.openPipe(4096)).toBe(-Errno.EMFILE);
    expect(client.connected).toBe(true);
  });

  test.each([
    { outcome: "refuse" as const, errno: Errno.ECONNREFUSED, afterMs: 0 },
    { outcome: "silence" as const, errno: Errno.ETIMEDOUT, afterMs: 127_000 },
  ])("a connect that meets $outcome fails after $afterMs ms", ({ outcome, errno, afterMs }) => {
    const io = new ScriptedIo({ seed: 1, adversity: slowNetwork });
    io.onConnect("10.9.9.9:80", outcome);
    const fd = io.connect(to("10.9.9.9", 80), options);
    io.watch(fd, 4, 1);
    const startMs = io.nowMs();
    expect(io.wait(-1)).toBe(1);
    expect(io.socketError(fd)).toBe(errno);
    expect(io.nowMs() - startMs).toBeGreaterThanOrEqual(afterMs);
  });

  test("connect itself may fail", () => {
    const io = new ScriptedIo({ seed: 1, adversity: CALM });
    io.onConnect("10.9.9.9:80", Errno.ENETUNREACH);
    expect(io.connect(to("10.9.9.9", 80), options)).toBe(-Errno.ENETUNREACH);
    io.assertNothingOpen();
  });

  test("original destinations and addresses of both families", () => {
    const io = new ScriptedIo({ seed: 1, adversity: CALM });
    const out = new Uint8Array(28);
    const v6 = io.listener("[::1]:4140");
    io.client(v6, { from: "10.0.0.9:5000", originalDestination: "10.1.2.3:80" });
    io.client(v6, { from: "[fd00::9]:5000", originalDestination: "[fd00::1]:80" });
    io.wait(1);
    const seen = [io.accept(v6.fd), io.accept(v6.fd)].map((fd) => {
      io.originalDestination(fd, true, out);
      const original = Buffer.from(out).toString("hex");
      io.peerAddress(fd, out);
      return `${original.slice(0, 16)} ${Buffer.from(out).toString("hex")}`;
    });
    expect(seen.toSorted()).toEqual([
      "020000500a010203 0a00138800000000" + "00000000000000000000ffff0a00000900000000",
      "0a00005000000000 0a00138800000000" + "fd00000000000000000000000000000900000000",
    ]);
  });
});

interface Accepted {
  readonly io: ScriptedIo;
  readonly fd: number;
  readonly client: ScriptedPeer;
}

function accepted(adversity: Adversity): Accepted {
  const io = new ScriptedIo({ seed: 1, adversity });
  const listener = io.listener("10.0.0.1:4140");
  const client = io.client(listener);
  io.wait(1);
  return { io, fd: io.accept(listener.fd), client };
}

/** All that a client reads, and when it was done, through a hostile world. */
function runOf(seed: number): string {
  const io = new ScriptedIo({ seed, adversity: { latencyMsMax: 40, partialDelivery: 0.9 } });
  const listener = io.listener("10.0.0.1:4140");
  const client = io.client(listener);
  const times: number[] = [];
  client.onData = (bytes) => times.push(io.nowMs(), bytes.length);
  let fd = -1;
  io.run(
    () => {
      io.wait(1);
      fd = io.accept(listener.fd);
    },
    () => fd >= 0,
  );
  const buf = new Buf(4096, 0);
  let sent = 0;
  io.run(
    () => {
      io.wait(1);
      if (sent < 4096) sent += Math.max(0, io.send(fd, buf, sent, 4096 - sent));
    },
    () => client.receivedBytes === 4096,
  );
  return times.join(" ");
}

function thrownBy(act: () => void): string {
  try {
    act();
  } catch (error) {
    return String(error);
  }
  throw new Error("nothing was thrown");
}

function to(ip: string, port: number): Destination {
  const sockaddr = encodeSockaddr(ip, port);
  return { sockaddr, sockaddrAddress: addressOf(sockaddr) };
}

function silent(io: ScriptedIo): Destination {
  io.onConnect("10.0.0.2:9", "silence");
  return to("10.0.0.2", 9);
}

class ScriptedWorld implements CaseWorld {
  readonly io: ScriptedIo;
  #nextPort = 2000;

  constructor(adversity: Adversity) {
    this.io = new ScriptedIo({ seed: 3, adversity });
  }

  listen(): CaseListener {
    const listener = this.io.listener(`127.0.0.1:${this.#nextPort++}`);
    return { fd: listener.fd, connect: () => new UnhurriedPeer(this.io.client(listener, { from: this.#client() })) };
  }

  serve(): { to: Destination; accepted(): CasePeer | null } {
    const port = this.#nextPort++;
    let peer: CasePeer | null = null;
    this.io.onConnect(`127.0.0.1:${port}`, (server) => {
      peer = new UnhurriedPeer(server);
    });
    return { to: to("127.0.0.1", port), accepted: () => peer };
  }

  refusing(): Destination {
    return to("127.0.0.1", this.#nextPort++);
  }

  silent(): Destination {
    return silent(this.io);
  }

  dispose(): void {
    // A simulated kernel holds nothing of the real one.
  }

  #client(): string {
    return `127.0.0.1:${this.#nextPort++}`;
  }
}

/** Reads only when told to. */
class UnhurriedPeer implements CasePeer {
  readonly #peer: ScriptedPeer;

  constructor(peer: ScriptedPeer) {
    this.#peer = peer;
    peer.pauseReading();
  }

  get ended(): boolean {
    return this.#peer.ended;
  }

  get errno(): number {
    return this.#peer.errno;
  }

  send(bytes: Uint8Array): void {
    this.#peer.send(bytes);
  }

  end(): void {
    this.#peer.end();
  }

  close(): void {
    this.#peer.close();
  }

  reset(): void {
    this.#peer.reset();
  }

  read(): void {
    this.#peer.readMore(Number.POSITIVE_INFINITY);
    this.#peer.pauseReading();
  }

  received(): Uint8Array {
    return this.#peer.received();
  }
}
