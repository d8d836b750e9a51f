import { assert } from "../assert.ts";
import type { ConnectionState } from "./connection-state.ts";
import { copyBytes, type FieldList } from "./fields.ts";
import { ErrorCode, Flag, FRAME_HEAD_BYTES, FrameType, STREAM_ID_LIMIT, writeFrameHead } from "./frame.ts";
import { EARN_PER_FRAME, SLIVER_BYTES, SLIVER_COST } from "./limits.ts";
import { fail } from "./output.ts";
import { requestKind } from "./request-kind.ts";
import { dequeue, outputRoom, waitToSend } from "./send-queue.ts";
import { type Http2Stream, NOT_STALLED, StreamBit } from "./stream.ts";
import { addStream, canOpen, endSide } from "./streams.ts";

/** While others wait, a stream sends this much in its turn. */
const TURN_BYTES: number = 16 << 10;

/** Room in the sink is not used in pieces smaller than this. */
const OUTPUT_PIECE_BYTES = 4096;

/** A request. Null when the connection takes no more streams, for now or for ever. */
export function openStream<U>(s: ConnectionState<U>, user: U, fields: FieldList, last: boolean): Http2Stream<U> | null {
  if (!canOpen(s)) return null;
  const stream = addStream(s, s.nextId);
  s.nextId = s.nextId === STREAM_ID_LIMIT ? -1 : s.nextId + 2;
  stream.user = user;
  stream.state = requestKind(fields);
  writeBlock(s, stream.id, fields, last);
  if (last) endSide(s, stream, StreamBit.LocalEnd);
  return stream;
}

export function sendBlock<U>(s: ConnectionState<U>, stream: Http2Stream<U>, fields: FieldList, last: boolean): void {
  if (s.failed || (stream.state & StreamBit.Reset) !== 0) return;
  assert((stream.state & StreamBit.LocalEnd) === 0);
  writeBlock(s, stream.id, fields, last);
  if (last) endSide(s, stream, StreamBit.LocalEnd);
}

/** Returns how many bytes were taken; the caller keeps the rest until onWritable(). */
export function sendData<U>(
  s: ConnectionState<U>,
  stream: Http2Stream<U>,
  bytes: Uint8Array,
  at: number,
  end: number,
  last: boolean,
): number {
  if (s.failed || (stream.state & StreamBit.Reset) !== 0) return 0;
  assert((stream.state & StreamBit.LocalEnd) === 0 && at <= end);
  const offered = end - at;
  if (offered === 0) {
    if (last) writeEnd(s, stream);
    return 0;
  }
  const taken = allowance(s, stream, offered);
  if (taken > 0) {
    writeData(s, stream.id, bytes, at, at + taken, last && taken === offered);
    s.sendWindow -= taken;
    stream.sendWindow -= taken;
    stream.stalledBytes += taken;
    s.stalledBytes += taken;
  }
  if (taken < offered) {
    waitToSend(s, stream);
    if (taken > 0 && taken < SLIVER_BYTES) payForSliver(s);
    return taken;
  }
  stream.stalledSinceMs = NOT_STALLED;
  if ((stream.state & StreamBit.Waiting) !== 0) {
    stream.state &= ~StreamBit.Waiting;
    dequeue(s, stream);
  }
  if (last) endSide(s, stream, StreamBit.LocalEnd);
  return taken;
}

/** What a stream may send now of `offered` bytes. */
function allowance<U>(s: ConnectionState<U>, stream: Http2Stream<U>, offered: number): number {
  const others = s.queueHead !== null;
  if (others && s.serving !== stream) return 0;
  let most = offered;
  if (most > stream.sendWindow) most = stream.sendWindow;
  if (most > s.sendWindow) most = s.sendWindow;
  if (others && most > TURN_BYTES) most = TURN_BYTES;
  const room = outputRoom(s);
  if (room <= 0 || most <= 0) return 0;
  return most <= room || most <= OUTPUT_PIECE_BYTES ? most : Math.max(room, OUTPUT_PIECE_BYTES);
}

