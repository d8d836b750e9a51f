import { expect, test } from "bun:test";
import { addressOf, EPOLLIN, Errno, encodeSockaddr } from "@bowline/sys";
import { ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { array, assert, boolean, constantFrom, integer, nat, oneof, property, record } from "fast-check";
import { Buf, BufPool } from "./buffer.ts";
import { Reactor, Source } from "./reactor.ts";
import { Stream, type StreamOwner, WriteResult } from "./stream.ts";

const options = { keepaliveMs: 0, userTimeoutMs: 0 };
const READ_BYTES = 4096;

/** The plainest proxy that can be built on the loop: what is proven of it is proven of the loop. */
class Relay implements StreamOwner {
  static heldMax = 0;
  readonly front: Stream;
  readonly back: Stream;
  readonly #read: Buf;
  #frontEnded = false;
  #backEnded = false;

  constructor(reactor: Reactor, pool: BufPool, read: Buf, fd: number, to: string) {
    this.#read = read;
    this.front = new Stream(reactor, pool, this);
    this.back = new Stream(reactor, pool, this);
    this.front.open(fd);
    const [ip = "", port] = to.split(":");
    const sockaddr = encodeSockaddr(ip, Number(port));
    if (this.back.connect({ sockaddr, sockaddrAddress: addressOf(sockaddr) }, options) < 0) this.#giveUp();
  }

  onReadable(from: Stream): void {
    const to = this.#otherOf(from);
    const received = from.read(this.#read, 0, READ_BYTES);
    if (received === -Errno.EAGAIN) return;
    if (received < 0) this.#giveUp();
    else if (received === 0) this.#ended(from, to);
    else this.#forward(from, to, received);
  }

  onDrained(to: Stream): void {
    const from = this.#otherOf(to);
    if (!(from === this.front ? this.#frontEnded : this.#backEnded)) from.resumeReading();
    this.#maybeDone();
  }

  onConnected(): void {
    // Bytes of the front may wait in the back already; nothing else waits for the connection.
  }

  onBroken(): void {
    this.#giveUp();
  }

  #forward(from: Stream, to: Stream, bytes: number): void {
    const result = to.write(this.#read, 0, bytes);
    if (result === WriteResult.Broken) this.#giveUp();
    else if (result === WriteResult.Held) from.pauseReading();
    Relay.heldMax = Math.max(Relay.heldMax, to.heldBytes);
  }

  #ended(from: Stream, to: Stream): void {
    if (from === this.front) this.#frontEnded = true;
    else this.#backEnded = true;
    from.pauseReading();
    to.finish();
    this.#maybeDone();
  }

  #maybeDone(): void {
    if (!this.#frontEnded || !this.#backEnded || this.front.heldBytes + this.back.heldBytes > 0) return;
    this.front.close();
    this.back.close();
  }

  #giveUp(): void {
    this.front.reset();
    this.back.reset();
  }

  #otherOf(stream: Stream): Stream {
    return stream === this.front ? this.back : this.front;
  }
}

/** Accepts all it can, each into a relay to where it was going. */
class Door extends Source {
  readonly relays: Relay[] = [];
  readonly pool: CountingPool = new CountingPool();
  readonly #reactor: Reactor;
  readonly #read = new Buf(READ_BYTES, 0);
  readonly #targets: ReadonlyMap<number, string>;

  /** @param targets by the port of the original destination */
  constructor(reactor: Reactor, fd: number, targets: ReadonlyMap<number, string>) {
    super();
    this.#reactor = reactor;
    this.#targets = targets;
    reactor.add(this, fd, EPOLLIN);
  }

  override onReady(): void {
    const out = new Uint8Array(28);
    for (;;) {
      const fd = this.#reactor.io.accept(this.fd);
      if (fd < 0) return;
      this.#reactor.io.originalDestination(fd, false, out);
      const target = this.#targets.get((out[2]! << 8) | out[3]!)!;
      this.relays.push(new Relay(this.#reactor, this.pool, this.#read, fd, target));
    }
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

/** What one connection's two applications do. */
interface Script {
  readonly request: readonly number[];
  readonly answer: readonly number[];
  readonly gapMs: number;
  readonly clientReads: "all" | "slowly";
  readonly serverReads: "all" | "slowly";
  /** The server ends only when it has read the client's end, or at once after what it sends. */
  readonly serverWaits: boolean;
  readonly outcome: "serve" | "refuse" | "leave" | "reset";
  /** The client resets after so long, or not at all. */
  readonly clientResetsAfterMs: number | null;
}

const pieces = array(oneof(nat(20), nat(2000), nat(6000)), { maxLength: 3 });
const script = record({
  request: pieces,
  answer: pieces,
  gapMs: constantFrom(0, 1, 50),
  clientReads: constantFrom("all" as const, "slowly" as const),
  serverReads: constantFrom("all" as const, "slowly" as const),
  serverWaits: boolean(),
  outcome: oneof(
    { weight: 5, arbitrary: constantFrom("serve" as const) },
    { weight: 1, arbitrary: constantFrom("refuse" as const, "leave" as const, "reset" as const) },
  ),
  clientResetsAfterMs: oneof(
    { weight: 5, arbitrary: constantFrom(null) },
    { weight: 1, arbitrary: integer({ min: 0, max: 120 }) },
  ),
});
const world = record({
  seed: integer(),
  networkReset: constantFrom(0, 0, 0.3),
  scripts: array(script, { minLength: 1, maxLength: 4 }),
});

test("two streams relayed into each other lose, double and reorder nothing, whatever the kernel does", () => {
  Relay.heldMax = 0;
  assert(
    property(world, ({ seed, networkReset, scripts }) => {
      const kernel = new ScriptedIo({ seed, adversity: { networkReset } });
      const reactor = new Reactor(kernel);
      const listener = kernel.listener("10.0.0.1:4140");
      const played = scripts.map((lines, i) =>
        play(kernel, lines, i, () => kernel.client(listener, { originalDestination: `10.1.0.1:${8000 + i}` })),
      );
      const door = new Door(reactor, listener.fd, new Map(scripts.map((_, i) => [8000 + i, `10.1.0.1:${8000 + i}`])));
      kernel.run(
        () => reactor.turn(),
        () => played.every(over) && door.relays.every(({ front, back }) => front.closed && back.closed),
      );
      for (const one of played) judge(one, networkReset > 0);
      kernel.assertNothingOpen();
      expect(door.pool.out).toBe(0);
    }),
    { numRuns: 150, includeErrorInReport: true },
  );
  // A read is written whole or held in part; the next one waits until that is gone.
  expect(Relay.heldMax).toBeGreaterThan(0);
  expect(Relay.heldMax).toBeLessThanOrEqual(READ_BYTES);
});

/** One connection while it is played. */
interface Played {
  readonly lines: Script;
  readonly client: ScriptedPeer;
  server: ScriptedPeer | null;
  readonly request: Uint8Array;
  readonly answer: Uint8Array;
}

function play(kernel: ScriptedIo, lines: Script, index: number, connect: () => ScriptedPeer): Played {
  const request = streamBytes(2 * index, sum(lines.request));
  const answer = streamBytes(2 * index + 1, sum(lines.answer));
  kernel.onConnect(`10.1.0.1:${8000 + index}`, lines.outcome === "refuse" ? "refuse" : (server) => serve(server));
  const client = connect();
  const played: Played = { lines, client, server: null, request, answer };
  if (lines.clientReads === "slowly") client.readSlowly(700, 3);
  sendPieces(kernel, client, request, lines.request, lines.gapMs, () => client.end());
  if (lines.clientResetsAfterMs !== null) kernel.after(lines.clientResetsAfterMs, () => client.reset());
  return played;

  function serve(server: ScriptedPeer): void {
    played.server = server;
    if (lines.outcome === "reset") server.reset();
    else if (lines.outcome === "leave") server.close();
    if (lines.outcome !== "serve") return;
    if (lines.serverReads === "slowly") server.readSlowly(500, 2);
    if (lines.serverWaits)
      server.onEnd = () => sendPieces(kernel, server, answer, lines.answer, lines.gapMs, () => server.end());
    else sendPieces(kernel, server, answer, lines.answer, lines.gapMs, () => server.end());
  }
}

function sendPieces(
  kernel: ScriptedIo,
  peer: ScriptedPeer,
  bytes: Uint8Array,
  lengths: readonly number[],
  gapMs: number,
  done: () => void,
): void {
  let at = 0;
  const next = (piece: number): void => {
    const length = lengths[piece];
    if (length === undefined) {
      done();
      return;
    }
    peer.send(bytes.subarray(at, at + length));
    at += length;
    kernel.after(gapMs, () => next(piece + 1));
  };
  next(0);
}

function over({ client, server }: Played): boolean {
  return client.finished && (server === null || server.finished);
}

function judge({ lines, client, server, request, answer }: Played, mayTear: boolean): void {
  // Whatever happens: what arrives is what was sent, from its beginning, and an end is never told of a part.
  for (const [reader, sent] of [
    [server, request],
    [client, answer],
  ] as const) {
    if (reader === null) continue;
    const received = reader.received();
    expect(Buffer.compare(received, sent.subarray(0, received.length))).toBe(0);
    if (reader.ended && lines.outcome === "serve") expect(received.length).toBe(sent.length);
  }
  const undisturbed = lines.outcome === "serve" && lines.clientResetsAfterMs === null && !mayTear;
  if (undisturbed) expect([client.ended, server?.ended, client.errno, server?.errno]).toEqual([true, true, 0, 0]);
  const dead = lines.outcome === "refuse" || lines.outcome === "reset";
  if (dead && lines.clientResetsAfterMs === null) expect([client.ended, client.errno !== 0]).toEqual([false, true]);
}

function sum(lengths: readonly number[]): number {
  return lengths.reduce((total, length) => total + length, 0);
}

/** Bytes of which no two places look alike for long. */
function streamBytes(id: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 17 + (i >> 16) * 7 + id * 101) & 0xff);
}
