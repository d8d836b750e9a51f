import { assert } from "../assert.ts";
import { ConnectionState, PingBit } from "./connection-state.ts";
import type { FieldList } from "./fields.ts";
import { ErrorCode, FRAME_BYTES_DEFAULT, FRAME_BYTES_LIMIT, STREAM_ID_LIMIT, WINDOW_BYTES_LIMIT } from "./frame.ts";
import { type FrameSink, type Http2Handler, ResetBy, Role } from "./handler.ts";
import { CONGESTED_OUTPUTS } from "./limits.ts";
import { writePing, writePreface } from "./output.ts";
import { receiveFrames } from "./receive.ts";
import { openStream, sendBlock, sendData } from "./send.ts";
import { serveQueue } from "./send-queue.ts";
import type { Http2Settings } from "./settings.ts";
import { goAway, isFinished, startDrain } from "./shutdown.ts";
import { checkOpening, checkStalled } from "./stall.ts";
import type { Http2Stream } from "./stream.ts";
import { announceRoom, canOpen, consume, reclaim, resetByPeer, resetByUs } from "./streams.ts";

/**
 * One HTTP/2 connection (RFC 9113), either role: bytes in, events and bytes out. It knows no socket and no clock; times
 * are milliseconds that the owner passes in. Not re-entrant: see Http2Handler for what callbacks may call.
 */
export class Http2Connection<U> {
  private s: ConnectionState<U>;

  constructor(role: Role, settings: Http2Settings, handler: Http2Handler<U>, sink: FrameSink) {
    assert(settings.frameBytesMax >= FRAME_BYTES_DEFAULT && settings.frameBytesMax <= FRAME_BYTES_LIMIT);
    assert(settings.initialStreamWindowBytes <= WINDOW_BYTES_LIMIT);
    assert(settings.initialConnectionWindowBytes <= WINDOW_BYTES_LIMIT);
    this.s = new ConnectionState(role, settings, handler, sink);
  }

  /** Makes the object ready for another connection; begin() opens it. */
  restart(): void {
    const s = this.s;
    this.s = new ConnectionState(s.role, s.settings, s.handler, s.sink);
  }

  /** Writes our preface. Streams may be opened at once. */
  begin(nowMs: number): void {
    this.s.start(nowMs);
    writePreface(this.s);
  }

  /**
   * Takes bytes from the peer. Returns the offset of the first byte not taken: the caller keeps those, at most 9 +
   * frameBytesMax - 1 of them, and comes again with more behind them. When the connection fails, GOAWAY is in the sink
   * and everything counts as taken.
   */
  receive(bytes: Uint8Array, at: number, end: number, nowMs: number): number {
    const s = this.s;
    if (s.failed) return end;
    s.nowMs = nowMs;
    reclaim(s);
    const next = receiveFrames(s, bytes, at, end);
    announceRoom(s);
    return next;
  }

  /** The sink was emptied: streams that wait for room go on in turn. */
  drained(): void {
    const s = this.s;
    s.replyBytes = 0;
    if (s.queueHead !== null) serveQueue(s);
    announceRoom(s);
  }

  /** Client: a request. Null when canOpen is false. */
  openStream(user: U, fields: FieldList, last: boolean): Http2Stream<U> | null {
    return openStream(this.s, user, fields, last);
  }

  /** Server: a response head, interim ones (1xx, never last) before the final one. */
  sendHead(stream: Http2Stream<U>, fields: FieldList, last: boolean): void {
    sendBlock(this.s, stream, fields, last);
  }

  /** Ends our side; all data has been accepted before. */
  sendTrailers(stream: Http2Stream<U>, fields: FieldList): void {
    sendBlock(this.s, stream, fields, true);
  }

