/** Bytes first in, first out, kept in the pieces in which they came. */
export class ByteQueue {
  readonly #pieces: Uint8Array[] = [];
  #firstAt = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes a copy. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes.slice());
    this.#length += bytes.length;
  }

  /** The first `bytes` bytes or all there are; they are no longer in the queue. */
  take(bytes: number): Uint8Array {
    const out = new Uint8Array(Math.min(bytes, this.#length));
    let at = 0;
    while (at < out.length) {
      const piece = this.#pieces[0]!;
      const part = piece.subarray(this.#firstAt, this.#firstAt + out.length - at);
      out.set(part, at);
      at += part.length;
      this.#firstAt += part.length;
      if (this.#firstAt === piece.length) {
        this.#pieces.shift();
        this.#firstAt = 0;
      }
    }
    this.#length -= out.length;
    return out;
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#firstAt = 0;
    this.#length = 0;
  }
}
