import { L5D_HEADERS } from "@bowline/contracts";
import { type Buf, Errno, type Stream, type StreamOwner, Timer, type TimerOwner, WriteResult } from "@bowline/loop";
import {
  type Head,
  HeadStep,
  headErrorReason,
  isHeadSizeError,
  Method,
  markField,
  markHopByHop,
  parseRequestHead,
  requestBodyKind,
} from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import type { Connection } from "../connection.ts";
import { Cause, FAILURES } from "../failures.ts";
import type { OpaqueRelay } from "../opaque/relay.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { BodyReader } from "./body-reader.ts";
import { ByteWay } from "./byte-way.ts";
import { CallWay } from "./call-way.ts";
import { Ending, HALF_CLOSED_MS } from "./ending.ts";
import { EndpointSearch, type EndpointSearchOwner } from "./endpoint-search.ts";
import { writeErrorResponse } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { Intake } from "./intake.ts";
import type { RequestWay } from "./request-way.ts";

const State = {
  /** No connection, or none that this has to do with any more. */
  Closed: 0,
  /** Between requests, or within a request head. */
  Head: 1,
  /** The request's body is on its way. */
  Body: 2,
  /** The request has come in; its response is not complete. */
  Waiting: 3,
  /** A request's head is here, and waits to be read again once there is an endpoint for it. */
  Seeking: 4,
} as const;
type State = (typeof State)[keyof typeof State];

/** Pipelined requests are read ahead up to this many bytes. */
const PIPELINE_BYTES_MAX = 16384;

const CLIENT_ID = asciiBytes(L5D_HEADERS.clientId);
const HTTP2_SETTINGS = asciiBytes("http2-settings");

/** The serving side of one client connection: reads requests and has them answered, one at a time and in order. */
export class Http1Server implements StreamOwner, TimerOwner, EndpointSearchOwner {
  readonly exchange: Exchange = new Exchange();
  /** The body of the request in hand. */
  readonly request: BodyReader = new BodyReader();
  /** The place in the side's list of serving connections. */
  index = -1;
  readonly #side: Side;
  readonly #intake: Intake;
  readonly #ending: Ending;
  readonly #bytes: ByteWay;
  /** Made when there is a request for it. */
  #calls: CallWay | null = null;
  readonly #search: EndpointSearch = new EndpointSearch(this);
  readonly #timer: Timer = new Timer(this, 0);
  #state: State = State.Closed;
  #connection: Connection | null = null;
  /** How the request in hand goes on; null between requests. */
  #way: RequestWay | null = null;
  #halfClosed = false;
  #abandoned = false;
  #progressSeen = 0;

  constructor(side: Side) {
    this.#side = side;
    this.#intake = new Intake(side.plane, parseRequestHead);
    this.#ending = new Ending(side.plane, this);
    this.#bytes = new ByteWay(side, this);
  }

  /** Takes over a connection whose first bytes are buf[at, end). */
  begin(connection: Connection, buf: Buf, at: number, end: number): void {
    this.#connection = connection;
    this.#state = State.Head;
    this.#halfClosed = false;
    this.#abandoned = false;
    this.index = this.#side.servers.push(this) - 1;
    connection.stream.owner = this;
    this.#consume(buf, at, end);
  }

  /** The client's connection; only while there is one. */
  get connection(): Connection {
    return this.#connection!;
  }

  get stream(): Stream {
    return this.#connection!.stream;
  }

  /** The endpoint of requests that pass as they are. */
  get target(): Target {
    return this.#connection!.endpoint!;
  }

  /** One read of request bytes at most. */
  get readBytes(): number {
    return this.#intake.readBytes;
  }

  set readBytes(bytes: number) {
    this.#intake.readBytes = bytes;
  }

