import type { Random } from "@bowline/testkit";

/**
 * Bytes that arrive piece by piece, as a socket brings them: what has not arrived yet reads as something else, so that
 * a parser that looks beyond `end` comes to another result.
 */
export class Revealed {
  readonly bytes: Uint8Array;
  end = 0;
  readonly #input: Uint8Array;
  readonly #random: Random;
  readonly #pieceMax: number;

  constructor(input: Uint8Array, random: Random) {
    this.#input = input;
    this.#random = random;
    // Byte by byte at times, nearly whole at others.
    this.#pieceMax = random.upTo(Math.max(1, input.length));
    this.bytes = new Uint8Array(input.length).fill(random.between(0, 255));
  }

  /** Lets the next piece arrive; false when all has. */
  more(): boolean {
    if (this.end === this.#input.length) return false;
    const from = this.end;
    this.end = Math.min(this.#input.length, from + this.#random.between(1, this.#pieceMax));
    this.bytes.set(this.#input.subarray(from, this.end), from);
    return true;
  }
}