function writeData<U>(
  s: ConnectionState<U>,
  id: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  last: boolean,
): void {
  const sink = s.sink;
  const frameMax = s.peerFrameBytesMax;
  let from = at;
  do {
    const stop = end - from > frameMax ? from + frameMax : end;
    const length = stop - from;
    sink.reserve(FRAME_HEAD_BYTES + length);
    writeFrameHead(sink.bytes, sink.end, length, FrameType.Data, last && stop === end ? Flag.EndStream : 0, id);
    copyBytes(bytes, from, stop, sink.bytes, sink.end + FRAME_HEAD_BYTES);
    sink.end += FRAME_HEAD_BYTES + length;
    s.overhead.earn(EARN_PER_FRAME);
    from = stop;
  } while (from < end);
}

/** END_STREAM alone: an empty DATA frame, which no window holds back (RFC 9113 §6.9.1). */
function writeEnd<U>(s: ConnectionState<U>, stream: Http2Stream<U>): void {
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES);
  writeFrameHead(sink.bytes, sink.end, 0, FrameType.Data, Flag.EndStream, stream.id);
  sink.end += FRAME_HEAD_BYTES;
  if ((stream.state & StreamBit.Waiting) !== 0) {
    stream.state &= ~StreamBit.Waiting;
    dequeue(s, stream);
  }
  endSide(s, stream, StreamBit.LocalEnd);
}

/** A peer that opens its window by a few bytes at a time makes frames of them. */
function payForSliver<U>(s: ConnectionState<U>): void {
  if (s.overhead.spend(SLIVER_COST + EARN_PER_FRAME, s.nowMs)) return;
  fail(s, ErrorCode.EnhanceYourCalm, "windows opened by too few bytes");
}

/** HEADERS, and CONTINUATION where the block is larger than a frame may be (RFC 9113 §4.3). */
export function writeBlock<U>(s: ConnectionState<U>, id: number, fields: FieldList, last: boolean): void {
  const sink = s.sink;
  sink.reserve(FRAME_HEAD_BYTES + s.encoder.blockBytesMax(fields));
  const head = sink.end;
  const from = head + FRAME_HEAD_BYTES;
  const end = s.encoder.encode(fields, sink.bytes, from);
  sink.end = end;
  const endStream = last ? Flag.EndStream : 0;
  const length = end - from;
  if (length <= s.peerFrameBytesMax) {
    writeFrameHead(sink.bytes, head, length, FrameType.Headers, Flag.EndHeaders | endStream, id);
  } else {
    splitBlock(s, id, head, length, endStream);
  }
  s.overhead.earn(EARN_PER_FRAME);
}

/** Moves the block's parts apart, the last one first, so that a frame head fits before each. */
function splitBlock<U>(s: ConnectionState<U>, id: number, head: number, length: number, endStream: number): void {
  const sink = s.sink;
  const frameMax = s.peerFrameBytesMax;
  const frames = Math.ceil(length / frameMax);
  const fromEnd = sink.end - head;
  sink.reserve((frames - 1) * FRAME_HEAD_BYTES);
  // reserve() may have moved what is in the sink.
  const first = sink.end - fromEnd;
  const bytes = sink.bytes;
  for (let i = frames - 1; i >= 0; i--) {
    const from = first + FRAME_HEAD_BYTES + i * frameMax;
    const count = Math.min(frameMax, length - i * frameMax);
    const to = from + i * FRAME_HEAD_BYTES;
    if (i > 0) bytes.copyWithin(to, from, from + count);
    const type = i === 0 ? FrameType.Headers : FrameType.Continuation;
    const flags = (i === 0 ? endStream : 0) | (i === frames - 1 ? Flag.EndHeaders : 0);
    writeFrameHead(bytes, to - FRAME_HEAD_BYTES, count, type, flags, id);
  }
  sink.end += (frames - 1) * FRAME_HEAD_BYTES;
}
