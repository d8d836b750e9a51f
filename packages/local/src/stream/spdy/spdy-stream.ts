import { Duplex } from "node:stream";

type Callback = (error?: Error | null) => void;

/** How a stream sends. */
export interface StreamOutput {
  /** `callback` comes when the connection wants more. */
  data(streamId: number, bytes: Uint8Array, fin: boolean, callback: Callback): void;
  /** The stream is over on our side; `abruptly`: before both directions had come to an end. */
  over(streamId: number, abruptly: boolean): void;
}

/**
 * What a stream keeps for a reader who is slower than the client. SPDY's windows are ignored, as Kubernetes' clients do:
 * when this is full, the whole connection waits.
 */
const UNREAD_BYTES_MAX = 1_048_576;

/** One stream of a SPDY connection, opened by the client. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly #output: StreamOutput;
  #onRead: (() => void) | null = null;
  #peerEnded = false;

  constructor(id: number, output: StreamOutput) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.#output = output;
  }

  /** Takes what the client has sent; the promise, if any, is for when to go on. */
  takeIn(bytes: Buffer, fin: boolean): Promise<void> | undefined {
    if (this.destroyed || this.#peerEnded) return undefined;
    if (bytes.length > 0) this.push(bytes);
    if (fin) {
      this.#peerEnded = true;
      this.push(null);
    }
    if (this.readableLength <= UNREAD_BYTES_MAX) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onRead = resolve;
    return promise;
  }

  override _read(): void {
    this.#readMore();
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.#output.data(this.id, bytes, false, callback);
  }

  override _final(callback: Callback): void {
    this.#output.data(this.id, new Uint8Array(0), true, callback);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.#readMore();
    this.#output.over(this.id, !(this.#peerEnded && this.writableFinished));
    callback(error);
  }

  #readMore(): void {
    const onRead = this.#onRead;
    this.#onRead = null;
    onRead?.();
  }
}
