import { ClosedBy } from "./closed-streams.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { FieldList } from "./fields.ts";
import { ErrorCode, Flag, STREAM_ID_LIMIT } from "./frame.ts";
import { Role } from "./handler.ts";
import { HpackStep } from "./hpack/hpack-step.ts";
import { BLOCK_BYTES_PER_LIST_BYTE, CONTINUATIONS_MAX, EARN_PER_FRAME, STREAM_IDS_RESERVED } from "./limits.ts";
import { fail, writeRst } from "./output.ts";
import { TOO_LARGE_RESPONSE } from "./responses.ts";
import { writeBlock } from "./send.ts";
import { startDrain } from "./shutdown.ts";
import { type Http2Stream, LENGTH_UNKNOWN, StreamBit } from "./stream.ts";
import { addStream, countWasted, endSide, refuse, streamError } from "./streams.ts";
import { contentLength, judge, Verdict } from "./validate.ts";

const PRIORITY_BYTES = 5;
const NO_BYTES = new Uint8Array(0);

/** HEADERS (RFC 9113 §6.2): the payload [at, end). */
export function receiveHeaders<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  at: number,
  end: number,
  flags: number,
  id: number,
): void {
  if (id === 0) {
    fail(s, ErrorCode.ProtocolError, "HEADERS on stream 0");
    return;
  }
  let from = at;
  let to = end;
  if ((flags & (Flag.Padded | Flag.Priority)) !== 0) {
    const padded = (flags & Flag.Padded) !== 0;
    const priority = (flags & Flag.Priority) !== 0;
    from += (padded ? 1 : 0) + (priority ? PRIORITY_BYTES : 0);
    if (from > end) {
      fail(s, ErrorCode.FrameSizeError, "HEADERS too short");
      return;
    }
    if (padded) to -= bytes[at]!;
    if (from > to) {
      fail(s, ErrorCode.ProtocolError, "padding longer than HEADERS");
      return;
    }
  }
  const last = (flags & Flag.EndStream) !== 0;
  if ((flags & Flag.EndHeaders) !== 0) {
    receiveBlock(s, bytes, from, to, id, last);
    return;
  }
  s.blockId = id;
  s.blockLast = last;
  s.blockEnd = 0;
  s.blockFrames = 0;
  if (from === to) countEmpty(s);
  gather(s, bytes, from, to);
}

/** CONTINUATION (RFC 9113 §6.10); that one may come was seen to. */
export function receiveContinuation<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  at: number,
  end: number,
  flags: number,
): void {
  if (++s.blockFrames > CONTINUATIONS_MAX) {
    fail(s, ErrorCode.EnhanceYourCalm, "too many CONTINUATION frames in a header block");
    return;
  }
  const whole = (flags & Flag.EndHeaders) !== 0;
  if (at === end && !whole) countEmpty(s);
  gather(s, bytes, at, end);
  if (!whole || s.failed) return;
  const block = s.block;
  const id = s.blockId;
  s.blockId = 0;
  // Large blocks are rare: their memory is not kept.
  s.block = NO_BYTES;
  receiveBlock(s, block, 0, s.blockEnd, id, s.blockLast);
}

/** Adds a part of a block to what has arrived of it. */
function gather<U>(s: ConnectionState<U>, bytes: Uint8Array, at: number, end: number): void {
  const blockEnd = s.blockEnd + end - at;
  if (blockEnd > s.settings.headerListBytesMax * BLOCK_BYTES_PER_LIST_BYTE) {
    fail(s, ErrorCode.EnhanceYourCalm, "header block too large");
    return;
  }
  if (blockEnd > s.block.length) {
    const grown = new Uint8Array(Math.max(s.block.length * 2, blockEnd));
    grown.set(s.block.subarray(0, s.blockEnd));
    s.block = grown;
  }
  s.block.set(bytes.subarray(at, end), s.blockEnd);
  s.blockEnd = blockEnd;
}