  /**
   * Sends as much of [at, end) as the windows, the sink and the turns of other streams allow, and returns how much; when
   * that is less than offered, onWritable() follows. `last` ends our side once all is accepted. END_STREAM alone
   * (`at === end`) is always accepted.
   */
  sendData(stream: Http2Stream<U>, bytes: Uint8Array, at: number, end: number, last: boolean): number {
    return sendData(this.s, stream, bytes, at, end, last);
  }

  /** Abandons a stream: RST_STREAM, and no callback follows for it. */
  reset(stream: Http2Stream<U>, code: ErrorCode): void {
    resetByUs(this.s, stream, code);
  }

  /** `count` bytes that onData() delivered are passed on. Every delivered byte is to be given back, the last ones too. */
  consumed(stream: Http2Stream<U>, count: number): void {
    consume(this.s, stream, count);
  }

  /** Asks for a sign of life: onPong() follows. Nothing is sent while an earlier one is unanswered. */
  ping(): void {
    writePing(this.s, PingBit.Caller);
  }

  /** GOAWAY: streams above the last one seen will not be processed, the open ones may end. */
  goAway(code: ErrorCode): void {
    goAway(this.s, code);
  }

  /** Graceful end: no request is lost. `finished` tells when the connection may be closed. */
  drain(): void {
    startDrain(this.s);
  }

  /**
   * The transport ended: onReset(ConnectionLost) for every stream that is not complete. The code is for whoever passes it
   * on: a client that is gone wants nothing any more, a server that is gone is an error.
   */
  lost(): void {
    const s = this.s;
    s.failed = true;
    const code = s.role === Role.Server ? ErrorCode.Cancel : ErrorCode.InternalError;
    for (const stream of s.streams.list()) resetByPeer(s, stream, code, ResetBy.ConnectionLost);
  }

  /**
   * For about once a second: resets streams whose window the peer has kept shut for `limitMs` while there was something
   * to send, and fails the connection when its window stays shut.
   */
  checkStalled(nowMs: number, limitMs: number): void {
    this.s.nowMs = nowMs;
    checkStalled(this.s, limitMs);
  }

  /** For about once a second: fails a connection whose preface or first acknowledgement does not come. */
  checkOpening(nowMs: number): void {
    this.s.nowMs = nowMs;
    checkOpening(this.s);
  }

  /** After a connection error: GOAWAY is in the sink, and no callback comes but from lost(). */
  get failed(): boolean {
    return this.s.failed;
  }

  get errorCode(): ErrorCode {
    return this.s.errorCode;
  }

  /** Constant text for the log. */
  get errorReason(): string {
    return this.s.errorReason;
  }

  /** Streams that are not complete. */
  get openStreams(): number {
    return this.s.openCount;
  }

  get peerConcurrentStreamsMax(): number {
    return this.s.peerStreamsMax;
  }

  /** Whether openStream() would succeed. */
  get canOpen(): boolean {
    return canOpen(this.s);
  }

  /** Client: all stream ids are used, canOpen is false for good. */
  get exhausted(): boolean {
    return this.s.nextId < 0 || this.s.nextId > STREAM_ID_LIMIT;
  }

  /** GOAWAY was sent or received. */
  get goingAway(): boolean {
    return this.s.goAwaySent || this.s.goAwayReceived;
  }

  /** Nothing is left that either side has promised to bring to its end: the connection may be closed. */
  get finished(): boolean {
    return isFinished(this.s);
  }

  /** So much waits in the sink that the owner should read no more until it is emptied. */
  get congested(): boolean {
    return this.s.sink.end >= this.s.settings.outputBytesMax * CONGESTED_OUTPUTS;
  }

  get prefaceSeen(): boolean {
    return this.s.prefaceSeen;
  }

  get settingsSeen(): boolean {
    return this.s.settingsSeen;
  }

  /** The peer takes extended CONNECT (RFC 8441 §3). */
  get peerConnectProtocol(): boolean {
    return this.s.peerConnectProtocol;
  }

  /** Received bytes that consumed() has not given back, over all streams. */
  get unconsumedBytes(): number {
    return this.s.unconsumed;
  }
}
