import { type Buf, Errno, type Stream, type StreamOwner, Timer, type TimerOwner } from "@bowline/loop";
import {
  ErrorCode,
  type FieldList,
  Http2Connection,
  type Http2Handler,
  type Http2Stream,
  type ResetBy,
  Role,
} from "@bowline/wire";
import type { Call } from "../call/call.ts";
import type { Asker } from "../call/ends.ts";
import { HeadBytes } from "../call/head-bytes.ts";
import { planRequest } from "../call/request-plan.ts";
import type { Connection } from "../connection.ts";
import { Cause, FAILURES, tookNoConnection } from "../failures.ts";
import { Carry, HEADROOM_BYTES, READ_BYTES_FIRST, READ_BYTES_MAX } from "../http1/carry.ts";
import { Linger } from "../linger.ts";
import type { Side } from "../side.ts";
import { writeErrorFields } from "./errors.ts";
import { Output, type OutputOwner } from "./output.ts";
import { carryBytesMax } from "./settings.ts";

/** A stream whose client opens no window for this long is reset. */
const STALL_MS = 300_000;

const PREFACE_TIMER = 0;
const PING_TIMER = 1;
const PONG_TIMER = 2;
const LINGER_TIMER = 3;

/** The serving side of one HTTP/2 connection: its streams become calls. */
export class Http2Server implements StreamOwner, TimerOwner, Http2Handler<Call>, Asker, OutputOwner {
  /** The place in the side's list of serving connections. */
  index = -1;
  readonly #side: Side;
  readonly connection: Connection;
  readonly #engine: Http2Connection<Call>;
  readonly #output: Output;
  readonly #carry: Carry;
  readonly #heads: HeadBytes = new HeadBytes();
  readonly #carryBytesMax: number;
  readonly #prefaceTimer: Timer = new Timer(this, PREFACE_TIMER);
  readonly #pingTimer: Timer = new Timer(this, PING_TIMER);
  readonly #pongTimer: Timer = new Timer(this, PONG_TIMER);
  readonly #lingerTimer: Timer = new Timer(this, LINGER_TIMER);
  readonly #linger: Linger = new Linger();
  #readBytes = READ_BYTES_FIRST;
  #lingering = false;
  #abandoned = false;

  constructor(side: Side, connection: Connection) {
    const { reactor, bufs } = side.plane;
    this.#side = side;
    this.connection = connection;
    this.#carry = new Carry(reactor.io, bufs);
    this.#output = new Output(side.plane, this, connection.stream);
    this.#carryBytesMax = carryBytesMax(side.http2ServerSettings);
    this.#engine = new Http2Connection(Role.Server, side.http2ServerSettings, this, this.#output);
  }

  /** Takes over the connection, whose first bytes are buf[at, end). */
  begin(buf: Buf, at: number, end: number): void {
    const side = this.#side;
    this.connection.stream.owner = this;
    this.index = side.servers.push(this) - 1;
    side.plane.reactor.after(this.#prefaceTimer, side.plane.config.http1.headTimeoutMs);
    this.#schedulePing();
    this.#engine.begin(side.plane.reactor.nowMs);
    this.#receive(buf, at, end);
  }

  get #stream(): Stream {
    return this.connection.stream;
  }

