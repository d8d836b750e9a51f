import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, Errno, type TcpOptions } from "@bowline/sys";
import { BUF_BYTES_MAX, type Buf, type BufPool } from "./buffer.ts";
import type { Destination } from "./io.ts";
import { type Reactor, Source } from "./reactor.ts";

/** What happens on a stream, told to whoever has it at the moment. Each call may close or hand over the stream. */
export interface StreamOwner {
  /** There may be bytes, the end, or an error to read. */
  onReadable(stream: Stream): void;
  /** All held bytes have gone to the kernel. */
  onDrained(stream: Stream): void;
  /** The connection asked for with `connect` stands; may come at the end of a `write` to it. */
  onConnected(stream: Stream): void;
  /**
   * Connecting failed, or a write of held bytes did, or the peer reset while nobody was reading. The stream is not
   * watched any more; what is left to do is to close or reset it.
   */
  onBroken(stream: Stream, errno: number): void;
}

/** A count of bytes that somebody keeps; a metrics Counter is one. */
export interface ByteCounter {
  value: number;
}

/** Who counts a connection: its bytes as they move, and its end, whoever ended it. */
export interface Meter {
  readonly received: ByteCounter;
  readonly sent: ByteCounter;
  /** The stream has been closed; `errno` is why it broke, 0 when it ended in order. */
  closed(errno: number): void;
}

export const WriteResult = {
  /** The kernel has all bytes. */
  Done: 0,
  /** Some bytes are held here; send no more before onDrained. */
  Held: 1,
  /** The connection does not take bytes any more; `stream.errno` says why. */
  Broken: 2,
} as const;
export type WriteResult = (typeof WriteResult)[keyof typeof WriteResult];

const StreamState = { Closed: 0, Connecting: 1, Open: 2 } as const;
type StreamState = (typeof StreamState)[keyof typeof StreamState];

/** Counts what nobody wants counted. */
export const unmetered: Meter = { received: { value: 0 }, sent: { value: 0 }, closed() {} };

/**
 * One TCP connection as a byte stream: reads on demand, writes that keep what the kernel does not take (bounded by
 * one pool buffer), half-close, reset. Reused for one connection after another.
 */
export class Stream extends Source {
  owner: StreamOwner;
  meter: Meter = unmetered;
  /** Why the connection broke; 0 while it has not. */
  errno = 0;
  readonly #reactor: Reactor;
  readonly #bufs: BufPool;
  #state: StreamState = StreamState.Closed;
  #reading = false;
  #finishing = false;
  #finSent = false;
  #writeAwaited = false;
  /** The SYN of a connection made here, which the kernel counts as an acknowledged byte. */
  #synBytes = 0;
  /** Bytes that the kernel took before the owner was told of the connection; not yet on the meter. */
  #sentEarlyBytes = 0;
  /** Bytes [#heldAt, #heldEnd) of #held wait for the kernel; no buffer is held exactly when there are none. */
  #held: Buf | null = null;
  #heldAt = 0;
  #heldEnd = 0;

  constructor(reactor: Reactor, bufs: BufPool, owner: StreamOwner) {
    super();
    this.#reactor = reactor;
    this.#bufs = bufs;
    this.owner = owner;
  }

  get closed(): boolean {
    return this.#state === StreamState.Closed;
  }

  get connecting(): boolean {
    return this.#state === StreamState.Connecting;
  }

  get reading(): boolean {
    return this.#reading;
  }

  get heldBytes(): number {
    return this.#heldEnd - this.#heldAt;
  }

  /** Takes over an accepted connection; reading begins. */
  open(fd: number): void {
    this.#begin(StreamState.Open, 0);
    this.#reactor.add(this, fd, EPOLLIN);
  }

  /** Begins a connection; 0, or -errno when it failed at once. What is written meanwhile is held. */
  connect(to: Destination, options: TcpOptions): number {
    const fd = this.#reactor.io.connect(to, options);
    if (fd < 0) return fd;
    this.#begin(StreamState.Connecting, 1);
    this.#reactor.add(this, fd, EPOLLIN | EPOLLOUT);
    return 0;
  }

  /** Bytes received into buf at `at`, 0 at the end of the stream, or -errno (EAGAIN: nothing there). */
  read(buf: Buf, at: number, bytes: number): number {
    const received = this.#reactor.io.recv(this.fd, buf, at, bytes);
    if (received > 0) this.meter.received.value += received;
    else if (received === 0) return this.#brokenBeforeEnd() ? -this.errno : 0;
    else if (received !== -Errno.EAGAIN) this.#failed(-received);
    return received;
  }

