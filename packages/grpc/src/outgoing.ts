import type { Http2Stream } from "@bowline/wire";
import type { Http2Link } from "./link.ts";

const EMPTY = new Uint8Array(0);
/** Sent messages at the front of a queue, beyond which the queue is moved up. */
const SENT_MAX = 64;

/** Who has messages to send. */
export interface OutgoingOwner {
  /** Fewer bytes are buffered than before; `outgoing.bufferedBytes` says how many are left. */
  onSent(bytes: number): void;
}

/**
 * The messages of one side of a call on their way out. What flow control doesn't take at once waits here; the same
 * framed bytes may wait in many calls, for they are never written to.
 */
export class Outgoing<U> {
  /** Accepted and not yet taken by the connection. */
  bufferedBytes = 0;
  readonly #link: Http2Link<U>;
  readonly #owner: OutgoingOwner;
  #stream: Http2Stream<U> | null;
  /** The message being sent, and how much of it was. */
  #current: Uint8Array | null = null;
  #sentBytes = 0;
  #queue: Uint8Array[] | null = null;
  #queueAt = 0;
  /** END_STREAM goes with the last byte. */
  #endWanted = false;

  constructor(link: Http2Link<U>, stream: Http2Stream<U>, owner: OutgoingOwner) {
    this.#link = link;
    this.#stream = stream;
    this.#owner = owner;
  }

  /** Sends a framed message; with `last`, END_STREAM after it. */
  send(framed: Uint8Array, last: boolean): void {
    if (this.#stream === null) return;
    this.#endWanted = last;
    this.bufferedBytes += framed.length;
    if (this.#current === null) {
      this.#current = framed;
      this.#sentBytes = 0;
      this.#pump();
    } else {
      this.#queue ??= [];
      this.#queue.push(framed);
    }
  }

  /** Sends END_STREAM once all messages are sent. */
  end(): void {
    if (this.#stream === null || this.#endWanted) return;
    this.#endWanted = true;
    if (this.#current === null) this.#link.http2.sendData(this.#stream, EMPTY, 0, 0, true);
    this.#link.flushSoon();
  }

  /** The engine's onWritable() for the stream. */
  onWritable(): void {
    this.#pump();
  }

  /** Forgets what was not sent: the stream is over. */
  close(): void {
    this.#stream = null;
    const droppedBytes = this.bufferedBytes;
    this.bufferedBytes = 0;
    this.#current = null;
    this.#queue = null;
    if (droppedBytes > 0) this.#owner.onSent(droppedBytes);
  }

  #pump(): void {
    let sentBytes = 0;
    while (this.#stream !== null && this.#current !== null) {
      const end = this.#current.length;
      const isLast = this.#endWanted && this.#queue === null;
      const taken = this.#link.http2.sendData(this.#stream, this.#current, this.#sentBytes, end, isLast);
      this.#sentBytes += taken;
      sentBytes += taken;
      if (this.#sentBytes < end) break;
      this.#advance();
    }
    this.#link.flushSoon();
    this.bufferedBytes -= sentBytes;
    if (sentBytes > 0) this.#owner.onSent(sentBytes);
  }

  /** The current message is sent: takes up the next. */
  #advance(): void {
    this.#sentBytes = 0;
    this.#current = null;
    const queue = this.#queue;
    if (queue === null) return;
    this.#current = queue[this.#queueAt++] ?? null;
    if (this.#queueAt === queue.length) {
      this.#queue = null;
      this.#queueAt = 0;
    } else if (this.#queueAt > SENT_MAX && this.#queueAt * 2 > queue.length) {
      queue.splice(0, this.#queueAt);
      this.#queueAt = 0;
    }
  }
}
