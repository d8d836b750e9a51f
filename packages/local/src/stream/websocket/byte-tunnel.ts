import { Duplex } from "node:stream";
import type { WebSocketConnection } from "./web-socket.ts";

/** A byte stream in a WebSocket's binary messages, whose borders mean nothing. */
export class ByteTunnel extends Duplex {
  readonly #socket: WebSocketConnection;
  readonly #messages: AsyncGenerator<Buffer, void>;
  #reading = false;

  constructor(socket: WebSocketConnection) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#messages = socket.messages();
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    void this.#pull();
  }

  override _write(bytes: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#socket.send(bytes).then(
      () => callback(),
      (error: Error) => callback(error),
    );
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.close();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.close();
    callback(error);
  }

  async #pull(): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await this.#messages.next();
        if (done === true || value === undefined) {
          this.push(null);
          return;
        }
        if (value.length > 0 && !this.push(value)) break;
      }
      this.#reading = false;
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
