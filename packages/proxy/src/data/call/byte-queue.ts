import type { Buf, BufPool } from "@bowline/loop";
import { copyBytes } from "@bowline/wire";

/** Small first: most of what has to wait is the rest of one message. */
const FIRST_BYTES = 4096;
const NEXT_BYTES = 16384;

/** Bytes of one direction of a call that wait for the other side to take them; holds buffers only while there are some. */
export class ByteQueue {
  bytes = 0;
  readonly #bufs: BufPool;
  readonly #chunks: Buf[] = [];
  #at = 0;
  #end = 0;

  constructor(bufs: BufPool) {
    this.#bufs = bufs;
  }

  /** Appends a copy of bytes[at, end). */
  push(bytes: Uint8Array, at: number, end: number): void {
    let from = at;
    while (from < end) {
      let tail = this.#chunks.at(-1);
      if (tail === undefined || this.#end === tail.bytes.length) {
        tail = this.#bufs.acquire(tail === undefined && end - from <= FIRST_BYTES ? FIRST_BYTES : NEXT_BYTES);
        this.#chunks.push(tail);
        this.#end = 0;
      }
      const count = Math.min(end - from, tail.bytes.length - this.#end);
      copyBytes(bytes, from, from + count, tail.bytes, this.#end);
      this.#end += count;
      from += count;
    }
    this.bytes += end - at;
  }

  /** The first bytes: front[frontAt, frontEnd); only while there are some. */
  get front(): Uint8Array {
    return this.#chunks[0]!.bytes;
  }

  get frontAt(): number {
    return this.#at;
  }

  get frontEnd(): number {
    return this.#chunks.length === 1 ? this.#end : this.#chunks[0]!.bytes.length;
  }

  /** Drops the first `count` bytes, at most those of the front. */
  advance(count: number): void {
    this.bytes -= count;
    this.#at += count;
    if (this.#at < this.frontEnd) return;
    this.#bufs.release(this.#chunks.shift()!);
    this.#at = 0;
    if (this.#chunks.length === 0) this.#end = 0;
  }

  clear(): void {
    for (const chunk of this.#chunks) this.#bufs.release(chunk);
    this.#chunks.length = 0;
    this.bytes = 0;
    this.#at = 0;
    this.#end = 0;
  }
}
