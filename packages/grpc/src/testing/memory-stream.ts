import type { ByteStream, ByteStreamOwner } from "../byte-stream.ts";

export interface MemoryPairOptions {
  /** What a side may have on its way before write() returns false. */
  readonly bufferBytes?: number;
  /** Cuts what is written into the pieces that the other side reads. */
  readonly split?: (bytes: Uint8Array) => Uint8Array[];
}

/** Two streams connected to each other, without a system in between: what one writes, the other reads a little later. */
export function memoryPair(options: MemoryPairOptions = {}): [client: MemoryStream, server: MemoryStream] {
  const client = new MemoryStream("client", options);
  const server = new MemoryStream("server", options);
  client.other = server;
  server.other = client;
  return [client, server];
}

export class MemoryStream implements ByteStream {
  owner: ByteStreamOwner | null = null;
  other: MemoryStream | null = null;
  readonly peer: string;
  /** Everything written, counted. */
  writtenBytes = 0;
  readonly #bufferBytes: number;
  readonly #split: (bytes: Uint8Array) => Uint8Array[];
  /** On the way to the other side. */
  readonly #sent: Uint8Array[] = [];
  #sentBytes = 0;
  #full = false;
  #paused = false;
  #ended = false;
  #scheduled = false;

  constructor(name: string, options: MemoryPairOptions) {
    this.peer = `${name}:0`;
    this.#bufferBytes = options.bufferBytes ?? 64 * 1024;
    this.#split = options.split ?? ((bytes) => [bytes]);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended) return true;
    this.writtenBytes += bytes.length;
    this.#sent.push(...this.#split(bytes));
    this.#sentBytes += bytes.length;
    this.#schedule();
    this.#full = this.#sentBytes > this.#bufferBytes;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.other !== null) this.other.#schedule();
  }

  end(): void {
    this.#ended = true;
    this.#schedule();
  }

  destroy(): void {
    this.owner = null;
    this.#sent.length = 0;
    this.end();
  }

  /** The connection breaks for both sides, and what was on its way is lost. */
  cut(error: Error): void {
    for (const side of [this, this.other]) {
      if (side === null) continue;
      side.#sent.length = 0;
      const owner = side.owner;
      side.owner = null;
      owner?.onClose(error);
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const reader = this.other;
    if (reader === null) return;
    while (this.#sent.length > 0 && !reader.#paused) {
      const bytes = this.#sent.shift();
      if (bytes === undefined) break;
      this.#sentBytes -= bytes.length;
      reader.owner?.onBytes(bytes);
    }
    if (this.#full && this.#sentBytes === 0) {
      this.#full = false;
      this.owner?.onDrain();
    }
    if (this.#ended && this.#sent.length === 0) {
      const owner = reader.owner;
      reader.owner = null;
      owner?.onClose(null);
    }
  }
}
