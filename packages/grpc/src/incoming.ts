import { MESSAGE_HEAD_BYTES, MessageReader, ReadStep } from "./framing.ts";
import { GrpcError } from "./grpc-error.ts";
import { GrpcStatus } from "./status.ts";

/** Who receives the bytes of which messages are made. */
export interface IncomingOwner {
  /** So many bytes may be given back to the peer's window. */
  onRead(bytes: number): void;
  /** The messages can't be read on: the call should end with this error. */
  onBroken(error: GrpcError): void;
  /** Whoever iterated stopped before the end. */
  onAbandoned(): void;
}

interface Waiting<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

const DONE: IteratorResult<never, undefined> = { done: true, value: undefined };

/**
 * The messages of one side of a call as they come in, for one reader.
 *
 * Back-pressure: bytes are given back to the peer's window when their message is taken, or at once while the reader
 * waits for a message. So a peer may be ahead of a slow reader by one window, and a message larger than the window
 * still comes through.
 */
export class Incoming<T> implements AsyncIterableIterator<T, undefined, undefined> {
  readonly #owner: IncomingOwner;
  readonly #decode: (bytes: Uint8Array) => T;
  readonly #reader: MessageReader;
  /** Received and not given back. */
  #heldBytes = 0;
  #waiting: Waiting<T> | null = null;
  /** undefined while more may come; then how it ended, null for in order. */
  #end: GrpcError | null | undefined = undefined;

  /** @param decode makes a message of its bytes; what it throws breaks the call with INTERNAL */
  constructor(owner: IncomingOwner, decode: (bytes: Uint8Array) => T, messageBytesMax: number) {
    this.#owner = owner;
    this.#decode = decode;
    this.#reader = new MessageReader(messageBytesMax);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Bytes of the body as they come. */
  push(bytes: Uint8Array, at: number, end: number): void {
    if (this.#end !== undefined) {
      this.#owner.onRead(end - at);
      return;
    }
    this.#heldBytes += end - at;
    this.#reader.push(bytes, at, end);
    if (this.#waiting !== null) this.#serve(this.#waiting);
  }

  /** No bytes will follow. The reader gets the messages that are there first, then `error`, or the end when null. */
  finish(error: GrpcError | null): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#giveBack(this.#heldBytes);
    if (this.#waiting !== null) this.#serve(this.#waiting);
  }

  /** Ends with `error` at once: messages not taken yet are dropped. */
  abort(error: GrpcError): void {
    this.#reader.clear();
    this.#end = error;
    this.#giveBack(this.#heldBytes);
    if (this.#waiting !== null) this.#serve(this.#waiting);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#waiting !== null) return Promise.reject(new Error("gRPC messages: next() is waiting already"));
    return new Promise((resolve, reject) => this.#serve({ resolve, reject }));
  }

  /** The reader has enough. */
  return(): Promise<IteratorResult<T, undefined>> {
    const isEarly = this.#end === undefined;
    this.#reader.clear();
    this.#end = null;
    this.#giveBack(this.#heldBytes);
    this.#waiting?.resolve(DONE);
    this.#waiting = null;
    if (isEarly) this.#owner.onAbandoned();
    return Promise.resolve(DONE);
  }

  #serve(waiting: Waiting<T>): void {
    this.#waiting = null;
    const step = this.#reader.next();
    if (step === ReadStep.Message) this.#deliver(waiting);
    else if (step !== ReadStep.NeedMore) this.#break(waiting, readError(step));
    else if (this.#end === undefined) this.#wait(waiting);
    else this.#settleEnd(waiting, this.#end);
  }

  #deliver(waiting: Waiting<T>): void {
    const bytes = this.#reader.message;
    this.#reader.message = bytes.subarray(0, 0);
    this.#giveBack(Math.min(this.#heldBytes, MESSAGE_HEAD_BYTES + bytes.length));
    let value: T;
    try {
      value = this.#decode(bytes);
    } catch (cause) {
      this.#break(waiting, new GrpcError(GrpcStatus.Internal, "message does not decode", { cause }));
      return;
    }
    waiting.resolve({ done: false, value });
  }

  #wait(waiting: Waiting<T>): void {
    this.#waiting = waiting;
    this.#giveBack(this.#heldBytes);
  }

  #settleEnd(waiting: Waiting<T>, error: GrpcError | null): void {
    if (error !== null) waiting.reject(error);
    else if (this.#reader.bufferedBytes > 0) {
      waiting.reject(new GrpcError(GrpcStatus.Internal, "the stream ended within a message"));
    } else waiting.resolve(DONE);
    this.#reader.clear();
    // Whoever asks again after an error is told the end, as with a generator.
    this.#end = null;
  }

  #break(waiting: Waiting<T>, error: GrpcError): void {
    this.abort(error);
    this.#owner.onBroken(error);
    waiting.reject(error);
  }

  #giveBack(bytes: number): void {
    if (bytes === 0) return;
    this.#heldBytes -= bytes;
    this.#owner.onRead(bytes);
  }
}

/**
 * The only message there may be ("Status codes and their use": any other number is UNIMPLEMENTED).
 *
 * @throws GrpcError as the messages end, or UNIMPLEMENTED when there are none or more than one
 */
export async function onlyMessage<T>(incoming: Incoming<T>): Promise<T> {
  const first = await incoming.next();
  if (first.done === true) throw new GrpcError(GrpcStatus.Unimplemented, "one message was expected, none came");
  const second = await incoming.next();
  if (second.done === true) return first.value;
  throw new GrpcError(GrpcStatus.Unimplemented, "one message was expected, several came");
}

function readError(step: ReadStep): GrpcError {
  switch (step) {
    case ReadStep.TooLarge:
      return new GrpcError(GrpcStatus.ResourceExhausted, "message larger than the limit");
    case ReadStep.Compressed:
      return new GrpcError(GrpcStatus.Internal, "compressed message, though no compression was agreed on");
    default:
      return new GrpcError(GrpcStatus.Internal, "message with an unknown flag");
  }
}
