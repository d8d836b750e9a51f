import { ClosedBy } from "./closed-streams.ts";
import { type ConnectionState, PingBit } from "./connection-state.ts";
import { ErrorCode, Flag } from "./frame.ts";
import { EARN_PER_FRAME } from "./limits.ts";
import { fail } from "./output.ts";
import { countOverhead, isIdle } from "./receive-control.ts";
import { countSample, renewConnectionWindow, renewStreamWindow } from "./receive-window.ts";
import { type Http2Stream, StreamBit } from "./stream.ts";
import { endSide, streamError } from "./streams.ts";

/**
 * The head of a DATA frame (RFC 9113 §6.1): judges the whole frame by its length and leaves its payload to continueData(),
 * which passes it on as it arrives. `pad` is the pad length, -1 without padding.
 */
export function receiveData<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  at: number,
  length: number,
  flags: number,
  id: number,
  pad: number,
): void {
  if (id === 0) {
    fail(s, ErrorCode.ProtocolError, "DATA on stream 0");
    return;
  }
  const padding = pad + 1;
  if (padding > length) {
    fail(s, ErrorCode.ProtocolError, "padding longer than DATA");
    return;
  }
  if (length > s.receiveWindow) {
    fail(s, ErrorCode.FlowControlError, "connection window exceeded");
    return;
  }
  const content = length - padding;
  const last = (flags & Flag.EndStream) !== 0;
  if (content === 0 && !last) {
    if (!s.empties.spend(1, s.nowMs)) {
      fail(s, ErrorCode.EnhanceYourCalm, "too many empty frames");
      return;
    }
  }
  const stream = streamFor(s, id, length, content, last);
  if (s.failed) return;
  if (stream !== null && content > 0) {
    s.overhead.earn(EARN_PER_FRAME);
    s.pingFrames.earn(1);
  }
  if (padding > 0) receivePadding(s, stream, padding);
  s.dataLeft = content;
  s.padLeft = Math.max(pad, 0);
  s.dataLast = last;
  s.dataStream = stream;
  if (content === 0 && last && stream !== null) deliver(s, stream, bytes, at, at);
}

/** Passes on what has come of a DATA payload and skips padding; returns where it stopped. */
export function continueData<U>(s: ConnectionState<U>, bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  if (s.dataLeft > 0 && p < end) {
    const stop = end - p < s.dataLeft ? end : p + s.dataLeft;
    const from = p;
    const count = stop - p;
    p = stop;
    s.dataLeft -= count;
    s.receiveWindow -= count;
    const stream = s.dataStream;
    if (stream !== null) {
      stream.receiveWindow -= count;
      stream.unconsumed += count;
      s.unconsumed += count;
      if ((s.pings & PingBit.Bandwidth) !== 0) countSample(s, stream.id, count);
      deliver(s, stream, bytes, from, stop);
    }
    renewConnectionWindow(s);
  }
  const skipped = Math.min(s.padLeft, end - p);
  s.padLeft -= skipped;
  return p + skipped;
}

/** The stream that takes a DATA frame, null when its content is to be dropped. */
function streamFor<U>(
  s: ConnectionState<U>,
  id: number,
  length: number,
  content: number,
  last: boolean,
): Http2Stream<U> | null {
  const stream = s.streams.get(id);
  if (stream === null) {
    receiveOnClosed(s, id);
    return null;
  }
  const fault = faultOf(stream, length, content, last);
  if (fault === ErrorCode.NoError) return stream;
  streamError(s, stream, fault);
  return null;
}

/** What is wrong with a DATA frame on this stream. */
function faultOf<U>(stream: Http2Stream<U>, length: number, content: number, last: boolean): ErrorCode {
  if ((stream.state & StreamBit.RemoteEnd) !== 0) return ErrorCode.StreamClosed;
  if (length > stream.receiveWindow) return ErrorCode.FlowControlError;
  // RFC 9113 §8.1: a head comes first.
  if ((stream.state & StreamBit.HeadSeen) === 0) return ErrorCode.ProtocolError;
  if (stream.contentLeft < 0) return ErrorCode.NoError;
  // RFC 9113 §8.1.1: content-length is the sum of the DATA.
  stream.contentLeft -= content;
  if (stream.contentLeft < 0 || (last && stream.contentLeft > 0)) return ErrorCode.ProtocolError;
  return ErrorCode.NoError;
}

function receiveOnClosed<U>(s: ConnectionState<U>, id: number): void {
  if (isIdle(s, id)) {
    fail(s, ErrorCode.ProtocolError, "DATA on an idle stream");
    return;
  }
  if (s.closed.closedBy(id) === ClosedBy.Peer) {
    fail(s, ErrorCode.StreamClosed, "DATA on a closed stream");
    return;
  }
  countOverhead(s);
}

/** Padding counts in the windows (RFC 9113 §6.9.1) and is consumed as it comes. */
function receivePadding<U>(s: ConnectionState<U>, stream: Http2Stream<U> | null, padding: number): void {
  s.receiveWindow -= padding;
  renewConnectionWindow(s);
  if (stream === null) return;
  stream.receiveWindow -= padding;
  renewStreamWindow(s, stream);
}

function deliver<U>(s: ConnectionState<U>, stream: Http2Stream<U>, bytes: Uint8Array, at: number, end: number): void {
  const last = s.dataLast && s.dataLeft === 0;
  if (last) {
    s.dataStream = null;
    endSide(s, stream, StreamBit.RemoteEnd);
  }
  s.handler.onData(stream, bytes, at, end, last);
}
