import { Errno, type Stream, type StreamOwner, Timer, type TimerOwner } from "@bowline/loop";
import { Linger } from "../linger.ts";
import type { Plane } from "../plane.ts";
import { READ_BYTES_MAX } from "./carry.ts";

/** A client that has ended its direction waits this long for a response that makes no progress. */
export const HALF_CLOSED_MS = 10_000;

/** Who gets its connection's place back when that has ended. */
export interface EndingOwner {
  /** The stream is closed. */
  release(): void;
}

/**
 * The end of a client's connection, from its last response on: that goes out in full, however slowly the client takes
 * it, and is not reset away by what the client still sends (RFC 9112 §9.6).
 */
export class Ending implements StreamOwner, TimerOwner {
  readonly #plane: Plane;
  readonly #owner: EndingOwner;
  readonly #timer: Timer = new Timer(this, 0);
  readonly #linger: Linger = new Linger();
  #stream: Stream | null = null;
  /** Everything is said; what the client still sends is thrown away until it closes. Before, held bytes are going out. */
  #lingering = false;
  #halfClosed = false;
  #talksOn = false;
  #heldBytesSeen = 0;

  constructor(plane: Plane, owner: EndingOwner) {
    this.#plane = plane;
    this.#owner = owner;
  }

  /**
   * Closes once the client has taken what is held for it.
   * @param halfClosed the client has ended its direction
   * @param talksOn the client has sent, or did not know that it must not send, more after the request answered last
   */
  closeWhenFlushed(stream: Stream, halfClosed: boolean, talksOn: boolean): void {
    this.#take(stream, halfClosed);
    this.#talksOn = talksOn;
    this.#goOn(stream);
  }

  /** Says that we are done and reads on for a while: closing over unread bytes would reset the response away. */
  linger(stream: Stream, halfClosed: boolean): void {
    this.#take(stream, halfClosed);
    this.#beginLingering(stream);
  }

  onReadable(stream: Stream): void {
    const received = stream.read(this.#plane.rx, 0, READ_BYTES_MAX);
    if (received > 0) {
      this.#talksOn = true;
    } else if (received === 0) {
      stream.pauseReading();
      this.#halfClosed = true;
      if (stream.heldBytes > 0) this.#flush(stream);
      else this.#close(stream);
    } else if (received !== -Errno.EAGAIN) {
      this.#abort(stream);
    }
  }

  onDrained(stream: Stream): void {
    if (!this.#lingering) this.#goOn(stream);
  }

  onConnected(_stream: Stream): void {}

  onBroken(stream: Stream, _errno: number): void {
    this.#abort(stream);
  }

  onTimer(_kind: number): void {
    const stream = this.#stream!;
    if (this.#lingering) {
      if (stream.heldBytes > 0) this.#flush(stream);
      else this.#lingerOn(stream);
    } else if (stream.heldBytes === this.#heldBytesSeen) {
      this.#abort(stream);
    } else {
      this.#watch(stream);
    }
  }

  #take(stream: Stream, halfClosed: boolean): void {
    stream.owner = this;
    this.#stream = stream;
    this.#halfClosed = halfClosed;
    this.#lingering = false;
    this.#talksOn = false;
  }

  #goOn(stream: Stream): void {
    if (stream.heldBytes > 0) this.#flush(stream);
    else if (this.#talksOn) this.#beginLingering(stream);
    else this.#close(stream);
  }

  #flush(stream: Stream): void {
    this.#lingering = false;
    if (this.#halfClosed) this.#watch(stream);
  }

  #watch(stream: Stream): void {
    this.#heldBytesSeen = stream.heldBytes;
    this.#plane.reactor.after(this.#timer, HALF_CLOSED_MS);
  }

  #beginLingering(stream: Stream): void {
    this.#lingering = true;
    stream.finish();
    if (this.#halfClosed && stream.heldBytes === 0) {
      this.#close(stream);
      return;
    }
    stream.resumeReading();
    this.#plane.reactor.after(this.#timer, this.#linger.begin());
  }

  #lingerOn(stream: Stream): void {
    const moreMs = this.#linger.moreMs(stream);
    if (moreMs === 0) this.#close(stream);
    else this.#plane.reactor.after(this.#timer, moreMs);
  }

  #close(stream: Stream): void {
    this.#leave();
    stream.close();
    this.#owner.release();
  }

  #abort(stream: Stream): void {
    this.#leave();
    stream.reset();
    this.#owner.release();
  }

  #leave(): void {
    this.#timer.cancel();
    this.#stream = null;
  }
}
