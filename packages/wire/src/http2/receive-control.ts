import { type ConnectionState, PingBit } from "./connection-state.ts";
import {
  ErrorCode,
  Flag,
  FRAME_BYTES_DEFAULT,
  FRAME_BYTES_LIMIT,
  readUint31,
  readUint32,
  SETTING_BYTES,
  SettingId,
  WINDOW_BYTES_LIMIT,
} from "./frame.ts";
import { ResetBy, Role } from "./handler.ts";
import { SETTINGS_PER_COST } from "./limits.ts";
import { fail, PING_MARK, writePingAck, writeSettingsAck } from "./output.ts";
import { endSample, renewStreamWindow } from "./receive-window.ts";
import { enqueue, serveQueue } from "./send-queue.ts";
import { endDrain } from "./shutdown.ts";
import { StreamBit } from "./stream.ts";
import { canOpen, countWasted, resetByPeer, streamError } from "./streams.ts";

const PRIORITY_BYTES = 5;
const RST_BYTES = 4;
const PING_BYTES = 8;
const GOAWAY_BYTES = 8;
const WINDOW_UPDATE_BYTES = 4;

/** Counts a frame that brings nothing by itself; false when there were too many. */
export function countOverhead<U>(s: ConnectionState<U>): boolean {
  if (s.overhead.spend(1, s.nowMs)) return true;
  fail(s, ErrorCode.EnhanceYourCalm, "too many useless frames");
  return false;
}

/** Whether a stream id has never been used: nothing but HEADERS and PRIORITY may come on it (RFC 9113 §5.1). */
export function isIdle<U>(s: ConnectionState<U>, id: number): boolean {
  if ((id & 1) === 0) return true;
  return s.role === Role.Server ? id > s.lastPeerId : s.nextId > 0 && id >= s.nextId;
}

/**
 * RFC 9113 §6.3: ignored but for its form. That no stream may depend on itself (RFC 7540 §5.3.1) went with priorities.
 */
export function receivePriority<U>(s: ConnectionState<U>, payloadBytes: number, id: number): void {
  if (id === 0) {
    fail(s, ErrorCode.ProtocolError, "PRIORITY on stream 0");
    return;
  }
  if (!countOverhead(s) || payloadBytes === PRIORITY_BYTES) return;
  const stream = s.streams.get(id);
  if (stream === null) fail(s, ErrorCode.FrameSizeError, "PRIORITY of a wrong size");
  else streamError(s, stream, ErrorCode.FrameSizeError);
}

/** RFC 9113 §6.4. */
export function receiveRst<U>(s: ConnectionState<U>, bytes: Uint8Array, at: number, end: number, id: number): void {
  if (end - at !== RST_BYTES) {
    fail(s, ErrorCode.FrameSizeError, "RST_STREAM of a wrong size");
    return;
  }
  if (isIdle(s, id)) {
    fail(s, ErrorCode.ProtocolError, "RST_STREAM on an idle stream");
    return;
  }
  const stream = s.streams.get(id);
  if (stream === null || (stream.state & StreamBit.Done) !== 0) {
    countOverhead(s);
    return;
  }
  // A server can break off no more than it was asked; that is its right, and a refusal under load.
  if (s.role === Role.Server) countWasted(s);
  if (s.failed) return;
  const code = readUint32(bytes, at);
  resetByPeer(s, stream, code, code === ErrorCode.RefusedStream ? ResetBy.Unprocessed : ResetBy.Peer);
}

