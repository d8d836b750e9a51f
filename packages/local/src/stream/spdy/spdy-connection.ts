import type { Duplex } from "node:stream";
import {
  dataFrame,
  type Frame,
  FrameParser,
  goAwayFrame,
  pingFrame,
  ResetStatus,
  resetFrame,
  synReplyFrame,
} from "./frame.ts";
import { HeaderDecoder, HeaderEncoder } from "./header-block.ts";
import { SpdyStream, type StreamOutput } from "./spdy-stream.ts";

/** spdystream sends as much as was written to it, at most 32 KiB in kubectl; this leaves others room. */
const FRAME_BYTES_MAX = 1_048_576;
const STREAMS_MAX = 2_048;

export type OnStream = (stream: SpdyStream, headers: ReadonlyMap<string, string>) => void;

/** The server's end of a SPDY/3.1 connection on which the client opens streams. */
export class SpdyConnection {
  readonly #transport: Duplex;
  readonly #onStream: OnStream;
  readonly #parser = new FrameParser(FRAME_BYTES_MAX);
  readonly #decoder = new HeaderDecoder();
  readonly #encoder = new HeaderEncoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #output: StreamOutput;
  #lastId = 0;

  constructor(transport: Duplex, onStream: OnStream) {
    this.#transport = transport;
    this.#onStream = onStream;
    this.#output = {
      data: (id, bytes, fin, callback) => this.#send(dataFrame(id, bytes, fin), callback),
      over: (id, abruptly) => {
        if (this.#streams.delete(id) && abruptly) this.#send(resetFrame(id, ResetStatus.Cancel));
      },
    };
  }

  /** Serves until the client ends the connection. Rejects when it breaks or is not SPDY; all streams end then, too. */
  async run(): Promise<void> {
    try {
      const chunks = this.#transport.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      for await (const chunk of chunks) {
        for (const frame of this.#parser.push(chunk)) {
          if (frame.kind === "away") return;
          await this.#take(frame);
        }
      }
    } finally {
      this.#decoder.close();
      const streams = [...this.#streams.values()];
      this.#streams.clear();
      for (const stream of streams) stream.destroy();
    }
  }

  /** Says that no more streams are taken, and ends the connection once what was written is out. */
  end(): void {
    if (this.#transport.writable) this.#transport.end(goAwayFrame(this.#lastId));
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.kind) {
      case "data":
        return this.#data(frame.streamId, frame.bytes, frame.fin);
      case "open":
        return this.#open(frame.streamId, await this.#decoder.decode(frame.headers), frame.fin);
      case "headers":
        await this.#decoder.decode(frame.headers);
        return this.#data(frame.streamId, Buffer.alloc(0), frame.fin);
      case "reset": {
        const stream = this.#streams.get(frame.streamId);
        this.#streams.delete(frame.streamId);
        stream?.destroy();
        return;
      }
      case "ping":
        this.#send(pingFrame(frame.id));
        return;
      default:
        return;
    }
  }

  #open(id: number, headers: ReadonlyMap<string, string>, fin: boolean): void {
    if (id % 2 === 0 || id <= this.#lastId) throw new Error(`SPDY stream ${id} may not be opened now`);
    this.#lastId = id;
    if (this.#streams.size >= STREAMS_MAX) {
      this.#send(resetFrame(id, ResetStatus.RefusedStream));
      return;
    }
    const stream = new SpdyStream(id, this.#output);
    // Whoever uses the stream hears of its end by reading or writing.
    stream.on("error", () => {});
    this.#streams.set(id, stream);
    this.#send(synReplyFrame(id, this.#encoder.encode()));
    if (fin) void stream.takeIn(Buffer.alloc(0), true);
    this.#onStream(stream, headers);
  }

  async #data(id: number, bytes: Buffer, fin: boolean): Promise<void> {
    // Frames for a stream that has just been reset cross the reset on their way.
    await this.#streams.get(id)?.takeIn(bytes, fin);
  }

  #send(frame: Buffer, callback?: (error?: Error | null) => void): void {
    if (this.#transport.writable) this.#transport.write(frame, callback);
    else callback?.(new Error("the connection is closed"));
  }
}
