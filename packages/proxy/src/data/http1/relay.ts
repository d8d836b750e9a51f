import { type Buf, Errno, Stream, type StreamOwner, Timer, type TimerOwner, WriteResult } from "@bowline/loop";
import {
  BodyKind,
  chunkErrorReason,
  type Head,
  HeadStep,
  headErrorReason,
  parseResponseHead,
  responseBodyKind,
} from "@bowline/wire";
import type { Connection } from "../connection.ts";
import type { OpaqueRelay } from "../opaque/relay.ts";
import type { Side } from "../side.ts";
import { Splicer } from "../splice/splicer.ts";
import type { Target } from "../target.ts";
import { BodyReader } from "./body-reader.ts";
import { READ_BYTES_FIRST, READ_BYTES_MAX, READ_BYTES_MIN } from "./carry.ts";
import type { HostPool } from "./host-pool.ts";
import { Intake } from "./intake.ts";
import type { Requester } from "./requester.ts";

const State = {
  /** No connection. */
  Closed: 0,
  /** Kept for the next request. */
  Idle: 1,
  /** A request is on it; its response head is not complete. */
  Head: 2,
  Body: 3,
  /** The response is complete, its request is not. */
  Done: 4,
} as const;
type State = (typeof State)[keyof typeof State];

/** From this many bytes to come, a body that arrives faster than it is read moves by splice. */
const SPLICE_BYTES_MIN = 131072;

/** One connection to a server: carries one request after another, each for its Requester, and reads the responses. */
export class Http1Client implements StreamOwner, TimerOwner {
  stream: Stream;
  pool: HostPool | null = null;
  /** It has carried a request before the one in hand, so the server may be closing it. */
  reused = false;
  /** It takes no request bytes any more; a response may still come. */
  broken = false;
  /** The response in hand leaves the connection fit for another request. */
  reusable = false;
  idleSinceMs = 0;
  idlePrevious: Http1Client | null = null;
  idleNext: Http1Client | null = null;
  /** Of the response in hand. */
  readonly body: BodyReader = new BodyReader();
  readonly #side: Side;
  readonly #intake: Intake;
  readonly #splicer: Splicer;
  readonly #connectTimer: Timer = new Timer(this, 0);
  #target: Target | null = null;
  #state: State = State.Closed;
  #requester: Requester | null = null;
  /** Bytes of requests given to the connection, in all and before the one in hand. */
  #givenBytes = 0;
  #givenBefore = 0;

  constructor(side: Side) {
    this.#side = side;
    const { reactor, bufs } = side.plane;
    this.stream = new Stream(reactor, bufs, this);
    this.#intake = new Intake(side.plane, parseResponseHead);
    this.#splicer = new Splicer(reactor.io, side.plane.pipes);
  }

  get target(): Target {
    return this.#target!;
  }

