import { assert } from "../assert.ts";
import type { ConnectionState } from "./connection-state.ts";
import { ErrorCode } from "./frame.ts";
import { ResetBy, Role } from "./handler.ts";
import { EMPTIES_PER_EXCHANGE, SPARE_STREAMS_MAX } from "./limits.ts";
import { fail, replyRst, writeRst } from "./output.ts";
import { renewConnectionWindow, renewStreamWindow } from "./receive-window.ts";
import { dequeue } from "./send-queue.ts";
import { Http2Stream, LENGTH_UNKNOWN, NOT_STALLED, STREAM_OVER, StreamBit } from "./stream.ts";

/** A stream object in the state of a stream just opened, known under `id`. */
export function addStream<U>(s: ConnectionState<U>, id: number): Http2Stream<U> {
  let stream = s.spare;
  if (stream === null) {
    stream = new Http2Stream<U>();
  } else {
    s.spare = stream.next;
    s.spareCount--;
    stream.next = null;
  }
  stream.id = id;
  stream.state = 0;
  stream.sendWindow = s.peerInitialWindow;
  stream.receiveWindow = s.initialWindow;
  stream.windowTarget = s.settings.initialStreamWindowBytes;
  stream.contentLeft = LENGTH_UNKNOWN;
  stream.stalledSinceMs = NOT_STALLED;
  s.streams.put(stream);
  s.openCount++;
  return stream;
}

/** One side has ended. When both have, the stream counts no longer, and is over once all of it is consumed. */
export function endSide<U>(s: ConnectionState<U>, stream: Http2Stream<U>, side: number): void {
  stream.state |= side;
  if ((stream.state & STREAM_OVER) !== STREAM_OVER) return;
  s.closed.addEnded(stream.id);
  s.wasted.earn(1);
  s.empties.earn(EMPTIES_PER_EXCHANGE);
  leave(s, stream);
  if (stream.unconsumed === 0) retire(s, stream);
}

/** The caller has passed received bytes on. */
export function consume<U>(s: ConnectionState<U>, stream: Http2Stream<U>, count: number): void {
  if ((stream.state & StreamBit.Retired) !== 0) return;
  assert(count >= 0 && count <= stream.unconsumed);
  stream.unconsumed -= count;
  s.unconsumed -= count;
  renewConnectionWindow(s);
  if ((stream.state & StreamBit.RemoteEnd) === 0) renewStreamWindow(s, stream);
  else if (stream.unconsumed === 0 && (stream.state & StreamBit.Done) !== 0) retire(s, stream);
}

/** RST_STREAM by the caller's will. On a stream that only waits for consumed() it just forgets the rest. */
export function resetByUs<U>(s: ConnectionState<U>, stream: Http2Stream<U>, code: ErrorCode): void {
  if ((stream.state & StreamBit.Retired) !== 0) return;
  if ((stream.state & StreamBit.Done) === 0) {
    if (!s.failed) writeRst(s, stream.id, code);
    s.closed.addReset(stream.id);
  }
  drop(s, stream);
}

/** Stream error (RFC 9113 §5.4.2): the peer broke a rule of this stream. */
export function streamError<U>(s: ConnectionState<U>, stream: Http2Stream<U>, code: ErrorCode): void {
  const done = (stream.state & StreamBit.Done) !== 0;
  refuse(s, stream.id, code);
  // The caller of a stream that is done has all of the message: for it nothing has happened.
  if (done) return;
  drop(s, stream);
  s.handler.onReset(stream, code, ResetBy.PeerFault);
}

/** RST_STREAM for a stream that the caller has not got to know, or knows no longer. */
export function refuse<U>(s: ConnectionState<U>, id: number, code: ErrorCode): void {
  s.closed.addReset(id);
  replyRst(s, id, code);
  countWasted(s);
}

/** RST_STREAM or GOAWAY has come, or the connection is gone. */
export function resetByPeer<U>(s: ConnectionState<U>, stream: Http2Stream<U>, code: ErrorCode, by: ResetBy): void {
  if ((stream.state & StreamBit.Done) !== 0) return;
  s.closed.addEnded(stream.id);
  drop(s, stream);
  s.handler.onReset(stream, code, by);
}

/** A stream that came to nothing, see WASTED_STREAMS. */
export function countWasted<U>(s: ConnectionState<U>): void {
  if (s.wasted.spend(1, s.nowMs)) return;
  fail(s, ErrorCode.EnhanceYourCalm, "too many streams come to nothing");
}

/** Forgets a stream with all that lies unconsumed. */
function drop<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  if ((stream.state & StreamBit.Done) === 0) leave(s, stream);
  stream.state |= StreamBit.Reset;
  if (s.dataStream === stream) s.dataStream = null;
  s.unconsumed -= stream.unconsumed;
  stream.unconsumed = 0;
  retire(s, stream);
  renewConnectionWindow(s);
}

/** Makes objects that were retired before this call into the engine usable again: no caller holds them any more. */
export function reclaim<U>(s: ConnectionState<U>): void {
  let stream = s.retired;
  s.retired = null;
  while (stream !== null) {
    const next: Http2Stream<U> | null = stream.next;
    stream.user = null;
    if (s.spareCount < SPARE_STREAMS_MAX) {
      stream.next = s.spare;
      s.spare = stream;
      s.spareCount++;
    }
    stream = next;
  }
}

/** Tells a client once that there is room for streams where there was none. */
export function announceRoom<U>(s: ConnectionState<U>): void {
  if (!s.roomPending || s.failed) return;
  s.roomPending = false;
  if (canOpen(s)) s.handler.onRoomForStreams();
}

export function canOpen<U>(s: ConnectionState<U>): boolean {
  return (
    s.role === Role.Client &&
    !s.failed &&
    !s.goAwayReceived &&
    !s.goAwaySent &&
    s.openCount < s.peerStreamsMax &&
    s.nextId > 0
  );
}

function leave<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  if (s.openCount === s.peerStreamsMax) s.roomPending = true;
  s.openCount--;
  stream.state |= StreamBit.Done;
  dequeue(s, stream);
}

function retire<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  stream.state |= StreamBit.Retired;
  s.streams.remove(stream);
  stream.next = s.retired;
  s.retired = stream;
}
