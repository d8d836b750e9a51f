import { constants, createInflate, type Inflate } from "node:zlib";
import { SPDY_DICTIONARY } from "./dictionary.ts";

/** Kubernetes' clients send a handful of short ones. */
const BLOCK_BYTES_MAX = 65_536;

/** Name and value pairs (SPDY/3 §2.6.10) of one connection's peer, which all come out of one decompressor. */
export class HeaderDecoder {
  readonly #inflate: Inflate;
  #inflated: Buffer[] = [];
  #bytes = 0;
  #fail: ((error: Error) => void) | null = null;

  constructor() {
    this.#inflate = createInflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
    this.#inflate.on("data", (chunk: Buffer) => {
      this.#bytes += chunk.length;
      if (this.#bytes <= BLOCK_BYTES_MAX) this.#inflated.push(chunk);
    });
    this.#inflate.on("error", (error) => this.#fail?.(error));
  }

  /** One after the other. Rejects when the block is none; then the connection is of no more use. */
  async decode(block: Uint8Array): Promise<Map<string, string>> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#fail = reject;
    this.#inflate.write(block, (error) => (error ? reject(error) : resolve()));
    await promise;
    this.#fail = null;
    if (this.#bytes > BLOCK_BYTES_MAX) throw new Error("SPDY headers are too long");
    const bytes = Buffer.concat(this.#inflated);
    this.#inflated = [];
    this.#bytes = 0;
    return parseHeaders(bytes);
  }

  close(): void {
    this.#inflate.destroy();
  }
}

/**
 * Compresses by not compressing: zlib's header, then stored blocks (RFC 1950 §2.2, RFC 1951 §3.2.4). Servers of Kubernetes'
 * streams have no headers to tell, and this needs no state but whether it has begun.
 */
export class HeaderEncoder {
  #begun = false;

  encode(headers: ReadonlyMap<string, string> = new Map()): Buffer {
    // The empty block is what makes Go's decompressor give out what it has.
    const block = Buffer.concat([storedBlock(formatHeaders(headers)), storedBlock(Buffer.alloc(0))]);
    if (this.#begun) return block;
    this.#begun = true;
    return Buffer.concat([ZLIB_HEADER, block]);
  }
}

function parseHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > bytes.length) throw new Error("SPDY headers end too early");
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > bytes.length) throw new Error("SPDY headers end too early");
    at += length;
    return bytes.toString("utf8", at - length, at);
  };
  for (let left = number(); left > 0; left--) {
    const name = text();
    headers.set(name, text());
  }
  return headers;
}

function formatHeaders(headers: ReadonlyMap<string, string>): Buffer {
  return Buffer.concat([
    uint32(headers.size),
    ...[...headers].flat().flatMap((text) => [uint32(Buffer.byteLength(text)), Buffer.from(text)]),
  ]);
}

function storedBlock(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(bytes.length ^ 0xffff, 3);
  return Buffer.concat([head, bytes]);
}

/** Deflate with a 32 KiB window and a preset dictionary, which is named by its Adler-32. */
const ZLIB_HEADER: Buffer = Buffer.concat([
  Buffer.from([0x78, 0x20 + ((31 - ((0x78 * 256 + 0x20) % 31)) % 31)]),
  uint32(adler32(SPDY_DICTIONARY)),
]);

function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65_521;
    high = (high + low) % 65_521;
  }
  return ((high << 16) | low) >>> 0;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
