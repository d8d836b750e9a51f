import { describe, expect, test } from "bun:test";
import { addressOf, Errno, encodeSockaddr } from "@bowline/sys";
import { type Adversity, CALM, ScriptedIo, type ScriptedListener, type ScriptedPeer } from "@bowline/testkit";
import { BUF_BYTES_MAX, Buf, BufPool } from "./buffer.ts";
import type { Destination } from "./io.ts";
import { Reactor } from "./reactor.ts";
import { Stream, type StreamOwner, WriteResult } from "./stream.ts";

const options = { keepaliveMs: 0, userTimeoutMs: 0 };
const SERVER = "10.9.9.9:80";
const buf = new Buf(BUF_BYTES_MAX, 0);
for (let i = 0; i < buf.bytes.length; i++) buf.bytes[i] = (i * 7 + (i >> 8)) & 0xff;

/** Notes every call, and reads nothing unless told to. */
class Owner implements StreamOwner {
  readonly calls: string[] = [];
  onReadableDo: (stream: Stream) => void = () => undefined;
  onConnectedDo: (stream: Stream) => void = () => undefined;

  onReadable(stream: Stream): void {
    this.calls.push("readable");
    this.onReadableDo(stream);
  }

  onDrained(): void {
    this.calls.push("drained");
  }

  onConnected(stream: Stream): void {
    this.calls.push("connected");
    this.onConnectedDo(stream);
  }

  onBroken(_stream: Stream, errno: number): void {
    this.calls.push(`broken ${errno}`);
  }
}

class CountingPool extends BufPool {
  out = 0;

  override acquire(bytes: number): Buf {
    this.out++;
    return super.acquire(bytes);
  }

  override release(released: Buf): void {
    this.out--;
    super.release(released);
  }
}

class Scene {
  readonly io: ScriptedIo;
  readonly reactor: Reactor;
  readonly pool: CountingPool = new CountingPool();
  readonly owner: Owner = new Owner();
  readonly stream: Stream;
  readonly meter: {
    received: { value: number };
    sent: { value: number };
    ends: number[];
    closed(errno: number): void;
  } = {
    received: { value: 0 },
    sent: { value: 0 },
    ends: [],
    closed(errno: number) {
      this.ends.push(errno);
    },
  };
  server: ScriptedPeer | null = null;
  readonly #listener: ScriptedListener;

  constructor(adversity: Partial<Adversity> = {}) {
    this.io = new ScriptedIo({ seed: 1, adversity: { ...CALM, ...adversity } });
    this.reactor = new Reactor(this.io);
    this.stream = new Stream(this.reactor, this.pool, this.owner);
    this.#listener = this.io.listener("10.0.0.1:4140");
    this.io.onConnect(SERVER, (server) => {
      this.server = server;
    });
  }

