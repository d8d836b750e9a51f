import { addressOf } from "@bowline/sys";

/**
 * Memory for bytes on their way: a typed array and its address, so that the codecs and libc see the same bytes.
 * `sizeClass` is the pool's; a buffer goes back to the pool it came from.
 */
export class Buf {
  readonly bytes: Uint8Array;
  readonly address: number;
  readonly sizeClass: number;

  constructor(size: number, sizeClass: number) {
    this.bytes = new Uint8Array(size);
    this.address = addressOf(this.bytes);
    this.sizeClass = sizeClass;
  }
}

/** Sizes of the pool's classes: small heads, ordinary leftovers, one read at first, large heads, one full read. */
const CLASS_BYTES: readonly number[] = [4096, 16384, 36864, 81920, 331776];
/** Free buffers kept per class; what a burst needed beyond that goes back to the system. */
const FREE_MAX: readonly number[] = [1024, 256, 64, 32, 8];

/** The largest buffer the pool hands out, bytes. */
export const BUF_BYTES_MAX: number = CLASS_BYTES[CLASS_BYTES.length - 1]!;

/** Recycles buffers, so that a busy loop makes none. */
export class BufPool {
  readonly #free: Buf[][] = CLASS_BYTES.map(() => []);

  /** A buffer of at least `bytes` (at most BUF_BYTES_MAX); its content is undefined. */
  acquire(bytes: number): Buf {
    let sizeClass = 0;
    while (CLASS_BYTES[sizeClass]! < bytes) sizeClass++;
    return this.#free[sizeClass]!.pop() ?? new Buf(CLASS_BYTES[sizeClass]!, sizeClass);
  }

  release(buf: Buf): void {
    const free = this.#free[buf.sizeClass]!;
    if (free.length < FREE_MAX[buf.sizeClass]!) free.push(buf);
  }
}