function countEmpty<U>(s: ConnectionState<U>): void {
  if (!s.empties.spend(1, s.nowMs)) fail(s, ErrorCode.EnhanceYourCalm, "too many empty frames");
}

/** A complete header block: decoded whatever becomes of it, or the table would be out of step (RFC 9113 §4.3). */
function receiveBlock<U>(
  s: ConnectionState<U>,
  bytes: Uint8Array,
  from: number,
  to: number,
  id: number,
  last: boolean,
): void {
  const decoder = s.decoder;
  const step = decoder.decode(bytes, from, to);
  if (step === HpackStep.CompressionError) {
    fail(s, ErrorCode.CompressionError, "header block does not decode");
    return;
  }
  s.overhead.earn(EARN_PER_FRAME);
  s.pingFrames.earn(1);
  const stream = s.streams.get(id);
  const tooLarge = step === HpackStep.ListTooLarge;
  if (stream === null) {
    if (s.role === Role.Server) receiveOpening(s, id, decoder.fields, last, tooLarge);
    else receiveOnClosed(s, id, (id & 1) === 1 && (s.nextId < 0 || id < s.nextId));
  } else if ((stream.state & StreamBit.RemoteEnd) !== 0) {
    streamError(s, stream, ErrorCode.StreamClosed);
  } else if (tooLarge) {
    streamError(s, stream, ErrorCode.EnhanceYourCalm);
  } else if ((stream.state & StreamBit.HeadSeen) !== 0) {
    receiveTrailers(s, stream, decoder.fields, last);
  } else {
    receiveResponse(s, stream, decoder.fields, last);
  }
}

/** A block on a stream that is not open: fatal, unless the peer may not have known (RFC 9113 §5.1). */
function receiveOnClosed<U>(s: ConnectionState<U>, id: number, used: boolean): void {
  if (!used) {
    fail(s, ErrorCode.ProtocolError, "HEADERS on an idle stream");
    return;
  }
  if (s.closed.closedBy(id) === ClosedBy.Peer) {
    fail(s, ErrorCode.StreamClosed, "HEADERS on a closed stream");
    return;
  }
  countStale(s);
}

/** What a peer may have sent before it read our RST_STREAM or GOAWAY. */
function countStale<U>(s: ConnectionState<U>): void {
  if (!s.overhead.spend(1 + EARN_PER_FRAME, s.nowMs)) fail(s, ErrorCode.EnhanceYourCalm, "too many useless frames");
}

/** Server: a request. */
function receiveOpening<U>(
  s: ConnectionState<U>,
  id: number,
  fields: FieldList,
  last: boolean,
  tooLarge: boolean,
): void {
  if (id <= s.lastPeerId) {
    const by = s.closed.closedBy(id);
    // Trailers of a request that our GOAWAY left unprocessed are no fault either (RFC 9113 §6.8).
    if (by === ClosedBy.Us || (s.goAwaySent && id > s.goAwayId)) {
      countStale(s);
      return;
    }
    if (by === ClosedBy.Peer) {
      fail(s, ErrorCode.StreamClosed, "HEADERS on a closed stream");
      return;
    }
    fail(s, ErrorCode.ProtocolError, "stream ids must grow");
    return;
  }
  if ((id & 1) === 0) {
    fail(s, ErrorCode.ProtocolError, "a client's stream ids are odd");
    return;
  }
  s.lastPeerId = id;
  if (s.goAwaySent && id > s.goAwayId) {
    countStale(s);
    return;
  }
  if (id > STREAM_ID_LIMIT - 2 * STREAM_IDS_RESERVED) startDrain(s);
  const streamsMax = s.settings.concurrentStreamsMax;
  if (streamsMax > 0 && s.openCount >= streamsMax) {
    refuseExcess(s, id);
    return;
  }
  if (tooLarge) {
    answerTooLarge(s, id, last);
    return;
  }
  const verdict = judge(fields);
  if ((verdict & Verdict.Request) === 0) {
    refuse(s, id, ErrorCode.ProtocolError);
    return;
  }
  if ((verdict & Verdict.Extended) !== 0 && !s.settings.connectProtocol) {
    refuse(s, id, ErrorCode.ProtocolError);
    return;
  }
  const length = lengthOf(fields, verdict);
  if (last && length > 0) {
    refuse(s, id, ErrorCode.ProtocolError);
    return;
  }
  const stream = addStream(s, id);
  stream.contentLeft = length;
  stream.state = (verdict & Verdict.Connect) !== 0 ? StreamBit.HeadSeen | StreamBit.Tunnel : StreamBit.HeadSeen;
  if (last) endSide(s, stream, StreamBit.RemoteEnd);
  s.handler.onHead(stream, fields, last);
}

