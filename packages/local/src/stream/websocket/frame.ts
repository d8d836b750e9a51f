// RFC 6455 §5.2.

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

/** §7.4.1. */
export const CloseCode = { Normal: 1000, ProtocolError: 1002, TooBig: 1009, InternalError: 1011 } as const;

export interface WebSocketFrame {
  readonly fin: boolean;
  readonly opcode: number;
  /** Unmasked. */
  readonly payload: Buffer;
}

/** What a client does against the protocol, and the code that the connection is closed with. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError";
  readonly closeCode: number;

  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** Cuts what a client sends into frames. Throws WebSocketError. */
export class WebSocketFrameParser {
  readonly #payloadBytesMax: number;
  #unread: Buffer = Buffer.alloc(0);

  constructor(payloadBytesMax: number) {
    this.#payloadBytesMax = payloadBytesMax;
  }

  push(chunk: Buffer): WebSocketFrame[] {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    const frames: WebSocketFrame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): WebSocketFrame | undefined {
    const bytes = this.#unread;
    if (bytes.length < 2) return undefined;
    const first = bytes.readUInt8(0);
    const second = bytes.readUInt8(1);
    if ((first & 0x70) !== 0) throw new WebSocketError(CloseCode.ProtocolError, "reserved bits are set");
    if ((second & 0x80) === 0) throw new WebSocketError(CloseCode.ProtocolError, "clients must mask what they send");
    const short = second & 0x7f;
    const maskAt = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
    if (bytes.length < maskAt + 4) return undefined;
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (length > this.#payloadBytesMax) throw new WebSocketError(CloseCode.TooBig, `${length} bytes are too many`);
    const end = maskAt + 4 + length;
    if (bytes.length < end) return undefined;
    this.#unread = bytes.subarray(end);
    const payload = unmask(bytes.subarray(maskAt + 4, end), bytes.subarray(maskAt, maskAt + 4));
    return { fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload };
  }
}

/** A whole message, unmasked, as servers send it. */
export function webSocketFrame(opcode: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head.writeUInt8(0x80 | opcode, 0);
  if (length < 126) {
    head.writeUInt8(length, 1);
  } else if (length < 65_536) {
    head.writeUInt8(126, 1);
    head.writeUInt16BE(length, 2);
  } else {
    head.writeUInt8(127, 1);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, ...parts]);
}

function unmask(bytes: Uint8Array, mask: Uint8Array): Buffer {
  const plain = Buffer.from(bytes);
  for (const [index, byte] of plain.entries()) plain[index] = byte ^ (mask[index & 3] ?? 0);
  return plain;
}