  accept(): ScriptedPeer {
    const peer = this.io.client(this.#listener);
    let fd = -1;
    this.io.run(
      () => {
        this.reactor.turn(1);
        fd = this.io.accept(this.#listener.fd);
      },
      () => fd >= 0,
    );
    this.stream.open(fd);
    this.stream.meter = this.meter;
    return peer;
  }

  connect(): void {
    expect(this.stream.connect(destination(SERVER), options)).toBe(0);
  }

  until(condition: () => boolean): void {
    this.io.run(() => this.reactor.turn(), condition);
  }

  /** Long enough for everything to happen, and for a loop that spins to be caught. */
  settle(): void {
    for (let i = 0; i < 400; i++) this.reactor.turn(1);
  }
}

describe("connecting", () => {
  test("what is written meanwhile is held and goes out in order, then the FIN", () => {
    const scene = new Scene({ connectMsMax: 30 });
    scene.connect();
    scene.stream.pauseReading();
    expect(scene.stream.write(buf, 0, 100)).toBe(WriteResult.Held);
    expect(scene.stream.write(buf, 100, 300)).toBe(WriteResult.Held);
    scene.stream.finish();
    expect([scene.stream.connecting, scene.stream.heldBytes]).toEqual([true, 300]);
    scene.until(() => scene.server?.ended === true);
    expect(scene.server?.received()).toEqual(buf.bytes.slice(0, 300));
    expect(scene.owner.calls).toEqual(["connected", "drained"]);
    expect(scene.pool.out).toBe(0);
  });

  test("finish alone, before the connection stands", () => {
    const scene = new Scene({ connectMsMax: 30 });
    scene.connect();
    scene.stream.finish();
    scene.until(() => scene.server?.ended === true);
    expect(scene.owner.calls).toEqual(["connected"]);
  });

  test("a write that the kernel takes at once tells of the connection, and the owner's answer comes behind it", () => {
    const scene = new Scene({ socketBufferBytes: [100] });
    scene.owner.onConnectedDo = (stream) => {
      stream.meter = scene.meter;
      expect(stream.write(buf, 250, 300)).toBe(WriteResult.Held);
    };
    scene.connect();
    expect(scene.stream.write(buf, 0, 250)).toBe(WriteResult.Held);
    expect(scene.owner.calls).toEqual(["connected"]);
    scene.until(() => scene.server?.receivedBytes === 300);
    expect(scene.server?.received()).toEqual(buf.bytes.slice(0, 300));
    expect(scene.meter.sent.value).toBe(300);
    expect(scene.owner.calls).toEqual(["connected", "drained"]);
  });

  test("the owner may close within the write that connected", () => {
    const scene = new Scene({ socketBufferBytes: [100] });
    scene.owner.onConnectedDo = (stream) => stream.close();
    scene.connect();
    expect(scene.stream.write(buf, 0, 250)).toBe(WriteResult.Broken);
    expect([scene.stream.closed, scene.stream.heldBytes, scene.pool.out]).toEqual([true, 0, 0]);
    scene.io.assertNothingOpen();
    scene.settle();
    // The rest of the write was lost, which the server must not take for the end.
    expect([scene.server?.ended, scene.server?.errno]).toEqual([false, Errno.ECONNRESET]);
  });

  test.each([
    { name: "with nothing written", write: 0 },
    { name: "with bytes held", write: 10 },
  ])("a refusal is told once, $name", ({ write }) => {
    const scene = new Scene({ connectMsMax: 30 });
    scene.io.onConnect(SERVER, "refuse");
    scene.connect();
    if (write > 0) scene.stream.write(buf, 0, write);
    scene.settle();
    expect(scene.owner.calls).toEqual([`broken ${Errno.ECONNREFUSED}`]);
    scene.stream.close();
    expect(scene.pool.out).toBe(0);
    scene.io.assertNothingOpen();
  });

  test("a write may take the refusal off the socket; it is told all the same", () => {
    const scene = new Scene({ connectMsMax: 30 });
    scene.io.onConnect(SERVER, "refuse");
    scene.connect();
    scene.io.runFor(() => undefined, 40);
    expect(scene.stream.write(buf, 0, 10)).toBe(WriteResult.Held);
    scene.settle();
    expect(scene.owner.calls).toEqual([`broken ${Errno.ECONNREFUSED}`]);
  });

  test("a connect that fails at once leaves the stream closed", () => {
    const scene = new Scene();
    scene.io.onConnect(SERVER, Errno.EADDRNOTAVAIL);
    expect(scene.stream.connect(destination(SERVER), options)).toBe(-Errno.EADDRNOTAVAIL);
    expect(scene.stream.closed).toBe(true);
  });

  test("closing before the decision ends the attempt", () => {
    const scene = new Scene({ connectMsMax: 30 });
    scene.connect();
    scene.stream.close();
    scene.settle();
    expect([scene.server, scene.owner.calls.length]).toEqual([null, 0]);
    scene.io.assertNothingOpen();
  });

  test("bytesAcknowledged leaves the SYN out", () => {
    const scene = new Scene();
    scene.connect();
    scene.stream.write(buf, 0, 100);
    scene.until(() => scene.server?.receivedBytes === 100);
    expect(scene.stream.bytesAcknowledged()).toBe(100);
  });
});

describe("writing", () => {
  test("what the kernel does not take is held, and told when it is gone", () => {
    const scene = new Scene({ socketBufferBytes: [1000] });
    const peer = scene.accept();
    peer.pauseReading();
    expect(scene.stream.write(buf, 0, 5000)).toBe(WriteResult.Held);
    expect(scene.stream.write(buf, 5000, 6000)).toBe(WriteResult.Held);
    expect(scene.stream.heldBytes).toBe(5000);
    scene.settle();
    expect(scene.owner.calls).toEqual([]);
    peer.resumeReading();
    scene.until(() => peer.receivedBytes === 6000);
    expect(peer.received()).toEqual(buf.bytes.slice(0, 6000));
    scene.settle();
    expect([scene.owner.calls, scene.pool.out, scene.meter.sent.value]).toEqual([["drained"], 0, 6000]);
  });

  test("more than one pool buffer is refused, not kept", () => {
    const scene = new Scene({ socketBufferBytes: [1000] });
    scene.accept().pauseReading();
    expect(scene.stream.write(buf, 0, BUF_BYTES_MAX)).toBe(WriteResult.Held);
    expect(scene.stream.write(buf, 0, 1001)).toBe(WriteResult.Broken);
    expect(scene.stream.errno).toBe(Errno.ENOBUFS);
    scene.stream.reset();
    expect(scene.pool.out).toBe(0);
  });

  test("awaitWritable tells once, also when bytes are held", () => {
    const scene = new Scene({ socketBufferBytes: [1000] });
    const peer = scene.accept();
    scene.stream.awaitWritable();
    scene.settle();
    expect(scene.owner.calls.splice(0)).toEqual(["drained"]);
    peer.pauseReading();
    scene.stream.write(buf, 0, 3000);
    scene.stream.awaitWritable();
    peer.resumeReading();
    scene.settle();
    expect(scene.owner.calls).toEqual(["drained"]);
  });

  test("a peer that is gone: Broken, or onBroken for what was held", () => {
    const scene = new Scene({ socketBufferBytes: [1000] });
    const peer = scene.accept();
    scene.stream.pauseReading();
    peer.pauseReading();
    scene.stream.write(buf, 0, 3000);
    peer.reset();
    scene.settle();
    expect(scene.owner.calls).toEqual([`broken ${Errno.ECONNRESET}`]);
    expect(scene.stream.write(buf, 0, 1)).toBe(WriteResult.Broken);
    expect([scene.stream.errno, scene.pool.out]).toEqual([Errno.ECONNRESET, 0]);
  });
});

describe("how it ends", () => {
  test("finish sends the FIN behind held bytes", () => {
    const scene = new Scene({ socketBufferBytes: [1000] });
    const peer = scene.accept();
    peer.pauseReading();
    scene.stream.write(buf, 0, 4000);
    scene.stream.finish();
    scene.stream.finish();
    peer.resumeReading();
    scene.until(() => peer.ended);
    expect(peer.received()).toEqual(buf.bytes.slice(0, 4000));
    expect(scene.owner.calls).toEqual(["drained"]);
  });

  test("close is an end to the peer, but a reset when held bytes are lost", () => {
    const whole = new Scene();
    const peer = whole.accept();
    whole.stream.write(buf, 0, 500);
    whole.stream.close();
    whole.settle();
    expect([peer.receivedBytes, peer.ended, peer.errno]).toEqual([500, true, 0]);
    expect(whole.meter.ends).toEqual([0]);

    const cut = new Scene({ socketBufferBytes: [1000] });
    const cutPeer = cut.accept();
    cut.stream.write(buf, 0, 5000);
    cut.stream.close();
    cut.settle();
    expect([cutPeer.ended, cutPeer.errno, cut.pool.out]).toEqual([false, Errno.ECONNRESET, 0]);
  });

  test("a reset that a write has noticed is not read as an end", () => {
    const scene = new Scene();
    const peer = scene.accept();
    const results: number[] = [];
    peer.send("abc");
    scene.until(() => scene.owner.calls.includes("readable"));
    peer.reset();
    scene.io.runFor(() => undefined, 5);
    expect(scene.stream.write(buf, 0, 10)).toBe(WriteResult.Broken);
    const into = new Buf(4096, 0);
    for (let i = 0; i < 3; i++) results.push(scene.stream.read(into, 0, 100));
    expect(results).toEqual([3, -Errno.ECONNRESET, -Errno.ECONNRESET]);
    scene.stream.reset();
    expect(scene.meter.ends).toEqual([Errno.ECONNRESET]);
  });

  test("a reset after the peer's end is still an end to the reader", () => {
    const scene = new Scene();
    const peer = scene.accept();
    peer.send("abc");
    peer.end();
    scene.until(() => scene.owner.calls.includes("readable"));
    peer.reset();
    scene.io.runFor(() => undefined, 5);
    expect(scene.stream.write(buf, 0, 10)).toBe(WriteResult.Broken);
    expect([scene.stream.read(new Buf(4096, 0), 0, 100), scene.stream.read(new Buf(4096, 0), 0, 100)]).toEqual([3, 0]);
  });

  test("a reset while nobody reads is told, once", () => {
    const scene = new Scene();
    const peer = scene.accept();
    scene.stream.pauseReading();
    peer.reset();
    scene.settle();
    expect(scene.owner.calls).toEqual([`broken ${Errno.ECONNRESET}`]);
  });

  test("both directions ended, and nobody closes: the loop stays quiet", () => {
    const scene = new Scene();
    const peer = scene.accept();
    scene.owner.onReadableDo = (stream) => stream.pauseReading();
    peer.end();
    scene.stream.finish();
    scene.settle();
    expect(scene.owner.calls).toEqual(["readable"]);
    scene.owner.onReadableDo = (stream) => stream.close();
    scene.stream.resumeReading();
    scene.settle();
    expect(scene.owner.calls).toEqual(["readable", "readable"]);
    scene.io.assertNothingOpen();
  });

  test("the same object carries one connection after another", () => {
    const scene = new Scene({ socketBufferBytes: [1000] });
    const first = scene.accept();
    first.pauseReading();
    scene.stream.write(buf, 0, 5000);
    expect(() => scene.stream.open(99)).toThrow("still has fd");
    first.reset();
    scene.stream.reset();
    const second = scene.accept();
    expect([scene.stream.errno, scene.stream.heldBytes, scene.stream.reading]).toEqual([0, 0, true]);
    scene.stream.write(buf, 0, 10);
    scene.stream.close();
    scene.settle();
    expect(second.received()).toEqual(buf.bytes.slice(0, 10));
    scene.stream.resumeReading();
    scene.settle();
    scene.io.assertNothingOpen();
  });
});

function destination(address: string): Destination {
  const [ip = "", port] = address.split(":");
  const sockaddr = encodeSockaddr(ip, Number(port));
  return { sockaddr, sockaddrAddress: addressOf(sockaddr) };
}
