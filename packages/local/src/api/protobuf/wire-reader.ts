/** The bytes are no protobuf message. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** https://protobuf.dev/programming-guides/encoding/, as far as Kubernetes makes use of it. */
export const WireType = { Varint: 0, Fixed64: 1, Bytes: 2, Fixed32: 5 } as const;

const TEXT = new TextDecoder("utf-8", { fatal: true });

/** Reads a message from its bytes. Every method throws `WireError` where they are not what they should be. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  tag(): { number: number; type: number } {
    const value = this.varint();
    return { number: Number(value >> 3n), type: Number(value & 7n) };
  }

  /** 64 bits, as they are. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WireError("it ends within a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError("a number is too long");
  }

  /** Signed; numbers beyond 2^53 do not occur in Kubernetes' objects. */
  integer(): number {
    return Number(BigInt.asIntN(64, this.varint()));
  }

  bytes(): Uint8Array {
    const length = Number(this.varint());
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new WireError("it ends within a field");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  text(): string {
    try {
      return TEXT.decode(this.bytes());
    } catch (error) {
      if (error instanceof WireError) throw error;
      throw new WireError("a text is not UTF-8");
    }
  }

  skip(type: number): void {
    if (type === WireType.Varint) this.varint();
    else if (type === WireType.Bytes) this.bytes();
    else if (type === WireType.Fixed64) this.#at += 8;
    else if (type === WireType.Fixed32) this.#at += 4;
    else throw new WireError(`there is no wire type ${type}`);
  }
}
