import type { FieldList } from "./fields.ts";
import type { ErrorCode } from "./frame.ts";
import type { Http2Stream } from "./stream.ts";

export const Role = { Server: 0, Client: 1 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** Why a stream ended before both sides were done with it. */
export const ResetBy = {
  /** RST_STREAM from the peer. */
  Peer: 0,
  /** We sent RST_STREAM: the peer broke a rule of this stream. */
  PeerFault: 1,
  /** The peer has surely not acted on the request: REFUSED_STREAM, or an id above its GOAWAY's (RFC 9113 §8.7). */
  Unprocessed: 2,
  /** The connection ended; whether the peer has acted on the request is unknown. */
  ConnectionLost: 3,
} as const;
export type ResetBy = (typeof ResetBy)[keyof typeof ResetBy];

/** Where a connection writes. Its owner sends bytes[0, end) when it likes, sets `end` back and calls drained(). */
export interface FrameSink {
  bytes: Uint8Array;
  end: number;
  /** Makes room for `count` bytes behind `end`; may replace `bytes` and move `end`. */
  reserve(count: number): void;
}

/**
 * What a connection tells its owner. Called from receive(), drained(), lost() and the check methods only. A callback
 * may call any method of the connection but receive(), drained(), lost() and restart().
 *
 * A stream object is the caller's until the stream is over, and is then used for another stream. It is over:
 * - when onReset() or the caller's own reset() has returned, or
 * - when the caller has sent its last frame, has received the peer's last, and every byte that onData() delivered was
 *   given back by consumed(). Received bytes count against the connection until then.
 */
export interface Http2Handler<U> {
  /** A request's head (server), a response's head with interim ones before it (client). `fields` as HpackDecoder says. */
  onHead(stream: Http2Stream<U>, fields: FieldList, last: boolean): void;
  /** A piece of the body as it arrived, valid during the call. May be empty when `last` is true, never otherwise. */
  onData(stream: Http2Stream<U>, bytes: Uint8Array, at: number, end: number, last: boolean): void;
  /** Always the last of its stream. */
  onTrailers(stream: Http2Stream<U>, fields: FieldList): void;
  /** Nothing may be sent on this stream any more. */
  onReset(stream: Http2Stream<U>, code: ErrorCode, by: ResetBy): void;
  /** sendData() took less than it was offered, and there is room again. */
  onWritable(stream: Http2Stream<U>): void;
  /** Client: openStream() may succeed again. */
  onRoomForStreams(): void;
  /** The peer goes away; streams above `lastStreamId` have been reset as Unprocessed before this call. */
  onGoAway(code: ErrorCode, lastStreamId: number): void;
  /** The answer to ping(). */
  onPong(): void;
}
