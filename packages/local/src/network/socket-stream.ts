import { Duplex } from "node:stream";
import type { Socket, SocketHandler } from "bun";

type WriteCallback = (error?: Error | null) => void;

/**
 * A socket of Bun's, which can be made in another network namespace, as a node stream, which node:net's can't. Reading
 * stops when nobody reads; a write's callback waits until the kernel has all of it.
 */
export class SocketStream extends Duplex {
  #socket: Socket<SocketStream> | null = null;
  /** What the kernel has not taken of the write in progress. */
  #unsent: Uint8Array | null = null;
  #onSent: WriteCallback | null = null;
  #ended = false;

  constructor() {
    super({ allowHalfOpen: true });
  }

  socketOpen(socket: Socket<SocketStream>): void {
    this.#socket = socket;
    if (this.destroyed) socket.terminate();
  }

  socketData(bytes: Uint8Array): void {
    if (!this.push(bytes)) this.#socket?.pause();
  }

  /** The peer has sent FIN. */
  socketEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
  }

  socketDrain(): void {
    const unsent = this.#unsent;
    const onSent = this.#onSent;
    if (unsent === null || onSent === null) return;
    this.#unsent = null;
    this.#onSent = null;
    this.#send(unsent, onSent);
  }

  socketClose(error: Error | undefined): void {
    this.#socket = null;
    const waiting = this.#onSent;
    this.#unsent = null;
    this.#onSent = null;
    if (error !== undefined) this.destroy(error);
    else if (waiting !== null) waiting(resetError());
    this.socketEnd();
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#send(chunk, callback);
  }

  override _final(callback: WriteCallback): void {
    this.#socket?.shutdown();
    callback();
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    const socket = this.#socket;
    this.#socket = null;
    // With both sides at an end there is nothing left to cut off; anything else the peer should know of by a reset.
    if (this.#ended && this.writableFinished) socket?.end();
    else socket?.terminate();
    const waiting = this.#onSent;
    this.#onSent = null;
    waiting?.(error ?? resetError());
    callback(error);
  }

  #send(bytes: Uint8Array, callback: WriteCallback): void {
    if (this.#socket === null) {
      callback(resetError());
      return;
    }
    const sent = this.#socket.write(bytes);
    if (sent === bytes.length) {
      callback();
    } else if (sent < 0) {
      callback(resetError());
    } else {
      this.#unsent = bytes.subarray(sent);
      this.#onSent = callback;
    }
  }
}

/** For `Bun.connect`, with a SocketStream as each socket's data. */
export const socketStreamHandler: SocketHandler<SocketStream> = {
  data: (socket, bytes) => socket.data.socketData(bytes),
  end: (socket) => socket.data.socketEnd(),
  drain: (socket) => socket.data.socketDrain(),
  close: (socket, error) => socket.data.socketClose(error),
  error: (socket, error) => {
    socket.data.destroy(error);
  },
};

/** The same for `Bun.listen`: hands over a stream for each connection. Its errors are nobody's; its end is told by `close`. */
export function acceptStreams(accept: (stream: SocketStream) => void): SocketHandler<SocketStream> {
  return {
    ...socketStreamHandler,
    open: (socket) => {
      socket.data = new SocketStream();
      socket.data.socketOpen(socket);
      socket.data.on("error", () => {});
      accept(socket.data);
    },
  };
}

function resetError(): Error {
  return Object.assign(new Error("the connection was closed by the other side"), { code: "ECONNRESET" });
}