  /** Takes no new streams; ends once those it has are over. */
  drain(): void {
    // What the client has sent before it can know is served.
    if (this.#stream.reading) this.onReadable(this.#stream);
    if (this.index < 0) return;
    this.#engine.drain();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#engine.drain();
  }

  /** To be called now and then: limits that only time can exceed. */
  check(nowMs: number): void {
    const engine = this.#engine;
    engine.checkStalled(nowMs, STALL_MS);
    engine.checkOpening(nowMs);
    if (engine.failed && !this.#lingering) this.#fail();
  }

  onReadable(stream: Stream): void {
    if (this.#lingering) {
      this.#discard(stream);
      return;
    }
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
    } else if (received === 0) {
      this.#close();
    } else if (received !== -Errno.EAGAIN) {
      this.#abort();
    }
  }

  onDrained(stream: Stream): void {
    this.#output.flush(false);
    if (stream.heldBytes > 0 || stream.closed) return;
    this.onOutputDrained();
  }

  onConnected(_stream: Stream): void {}

  onBroken(_stream: Stream, _errno: number): void {
    this.#abort();
  }

  onTimer(kind: number): void {
    const { reactor } = this.#side.plane;
    switch (kind) {
      case PREFACE_TIMER:
        this.#side.failed(this.connection.target, Cause.HeadTimeout, true, "HTTP/2 preface");
        this.#abort();
        break;
      case PING_TIMER:
        this.#engine.ping();
        reactor.after(this.#pongTimer, this.#side.http2KeepAlive!.timeoutMs);
        break;
      case PONG_TIMER:
        this.#abort();
        break;
      default:
        this.#lingerOn();
    }
  }

  onOutputDrained(): void {
    if (this.#lingering) {
      this.#beginLingering();
      return;
    }
    this.#stream.resumeReading();
    this.#engine.drained();
    this.#checkDrained();
  }

  onOutputBroken(): void {
    this.#abort();
  }

  sendHead(call: Call, fields: FieldList, last: boolean): void {
    this.#engine.sendHead(call.askStream!, fields, last);
  }

  sendData(call: Call, bytes: Uint8Array, at: number, end: number, last: boolean): number {
    return this.#engine.sendData(call.askStream!, bytes, at, end, last);
  }

  sendTrailers(call: Call, fields: FieldList): void {
    this.#engine.sendTrailers(call.askStream!, fields);
  }

  consumed(call: Call, count: number): void {
    this.#engine.consumed(call.askStream!, count);
  }

  refuse(call: Call, cause: Cause, detail: string): void {
    const side = this.#side;
    const stream = call.askStream!;
    if (FAILURES[cause].status === 0) {
      this.#engine.reset(stream, ErrorCode.InternalError);
      return;
    }
    // Only proxies carry HTTP/1 this way. This one can send elsewhere what its application has not got; if the request had
    // been on a connection that was closing, it was one that a proxy may repeat.
    if (call.origProto !== 0 && tookNoConnection(cause)) {
      this.#engine.reset(stream, ErrorCode.RefusedStream);
      return;
    }
    this.#engine.sendHead(stream, writeErrorFields(cause, detail, call.grpc, side.informational), true);
    // The client may still be sending its request: it learns that nobody reads it (RFC 9113 §8.1).
    this.#engine.reset(stream, ErrorCode.NoError);
    // The client's next requests may go better on another connection (proxy-facts §4.11).
    if (FAILURES[cause].closes) this.#engine.drain();
  }

  breakOff(call: Call, code: ErrorCode): void {
    this.#engine.reset(call.askStream!, code);
  }

  onHead(stream: Http2Stream<Call>, fields: FieldList, last: boolean): void {
    const side = this.#side;
    this.#prefaceTimer.cancel();
    if (this.#heads.exhausted || this.#abandoned) {
      this.#engine.reset(stream, ErrorCode.RefusedStream);
      return;
    }
    const plan = planRequest(fields, side.requestPlan);
    const call = side.calls.acquire();
    stream.user = call;
    call.askStream = stream;
    call.logical = this.connection.logical;
    call.heads = this.#heads;
    call.begin(this, this.connection.target, plan, last);
  }

  onData(stream: Http2Stream<Call>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    stream.user!.onRequestData(bytes, at, end, last);
  }

  onTrailers(stream: Http2Stream<Call>, fields: FieldList): void {
    const call = stream.user!;
    if (this.#heads.exhausted) {
      this.#engine.reset(stream, ErrorCode.EnhanceYourCalm);
      call.onAskerGone(ErrorCode.EnhanceYourCalm);
      return;
    }
    call.onRequestTrailers(fields);
  }

  onReset(stream: Http2Stream<Call>, code: ErrorCode, _by: ResetBy): void {
    stream.user?.onAskerGone(code);
  }

  onWritable(stream: Http2Stream<Call>): void {
    stream.user!.onAskerWritable();
  }

  onRoomForStreams(): void {}

  onGoAway(_code: ErrorCode, _lastStreamId: number): void {
    // What the client has begun it still wants to end; it opens nothing more.
  }

  onPong(): void {
    this.#pongTimer.cancel();
    this.#schedulePing();
  }

  #receive(buf: Buf, at: number, end: number): void {
    const engine = this.#engine;
    const next = engine.receive(buf.bytes, at, end, this.#side.plane.reactor.nowMs);
    if (this.index < 0) return;
    if (engine.failed) {
      this.#fail();
      return;
    }
    if (engine.prefaceSeen) this.#prefaceTimer.cancel();
    this.#carry.keep(buf, next, end);
    if (engine.congested && this.#stream.heldBytes > 0) this.#stream.pauseReading();
    this.#checkDrained();
  }

  #schedulePing(): void {
    const keepAlive = this.#side.http2KeepAlive;
    if (keepAlive !== null) this.#side.plane.reactor.after(this.#pingTimer, keepAlive.intervalMs);
  }

  /** After GOAWAY the connection ends with its last stream. */
  #checkDrained(): void {
    if (this.#engine.finished && !this.#lingering) this.#finish();
  }

  /** The client broke a rule of the connection; GOAWAY says so. */
  #fail(): void {
    this.#side.failed(this.connection.target, Cause.BadRequest, true, this.#engine.errorReason);
    this.#finish();
  }

  /** Nothing is to be said any more but what has been collected, GOAWAY last. */
  #finish(): void {
    this.#lingering = true;
    this.#engine.lost();
    this.#carry.clear();
    this.#output.flush(false);
    if (this.index >= 0 && this.#stream.heldBytes === 0 && this.#output.end === 0) this.#beginLingering();
  }

  /** Says that we are done and reads on for a while: closing over unread bytes would reset the last frames away. */
  #beginLingering(): void {
    this.#stream.finish();
    this.#stream.resumeReading();
    if (!this.#lingerTimer.scheduled) this.#side.plane.reactor.after(this.#lingerTimer, this.#linger.begin());
  }

  #lingerOn(): void {
    const moreMs = this.#linger.moreMs(this.#stream);
    if (moreMs === 0) this.#close();
    else this.#side.plane.reactor.after(this.#lingerTimer, moreMs);
  }

  #discard(stream: Stream): void {
    const received = stream.read(this.#side.plane.rx, 0, READ_BYTES_MAX);
    if (received <= 0 && received !== -Errno.EAGAIN) this.#close();
  }

  #close(): void {
    if (this.index < 0) return;
    this.#leave();
    this.#stream.close();
  }

  #abort(): void {
    if (this.index < 0) return;
    this.#leave();
    this.#stream.reset();
  }

  #leave(): void {
    this.#prefaceTimer.cancel();
    this.#pingTimer.cancel();
    this.#pongTimer.cancel();
    this.#lingerTimer.cancel();
    this.#carry.clear();
    const { servers } = this.#side;
    const last = servers.pop()!;
    if (last !== this) {
      servers[this.index] = last;
      last.index = this.index;
    }
    this.index = -1;
    this.#engine.lost();
    this.#output.clear();
  }
}
