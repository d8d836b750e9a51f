import type { GrpcError, ServerStream } from "@bowline/grpc";
import type { UpdateSink } from "./endpoint-view.ts";
import type { ProfileSink } from "./profile-resolution.ts";

export interface ClientStreamOptions {
  /** Messages that may wait for a client that does not read, beyond what its connection has taken. */
  readonly queueMax: number;
  /** The client was too slow, and its stream ends. */
  readonly onOverflow: () => void;
}

/**
 * A client's stream with a bounded queue. What waits is bytes shared with all other clients, but a client that does not keep
 * up follows something that is long past: its stream ends, and it comes again to be told how things are.
 */
export class ClientStream implements UpdateSink, ProfileSink {
  readonly #stream: ServerStream;
  readonly #options: ClientStreamOptions;
  #waiting = 0;
  #full = false;
  #stop: () => void = () => undefined;

  constructor(stream: ServerStream, options: ClientStreamOptions) {
    this.#stream = stream;
    this.#options = options;
    stream.onDrain = () => {
      this.#full = false;
      this.#waiting = 0;
    };
  }

  /** @param stop ends what sends to this stream; called once, when the stream is over, if only by now */
  onStop(stop: () => void): void {
    if (this.#stream.closed) {
      stop();
      return;
    }
    this.#stop = stop;
    this.#stream.onClose = () => this.#release();
  }

  send(framed: Uint8Array): void {
    if (this.#stream.closed) return;
    if (this.#full && ++this.#waiting > this.#options.queueMax) {
      this.#options.onOverflow();
      this.end();
      return;
    }
    if (!this.#stream.sendEncoded(framed)) this.#full = true;
  }

  /** In good order: the client asks again, here or elsewhere. */
  end(): void {
    this.#release();
    this.#stream.end();
  }

  fail(error: GrpcError): void {
    this.#release();
    this.#stream.fail(error);
  }

  /** At once, for what waits may never go. */
  #release(): void {
    const stop = this.#stop;
    this.#stop = () => undefined;
    stop();
  }
}
