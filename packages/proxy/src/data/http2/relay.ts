import { type Buf, Errno, Stream, type StreamOwner, Timer, type TimerOwner } from "@bowline/loop";
import {
  DEFAULT_HTTP2_SETTINGS,
  type ErrorCode,
  type FieldList,
  Http2Connection,
  type Http2Handler,
  type Http2Stream,
  ResetBy,
  Role,
} from "@bowline/wire";
import type { Call } from "../call/call.ts";
import type { Answerer } from "../call/ends.ts";
import { Carry, HEADROOM_BYTES, READ_BYTES_FIRST, READ_BYTES_MAX } from "../http1/carry.ts";
import type { Side } from "../side.ts";
import type { Http2Pool } from "./dial.ts";
import { Output, type OutputOwner } from "./output.ts";
import { carryBytesMax } from "./settings.ts";

/**
 * A quarter of what may lie unread before the connection's window stays shut, for all of its calls (see
 * Http2Settings.unconsumedBytesMax).
 */
const CROWDED_BYTES: number = DEFAULT_HTTP2_SETTINGS.unconsumedBytesMax / 4;

const CONNECT_TIMER = 0;
const PING_TIMER = 1;
const PONG_TIMER = 2;

/** One HTTP/2 connection to a server: carries calls of many clients side by side. */
export class Http2Client implements StreamOwner, TimerOwner, Http2Handler<Call>, Answerer, OutputOwner {
  readonly pool: Http2Pool;
  /** The place in the pool's list. */
  index = -1;
  /** When its last call ended, ms; meaningless while there are calls. */
  idleSinceMs = 0;
  readonly #side: Side;
  readonly #stream: Stream;
  readonly #engine: Http2Connection<Call>;
  readonly #output: Output;
  readonly #carry: Carry;
  readonly #carryBytesMax: number;
  readonly #connectTimer: Timer = new Timer(this, CONNECT_TIMER);
  readonly #pingTimer: Timer = new Timer(this, PING_TIMER);
  readonly #pongTimer: Timer = new Timer(this, PONG_TIMER);
  #readBytes = READ_BYTES_FIRST;
  #connected = false;
  /** The server has said how many calls it takes side by side. */
  #limitKnown = false;

  constructor(side: Side, pool: Http2Pool) {
    const { reactor, bufs } = side.plane;
    this.#side = side;
    this.pool = pool;
    this.#stream = new Stream(reactor, bufs, this);
    this.#carry = new Carry(reactor.io, bufs);
    this.#output = new Output(side.plane, this, this.#stream);
    this.#engine = new Http2Connection(Role.Client, pool.settings, this, this.#output);
    this.#carryBytesMax = carryBytesMax(pool.settings);
  }