/**
 * Streams above the limit. A client that has not acknowledged our SETTINGS cannot know it, so that its first burst
 * costs it nothing but the refusals.
 */
function refuseExcess<U>(s: ConnectionState<U>, id: number): void {
  refuse(s, id, ErrorCode.RefusedStream);
  if (!s.settingsAcked) s.wasted.earn(1);
}

/**
 * A request whose head is over the limits gets 431 (RFC 6585 §5) and, if more of it is to come, NO_ERROR, which asks
 * the client to stop sending without making it take the response for lost (RFC 9113 §8.1).
 */
function answerTooLarge<U>(s: ConnectionState<U>, id: number, last: boolean): void {
  writeBlock(s, id, TOO_LARGE_RESPONSE, true);
  if (!last) writeRst(s, id, ErrorCode.NoError);
  s.closed.addReset(id);
  countWasted(s);
}

/** Client: an interim or a final response head. */
function receiveResponse<U>(s: ConnectionState<U>, stream: Http2Stream<U>, fields: FieldList, last: boolean): void {
  const verdict = judge(fields);
  if ((verdict & Verdict.Response) === 0) {
    streamError(s, stream, ErrorCode.ProtocolError);
    return;
  }
  const status = verdict & Verdict.StatusMask;
  if (status < 200) {
    if (last) {
      streamError(s, stream, ErrorCode.ProtocolError);
      return;
    }
    countEmpty(s);
    if (!s.failed) s.handler.onHead(stream, fields, false);
    return;
  }
  stream.state |= StreamBit.HeadSeen;
  if ((stream.state & StreamBit.ConnectRequest) !== 0 && status < 300) {
    stream.state |= StreamBit.Tunnel;
  } else if ((stream.state & StreamBit.HeadRequest) !== 0 || status === 204 || status === 304) {
    stream.contentLeft = 0;
  } else {
    stream.contentLeft = lengthOf(fields, verdict);
    if (last && stream.contentLeft > 0) {
      streamError(s, stream, ErrorCode.ProtocolError);
      return;
    }
  }
  if (last) endSide(s, stream, StreamBit.RemoteEnd);
  s.handler.onHead(stream, fields, last);
}

/** RFC 9113 §8.1: trailers end the message, and come when all of its content has. */
function receiveTrailers<U>(s: ConnectionState<U>, stream: Http2Stream<U>, fields: FieldList, last: boolean): void {
  const misplaced = !last || (stream.state & StreamBit.Tunnel) !== 0 || stream.contentLeft > 0;
  if (misplaced || (judge(fields) & Verdict.Trailers) === 0) {
    streamError(s, stream, ErrorCode.ProtocolError);
    return;
  }
  endSide(s, stream, StreamBit.RemoteEnd);
  s.handler.onTrailers(stream, fields);
}

function lengthOf(fields: FieldList, verdict: number): number {
  return (verdict & (Verdict.Length | Verdict.Connect)) === Verdict.Length ? contentLength(fields) : LENGTH_UNKNOWN;
}
