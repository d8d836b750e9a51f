/** RFC 9113 §4.1: 24-bit length, type, flags, reserved bit, 31-bit stream id. */
export const FRAME_HEAD_BYTES = 9;

/** RFC 9113 §4.2: every endpoint takes frames up to this size, and no setting allows more than the second. */
export const FRAME_BYTES_DEFAULT: number = 1 << 14;
export const FRAME_BYTES_LIMIT: number = (1 << 24) - 1;

/** RFC 9113 §6.9.1, §6.9.2. */
export const WINDOW_BYTES_DEFAULT = 65_535;
export const WINDOW_BYTES_LIMIT = 0x7fff_ffff;

export const STREAM_ID_LIMIT = 0x7fff_ffff;

/** RFC 9113 §6. */
export const FrameType = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const Flag = { Ack: 1, EndStream: 1, EndHeaders: 4, Padded: 8, Priority: 32 } as const;

/** RFC 9113 §6.5.2, RFC 8441 §3. */
export const SettingId = {
  HeaderTableSize: 1,
  EnablePush: 2,
  MaxConcurrentStreams: 3,
  InitialWindowSize: 4,
  MaxFrameSize: 5,
  MaxHeaderListSize: 6,
  EnableConnectProtocol: 8,
} as const;

export const SETTING_BYTES = 6;

/** RFC 9113 §7. A code that a peer made up passes through as the number it is. */
export const ErrorCode = {
  NoError: 0,
  ProtocolError: 1,
  InternalError: 2,
  FlowControlError: 3,
  SettingsTimeout: 4,
  StreamClosed: 5,
  FrameSizeError: 6,
  RefusedStream: 7,
  Cancel: 8,
  CompressionError: 9,
  ConnectError: 10,
  EnhanceYourCalm: 11,
  InadequateSecurity: 12,
  Http11Required: 13,
} as const;
export type ErrorCode = number;

/** RFC 9113 §3.4, the client's first bytes. */
export const PREFACE: Uint8Array = Uint8Array.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (c) => c.charCodeAt(0));

/** Writes a frame head; the caller has made room. */
export function writeFrameHead(
  out: Uint8Array,
  at: number,
  payloadBytes: number,
  type: FrameType,
  flags: number,
  id: number,
): void {
  out[at] = payloadBytes >>> 16;
  out[at + 1] = payloadBytes >>> 8;
  out[at + 2] = payloadBytes;
  out[at + 3] = type;
  out[at + 4] = flags;
  writeUint32(out, at + 5, id);
}

export function writeUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

/** Four bytes as an unsigned number. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Four bytes without their highest bit, which is reserved wherever RFC 9113 has 31-bit numbers. */
export function readUint31(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
