import { BUF_BYTES_MAX, type Buf, type BufPool, type Io } from "@bowline/loop";

/**
 * Bytes before the first received one that heads may grow into when header lines are inserted (rewriteHead moves the
 * start of a head, never its end).
 */
export const HEADROOM_BYTES = 1024;
/** One read at first, and at most, bytes. */
export const READ_BYTES_FIRST = 32768;
export const READ_BYTES_MIN = 16384;
export const READ_BYTES_MAX = 262144;

if (HEADROOM_BYTES + READ_BYTES_MAX > BUF_BYTES_MAX) throw new Error("a read does not fit into a pool buffer");

/**
 * Received bytes that could not be used yet, such as half a head or the next pipelined request. Holds a buffer only
 * while there are some.
 */
export class Carry {
  buf: Buf | null = null;
  at = 0;
  end = 0;
  readonly #io: Io;
  readonly #bufs: BufPool;

  constructor(io: Io, bufs: BufPool) {
    this.#io = io;
    this.#bufs = bufs;
  }

  get empty(): boolean {
    return this.buf === null;
  }

  /**
   * Keeps buf[at, end), which may be part of what is kept already. Returns by how much those bytes moved within their
   * buffer, for whoever holds offsets into them.
   */
  keep(buf: Buf, at: number, end: number): number {
    if (at === end) {
      this.clear();
      return 0;
    }
    if (buf === this.buf) {
      this.at = at;
      this.end = end;
      return 0;
    }
    this.clear();
    this.buf = this.#bufs.acquire(HEADROOM_BYTES + end - at);
    this.#io.copy(this.buf, HEADROOM_BYTES, buf, at, end - at);
    this.at = HEADROOM_BYTES;
    this.end = HEADROOM_BYTES + end - at;
    return HEADROOM_BYTES - at;
  }

  /**
   * Makes room for more bytes behind `end`, up to `bytesMax` kept in all: moves them to the front or into a larger
   * buffer. Returns by how much they moved; afterwards `room` says what fits.
   */
  makeRoom(bytesMax: number): number {
    const buf = this.buf;
    if (buf === null || this.end < buf.bytes.length) return 0;
    const bytes = this.end - this.at;
    const from = this.at;
    if (from > HEADROOM_BYTES) {
      this.#io.copy(buf, HEADROOM_BYTES, buf, from, bytes);
    } else if (bytes < bytesMax) {
      const larger = this.#bufs.acquire(Math.min(HEADROOM_BYTES + bytesMax, 2 * buf.bytes.length));
      this.#io.copy(larger, HEADROOM_BYTES, buf, from, bytes);
      this.#bufs.release(buf);
      this.buf = larger;
    } else {
      return 0;
    }
    this.at = HEADROOM_BYTES;
    this.end = HEADROOM_BYTES + bytes;
    return HEADROOM_BYTES - from;
  }

  get room(): number {
    return this.buf === null ? 0 : this.buf.bytes.length - this.end;
  }

  clear(): void {
    if (this.buf !== null) this.#bufs.release(this.buf);
    this.buf = null;
    this.at = 0;
    this.end = 0;
  }
}
