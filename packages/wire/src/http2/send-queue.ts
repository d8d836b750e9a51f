import type { ConnectionState } from "./connection-state.ts";
import { type Http2Stream, NOT_STALLED, STALL_NEW, StreamBit } from "./stream.ts";

/**
 * Streams whose caller has more to send than there was room for. One that its own window holds back waits for its
 * WINDOW_UPDATE. The others wait in one queue for what all share, the connection's window and the room in the sink,
 * and are served in turn; nobody may send past them.
 *
 * Invariant: outside of serveQueue() the queue is empty, or the connection's window or the sink's room is used up.
 */
export function waitToSend<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  stream.state |= StreamBit.Waiting;
  if (stream.sendWindow > 0) {
    enqueue(s, stream);
  } else if (stream.stalledSinceMs === NOT_STALLED) {
    stream.stalledSinceMs = STALL_NEW;
    stream.stalledBytes = 0;
  }
}

/** The stream's own window was opened: it takes its place among the others. */
export function enqueue<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  if ((stream.state & StreamBit.Queued) !== 0) return;
  stream.state |= StreamBit.Queued;
  stream.previous = s.queueTail;
  stream.next = null;
  if (s.queueTail === null) s.queueHead = stream;
  else s.queueTail.next = stream;
  s.queueTail = stream;
}

export function dequeue<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  if ((stream.state & StreamBit.Queued) === 0) return;
  stream.state &= ~StreamBit.Queued;
  if (stream.previous === null) s.queueHead = stream.next;
  else stream.previous.next = stream.next;
  if (stream.next === null) s.queueTail = stream.previous;
  else stream.next.previous = stream.previous;
  stream.previous = null;
  stream.next = null;
}

/** Room in the sink for DATA. */
export function outputRoom<U>(s: ConnectionState<U>): number {
  return s.settings.outputBytesMax - s.sink.end;
}

/** Lets streams send in turn for as long as there is room. */
export function serveQueue<U>(s: ConnectionState<U>): void {
  if (s.serving !== null) return;
  for (;;) {
    const stream = s.queueHead;
    if (stream === null || s.sendWindow <= 0 || outputRoom(s) <= 0 || s.failed) break;
    dequeue(s, stream);
    stream.state &= ~StreamBit.Waiting;
    s.serving = stream;
    s.handler.onWritable(stream);
  }
  s.serving = null;
}
