/** "gRPC over HTTP2", Length-Prefixed-Message: one byte compressed flag, four bytes length, big-endian. */
export declare const MESSAGE_HEAD_BYTES = 5;
/** What gRPC implementations accept by default. */
export declare const MESSAGE_BYTES_MAX: number;
/** What `MessageReader.next` found. */
export declare const ReadStep: {
  /** No complete message yet. */
  readonly NeedMore: 0;
  /** A message is in `message`. */
  readonly Message: 1;
  /** The next message is longer than the reader accepts. */
  readonly TooLarge: 2;
  /** The next message is compressed, which this implementation never negotiates. */
  readonly Compressed: 3;
  /** The flag is neither 0 nor 1. */
  readonly BadFlag: 4;
};
export type ReadStep = (typeof ReadStep)[keyof typeof ReadStep];
/** A message as it travels: its bytes with the prefix before them. */
export declare function frameMessage(message: Uint8Array): Uint8Array;
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
export declare class MessageReader {
  #private;
  /** The message's bytes after `ReadStep.Message`; the caller's to keep. */
  message: Uint8Array;
  constructor(messageBytesMax?: number);
  /** Bytes received and not yet part of a message taken, prefixes included. */
  get bufferedBytes(): number;
  /** Adds the bytes from `at` to `end`, which it copies. */
  push(bytes: Uint8Array, at: number, end: number): void;
  /** Takes the next message. The steps that are errors stay: there is no way to go on behind them. */
  next(): ReadStep;
  /** Forgets everything it holds. */
  clear(): void;
}
