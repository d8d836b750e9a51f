/** "gRPC over HTTP2", Length-Prefixed-Message: one byte compressed flag, four bytes length, big-endian. */
export const MESSAGE_HEAD_BYTES = 5;
/** What gRPC implementations accept by default. */
export const MESSAGE_BYTES_MAX: number = 4 * 1024 * 1024;

/** What `MessageReader.next` found. */
export const ReadStep = {
  /** No complete message yet. */
  NeedMore: 0,
  /** A message is in `message`. */
  Message: 1,
  /** The next message is longer than the reader accepts. */
  TooLarge: 2,
  /** The next message is compressed, which this implementation never negotiates. */
  Compressed: 3,
  /** The flag is neither 0 nor 1. */
  BadFlag: 4,
} as const;
export type ReadStep = (typeof ReadStep)[keyof typeof ReadStep];

const EMPTY = new Uint8Array(0);
/** A buffer's first size, unless the message's length asks for less. */
const BUFFER_BYTES_MIN = 256;

/** A message as it travels: its bytes with the prefix before them. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(MESSAGE_HEAD_BYTES + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, MESSAGE_HEAD_BYTES);
  return framed;
}

/**
 * Takes messages out of a stream of bytes that comes in any pieces.
 *
 * It keeps the bytes not taken yet, in one buffer that grows by doubling, though never beyond the end of the message
 * that is being received: no byte is copied more than a few times whatever the pieces, and a length announced but not
 * sent costs nothing. Without such bytes it holds no buffer.
 *
 *     #bytes  | taken | next message …  …  | free |
 *             0       #at                  #end
 */
export class MessageReader {
  /** The message's bytes after `ReadStep.Message`; the caller's to keep. */
  message: Uint8Array = EMPTY;
  readonly #messageBytesMax: number;
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #end = 0;

  constructor(messageBytesMax: number = MESSAGE_BYTES_MAX) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** Bytes received and not yet part of a message taken, prefixes included. */
  get bufferedBytes(): number {
    return this.#end - this.#at;
  }

  /** Adds the bytes from `at` to `end`, which it copies. */
  push(bytes: Uint8Array, at: number, end: number): void {
    if (at === end) return;
    this.#makeRoom(end - at);
    this.#bytes.set(bytes.subarray(at, end), this.#end);
    this.#end += end - at;
  }

  /** Takes the next message. The steps that are errors stay: there is no way to go on behind them. */
  next(): ReadStep {
    const buffered = this.#end - this.#at;
    if (buffered === 0) return ReadStep.NeedMore;
    const flag = this.#bytes[this.#at];
    if (flag !== 0) return flag === 1 ? ReadStep.Compressed : ReadStep.BadFlag;
    if (buffered < MESSAGE_HEAD_BYTES) return ReadStep.NeedMore;
    const messageBytes = this.#announcedBytes();
    if (messageBytes > this.#messageBytesMax) return ReadStep.TooLarge;
    if (buffered < MESSAGE_HEAD_BYTES + messageBytes) return ReadStep.NeedMore;
    this.#take(messageBytes);
    return ReadStep.Message;
  }

  /** Forgets everything it holds. */
  clear(): void {
    this.message = EMPTY;
    this.#bytes = EMPTY;
    this.#at = 0;
    this.#end = 0;
  }

  #take(messageBytes: number): void {
    const start = this.#at + MESSAGE_HEAD_BYTES;
    const end = start + messageBytes;
    const isLast = end === this.#end;
    // The last message may keep the buffer, unless it would hold on to much more than its own bytes.
    const keepsBuffer = isLast && messageBytes * 2 >= this.#bytes.length;
    this.message = keepsBuffer ? this.#bytes.subarray(start, end) : this.#bytes.slice(start, end);
    this.#at = end;
    if (!isLast) return;
    this.#bytes = EMPTY;
    this.#at = 0;
    this.#end = 0;
  }

  /** Room for `count` more bytes behind those held. */
  #makeRoom(count: number): void {
    if (this.#end + count <= this.#bytes.length) return;
    const held = this.#end - this.#at;
    const needed = held + count;
    // At least half is free then: what is moved was paid for by bytes taken before.
    if (needed <= this.#bytes.length && held <= this.#at) {
      this.#bytes.copyWithin(0, this.#at, this.#end);
    } else {
      const bytes = new Uint8Array(this.#sizeFor(needed));
      bytes.set(this.#bytes.subarray(this.#at, this.#end));
      this.#bytes = bytes;
    }
    this.#at = 0;
    this.#end = held;
  }

  #sizeFor(needed: number): number {
    const held = this.#end - this.#at;
    if (held === 0) return needed;
    const doubled = Math.max(BUFFER_BYTES_MIN, 2 * this.#bytes.length);
    const announced = held < MESSAGE_HEAD_BYTES ? 0 : MESSAGE_HEAD_BYTES + this.#announcedBytes();
    const wanted = announced >= needed ? Math.min(doubled, announced) : doubled;
    return Math.max(needed, wanted);
  }

  #announcedBytes(): number {
    let count = 0;
    for (let at = this.#at + 1; at < this.#at + MESSAGE_HEAD_BYTES; at++) count = count * 256 + (this.#bytes[at] ?? 0);
    return count;
  }
}
