import { type ConnectionState, PingBit } from "./connection-state.ts";
import { WINDOW_BYTES_MAX } from "./limits.ts";
import { writePing, writeWindowUpdate } from "./output.ts";
import { type Http2Stream, StreamBit } from "./stream.ts";

/** Window updates to let pass after a sample that showed nothing to widen; doubles from the first to the second. */
const SAMPLE_BACKOFF_MIN = 1;
const SAMPLE_BACKOFF_MAX = 64;

/**
 * Gives the connection's window back once half of it is used, for received bytes whether consumed or not: streams that
 * nobody reads must not stop the others. Only when too much lies unconsumed over all streams does it wait.
 */
export function renewConnectionWindow<U>(s: ConnectionState<U>): void {
  const missing = s.windowTarget - s.receiveWindow;
  if (missing * 2 < s.windowTarget || s.unconsumed > s.settings.unconsumedBytesMax || s.failed) return;
  s.receiveWindow += missing;
  writeWindowUpdate(s, 0, missing);
}

/** Gives a stream's window back once half of it was consumed. */
export function renewStreamWindow<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  const missing = stream.windowTarget - stream.receiveWindow - stream.unconsumed;
  if (missing * 2 < stream.windowTarget || s.failed || (stream.state & StreamBit.RemoteEnd) !== 0) return;
  stream.receiveWindow += missing;
  writeWindowUpdate(s, stream.id, missing);
  if (s.settings.adaptiveWindow) startSample(s, stream);
}

/**
 * Adaptive windows. A window limits throughput when a peer uses all of it in one round trip, so from time to time one is
 * measured: a PING goes out beside a window update, and what arrives until its answer is what a round trip carries. The
 * update goes out when half of the window is used, so a peer held back by it sends the other half and then waits: two
 * fifths of a window or more double it, as long as the receiver keeps up with reading. The window of a stream that
 * nobody reads is as wide as it has to be. Measuring takes no clock, and no PING without DATA.
 */
function startSample<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  if ((s.pings & PingBit.Bandwidth) !== 0 || stream.windowTarget >= WINDOW_BYTES_MAX) return;
  if (s.sampleSkip > 0) {
    s.sampleSkip--;
    return;
  }
  s.sampleId = stream.id;
  s.sampleStreamBytes = 0;
  s.sampleBytes = 0;
  writePing(s, PingBit.Bandwidth);
}

/** Counts bytes that have arrived while a sample is taken. */
export function countSample<U>(s: ConnectionState<U>, id: number, bytes: number): void {
  s.sampleBytes += bytes;
  if (id === s.sampleId) s.sampleStreamBytes += bytes;
}

/** The PING of a sample was answered. */
export function endSample<U>(s: ConnectionState<U>): void {
  let widened = false;
  if (s.sampleBytes * 5 >= s.windowTarget * 2 && s.windowTarget < WINDOW_BYTES_MAX) {
    s.windowTarget = Math.min(s.windowTarget * 2, WINDOW_BYTES_MAX);
    widened = true;
    renewConnectionWindow(s);
  }
  const stream = s.streams.get(s.sampleId);
  if (stream !== null && s.sampleStreamBytes * 5 >= stream.windowTarget * 2) {
    if (stream.unconsumed * 2 <= stream.windowTarget) {
      stream.windowTarget = Math.min(stream.windowTarget * 2, WINDOW_BYTES_MAX);
      widened = true;
      renewStreamWindow(s, stream);
    }
  }
  s.sampleBackoff = widened ? 0 : Math.min(Math.max(s.sampleBackoff * 2, SAMPLE_BACKOFF_MIN), SAMPLE_BACKOFF_MAX);
  s.sampleSkip = s.sampleBackoff;
}
