// SPDY protocol draft 3.1, §2.2: what spdystream, which Kubernetes' clients have it from, makes of it.
//
//   control  |1|  version 3 (15)  |  type (16)  |      data     |0|        stream id (31)         |
//            |  flags (8)  |     length (24)    |               |  flags (8)  |   length (24)      |

const FRAME_HEAD_BYTES = 8;
const LENGTH_MAX = 0xff_ffff;
const VERSION = 3;
const STREAM_ID_MASK = 0x7fff_ffff;

const FrameType = {
  SynStream: 1,
  SynReply: 2,
  RstStream: 3,
  Settings: 4,
  Ping: 6,
  GoAway: 7,
  Headers: 8,
  WindowUpdate: 9,
} as const;

/** Of RST_STREAM. */
export const ResetStatus = { ProtocolError: 1, InvalidStream: 2, RefusedStream: 3, Cancel: 5 } as const;

const FLAG_FIN = 0x01;

export type Frame =
  | { readonly kind: "data"; readonly streamId: number; readonly fin: boolean; readonly bytes: Buffer }
  | { readonly kind: "open"; readonly streamId: number; readonly fin: boolean; readonly headers: Buffer }
  | { readonly kind: "headers"; readonly streamId: number; readonly fin: boolean; readonly headers: Buffer }
  | { readonly kind: "reset"; readonly streamId: number }
  | { readonly kind: "ping"; readonly id: number }
  | { readonly kind: "away" }
  | { readonly kind: "other" };

/** Cuts a byte stream into frames. Throws at what is not SPDY/3. */
export class FrameParser {
  readonly #bytesMax: number;
  #unread: Buffer = Buffer.alloc(0);

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The frames that `chunk` completes. Their bytes are views of it. */
  push(chunk: Buffer): Frame[] {
    let bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    const frames: Frame[] = [];
    while (bytes.length >= FRAME_HEAD_BYTES) {
      const length = bytes.readUInt32BE(4) & LENGTH_MAX;
      if (length > this.#bytesMax) throw new Error(`a SPDY frame of ${length} bytes is too long`);
      if (bytes.length < FRAME_HEAD_BYTES + length) break;
      frames.push(readFrame(bytes.subarray(0, FRAME_HEAD_BYTES + length)));
      bytes = bytes.subarray(FRAME_HEAD_BYTES + length);
    }
    this.#unread = bytes;
    return frames;
  }
}

export function dataFrame(streamId: number, bytes: Uint8Array, fin: boolean): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(streamId, 0);
  head.writeUInt32BE(((fin ? FLAG_FIN : 0) * 0x100_0000 + bytes.length) >>> 0, 4);
  return Buffer.concat([head, bytes]);
}

export function synReplyFrame(streamId: number, headers: Uint8Array): Buffer {
  return controlFrame(FrameType.SynReply, 0, [uint32(streamId), headers]);
}

/** What clients open streams with; here for tests. */
export function synStreamFrame(streamId: number, headers: Uint8Array): Buffer {
  return controlFrame(FrameType.SynStream, 0, [uint32(streamId), uint32(0), Buffer.alloc(2), headers]);
}

export function resetFrame(streamId: number, status: number): Buffer {
  return controlFrame(FrameType.RstStream, 0, [uint32(streamId), uint32(status)]);
}

export function pingFrame(id: number): Buffer {
  return controlFrame(FrameType.Ping, 0, [uint32(id)]);
}

export function goAwayFrame(lastStreamId: number): Buffer {
  return controlFrame(FrameType.GoAway, 0, [uint32(lastStreamId), uint32(0)]);
}

function controlFrame(type: number, flags: number, parts: readonly Uint8Array[]): Buffer {
  const payload = Buffer.concat(parts);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE((flags * 0x100_0000 + payload.length) >>> 0, 4);
  return Buffer.concat([head, payload]);
}

function readFrame(frame: Buffer): Frame {
  const first = frame.readUInt32BE(0);
  const fin = (frame.readUInt8(4) & FLAG_FIN) !== 0;
  const payload = frame.subarray(FRAME_HEAD_BYTES);
  if (first <= STREAM_ID_MASK) return { kind: "data", streamId: first, fin, bytes: payload };
  if (((first >>> 16) & 0x7fff) !== VERSION) throw new Error("not SPDY/3");
  switch (first & 0xffff) {
    case FrameType.SynStream:
      return { kind: "open", streamId: id(payload, 10), fin, headers: payload.subarray(10) };
    case FrameType.Headers:
      return { kind: "headers", streamId: id(payload, 4), fin, headers: payload.subarray(4) };
    // Nobody answers a server that opens no streams; but its headers, too, go through the one decompressor.
    case FrameType.SynReply:
      return { kind: "headers", streamId: id(payload, 4), fin, headers: payload.subarray(4) };
    case FrameType.RstStream:
      return { kind: "reset", streamId: id(payload, 8) };
    case FrameType.Ping:
      return { kind: "ping", id: id(payload, 4) };
    case FrameType.GoAway:
      return { kind: "away" };
    default:
      return { kind: "other" };
  }
}

/** @param bytesMin what the frame must have at least */
function id(payload: Buffer, bytesMin: number): number {
  if (payload.length < bytesMin) throw new Error("a SPDY frame is too short");
  return payload.readUInt32BE(0) & STREAM_ID_MASK;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