/** RFC 9113 §6.5. */
export function receiveSettings<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  at: number,
  end: number,
  flags: number,
  id: number,
): void {
  if (id !== 0) {
    fail(s, ErrorCode.ProtocolError, "SETTINGS on a stream");
    return;
  }
  if ((flags & Flag.Ack) !== 0) {
    receiveSettingsAck(s, end - at);
    return;
  }
  const count = (end - at) / SETTING_BYTES;
  if (!Number.isInteger(count)) {
    fail(s, ErrorCode.FrameSizeError, "SETTINGS of a wrong size");
    return;
  }
  if (!s.settingsFrames.spend(1 + Math.floor(count / SETTINGS_PER_COST), s.nowMs)) {
    fail(s, ErrorCode.EnhanceYourCalm, "too many SETTINGS");
    return;
  }
  const couldOpen = canOpen(s);
  const before = s.peerInitialWindow;
  if (!s.settingsSeen) s.peerStreamsMax = WINDOW_BYTES_LIMIT;
  s.settingsSeen = true;
  for (let p = at; p < end && !s.failed; p += SETTING_BYTES) {
    applySetting(s, (bytes[p]! << 8) | bytes[p + 1]!, readUint32(bytes, p + 2));
  }
  // The last of several values is what counts, and walking the streams once is enough.
  if (s.peerInitialWindow !== before && !s.failed) moveWindows(s, s.peerInitialWindow - before);
  if (s.failed) return;
  writeSettingsAck(s);
  if (!couldOpen && canOpen(s)) s.roomPending = true;
  serveQueue(s);
}

function receiveSettingsAck<U>(s: ConnectionState<U>, payloadBytes: number): void {
  if (payloadBytes !== 0) {
    fail(s, ErrorCode.FrameSizeError, "SETTINGS acknowledgement with a payload");
    return;
  }
  if (s.settingsAcked) {
    countOverhead(s);
    return;
  }
  s.settingsAcked = true;
  s.decoder.settingsAcknowledged();
  const own = s.settings.initialStreamWindowBytes;
  const surplus = s.initialWindow - own;
  s.initialWindow = own;
  if (surplus === 0) return;
  for (const stream of s.streams.list()) {
    stream.receiveWindow -= surplus;
    renewStreamWindow(s, stream);
  }
}

function applySetting<U>(s: ConnectionState<U>, id: number, value: number): void {
  switch (id) {
    case SettingId.HeaderTableSize:
      s.encoder.limitTable(value);
      break;
    case SettingId.EnablePush:
      // RFC 9113 §6.5.2: a server never says 1.
      if (value > (s.role === Role.Server ? 1 : 0)) fail(s, ErrorCode.ProtocolError, "bad ENABLE_PUSH");
      break;
    case SettingId.MaxConcurrentStreams:
      s.peerStreamsMax = Math.min(value, WINDOW_BYTES_LIMIT);
      break;
    case SettingId.InitialWindowSize:
      if (value > WINDOW_BYTES_LIMIT) fail(s, ErrorCode.FlowControlError, "bad INITIAL_WINDOW_SIZE");
      else s.peerInitialWindow = value;
      break;
    case SettingId.MaxFrameSize:
      if (value < FRAME_BYTES_DEFAULT || value > FRAME_BYTES_LIMIT) {
        fail(s, ErrorCode.ProtocolError, "bad MAX_FRAME_SIZE");
      } else {
        s.peerFrameBytesMax = value;
      }
      break;
    case SettingId.EnableConnectProtocol:
      // RFC 8441 §3: 0 or 1, and never 0 after 1.
      if (value > 1 || (value === 0 && s.peerConnectProtocol)) {
        fail(s, ErrorCode.ProtocolError, "bad ENABLE_CONNECT_PROTOCOL");
      } else {
        s.peerConnectProtocol = value === 1;
      }
      break;
    // RFC 9113 §6.5.2: others are ignored; MAX_HEADER_LIST_SIZE is advice to those who make the lists.
    default:
  }
}

/** A change of the peer's initial window moves those of the open streams (RFC 9113 §6.9.2). */
function moveWindows<U>(s: ConnectionState<U>, difference: number): void {
  for (const stream of s.streams.list()) {
    stream.sendWindow += difference;
    if (stream.sendWindow > WINDOW_BYTES_LIMIT) {
      fail(s, ErrorCode.FlowControlError, "INITIAL_WINDOW_SIZE overflows a window");
      return;
    }
    if ((stream.state & StreamBit.Waiting) !== 0 && stream.sendWindow > 0) enqueue(s, stream);
  }
}

