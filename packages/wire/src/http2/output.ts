import type { ConnectionState } from "./connection-state.ts";
import {
  ErrorCode,
  Flag,
  FRAME_HEAD_BYTES,
  FrameType,
  PREFACE,
  SETTING_BYTES,
  SettingId,
  writeFrameHead,
  writeUint32,
} from "./frame.ts";
import { Role } from "./handler.ts";
import { REPLY_BYTES_MAX } from "./limits.ts";

const PING_BYTES = 8;
const GOAWAY_BYTES = 8;

/** Our PINGs carry this and a byte that says whose it is: the answer to anything else is not ours. */
export const PING_MARK: Uint8Array = Uint8Array.from("bowline", (c) => c.charCodeAt(0));

/** The client's preface where it is ours to send, SETTINGS, and the connection's window (RFC 9113 §3.4). */
export function writePreface<U>(s: ConnectionState<U>): void {
  const sink = s.sink;
  if (s.role === Role.Client) {
    sink.reserve(PREFACE.length);
    sink.bytes.set(PREFACE, sink.end);
    sink.end += PREFACE.length;
  }
  writeSettings(s);
  const more = s.windowTarget - s.receiveWindow;
  if (more > 0) {
    s.receiveWindow += more;
    writeWindowUpdate(s, 0, more);
  }
}

function writeSettings<U>(s: ConnectionState<U>): void {
  const own = s.settings;
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES + 7 * SETTING_BYTES);
  const head = sink.end;
  sink.end += FRAME_HEAD_BYTES;
  writeSetting(s, SettingId.HeaderTableSize, own.headerTableBytes);
  if (s.role === Role.Client) writeSetting(s, SettingId.EnablePush, 0);
  if (s.role === Role.Server && own.concurrentStreamsMax > 0) {
    writeSetting(s, SettingId.MaxConcurrentStreams, own.concurrentStreamsMax);
  }
  writeSetting(s, SettingId.InitialWindowSize, own.initialStreamWindowBytes);
  writeSetting(s, SettingId.MaxFrameSize, own.frameBytesMax);
  writeSetting(s, SettingId.MaxHeaderListSize, own.headerListBytesMax);
  if (s.role === Role.Server && own.connectProtocol) writeSetting(s, SettingId.EnableConnectProtocol, 1);
  writeFrameHead(sink.bytes, head, sink.end - head - FRAME_HEAD_BYTES, FrameType.Settings, 0, 0);
}

function writeSetting<U>(s: ConnectionState<U>, id: number, value: number): void {
  const sink = s.sink;
  sink.bytes[sink.end] = 0;
  sink.bytes[sink.end + 1] = id;
  writeUint32(sink.bytes, sink.end + 2, value);
  sink.end += SETTING_BYTES;
}

export function writeSettingsAck<U>(s: ConnectionState<U>): void {
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES);
  writeFrameHead(sink.bytes, sink.end, 0, FrameType.Settings, Flag.Ack, 0);
  sink.end += FRAME_HEAD_BYTES;
  countReply(s, FRAME_HEAD_BYTES);
}

export function writePingAck<U>(s: ConnectionState<U>, bytes: Uint8Array, at: number): void {
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES + PING_BYTES);
  writeFrameHead(sink.bytes, sink.end, PING_BYTES, FrameType.Ping, Flag.Ack, 0);
  for (let i = 0; i < PING_BYTES; i++) sink.bytes[sink.end + FRAME_HEAD_BYTES + i] = bytes[at + i]!;
  sink.end += FRAME_HEAD_BYTES + PING_BYTES;
  countReply(s, FRAME_HEAD_BYTES + PING_BYTES);
}

/** Sends one of our PINGs, unless the same kind is still unanswered. */
export function writePing<U>(s: ConnectionState<U>, kind: number): void {
  if (s.failed || (s.pings & kind) !== 0) return;
  s.pings |= kind;
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES + PING_BYTES);
  writeFrameHead(sink.bytes, sink.end, PING_BYTES, FrameType.Ping, 0, 0);
  sink.end += FRAME_HEAD_BYTES;
  for (let i = 0; i < PING_MARK.length; i++) sink.bytes[sink.end + i] = PING_MARK[i]!;
  sink.bytes[sink.end + PING_MARK.length] = kind;
  sink.end += PING_BYTES;
}

export function writeRst<U>(s: ConnectionState<U>, id: number, code: ErrorCode): void {
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES + 4);
  writeFrameHead(sink.bytes, sink.end, 4, FrameType.RstStream, 0, id);
  writeUint32(sink.bytes, sink.end + FRAME_HEAD_BYTES, code);
  sink.end += FRAME_HEAD_BYTES + 4;
}

/** RST_STREAM that the peer has brought about. */
export function replyRst<U>(s: ConnectionState<U>, id: number, code: ErrorCode): void {
  writeRst(s, id, code);
  countReply(s, FRAME_HEAD_BYTES + 4);
}

export function writeWindowUpdate<U>(s: ConnectionState<U>, id: number, increment: number): void {
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES + 4);
  writeFrameHead(sink.bytes, sink.end, 4, FrameType.WindowUpdate, 0, id);
  writeUint32(sink.bytes, sink.end + FRAME_HEAD_BYTES, increment);
  sink.end += FRAME_HEAD_BYTES + 4;
}

/** `reason` travels as debug data, for whoever reads the other side's log. */
export function writeGoAway<U>(s: ConnectionState<U>, lastId: number, code: ErrorCode, reason: string): void {
  const sink = s.sink;
  const payloadBytes = GOAWAY_BYTES + reason.length;
  sink.reserve(FRAME_HEAD_BYTES + payloadBytes);
  writeFrameHead(sink.bytes, sink.end, payloadBytes, FrameType.GoAway, 0, 0);
  sink.end += FRAME_HEAD_BYTES;
  writeUint32(sink.bytes, sink.end, lastId);
  writeUint32(sink.bytes, sink.end + 4, code);
  for (let i = 0; i < reason.length; i++) sink.bytes[sink.end + GOAWAY_BYTES + i] = reason.charCodeAt(i);
  sink.end += payloadBytes;
  s.goAwaySent = true;
}

/** The last id for a GOAWAY that is final: it never grows (RFC 9113 §6.8). */
export function finalGoAwayId<U>(s: ConnectionState<U>): number {
  return Math.min(s.goAwayId, s.role === Role.Server ? s.lastPeerId : 0);
}

/** Connection error (RFC 9113 §5.4.1): GOAWAY, and nothing more is read or written. `reason` is constant ASCII. */
export function fail<U>(s: ConnectionState<U>, code: ErrorCode, reason: string): void {
  if (s.failed) return;
  s.goAwayId = finalGoAwayId(s);
  writeGoAway(s, s.goAwayId, code, reason);
  s.failed = true;
  s.errorCode = code;
  s.errorReason = reason;
}

function countReply<U>(s: ConnectionState<U>, bytes: number): void {
  s.replyBytes += bytes;
  if (s.replyBytes > REPLY_BYTES_MAX) fail(s, ErrorCode.EnhanceYourCalm, "answers pile up unread");
}
