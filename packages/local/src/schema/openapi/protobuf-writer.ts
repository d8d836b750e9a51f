/**
 * The few parts of protobuf's wire format that an OpenAPI document needs. Contents are written first and then moved to make place for
 * their length, all in one buffer.
 */
export class ProtobufWriter {
  #bytes = new Uint8Array(64 * 1024);
  #length = 0;

  text(field: number, value: string): void {
    if (value === "") return;
    this.#delimited(field, () => {
      // A UTF-16 unit takes three bytes of UTF-8 at most.
      this.#reserve(value.length * 3);
      this.#length += encoder.encodeInto(value, this.#bytes.subarray(this.#length)).written;
    });
  }

  /** A message within this one. `write` is given this writer again. */
  message(field: number, write: (writer: ProtobufWriter) => void): void {
    this.#delimited(field, () => write(this));
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #delimited(field: number, write: () => void): void {
    this.#varint(field * 8 + LENGTH_DELIMITED);
    const start = this.#length;
    write();
    const end = this.#length;
    const prefixBytes = varintLength(end - start);
    this.#reserve(prefixBytes);
    this.#bytes.copyWithin(start + prefixBytes, start, end);
    this.#length = start;
    this.#varint(end - start);
    this.#length = end + prefixBytes;
  }

  #varint(value: number): void {
    this.#reserve(VARINT_BYTES_MAX);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const encoder = new TextEncoder();
const LENGTH_DELIMITED = 2;
const VARINT_BYTES_MAX = 10;

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length++;
  return length;
}