  /** Begins to connect; 0, or -errno when that failed at once. */
  connect(): number {
    const side = this.#side;
    const result = this.#stream.connect(this.pool.target, side.connectOptions);
    if (result === 0) side.plane.reactor.after(this.#connectTimer, side.config.connectTimeoutMs);
    return result;
  }

  /** To be called now and then: limits that only time can exceed. */
  check(nowMs: number): void {
    this.#engine.checkOpening(nowMs);
    if (this.#engine.failed) this.#end();
  }

  get connecting(): boolean {
    return !this.#connected;
  }

  /** Its server has said how many calls it takes. */
  get limitKnown(): boolean {
    return this.#limitKnown;
  }

  /** So much on it waits for clients that do not read that it may soon bring nothing to others either. */
  get crowded(): boolean {
    return this.#engine.unconsumedBytes > CROWDED_BYTES;
  }

  /** A call may be sent at once. */
  get hasRoom(): boolean {
    const engine = this.#engine;
    if (!this.#connected || !engine.canOpen) return false;
    return this.#limitKnown || engine.openStreams < this.pool.streamsMax;
  }

  /** It carries what it has to its end, and nothing more. */
  get goingAway(): boolean {
    return this.#engine.goingAway;
  }

  get calls(): number {
    return this.#engine.openStreams;
  }

  /** Sends a call; only while there is room. False when the connection turned out to take no more. */
  ask(call: Call): boolean {
    const stream = this.#engine.openStream(call, call.head, call.headOnly);
    if (stream === null) return false;
    if (this.#engine.openStreams === 1) this.#schedulePing();
    call.asked(this, stream);
    return true;
  }

  sendData(call: Call, bytes: Uint8Array, at: number, end: number, last: boolean): number {
    const count = this.#engine.sendData(call.answerStream!, bytes, at, end, last);
    if (last) this.#checkIdle();
    return count;
  }

  sendTrailers(call: Call, fields: FieldList): void {
    this.#engine.sendTrailers(call.answerStream!, fields);
    this.#checkIdle();
  }

  consumed(call: Call, count: number): void {
    if (call.answerStream !== null) this.#engine.consumed(call.answerStream, count);
  }

  cancel(call: Call, code: ErrorCode): void {
    const stream = call.answerStream!;
    call.answerStream = null;
    this.#engine.reset(stream, code);
    this.#checkIdle();
  }

  /** Takes no new calls; closes once those it has are over. */
  retire(): void {
    if (!this.#connected || this.#engine.openStreams === 0) {
      this.#end();
      return;
    }
    this.#engine.drain();
  }

  onReadable(stream: Stream): void {
    const carry = this.#carry;
    carry.makeRoom(this.#carryBytesMax);
    const held = carry.buf;
    const buf = held ?? this.#side.plane.rx;
    const at = held === null ? HEADROOM_BYTES : carry.end;
    const wanted = held === null ? this.#readBytes : carry.room;
    const received = stream.read(buf, at, wanted);
    if (received > 0) {
      if (held !== null) carry.end += received;
      else if (received === wanted) this.#readBytes = Math.min(2 * this.#readBytes, READ_BYTES_MAX);
      this.#receive(buf, held === null ? at : carry.at, at + received);
    } else if (received !== -Errno.EAGAIN) {
      this.#end();
    }
  }

  onDrained(_stream: Stream): void {
    this.#output.flush(false);
    if (this.#output.end === 0) this.onOutputDrained();
  }

  onConnected(stream: Stream): void {
    this.#connectTimer.cancel();
    this.#connected = true;
    this.idleSinceMs = this.#side.plane.reactor.nowMs;
    const series = this.pool.target.series.connect;
    stream.meter = series;
    series.opened();
    this.#engine.begin(this.#side.plane.reactor.nowMs);
    this.pool.onConnected(this);
  }

  onBroken(stream: Stream, errno: number): void {
    if (stream.connecting) this.#onConnectFailed(errno);
    else this.#end();
  }

  onTimer(kind: number): void {
    switch (kind) {
      case CONNECT_TIMER:
        this.#onConnectFailed(Errno.ETIMEDOUT);
        break;
      case PING_TIMER:
        // Only while calls are open: servers of gRPC close connections that ping for nothing.
        if (this.#engine.openStreams === 0) break;
        this.#engine.ping();
        this.#side.plane.reactor.after(this.#pongTimer, this.pool.keepAlive!.timeoutMs);
        break;
      default:
        this.#end();
    }
  }

  onOutputDrained(): void {
    this.#engine.drained();
  }

  onOutputBroken(): void {
    this.#end();
  }

  onHead(stream: Http2Stream<Call>, fields: FieldList, last: boolean): void {
    stream.user!.onResponseHead(fields, last);
  }

  onData(stream: Http2Stream<Call>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    stream.user!.onResponseData(bytes, at, end, last);
  }

  onTrailers(stream: Http2Stream<Call>, fields: FieldList): void {
    stream.user!.onResponseTrailers(fields);
  }

  onReset(stream: Http2Stream<Call>, code: ErrorCode, by: ResetBy): void {
    const call = stream.user!;
    // Of HTTP/1 that is a word of the endpoint's proxy about its application, unless the proxy itself goes away.
    const refused = by === ResetBy.Unprocessed && call.isHttp1 && !this.#engine.goingAway;
    call.onAnswererReset(code, by, refused);
  }

  onWritable(stream: Http2Stream<Call>): void {
    stream.user!.onAnswererWritable();
  }

  onRoomForStreams(): void {
    this.pool.onRoom(this);
  }

  onGoAway(_code: ErrorCode, _lastStreamId: number): void {
    this.pool.onGoAway(this);
  }

  onPong(): void {
    this.#pongTimer.cancel();
    this.#schedulePing();
  }

  #receive(buf: Buf, at: number, end: number): void {
    const next = this.#engine.receive(buf.bytes, at, end, this.#side.plane.reactor.nowMs);
    if (this.#stream.closed) return;
    if (this.#engine.failed) {
      this.#output.flush(true);
      this.#end();
      return;
    }
    this.#carry.keep(buf, next, end);
    if (!this.#limitKnown && this.#engine.settingsSeen) {
      this.#limitKnown = true;
      this.pool.onLimit(this, this.#engine.peerConcurrentStreamsMax);
    }
    this.#checkIdle();
  }

  #schedulePing(): void {
    const { keepAlive } = this.pool;
    if (keepAlive === null || this.#pingTimer.scheduled || this.#pongTimer.scheduled) return;
    this.#side.plane.reactor.after(this.#pingTimer, keepAlive.intervalMs);
  }

  #checkIdle(): void {
    if (this.#engine.openStreams > 0) return;
    this.idleSinceMs = this.#side.plane.reactor.nowMs;
    if (!this.#engine.finished) return;
    this.#output.flush(true);
    this.#end();
  }

  #onConnectFailed(errno: number): void {
    this.#close();
    this.pool.onConnectFailed(this, errno);
  }

  /** The connection is over, whatever was on it. */
  #end(): void {
    if (this.#stream.closed) return;
    this.#close();
    this.pool.onClosed(this);
    // Last: what was under way looks for another connection at once.
    this.#engine.lost();
  }

  #close(): void {
    this.#connectTimer.cancel();
    this.#pingTimer.cancel();
    this.#pongTimer.cancel();
    this.#carry.clear();
    this.#output.clear();
    this.#stream.close();
  }
}
