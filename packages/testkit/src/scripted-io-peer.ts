import { ByteQueue } from "./scripted-io-bytes.ts";
import type { TcpEnd, World } from "./scripted-io-tcp.ts";

/**
 * The script's end of a connection: a client or server application. Everything it does happens at once in its own
 * kernel; the network between takes its time. Its callbacks run while the code under test waits.
 */
export class ScriptedPeer {
  /** `10.0.0.9:50000`: who this is and whom it talks to. */
  readonly address: string;
  readonly remoteAddress: string;
  /** New bytes were read. */
  onData: (bytes: Uint8Array) => void = () => undefined;
  /** The other side has ended its direction, and everything before that was read. */
  onEnd: () => void = () => undefined;
  /** The connection failed: refused, timed out or reset. */
  onFailed: (errno: number) => void = () => undefined;
  /** The simulation tore this connection down on its own account (Adversity.networkReset). */
  torn = false;
  readonly #world: World;
  readonly #end: TcpEnd;
  readonly #outbox = new ByteQueue();
  readonly #chunks: Uint8Array[] = [];
  #receivedBytes = 0;
  #finWanted = false;
  #finDone = false;
  #ended = false;
  #errno = 0;
  #gone = false;
  /** How much it may read now; a patient application reads all. */
  #appetiteBytes = Number.POSITIVE_INFINITY;

  constructor(world: World, end: TcpEnd, address: string, remoteAddress: string) {
    this.#world = world;
    this.#end = end;
    this.address = address;
    this.remoteAddress = remoteAddress;
    end.onChange = () => this.#act();
  }

  get connected(): boolean {
    return !this.#end.connecting && this.#errno === 0;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** All bytes read so far. */
  received(): Uint8Array {
    const all = new Uint8Array(this.#receivedBytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  receivedText(): string {
    return new TextDecoder().decode(this.received());
  }

  /** The other side's end of stream was read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Why the connection failed (a positive errno: ECONNRESET, ECONNREFUSED, …), 0 while it has not. */
  get errno(): number {
    return this.#errno;
  }

  /** Nothing can come any more: ended in both directions, failed, or left by this application. */
  get finished(): boolean {
    return this.#gone || this.#errno !== 0 || (this.#ended && this.#finDone);
  }

  /** Bytes given to `send` that the peer's own kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#outbox.length;
  }

  send(bytes: Uint8Array | string): void {
    this.#outbox.push(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    this.#act();
  }

  /** Ends this direction after what was sent; the other one goes on. */
  end(): void {
    this.#finWanted = true;
    this.#act();
  }

  /** Leaves in order. Bytes that come later, or lie unread, are answered with a reset, as for any application. */
  close(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#end.close();
  }

  /** Leaves with a reset. */
  reset(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#end.reset();
  }

  pauseReading(): void {
    this.#appetiteBytes = 0;
  }

  resumeReading(): void {
    this.#appetiteBytes = Number.POSITIVE_INFINITY;
    this.#act();
  }

  /** Reads up to `bytes` more than it has, then pauses. */
  readMore(bytes: number): void {
    this.#appetiteBytes = bytes;
    this.#act();
  }

  /** A slow application: up to `bytes` every `everyMs`, from now on. */
  readSlowly(bytes: number, everyMs: number): void {
    this.pauseReading();
    const again = (): void => {
      if (this.finished) return;
      this.readMore(bytes);
      this.#world.agenda.after(everyMs, again);
    };
    this.#world.agenda.after(everyMs, again);
  }

  #act(): void {
    if (this.#gone) return;
    this.#read();
    if (this.#gone) return;
    this.#write();
    this.#noticeFailure();
  }

  #read(): void {
    while (!this.#gone && this.#end.received.length > 0 && this.#appetiteBytes > 0) {
      const bytes = this.#end.take(this.#appetiteBytes);
      this.#appetiteBytes -= bytes.length;
      this.#chunks.push(bytes);
      this.#receivedBytes += bytes.length;
      this.onData(bytes);
    }
    if (this.#gone || this.#ended || !this.#end.finReceived || this.#end.received.length > 0) return;
    this.#ended = true;
    this.onEnd();
  }

  #write(): void {
    while (this.#outbox.length > 0) {
      if (this.#end.connecting || this.#end.closed) return;
      const room = this.#end.sendable();
      if (room <= 0) return;
      this.#end.send(this.#outbox.take(room));
    }
    if (!this.#finWanted || this.#finDone || this.#end.connecting) return;
    this.#finDone = true;
    this.#end.shutdownWrite();
  }

  /** What arrived before the reset is read first, as a blocking reader would. */
  #noticeFailure(): void {
    if (!this.#end.closed || this.#errno !== 0 || this.#end.received.length > 0) return;
    this.#errno = this.#end.takeError();
    if (this.#errno !== 0) this.onFailed(this.#errno);
  }
}