  /** Answers what has been received, then closes. */
  drain(): void {
    const { carry } = this.#intake;
    // A request may be waiting in the socket: closing over it would be a reset, so it is read first.
    if (this.#state === State.Head && carry.empty) this.onReadable(this.stream);
    if (this.#state === State.Head && carry.empty) this.#closeWhenFlushed(false);
    else if (this.#way !== null && !this.exchange.responseStarted) this.exchange.keepAlive = false;
  }

  abandon(): void {
    switch (this.#state) {
      case State.Head:
      case State.Seeking:
        this.#closeWhenFlushed(true);
        break;
      case State.Body:
      case State.Waiting:
        this.#abandoned = true;
        this.exchange.keepAlive = false;
        break;
      default:
        break;
    }
  }

  check(_nowMs: number): void {}

  onReadable(stream: Stream): void {
    const intake = this.#intake;
    const received = intake.receive(stream, this.#keptBytesMax());
    if (received > 0) this.#consume(intake.buf, intake.at, intake.end);
    else if (received === 0) this.#onEnd();
    else if (received !== -Errno.EAGAIN) this.abort();
  }

  /** The client has taken the response bytes that were held for it. */
  onDrained(_stream: Stream): void {
    this.#way?.onClientDrained();
  }

  onConnected(_stream: Stream): void {}

  onBroken(_stream: Stream, _errno: number): void {
    this.abort();
  }

  onTimer(_kind: number): void {
    if (this.#state === State.Head) this.fail(Cause.HeadTimeout, "");
    else if (!this.#halfClosed) return;
    else if (this.#progress() === this.#progressSeen) this.abort();
    else this.#watchHalfClosed();
  }

  /** Request bytes can be taken again. */
  resumeRequest(): void {
    if (this.#state === State.Body) this.stream.resumeReading();
  }

  /** The response is complete: goes on to the next request once the one in hand is, too. */
  onResponseDone(): void {
    this.exchange.responseDone = true;
    this.#settle();
  }

  onEndpoint(): void {
    this.#state = State.Head;
    this.stream.resumeReading();
    const { carry } = this.#intake;
    this.#consume(carry.buf!, carry.at, carry.end);
  }

  onNoEndpoint(cause: Cause): void {
    this.fail(cause, this.target.name);
  }

  /** From here on bytes pass both ways as they are: leaves the client's connection to the relay. */
  handOver(relay: OpaqueRelay): void {
    const { carry } = this.#intake;
    this.#way = null;
    this.#timer.cancel();
    relay.begin(this.connection, carry.buf, carry.at, carry.end);
    this.release();
  }

  /**
   * Counts a failure and answers with a synthesised response, or with a reset when a response has begun. Returns -1:
   * there is nothing to go on with.
   */
  fail(cause: Cause, detail: string): number {
    this.#side.failed(this.target, cause, true, detail);
    if (this.#way !== null && this.exchange.responseStarted) {
      this.abort();
      return -1;
    }
    this.#way?.fail();
    this.#way = null;
    this.answerFailure(cause, detail);
    return -1;
  }

  /** Answers with a synthesised response; the way of the request has been left. */
  answerFailure(cause: Cause, detail: string): void {
    this.#way = null;
    const { scratch } = this.#side.plane;
    const end = writeErrorResponse(scratch, 0, cause, detail, this.#side.informational);
    if (FAILURES[cause].status === 0 || this.stream.write(scratch, 0, end) === WriteResult.Broken) this.abort();
    else this.linger();
  }

  /** The response is complete or synthesised; what the client still sends is of no use. */
  linger(): void {
    this.#way?.stop();
    this.#leave();
    this.#ending.linger(this.stream, this.#halfClosed);
  }

  /** Ends at once in both directions, with resets, so that neither side takes a fragment for the whole. */
  abort(): void {
    this.#way?.reset();
    this.stream.reset();
    this.release();
  }

  /** Back to the pool of serving connections; the stream is closed or handed over. */
  release(): void {
    this.#leave();
    this.#bytes.clear();
    this.#connection = null;
    const servers = this.#side.servers;
    const last = servers.pop()!;
    if (last !== this) {
      servers[this.index] = last;
      last.index = this.index;
    }
    this.index = -1;
    this.#side.http1Servers.release(this);
  }

  #consume(buf: Buf, at: number, end: number): void {
    let from = at;
    while (from >= 0) {
      switch (this.#state) {
        case State.Head:
          from = this.#readHead(buf, from, end);
          break;
        case State.Body:
          from = this.#takeBody(buf, from, end);
          break;
        case State.Waiting:
          this.#intake.carry.keep(buf, from, end);
          return;
        default:
          return;
      }
    }
  }

  /** Returns where the bytes behind the head and what there is of the body begin, -1 when there is nothing to go on with. */
  #readHead(buf: Buf, at: number, end: number): number {
    const intake = this.#intake;
    const step = intake.parse(buf, at, end);
    if (step === HeadStep.Ok) {
      this.#timer.cancel();
      const next = this.#beginExchange(buf, intake.head!, end);
      intake.releaseHead();
      return next;
    }
    if (step !== HeadStep.NeedMore) {
      this.fail(isHeadSizeError(step) ? Cause.HeadTooLarge : Cause.BadRequest, headErrorReason(step));
    } else if (at < end && !this.#timer.scheduled) {
      const { plane } = this.#side;
      plane.reactor.after(this.#timer, plane.config.http1.headTimeoutMs);
    }
    return -1;
  }

  #beginExchange(buf: Buf, head: Head, end: number): number {
    const side = this.#side;
    const { exchange, request } = this;
    const upgrade = head.method === Method.Connect || (head.upgrade && !head.upgradeIsH2c);
    const { plain } = this.connection;
    if (plain) {
      this.connection.endpoint = this.connection.target;
    } else if (upgrade && !this.#search.found(this.connection)) {
      if (this.#search.waiting) this.#seek(buf, head, end);
      return -1;
    }
    exchange.begin(head, upgrade, side.plane.reactor.nowMs);
    if (side.draining) exchange.keepAlive = false;
    request.begin(requestBodyKind(head), head.contentLength);
    if (!upgrade) markHopByHop(buf.bytes, head);
    if (head.upgradeIsH2c) markField(buf.bytes, head, HTTP2_SETTINGS);
    if (head.l5d && side.direction === "inbound") markField(buf.bytes, head, CLIENT_ID);
    const way = upgrade || plain ? this.#bytes : this.#callWay();
    this.#way = way;
    const next = way.begin(buf, head, end);
    if (next >= 0) this.#state = request.done ? State.Waiting : State.Body;
    return next;
  }

  #seek(buf: Buf, head: Head, end: number): void {
    this.#state = State.Seeking;
    this.#intake.carry.keep(buf, head.start, end);
    this.stream.pauseReading();
  }

  #callWay(): CallWay {
    this.#calls ??= new CallWay(this.#side, this);
    return this.#calls;
  }

  #takeBody(buf: Buf, at: number, end: number): number {
    const next = this.#way!.takeBody(buf, at, end);
    if (next < 0) return -1;
    this.#intake.carry.keep(buf, next, end);
    if (this.request.done) {
      this.#state = State.Waiting;
      this.#settle();
    }
    return -1;
  }

  /** Goes on to the next request once request and response are both complete. */
  #settle(): void {
    const { exchange } = this;
    if (!exchange.responseDone) return;
    const way = this.#way!;
    if (!this.request.done) {
      if (way.requestUnwanted) this.linger();
      return;
    }
    this.#way = null;
    way.finish();
    if (!exchange.keepAlive || this.#side.draining) {
      // Who is not told that this response is the last may be sending another request.
      this.#closeWhenFlushed(this.#side.draining || this.#abandoned);
      return;
    }
    this.#state = State.Head;
    if (!this.#halfClosed) this.stream.resumeReading();
    const { carry } = this.#intake;
    if (carry.buf !== null) this.#consume(carry.buf, carry.at, carry.end);
    if (this.#halfClosed) this.#afterLastBytes();
  }

  /** The client had ended its direction; what it sent before has been looked at. */
  #afterLastBytes(): void {
    switch (this.#state) {
      case State.Head:
        this.#closeWhenFlushed(false);
        break;
      case State.Body:
        this.abort();
        break;
      case State.Waiting:
        this.#watchHalfClosed();
        break;
      default:
        break;
    }
  }

  /** The client has ended its direction. */
  #onEnd(): void {
    if (this.#state === State.Body) {
      this.abort();
      return;
    }
    this.#halfClosed = true;
    this.stream.pauseReading();
    // The last response may not be out yet.
    if (this.#state === State.Head) this.#closeWhenFlushed(false);
    else this.#watchHalfClosed();
  }

  #watchHalfClosed(): void {
    this.#progressSeen = this.#progress();
    this.#side.plane.reactor.after(this.#timer, HALF_CLOSED_MS);
  }

  /** Differs while request bytes are going to the server, or response bytes coming from it or going to the client. */
  #progress(): number {
    return this.exchange.progress - this.stream.heldBytes - (this.#way?.waitingBytes ?? 0);
  }

  /** @param talksOn the client may be sending more */
  #closeWhenFlushed(talksOn: boolean): void {
    const sentMore = !this.#intake.carry.empty;
    this.#leave();
    this.#ending.closeWhenFlushed(this.stream, this.#halfClosed, talksOn || sentMore);
  }

  /** Has no more to do with requests. */
  #leave(): void {
    this.#state = State.Closed;
    this.#way = null;
    this.#timer.cancel();
    this.#search.cancel();
    this.#intake.clear();
  }

  /** How much may be kept: a head of the largest size, or a little of the next requests. */
  #keptBytesMax(): number {
    return this.#state === State.Waiting ? PIPELINE_BYTES_MAX : this.#side.plane.carryBytesMax;
  }
}