  /** Begins to connect; 0, or -errno when that failed at once. */
  connect(target: Target, pool: HostPool | null): number {
    const side = this.#side;
    const result = this.stream.connect(target, side.connectOptions);
    if (result === 0) {
      this.#reset(target, pool);
      side.plane.reactor.after(this.#connectTimer, side.config.connectTimeoutMs);
    }
    return result;
  }

  /** Takes over the connection that was opened while the client's protocol was unknown. */
  adopt(connection: Connection, target: Target, pool: HostPool | null): void {
    this.stream = connection.swapEarly(this.stream);
    this.stream.owner = this;
    this.#reset(target, pool);
    if (this.stream.connecting) {
      this.#side.plane.reactor.after(this.#connectTimer, this.#side.config.connectTimeoutMs);
    }
  }

  /** Carries a request of `requester` next. */
  begin(requester: Requester): void {
    this.#requester = requester;
    this.#state = State.Head;
    this.#givenBefore = this.#givenBytes;
    this.reusable = false;
  }

  /** Sends bytes of the request. */
  send(buf: Buf, at: number, end: number): WriteResult {
    this.#givenBytes += end - at;
    const result = this.stream.write(buf, at, end);
    if (result === WriteResult.Broken) this.broken = true;
    return result;
  }

  /** Bytes of the request are about to be written to the stream, by somebody else than `send`. */
  sending(bytes: number): void {
    this.#givenBytes += bytes;
  }

  /** The server's kernel has acknowledged no byte of the request in hand. */
  nothingAcknowledged(): boolean {
    return this.stream.bytesAcknowledged() <= this.#givenBefore;
  }

  /** Response bytes are not taken as fast as they come: read less at a time, and only once it has taken what is held. */
  slowDown(): void {
    this.#intake.readBytes = READ_BYTES_MIN;
    this.stream.pauseReading();
  }

  /** Ends in order. */
  close(): void {
    this.stream.close();
    this.#release();
  }

  /** Ends with a reset: the server learns that nobody waits for its response. */
  reset(): void {
    this.stream.reset();
    this.#release();
  }

  /** Closes an idle connection. */
  dropIdle(): void {
    this.pool?.remove(this);
    this.#side.idle.remove(this);
    this.close();
  }

  /** Leaves its stream to the relay, and is no more. */
  handOver(relay: OpaqueRelay): void {
    this.stream = relay.swapUpstream(this.stream);
    this.#release();
  }

  /** The connection is idle from now on. */
  rest(): void {
    this.#requester = null;
    this.#state = State.Idle;
    this.stream.resumeReading();
  }

  /** Response bytes are taken again. */
  resume(): void {
    if (this.#splicer.active) this.#spliceBody();
    else this.stream.resumeReading();
  }

  onReadable(stream: Stream): void {
    if (this.#splicer.active) {
      this.#spliceBody();
      return;
    }
    if (this.#state === State.Idle) {
      // Whatever comes, the end, a reset or bytes that nobody asked for: the connection is of no more use.
      this.dropIdle();
      return;
    }
    const intake = this.#intake;
    const received = intake.receive(stream, this.#side.plane.carryBytesMax);
    if (received <= 0) {
      if (received !== -Errno.EAGAIN) this.#onLost(-received);
      return;
    }
    const { filled } = intake;
    if (filled) intake.readBytes = Math.min(2 * intake.readBytes, READ_BYTES_MAX);
    if (this.#state === State.Head) this.#requester!.onResponseByte();
    this.#consume(intake.buf, intake.at, intake.end);
    if (filled && this.#state === State.Body && stream.reading && this.body.plainBytes >= SPLICE_BYTES_MIN) {
      if (this.#requester!.spliceTo !== null) this.#splicer.begin();
    }
  }

  onDrained(_stream: Stream): void {
    this.#requester?.onServerDrained();
  }

  onConnected(stream: Stream): void {
    this.#connectTimer.cancel();
    const series = this.target.series.connect;
    stream.meter = series;
    series.opened();
    this.target.member?.onReachable();
  }

  onBroken(stream: Stream, errno: number): void {
    if (stream.connecting) this.#onConnectFailed(errno);
    else if (errno === Errno.EPIPE && (this.#state === State.Head || this.#state === State.Body)) this.#readToEnd();
    else this.#onLost(errno);
  }

  onTimer(_kind: number): void {
    this.#onConnectFailed(Errno.ETIMEDOUT);
  }

  #reset(target: Target, pool: HostPool | null): void {
    this.#target = target;
    this.pool = pool;
    this.reused = false;
    this.broken = false;
    this.#intake.readBytes = READ_BYTES_FIRST;
    this.#givenBytes = 0;
  }

  #onConnectFailed(errno: number): void {
    this.target.member?.onUnreachable(null);
    this.#requester!.onConnectFailed(errno);
  }

  /**
   * The server ended its direction before it reset (Linux says EPIPE): all that it sent is in our kernel, and is read
   * as fast as it is taken.
   */
  #readToEnd(): void {
    const { stream } = this;
    this.broken = true;
    this.reusable = false;
    if (!stream.reading) return;
    // It is not watched since it broke.
    stream.pauseReading();
    stream.resumeReading();
  }

  /** The server ended its direction (errno 0) or reset. */
  #onLost(errno: number): void {
    const requester = this.#requester;
    switch (this.#state) {
      case State.Idle:
        this.dropIdle();
        break;
      case State.Head:
        if (this.#intake.carry.empty) requester!.onNoResponse(this, errno);
        else requester!.onBadResponse("connection ended within the response head");
        break;
      case State.Body:
        if (errno === 0 && this.body.endsByClose) this.#onComplete();
        else requester!.onResponseTruncated();
        break;
      case State.Done:
        requester!.onServerGone();
        break;
      default:
        break;
    }
  }

  #consume(buf: Buf, at: number, end: number): void {
    let from = at;
    while (from >= 0) {
      if (this.#state === State.Head) from = this.#readHead(buf, from, end);
      else if (this.#state === State.Body) from = this.#relayBody(buf, from, end);
      else {
        // The response is complete, its request is not: more answers nothing that was asked.
        this.reusable = false;
        return;
      }
    }
  }

  /** Returns where to go on, -1 when there is nothing to go on with. */
  #readHead(buf: Buf, at: number, end: number): number {
    const intake = this.#intake;
    const step = intake.parse(buf, at, end);
    if (step === HeadStep.Ok) {
      const next = this.#takeHead(buf, intake.head!, end);
      intake.releaseHead();
      return next;
    }
    if (step !== HeadStep.NeedMore) this.#requester!.onBadResponse(headErrorReason(step));
    return -1;
  }

  #takeHead(buf: Buf, head: Head, end: number): number {
    const requester = this.#requester!;
    const { exchange } = requester;
    const kind = responseBodyKind(head, exchange.method);
    if (kind === BodyKind.Tunnel) {
      requester.onTunnel(buf, head, end);
      return -1;
    }
    if (head.status < 200) return requester.onInterim(buf, head) ? head.end : -1;
    const { body } = this;
    body.begin(kind, head.contentLength);
    const bodyEnd = this.#takeBody(buf, head.end, end);
    if (body.error !== 0) {
      requester.onBadResponse(chunkErrorReason(body.error));
      return -1;
    }
    const mayStay = head.keepAlive && !head.closeAfter && kind !== BodyKind.Close && !exchange.upgrade;
    this.reusable = mayStay && !this.broken;
    this.#state = State.Body;
    return requester.onResponse(buf, head, bodyEnd) ? this.#afterBody(buf, bodyEnd, end) : -1;
  }

  #relayBody(buf: Buf, at: number, end: number): number {
    const good = this.#takeBody(buf, at, end);
    if (this.body.error !== 0) {
      this.#requester!.onResponseTruncated();
      return -1;
    }
    if (good > at && !this.#requester!.onBody(buf, at, good)) return -1;
    return this.#afterBody(buf, good, end);
  }

  #takeBody(buf: Buf, at: number, end: number): number {
    return this.#requester!.wantsData ? this.body.takeData(buf.bytes, at, end) : this.body.take(buf.bytes, at, end);
  }

  #spliceBody(): void {
    const requester = this.#requester!;
    const splicer = this.#splicer;
    const to = requester.spliceTo!;
    const moved = this.body.done ? -Errno.EAGAIN : splicer.fill(this.stream, this.body.plainBytes);
    if (moved > 0) {
      this.body.skip(moved);
    } else if (moved !== -Errno.EAGAIN) {
      requester.onResponseTruncated();
      return;
    }
    requester.onSpliced(Math.max(0, moved));
    if (splicer.drain(to) < 0) {
      requester.onSpliceFailed();
    } else if (splicer.bytes > 0) {
      this.stream.pauseReading();
      to.awaitWritable();
    } else {
      this.stream.resumeReading();
      if (this.body.done) {
        splicer.end();
        this.#onComplete();
      }
    }
  }

  #afterBody(buf: Buf, at: number, end: number): number {
    if (this.body.done) {
      // Bytes behind the response answer nothing that was asked.
      if (at < end) this.reusable = false;
      this.#intake.carry.clear();
      this.#onComplete();
    } else {
      this.#intake.carry.keep(buf, at, end);
    }
    return -1;
  }

  #onComplete(): void {
    this.#state = State.Done;
    this.#requester!.onResponseDone();
  }

  #release(): void {
    this.#state = State.Closed;
    this.#requester = null;
    this.#connectTimer.cancel();
    this.#intake.clear();
    this.#splicer.end();
    this.pool = null;
    this.#side.http1Clients.release(this);
  }
}
