import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import {
  CloseCode,
  Opcode,
  WebSocketError,
  type WebSocketFrame,
  WebSocketFrameParser,
  webSocketFrame,
} from "./frame.ts";

/** kubectl sends 32 KiB at a time; a message of this size is a mistake. */
const MESSAGE_BYTES_MAX = 8_388_608;
/** What a frame counts beside its payload, so that empty ones come to an end, too. */
const FRAME_BYTES_MIN = 64;
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** For the header Sec-WebSocket-Accept (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  return createHash("sha1").update(`${key}${ACCEPT_GUID}`).digest("base64");
}

/** The server's end of a WebSocket connection whose handshake is done. */
export class WebSocketConnection {
  readonly #transport: Duplex;
  #closed = false;

  constructor(transport: Duplex) {
    this.#transport = transport;
  }

  /**
   * What the client says, message by message, until it closes. Throws when the connection breaks, and WebSocketError after
   * having closed it for what the client did.
   */
  async *messages(): AsyncGenerator<Buffer, void> {
    const parser = new WebSocketFrameParser(MESSAGE_BYTES_MAX);
    let message: Buffer[] = [];
    let messageBytes = 0;
    try {
      for await (const chunk of this.#transport.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (const frame of parser.push(chunk)) {
          if (frame.opcode === Opcode.Close) return this.close();
          if (!this.#control(frame)) {
            message.push(frame.payload);
            messageBytes += frame.payload.length + FRAME_BYTES_MIN;
            if (messageBytes > MESSAGE_BYTES_MAX) {
              throw new WebSocketError(CloseCode.TooBig, "the message is too long");
            }
            if (!frame.fin) continue;
            const whole = message;
            message = [];
            messageBytes = 0;
            yield Buffer.concat(whole);
          }
        }
      }
    } catch (error) {
      this.close(error instanceof WebSocketError ? error.closeCode : CloseCode.InternalError);
      throw error;
    }
  }

  /** Resolves when the connection wants more. Rejects when it is closed. */
  send(...parts: readonly Uint8Array[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#closed || !this.#transport.writable) {
      reject(new Error("the connection is closed"));
      return promise;
    }
    this.#transport.write(webSocketFrame(Opcode.Binary, ...parts), (error) => (error ? reject(error) : resolve()));
    return promise;
  }

  /** Ends the connection in order, once what was sent is out. */
  close(code: number = CloseCode.Normal): void {
    if (this.#closed) return;
    this.#closed = true;
    const reason = Buffer.alloc(2);
    reason.writeUInt16BE(code);
    if (this.#transport.writable) this.#transport.end(webSocketFrame(Opcode.Close, reason));
  }

  /** @returns false when the frame is part of a message */
  #control({ opcode, payload }: WebSocketFrame): boolean {
    if (opcode === Opcode.Ping && this.#transport.writable) this.#transport.write(webSocketFrame(Opcode.Pong, payload));
    return opcode === Opcode.Ping || opcode === Opcode.Pong;
  }
}
