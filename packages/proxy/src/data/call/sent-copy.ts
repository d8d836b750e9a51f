import { copyBytes } from "@bowline/wire";

const NO_BYTES = new Uint8Array(0);
const FIRST_BYTES = 256;
/** Kept for the next call; larger ones are left to the collector. */
const KEPT_BYTES = 1024;
/** The same as Linkerd keeps of a request that may be sent again (proxy-facts §4.9). */
const COPY_BYTES_MAX = 65536;

/** What has been sent of a request's body, for as long as the request may have to be sent again. */
export class SentCopy {
  bytes: Uint8Array = NO_BYTES;
  length = 0;
  /** How much of it is out where the request now goes; the rest went to another server before. */
  outBytes = 0;
  /** All of what was sent is here. */
  complete = true;

  get out(): boolean {
    return this.outBytes >= this.length;
  }

  /** More has gone out; all of what is here was out. */
  add(bytes: Uint8Array, at: number, end: number): void {
    if (!this.complete) return;
    const length = this.length + end - at;
    if (length > COPY_BYTES_MAX) {
      this.clear();
      this.complete = false;
      return;
    }
    if (length > this.bytes.length) this.#grow(length);
    copyBytes(bytes, at, end, this.bytes, this.length);
    this.length = length;
    this.outBytes = length;
  }

  clear(): void {
    if (this.bytes.length > KEPT_BYTES) this.bytes = NO_BYTES;
    this.length = 0;
    this.outBytes = 0;
    this.complete = true;
  }

  #grow(length: number): void {
    let size = Math.max(FIRST_BYTES, 2 * this.bytes.length);
    while (size < length) size *= 2;
    const larger = new Uint8Array(size);
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