/** RFC 9113 §6.7. */
export function receivePing<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  at: number,
  end: number,
  flags: number,
  id: number,
): void {
  if (end - at !== PING_BYTES) {
    fail(s, ErrorCode.FrameSizeError, "PING of a wrong size");
    return;
  }
  if (id !== 0) {
    fail(s, ErrorCode.ProtocolError, "PING on a stream");
    return;
  }
  if ((flags & Flag.Ack) !== 0) {
    receivePong(s, bytes, at);
    return;
  }
  if (!s.pingFrames.spend(1, s.nowMs)) {
    fail(s, ErrorCode.EnhanceYourCalm, "too many PINGs");
    return;
  }
  writePingAck(s, bytes, at);
}

function receivePong<U>(s: ConnectionState<U>, bytes: Uint8Array, at: number): void {
  let kind = bytes[at + PING_MARK.length]!;
  for (let i = 0; i < PING_MARK.length; i++) {
    if (bytes[at + i] !== PING_MARK[i]) kind = 0;
  }
  if ((s.pings & kind) === 0) {
    countOverhead(s);
    return;
  }
  s.pings &= ~kind;
  if (kind === PingBit.Bandwidth) endSample(s);
  else if (kind === PingBit.Drain) endDrain(s);
  else if (kind === PingBit.Caller) s.handler.onPong();
}

/** RFC 9113 §6.8. */
export function receiveGoAway<U>(s: ConnectionState<U>, bytes: Uint8Array, at: number, end: number, id: number): void {
  if (id !== 0) {
    fail(s, ErrorCode.ProtocolError, "GOAWAY on a stream");
    return;
  }
  if (end - at < GOAWAY_BYTES) {
    fail(s, ErrorCode.FrameSizeError, "GOAWAY too short");
    return;
  }
  if (!countOverhead(s)) return;
  const lastId = readUint31(bytes, at);
  const code = readUint32(bytes, at + 4);
  if (lastId > s.goAwayReceivedId) {
    fail(s, ErrorCode.ProtocolError, "GOAWAY with a growing stream id");
    return;
  }
  s.goAwayReceived = true;
  s.goAwayReceivedId = lastId;
  if (s.role === Role.Client) {
    for (const stream of s.streams.list()) {
      if (stream.id > lastId) resetByPeer(s, stream, ErrorCode.RefusedStream, ResetBy.Unprocessed);
    }
  }
  s.handler.onGoAway(code, lastId);
}

/** RFC 9113 §6.9. */
export function receiveWindowUpdate<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  at: number,
  end: number,
  id: number,
): void {
  if (end - at !== WINDOW_UPDATE_BYTES) {
    fail(s, ErrorCode.FrameSizeError, "WINDOW_UPDATE of a wrong size");
    return;
  }
  if (!countOverhead(s)) return;
  const increment = readUint31(bytes, at);
  if (id === 0) {
    widenConnection(s, increment);
    return;
  }
  const stream = s.streams.get(id);
  if (stream === null || (stream.state & StreamBit.Done) !== 0) {
    if (isIdle(s, id)) fail(s, ErrorCode.ProtocolError, "WINDOW_UPDATE on an idle stream");
    return;
  }
  if (increment === 0) {
    streamError(s, stream, ErrorCode.ProtocolError);
    return;
  }
  stream.sendWindow += increment;
  if (stream.sendWindow > WINDOW_BYTES_LIMIT) {
    streamError(s, stream, ErrorCode.FlowControlError);
    return;
  }
  if ((stream.state & StreamBit.Waiting) === 0 || stream.sendWindow <= 0) return;
  enqueue(s, stream);
  serveQueue(s);
}

function widenConnection<U>(s: ConnectionState<U>, increment: number): void {
  if (increment === 0) {
    fail(s, ErrorCode.ProtocolError, "WINDOW_UPDATE of 0");
    return;
  }
  s.sendWindow += increment;
  if (s.sendWindow > WINDOW_BYTES_LIMIT) {
    fail(s, ErrorCode.FlowControlError, "connection window overflows");
    return;
  }
  serveQueue(s);
}
