import { BUF_BYTES_MAX, Buf, type Stream, type TurnEnd, WriteResult } from "@bowline/loop";
import type { FrameSink } from "@bowline/wire";
import type { Plane } from "../plane.ts";

const NO_BYTES = new Uint8Array(0);
const FIRST_BYTES = 4096;
/** One write at most: what the kernel does not take of it must fit into one pool buffer. */
const WRITE_BYTES_MAX = 262144;
/** Frames collected for a peer that takes none: beyond this its connection is given up. */
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

/** Who is told what became of collected frames. */
export interface OutputOwner {
  /** All frames have gone to the kernel: there is room again. */
  onOutputDrained(): void;
  /** The connection takes no bytes any more. */
  onOutputBroken(): void;
}

/**
 * Collects the frames that a turn of the loop brings for one connection and writes them with one call at its end.
 * Holds a buffer only while there are some. While the stream still holds bytes of an earlier write, frames go on to be
 * collected here; bodies stop at Http2Settings.outputBytesMax, heads and answers to the peer's frames at OUTPUT_BYTES_MAX.
 */
export class Output implements FrameSink, TurnEnd {
  bytes: Uint8Array = NO_BYTES;
  end = 0;
  stream: Stream;
  readonly #plane: Plane;
  readonly #owner: OutputOwner;
  #buf: Buf | null = null;
  #awaited = false;

  constructor(plane: Plane, owner: OutputOwner, stream: Stream) {
    this.#plane = plane;
    this.#owner = owner;
    this.stream = stream;
  }

  /** More has been collected for a peer that does not read than can be justified. */
  get overfull(): boolean {
    return this.end > OUTPUT_BYTES_MAX;
  }

  reserve(count: number): void {
    if (!this.#awaited) {
      this.#awaited = true;
      this.#plane.reactor.atTurnEnd(this);
    }
    if (this.end + count > this.bytes.length) this.#grow(this.end + count);
  }

  onTurnEnd(): void {
    this.#awaited = false;
    if (this.stream.closed) this.clear();
    else if (this.overfull) this.#owner.onOutputBroken();
    else this.flush(false);
  }

  /**
   * Writes what there is unless the stream still holds earlier bytes.
   * @param closeFollows the stream is closed right after
   */
  flush(closeFollows: boolean): void {
    const { stream } = this;
    while (this.end > 0 && !stream.closed && stream.heldBytes === 0) {
      const count = Math.min(this.end, WRITE_BYTES_MAX);
      // Writing may tell the owner of its connection, who may collect further frames behind those that are written.
      const result = stream.write(this.#buf!, 0, count, closeFollows && count === this.end);
      if (result === WriteResult.Broken) {
        this.clear();
        this.#owner.onOutputBroken();
        return;
      }
      if (count === this.end) {
        this.clear();
        if (result === WriteResult.Done) this.#owner.onOutputDrained();
        return;
      }
      this.#plane.reactor.io.copy(this.#buf!, 0, this.#buf!, count, this.end - count);
      this.end -= count;
    }
  }

  clear(): void {
    if (this.#buf !== null) this.#release(this.#buf);
    this.#buf = null;
    this.bytes = NO_BYTES;
    this.end = 0;
  }

  #grow(bytes: number): void {
    const { bufs, reactor } = this.#plane;
    const wanted = Math.max(FIRST_BYTES, bytes);
    const larger = wanted <= BUF_BYTES_MAX ? bufs.acquire(wanted) : new Buf(2 * wanted, 0);
    if (this.#buf !== null) {
      reactor.io.copy(larger, 0, this.#buf, 0, this.end);
      this.#release(this.#buf);
    }
    this.#buf = larger;
    this.bytes = larger.bytes;
  }

  #release(buf: Buf): void {
    // Larger ones than the pool's are the collector's.
    if (buf.bytes.length <= BUF_BYTES_MAX) this.#plane.bufs.release(buf);
  }
}
