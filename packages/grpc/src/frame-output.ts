import type { FrameSink } from "@bowline/wire";

/** Room for the answers to an ordinary read; larger outputs grow. */
const BUFFER_BYTES = 8 * 1024;
/** Buffers kept for the next who needs one: as many as ever write within one turn of the event loop. */
const FREE_MAX = 16;

const EMPTY = new Uint8Array(0);
const free: Uint8Array[] = [];

/** What a connection has to write. Holds a buffer only while there is something in it: thousands of them are idle. */
export class FrameOutput implements FrameSink {
  bytes: Uint8Array = EMPTY;
  end = 0;

  reserve(count: number): void {
    const needed = this.end + count;
    if (needed <= this.bytes.length) return;
    const smallest = this.bytes.length === 0 && needed <= BUFFER_BYTES;
    const bytes = smallest ? (free.pop() ?? new Uint8Array(BUFFER_BYTES)) : new Uint8Array(roundUp(needed));
    bytes.set(this.bytes.subarray(0, this.end));
    this.#release();
    this.bytes = bytes;
  }

  /** Takes out everything there is, in memory of its own. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.end);
    this.#release();
    this.bytes = EMPTY;
    this.end = 0;
    return taken;
  }

  #release(): void {
    if (this.bytes.length === BUFFER_BYTES && free.length < FREE_MAX) free.push(this.bytes);
  }
}

function roundUp(bytes: number): number {
  let size = BUFFER_BYTES;
  while (size < bytes) size *= 2;
  return size;
}
