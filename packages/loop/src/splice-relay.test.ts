import { expect, test } from "bun:test";
import { addressOf, Errno, encodeSockaddr, type Pipe } from "@bowline/sys";
import { ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { array, assert, boolean, integer, nat, oneof, property, record } from "fast-check";
import { BufPool } from "./buffer.ts";
import { Reactor } from "./reactor.ts";
import { Stream, type StreamOwner } from "./stream.ts";

const options = { keepaliveMs: 0, userTimeoutMs: 0 };
const SPLICE_BYTES = 65_536;

/** Moves everything from one stream to another inside the kernel. */
class SpliceRelay implements StreamOwner {
  readonly #reactor: Reactor;
  readonly #from: Stream;
  readonly #to: Stream;
  readonly #pipe: Pipe;
  #insideBytes = 0;
  #ended = false;

  constructor(reactor: Reactor, fd: number, to: string) {
    const pool = new BufPool();
    this.#reactor = reactor;
    this.#from = new Stream(reactor, pool, this);
    this.#to = new Stream(reactor, pool, this);
    const pipe = reactor.io.openPipe(SPLICE_BYTES);
    if (typeof pipe === "number") throw new Error(`no pipe: ${pipe}`);
    this.#pipe = pipe;
    this.#from.open(fd);
    this.#from.pauseReading();
    const [ip = "", port] = to.split(":");
    const sockaddr = encodeSockaddr(ip, Number(port));
    this.#to.connect({ sockaddr, sockaddrAddress: addressOf(sockaddr) }, options);
    this.#to.pauseReading();
  }

  get closed(): boolean {
    return this.#from.closed;
  }

  onConnected(): void {
    this.#from.resumeReading();
  }

  onReadable(): void {
    const moved = this.#reactor.io.splice(this.#from.fd, this.#pipe.writeFd, SPLICE_BYTES, false);
    if (moved === -Errno.EAGAIN) return;
    if (moved < 0) this.#close(true);
    else if (moved === 0) this.#ended = true;
    else this.#insideBytes += moved;
    if (moved >= 0) this.#push();
  }

  onDrained(): void {
    this.#push();
  }

  onBroken(): void {
    this.#close(true);
  }

  #push(): void {
    while (this.#insideBytes > 0) {
      const moved = this.#reactor.io.splice(this.#pipe.readFd, this.#to.fd, this.#insideBytes, false);
      if (moved === -Errno.EAGAIN) {
        this.#from.pauseReading();
        this.#to.awaitWritable();
        return;
      }
      if (moved < 0) {
        this.#close(true);
        return;
      }
      this.#insideBytes -= moved;
    }
    if (this.#ended) this.#close(false);
    else this.#from.resumeReading();
  }

  #close(broken: boolean): void {
    for (const stream of [this.#from, this.#to]) {
      if (broken) stream.reset();
      else stream.close();
    }
    this.#reactor.io.closePipe(this.#pipe);
  }
}

const scene = record({
  seed: integer(),
  pieces: array(oneof(nat(20), nat(3000)), { maxLength: 4 }),
  readsSlowly: boolean(),
});

test("spliced bytes arrive whole and in order, however small the pipe and the sockets", () => {
  assert(
    property(scene, ({ seed, pieces, readsSlowly }) => {
      const kernel = new ScriptedIo({ seed });
      const reactor = new Reactor(kernel);
      const listener = kernel.listener("10.0.0.1:4140");
      let server: ScriptedPeer | null = null;
      kernel.onConnect("10.1.0.1:80", (accepted) => {
        server = accepted;
        if (readsSlowly) accepted.readSlowly(900, 2);
      });
      const client = kernel.client(listener);
      const sent = pieces.flatMap((length, i) => Array.from({ length }, (_, at) => (at * 31 + (at >> 8) + i) & 0xff));
      client.send(Uint8Array.from(sent));
      client.end();
      let fd = -1;
      kernel.run(
        () => {
          reactor.turn(1);
          fd = kernel.accept(listener.fd);
        },
        () => fd >= 0,
      );
      const relay = new SpliceRelay(reactor, fd, "10.1.0.1:80");
      kernel.run(
        () => reactor.turn(),
        () => relay.closed && server?.ended === true,
      );
      expect(Buffer.compare(server!.received(), Uint8Array.from(sent))).toBe(0);
      kernel.assertNothingOpen();
    }),
    { numRuns: 100, includeErrorInReport: true },
  );
});