  /**
   * Writes buf[at, end), keeping a copy of what the kernel does not take.
   * @param closeFollows the stream is closed right after, so that the last bytes may share a packet with the FIN
   */
  write(buf: Buf, at: number, end: number, closeFollows = false): WriteResult {
    const wasConnecting = this.#state === StreamState.Connecting;
    const result = this.#sendOrHold(buf, at, end, closeFollows);
    return wasConnecting && this.#state === StreamState.Open ? this.#connectedEarly(result) : result;
  }

  #sendOrHold(buf: Buf, at: number, end: number, closeFollows: boolean): WriteResult {
    let from = at;
    if (this.#held === null) {
      const sent = this.#send(buf, at, end - at, closeFollows);
      if (sent < 0) return WriteResult.Broken;
      from += sent;
      if (from === end) return WriteResult.Done;
    }
    if (!this.#hold(buf, from, end)) {
      this.#failed(Errno.ENOBUFS);
      return WriteResult.Broken;
    }
    this.#updateInterest();
    return WriteResult.Held;
  }

  /** Calls onDrained when the kernel takes bytes again; for owners who write to the fd themselves (splice). */
  awaitWritable(): void {
    this.#writeAwaited = true;
    this.#updateInterest();
  }

  pauseReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    this.#updateInterest();
  }

  resumeReading(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    this.#updateInterest();
  }

  /** Ends our direction (FIN) once held bytes are out; the other direction goes on. */
  finish(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    if (this.#held === null && this.#state === StreamState.Open) this.#sendFin();
  }

  /**
   * Closes both directions. Held bytes are dropped, and then the close is a reset: after an orderly end the peer would
   * take what it has for all there was.
   */
  close(): void {
    const complete = this.#held === null;
    const fd = this.#end();
    if (fd < 0) return;
    if (complete) this.#reactor.io.close(fd);
    else this.#reactor.io.reset(fd);
  }

  /** Closes with RST, so that the peer learns that its bytes, or ours, are lost. */
  reset(): void {
    const fd = this.#end();
    if (fd >= 0) this.#reactor.io.reset(fd);
  }

  /**
   * Bytes of ours that the peer's kernel has acknowledged on this connection, or -errno. After `finish` the
   * acknowledged FIN counts as one more.
   */
  bytesAcknowledged(): number {
    const counted = this.#reactor.io.bytesAcknowledged(this.fd);
    return counted < this.#synBytes ? counted : counted - this.#synBytes;
  }

  override onReady(events: number): void {
    const tag = this.tag;
    if (this.#state === StreamState.Connecting) {
      this.#onConnectDecided();
    } else if (events & EPOLLOUT) {
      this.#onWritable();
    }
    // Closed or handed over meanwhile, or told broken.
    if (this.tag !== tag || this.wantedEvents < 0) return;
    if (this.#reading) {
      if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) this.owner.onReadable(this);
    } else if (events & EPOLLERR) {
      this.#failed(this.#reactor.io.socketError(this.fd));
      this.#tellBroken();
    } else if (events & EPOLLHUP && this.#held === null) {
      // Both directions have ended but nobody reads now: epoll would report that for ever, so watching stops until
      // the owner resumes.
      this.#reactor.want(this, -1);
    }
  }

  #onWritable(): void {
    if (this.#held !== null) {
      this.#flush();
    } else if (this.#writeAwaited) {
      this.#writeAwaited = false;
      this.#updateInterest();
      this.owner.onDrained(this);
    }
  }

  #begin(state: StreamState, synBytes: number): void {
    if (!this.closed) throw new Error(`the stream still has fd ${this.fd}`);
    this.#state = state;
    this.#synBytes = synBytes;
    this.#sentEarlyBytes = 0;
    this.#reading = true;
    this.#finishing = false;
    this.#finSent = false;
    this.#writeAwaited = false;
    this.errno = 0;
  }

  #end(): number {
    const fd = this.fd;
    if (fd < 0) return fd;
    this.#state = StreamState.Closed;
    this.#reading = false;
    this.#releaseHeld();
    this.#reactor.remove(this);
    const meter = this.meter;
    this.meter = unmetered;
    meter.closed(this.errno);
    return fd;
  }

  #onConnectDecided(): void {
    // A write before the decision may have taken the error off the socket.
    if (this.errno === 0) this.errno = this.#reactor.io.socketError(this.fd);
    if (this.errno !== 0) {
      this.#tellBroken();
      return;
    }
    const tag = this.tag;
    this.#state = StreamState.Open;
    this.owner.onConnected(this);
    if (this.tag !== tag) return;
    if (this.#held !== null) this.#flush();
    else if (this.#finishing) this.#sendFin();
    if (this.tag === tag && this.wantedEvents >= 0) this.#updateInterest();
  }

  /** Bytes sent, 0 when the kernel takes none now, or -errno when it never will. */
  #send(buf: Buf, at: number, bytes: number, closeFollows: boolean): number {
    const sent = this.#reactor.io.send(this.fd, buf, at, bytes, closeFollows);
    if (sent >= 0) {
      if (this.#state === StreamState.Connecting) {
        this.#state = StreamState.Open;
        this.#sentEarlyBytes = sent;
      } else {
        this.meter.sent.value += sent;
      }
      return sent;
    }
    if (sent === -Errno.EAGAIN) return 0;
    this.#failed(-sent);
    // A connection that has failed already is told of once, by onBroken, when epoll reports it.
    return this.#state === StreamState.Connecting ? 0 : sent;
  }

  /**
   * The kernel took bytes, which proves that the connection stands, often before epoll has said so. The owner hears of
   * it only now that all bytes of this write have their place, so that what it may write in turn comes after them.
   */
  #connectedEarly(result: WriteResult): WriteResult {
    const tag = this.tag;
    this.#updateInterest();
    this.owner.onConnected(this);
    if (this.tag !== tag) return WriteResult.Broken;
    this.meter.sent.value += this.#sentEarlyBytes;
    return result === WriteResult.Done && this.#held !== null ? WriteResult.Held : result;
  }

  #flush(): void {
    const held = this.#held!;
    const sent = this.#send(held, this.#heldAt, this.#heldEnd - this.#heldAt, false);
    if (sent < 0) {
      this.#releaseHeld();
      this.#tellBroken();
      return;
    }
    this.#heldAt += sent;
    if (this.#heldAt < this.#heldEnd) return;
    this.#releaseHeld();
    this.#writeAwaited = false;
    if (this.#finishing) this.#sendFin();
    this.#updateInterest();
    this.owner.onDrained(this);
  }

  #sendFin(): void {
    if (this.#finSent) return;
    this.#finSent = true;
    // Fails only when the connection is broken already, which epoll reports.
    this.#reactor.io.shutdownWrite(this.fd);
  }

  /** The first error is the cause; what comes after it (EPIPE as a rule) only follows from it. */
  #failed(errno: number): void {
    if (this.errno === 0) this.errno = errno;
  }

  /**
   * Whether the kernel's "end of stream" is none. Linux tells a reset once, and when a write has taken that error, a
   * read finds what had arrived and then 0. When the peer had ended its direction before, the error is EPIPE.
   */
  #brokenBeforeEnd(): boolean {
    return this.errno !== 0 && this.errno !== Errno.EPIPE && this.errno !== Errno.ENOBUFS;
  }

  /** Unwatched first: a broken connection is ready for ever, whatever its owner does about it. */
  #tellBroken(): void {
    this.#reactor.want(this, -1);
    this.owner.onBroken(this, this.errno);
  }

  #hold(buf: Buf, at: number, end: number): boolean {
    const bytes = end - at;
    const heldBytes = this.heldBytes;
    if (heldBytes + bytes > BUF_BYTES_MAX) return false;
    const io = this.#reactor.io;
    const held = this.#held;
    if (held === null || held.bytes.length < this.#heldEnd + bytes) {
      const larger = this.#bufs.acquire(heldBytes + bytes);
      if (held !== null) {
        io.copy(larger, 0, held, this.#heldAt, heldBytes);
        this.#bufs.release(held);
      }
      this.#held = larger;
      this.#heldAt = 0;
      this.#heldEnd = heldBytes;
    }
    io.copy(this.#held!, this.#heldEnd, buf, at, bytes);
    this.#heldEnd += bytes;
    return true;
  }

  #releaseHeld(): void {
    if (this.#held !== null) this.#bufs.release(this.#held);
    this.#held = null;
    this.#heldAt = 0;
    this.#heldEnd = 0;
  }

  #updateInterest(): void {
    const writing = this.#held !== null || this.#writeAwaited || this.#state === StreamState.Connecting;
    this.#reactor.want(this, (this.#reading ? EPOLLIN : 0) | (writing ? EPOLLOUT : 0));
  }
}
