import type { ConnectionState } from "./connection-state.ts";
import { ErrorCode } from "./frame.ts";
import { ResetBy } from "./handler.ts";
import { PREFACE_MS_MAX, SETTINGS_ACK_MS_MAX, STALL_PROGRESS_BYTES } from "./limits.ts";
import { fail } from "./output.ts";
import { type Http2Stream, NOT_STALLED, STALL_NEW } from "./stream.ts";
import { refuse, resetByPeer } from "./streams.ts";

/**
 * Peers that open no window: what waits for them is held for `limitMs` at most. A stream whose own window stays shut is
 * reset; a connection whose window stays shut while streams wait for it ends. Times count from the first check that
 * finds the window shut, so that no clock is read on the way.
 */
export function checkStalled<U>(s: ConnectionState<U>, limitMs: number): void {
  if (s.failed) return;
  if (connectionIsStalled(s, limitMs)) {
    fail(s, ErrorCode.EnhanceYourCalm, "the connection's window stays shut");
    return;
  }
  for (const stream of s.streams.list()) {
    if (!streamIsStalled(s, stream, limitMs)) continue;
    refuse(s, stream.id, ErrorCode.EnhanceYourCalm);
    resetByPeer(s, stream, ErrorCode.EnhanceYourCalm, ResetBy.PeerFault);
    if (s.failed) return;
  }
}

/** A peer that does not get on with opening the connection (RFC 9113 §3.4, §6.5.3). */
export function checkOpening<U>(s: ConnectionState<U>): void {
  if (s.failed || s.settingsAcked) return;
  const waitedMs = s.nowMs - s.startedMs;
  if (!s.settingsSeen) {
    if (waitedMs >= PREFACE_MS_MAX) fail(s, ErrorCode.ProtocolError, "no preface in time");
  } else if (waitedMs >= PREFACE_MS_MAX + SETTINGS_ACK_MS_MAX) {
    fail(s, ErrorCode.SettingsTimeout, "SETTINGS were not acknowledged in time");
  }
}

function connectionIsStalled<U>(s: ConnectionState<U>, limitMs: number): boolean {
  if (s.queueHead === null || s.sendWindow > 0) {
    s.stalledSinceMs = NOT_STALLED;
    return false;
  }
  if (s.stalledSinceMs === NOT_STALLED || s.stalledBytes >= STALL_PROGRESS_BYTES) {
    s.stalledSinceMs = s.nowMs;
    s.stalledBytes = 0;
  }
  return s.nowMs - s.stalledSinceMs >= limitMs;
}

function streamIsStalled<U>(s: ConnectionState<U>, stream: Http2Stream<U>, limitMs: number): boolean {
  if (stream.stalledSinceMs === NOT_STALLED) return false;
  if (stream.stalledSinceMs === STALL_NEW || stream.stalledBytes >= STALL_PROGRESS_BYTES) {
    stream.stalledSinceMs = s.nowMs;
    stream.stalledBytes = 0;
  }
  return s.nowMs - stream.stalledSinceMs >= limitMs;
}
