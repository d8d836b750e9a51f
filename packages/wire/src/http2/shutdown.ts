import { type ConnectionState, Drain, PingBit } from "./connection-state.ts";
import { ErrorCode, STREAM_ID_LIMIT } from "./frame.ts";
import { Role } from "./handler.ts";
import { finalGoAwayId, writeGoAway, writePing } from "./output.ts";

/**
 * Graceful end (RFC 9113 §6.8). A server says that it is about to go with a GOAWAY that loses no request, and names the
 * last one it takes once a PING's answer tells that the client has read of it. A client just opens no more streams.
 */
export function startDrain<U>(s: ConnectionState<U>): void {
  if (s.failed || s.goAwaySent) return;
  if (s.role === Role.Client) {
    goAway(s, ErrorCode.NoError);
    return;
  }
  s.drain = Drain.AwaitingPong;
  writeGoAway(s, STREAM_ID_LIMIT, ErrorCode.NoError, "");
  writePing(s, PingBit.Drain);
}

/** The client knows that no more streams are welcome. */
export function endDrain<U>(s: ConnectionState<U>): void {
  if (s.drain === Drain.AwaitingPong && !s.failed) goAway(s, ErrorCode.NoError);
}

/** GOAWAY at once: streams above the last one seen are not processed, the others may end. */
export function goAway<U>(s: ConnectionState<U>, code: ErrorCode): void {
  if (s.failed) return;
  s.goAwayId = finalGoAwayId(s);
  s.drain = Drain.Final;
  writeGoAway(s, s.goAwayId, code, "");
}

/** Whether all is over that either side has promised to bring to its end. */
export function isFinished<U>(s: ConnectionState<U>): boolean {
  return s.openCount === 0 && (s.drain === Drain.Final || s.goAwayReceived);
}
