import type { ConnectionState } from "./connection-state.ts";
import { ErrorCode, Flag, FRAME_HEAD_BYTES, FrameType, PREFACE } from "./frame.ts";
import { fail } from "./output.ts";
import {
  countOverhead,
  receiveGoAway,
  receivePing,
  receivePriority,
  receiveRst,
  receiveSettings,
  receiveWindowUpdate,
} from "./receive-control.ts";
import { continueData, receiveData } from "./receive-data.ts";
import { receiveContinuation, receiveHeaders } from "./receive-headers.ts";

/** Takes what it can of [start, end) and returns where it stopped: frames but DATA are taken whole. */
export function receiveFrames<U>(s: ConnectionState<U>, bytes: Uint8Array, start: number, end: number): number {
  let at = s.prefaceSeen ? start : receivePreface(s, bytes, start, end);
  while (!s.failed) {
    if (s.dataLeft > 0 || s.padLeft > 0) at = continueData(s, bytes, at, end);
    if (end - at < FRAME_HEAD_BYTES) return s.failed ? end : at;
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const id = ((bytes[at + 5]! & 0x7f) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!;
    if (!mayCome(s, length, type, flags, id)) break;
    at += FRAME_HEAD_BYTES;
    if (type === FrameType.Data) {
      const padded = (flags & Flag.Padded) !== 0;
      if (padded && length > 0 && at === end) return at - FRAME_HEAD_BYTES;
      if (padded && length === 0) {
        fail(s, ErrorCode.FrameSizeError, "DATA too short");
        break;
      }
      receiveData(s, bytes, at, length, flags, id, padded ? bytes[at]! : -1);
      if (padded) at++;
    } else {
      if (end - at < length) return at - FRAME_HEAD_BYTES;
      receiveFrame(s, bytes, at, at + length, type, flags, id);
      at += length;
    }
  }
  return end;
}

/** RFC 9113 §3.4. A wrong byte is seen as soon as it comes. */
function receivePreface<U>(s: ConnectionState<U>, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && s.prefaceBytes < PREFACE.length) {
    if (bytes[at] !== PREFACE[s.prefaceBytes]) {
      fail(s, ErrorCode.ProtocolError, "not the HTTP/2 preface");
      return end;
    }
    at++;
    s.prefaceBytes++;
  }
  s.prefaceSeen = s.prefaceBytes === PREFACE.length;
  return at;
}

/** What a frame's head alone says about it; after a false the connection has failed. */
function mayCome<U>(s: ConnectionState<U>, length: number, type: number, flags: number, id: number): boolean {
  if (length > s.settings.frameBytesMax) {
    fail(s, ErrorCode.FrameSizeError, "frame too large");
  } else if (!s.settingsSeen && (type !== FrameType.Settings || (flags & Flag.Ack) !== 0)) {
    fail(s, ErrorCode.ProtocolError, "SETTINGS must come first");
  } else if (s.blockId !== 0) {
    // RFC 9113 §6.10: nothing comes in between.
    if (type === FrameType.Continuation && id === s.blockId) return true;
    fail(s, ErrorCode.ProtocolError, "a header block was cut short");
  } else if (type === FrameType.Continuation) {
    fail(s, ErrorCode.ProtocolError, "CONTINUATION of nothing");
  } else {
    return true;
  }
  return false;
}

function receiveFrame<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  at: number,
  end: number,
  type: number,
  flags: number,
  id: number,
): void {
  switch (type) {
    case FrameType.Headers:
      receiveHeaders(s, bytes, at, end, flags, id);
      return;
    case FrameType.Continuation:
      receiveContinuation(s, bytes, at, end, flags);
      return;
    case FrameType.WindowUpdate:
      receiveWindowUpdate(s, bytes, at, end, id);
      return;
    case FrameType.RstStream:
      receiveRst(s, bytes, at, end, id);
      return;
    case FrameType.Settings:
      receiveSettings(s, bytes, at, end, flags, id);
      return;
    case FrameType.Ping:
      receivePing(s, bytes, at, end, flags, id);
      return;
    case FrameType.GoAway:
      receiveGoAway(s, bytes, at, end, id);
      return;
    case FrameType.Priority:
      receivePriority(s, end - at, id);
      return;
    case FrameType.PushPromise:
      // A client may never push, and as one we have forbidden it (RFC 9113 §6.6, §8.4).
      fail(s, ErrorCode.ProtocolError, "PUSH_PROMISE was not allowed");
      return;
    default:
      // RFC 9113 §4.1: unknown types are ignored.
      countOverhead(s);
  }
}
