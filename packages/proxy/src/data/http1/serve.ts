import { L5D_HEADERS } from "@bowline/contracts";
import { type Buf, Errno, type Stream, type StreamOwner, Timer, type TimerOwner, WriteResult } from "@bowline/loop";
import {
  chunkErrorReason,
  type Head,
  HeadStep,
  headErrorReason,
  isHeadSizeError,
  Method,
  markField,
  markHopByHop,
  parseRequestHead,
  requestBodyKind,
  rewriteHead,
} from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import { NO_GRPC_STATUS } from "../call/response-plan.ts";
import type { Connection } from "../connection.ts";
import { Cause, connectCause, FAILURES } from "../failures.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { BodyReader } from "./body-reader.ts";
import { Carry, HEADROOM_BYTES, READ_BYTES_FIRST, READ_BYTES_MAX, READ_BYTES_MIN } from "./carry.ts";
import { adoptEarly, dialNew, giveBack, poolFor, takeIdle } from "./dial.ts";
import { writeErrorResponse } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import type { HostPool } from "./host-pool.ts";
import type { Http1Client } from "./relay.ts";
import { mayReplay, ReplayCopy } from "./replay.ts";

const State = {
  /** No connection. */
  Closed: 0,
  /** Between requests, or within a request head. */
  Head: 1,
  /** The request's body is on its way. */
  Body: 2,
  /** The request is sent; its response is not complete. */
  Waiting: 3,
  /** The last response is complete but for bytes the client has not taken. */
  Flushing: 4,
  /** Everything is said; what the client still sends is thrown away until it closes. */
  Lingering: 5,
} as const;
type State = (typeof State)[keyof typeof State];

/** Pipelined requests are read ahead up to this many bytes. */
const PIPELINE_BYTES_MAX = 16384;
/** A lingering connection is closed after this, whatever its client does. */
const LINGER_MS = 2000;
/** A client that has ended its direction waits this long for a response that makes no progress. */
const HALF_CLOSED_MS = 10_000;

const CLIENT_ID = asciiBytes(L5D_HEADERS.clientId);

/** The serving side of one client connection: reads requests, sends them on, one at a time and in order. */
export class Http1Server implements StreamOwner, TimerOwner {
  readonly exchange: Exchange = new Exchange();
  /** The place in the side's list of serving connections. */
  index = -1;
  readonly #side: Side;
  readonly #request = new BodyReader();
  readonly #carry: Carry;
  readonly #replay: ReplayCopy;
  readonly #timer: Timer = new Timer(this, 0);
  #state: State = State.Closed;
  #connection: Connection | null = null;
  #head: Head | null = null;
  /** The connection that answers the request in hand; null between requests. */
  #client: Http1Client | null = null;
  #pool: HostPool | null = null;
  #halfClosed = false;
  /** The client has sent, or did not know that it must not send, more after the request whose response is the last. */
  #talksOn = false;
  #progressSeen = 0;
  #readBytes = READ_BYTES_FIRST;

  constructor(side: Side) {
    this.#side = side;
    this.#carry = new Carry(side.plane.reactor.io, side.plane.bufs);
    this.#replay = new ReplayCopy(side.plane.reactor.io, side.plane.bufs);
  }

  /** Takes over a connection whose first bytes are buf[at, end). */
  begin(connection: Connection, buf: Buf, at: number, end: number): void {
    this.#connection = connection;
    this.#state = State.Head;
    this.#halfClosed = false;
    this.#talksOn = false;
    this.#readBytes = READ_BYTES_FIRST;
    this.index = this.#side.servers.push(this) - 1;
    connection.stream.owner = this;
    this.#consume(buf, at, end);
  }

  /** The client's connection; only while there is one. */
  get stream(): Stream {
    return this.#connection!.stream;
  }

  get target(): Target {
    return this.#connection!.target;
  }

  /** Answers what has been received, then closes. */
  drain(): void {
    // A request may be waiting in the socket: closing over it would be a reset, so it is read first.
    if (this.#state === State.Head && this.#carry.empty) this.onReadable(this.stream);
    if (this.#state === State.Head && this.#carry.empty) this.#closeWhenFlushed();
    else if (this.#client !== null && !this.exchange.responseStarted) this.exchange.keepAlive = false;
  }

  check(_nowMs: number): void {}

  onReadable(stream: Stream): void {
    if (this.#state === State.Lingering) {
      this.#discard(stream);
      return;
    }
    const carry = this.#carry;
    const moved = carry.makeRoom(this.#carryBytesMax());
    this.#head?.shift(moved);
    const held = carry.buf;
    if (held !== null && carry.room === 0) {
      stream.pauseReading();
      return;
    }
    const buf = held ?? this.#side.plane.rx;
    const at = held === null ? HEADROOM_BYTES : carry.end;
    const received = stream.read(buf, at, held === null ? this.#readBytes : Math.min(carry.room, this.#readBytes));
    if (received > 0) {
      if (held === null) {
        this.#consume(buf, at, at + received);
      } else {
        carry.end += received;
        this.#consume(buf, carry.at, carry.end);
      }
    } else if (received === 0) {
      this.#onEnd();
    } else if (received !== -Errno.EAGAIN) {
      this.abort();
    }
  }

  /** The client has taken the response bytes that were held for it. */
  onDrained(_stream: Stream): void {
    if (this.#state === State.Flushing) this.#closeWhenFlushed();
    else this.#client?.onClientDrained();
  }

  onConnected(_stream: Stream): void {}

  onBroken(_stream: Stream, _errno: number): void {
    this.abort();
  }

  onTimer(_kind: number): void {
    switch (this.#state) {
      case State.Head:
        this.#fail(Cause.HeadTimeout, "");
        break;
      case State.Lingering:
        if (this.stream.heldBytes > 0) this.#flush();
        else this.#close();
        break;
      default:
        if (!this.#halfClosed) break;
        if (this.#progress() === this.#progressSeen) this.abort();
        else this.#watchHalfClosed();
    }
  }

  /** The upstream takes bytes again. */
  onUpstreamDrained(): void {
    if (this.#state === State.Body) this.stream.resumeReading();
  }

  /** No connection to the destination came about. */
  onConnectFailed(errno: number): void {
    this.#fail(connectCause(errno), this.target.name);
  }

  /** The upstream ended (errno 0) or broke before it sent any byte of a response. */
  onNoResponse(client: Http1Client, errno: number): void {
    if (mayReplay(this.#replay, this.exchange, client, errno)) this.#sendAgain(client);
    else this.#fail(errno === 0 ? Cause.UpstreamClosed : Cause.UpstreamReset, this.target.name);
  }

  /** What the upstream sent cannot be a response; nothing of it has gone to the client. */
  onBadResponse(reason: string): void {
    this.#fail(Cause.BadResponse, reason);
  }

  /** The first byte of a response is there: from here on the request cannot be sent again. */
  onResponseByte(): void {
    this.#replay.clear();
  }

  /** The final response head is about to go to the client. */
  onResponseHead(status: number): void {
    const exchange = this.exchange;
    exchange.responseStarted = true;
    exchange.status = status;
    this.#leaveFlight();
    this.target.series.http.latencyMs(status).observe(this.#side.plane.reactor.nowMs - exchange.startMs);
  }

  /**
   * Sends response bytes to the client; false when the client is gone, and this connection with it.
   * @param last they are the response's last
   */
  respond(buf: Buf, at: number, end: number, last: boolean): boolean {
    const { exchange } = this;
    exchange.progress++;
    const closeFollows = last && !exchange.keepAlive && this.#request.done;
    const result = this.stream.write(buf, at, end, closeFollows);
    if (result === WriteResult.Broken) {
      this.abort();
      return false;
    }
    if (result === WriteResult.Held) this.#client!.slowDown();
    return true;
  }

  onResponseDone(): void {
    this.exchange.responseDone = true;
    this.target.series.http.total(this.exchange.status, NO_GRPC_STATUS).value += 1;
    this.#settle();
  }

  /** The upstream broke within the response: the client must not take what it has for the whole. */
  onResponseTruncated(): void {
    this.#side.failed(this.target, Cause.ResponseTruncated, true, "");
    this.target.series.http.broken(this.exchange.status).value += 1;
    this.abort();
  }

  /** The upstream closed after its response while the request was still being sent. */
  onUpstreamGone(): void {
    this.#linger();
  }

  /** From here on bytes pass both ways as they are: leaves the client's connection to the caller. */
  handOver(): { connection: Connection; carry: Carry } {
    const connection = this.#connection!;
    this.target.series.http.total(this.exchange.status, NO_GRPC_STATUS).value += 1;
    this.#client = null;
    this.#timer.cancel();
    return { connection, carry: this.#carry };
  }

  /** Ends at once in both directions, with resets, so that neither side takes a fragment for the whole. */
  abort(): void {
    this.#client?.reset();
    this.#client = null;
    this.stream.reset();
    this.release();
  }

  /** Back to the pool of serving connections; the stream is closed or handed over. */
  release(): void {
    this.#state = State.Closed;
    this.#leaveFlight();
    this.#timer.cancel();
    this.#carry.clear();
    this.#replay.clear();
    this.#releaseHead();
    this.#pool = null;
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
          from = this.#relayBody(buf, from, end);
          break;
        case State.Waiting:
          this.#carry.keep(buf, from, end);
          return;
        case State.Flushing:
          this.#talksOn = true;
          return;
        default:
          return;
      }
    }
  }

  /** Returns where the bytes behind the head and what there is of the body begin, -1 when there is nothing to go on with. */
  #readHead(buf: Buf, at: number, end: number): number {
    if (at === end) {
      this.#carry.clear();
      return -1;
    }
    const plane = this.#side.plane;
    this.#head ??= plane.heads.acquire();
    const head = this.#head;
    const step = parseRequestHead(buf.bytes, at, end, plane.headLimits, head);
    if (step === HeadStep.Ok) {
      this.#timer.cancel();
      const next = this.#beginExchange(buf, head, end);
      this.#releaseHead();
      return next;
    }
    if (step === HeadStep.NeedMore) {
      head.shift(this.#carry.keep(buf, at, end));
      if (!this.#timer.scheduled) plane.reactor.after(this.#timer, plane.config.http1.headTimeoutMs);
    } else {
      this.#fail(isHeadSizeError(step) ? Cause.HeadTooLarge : Cause.BadRequest, headErrorReason(step));
    }
    return -1;
  }

  #beginExchange(buf: Buf, head: Head, end: number): number {
    const side = this.#side;
    const upgrade = head.method === Method.Connect || (head.upgrade && !head.upgradeIsH2c);
    this.exchange.begin(head, upgrade, side.plane.reactor.nowMs);
    if (side.draining) this.exchange.keepAlive = false;
    this.target.series.http.requests.value += 1;
    side.requestsInFlight += 1;
    if (side.requestsInFlight > side.config.requestsInFlightMax) return this.#fail(Cause.LoadShed, "");

    const request = this.#request;
    request.begin(requestBodyKind(head), head.contentLength);
    const bodyEnd = request.take(buf.bytes, head.end, end);
    if (request.error !== 0) return this.#fail(Cause.BadRequest, chunkErrorReason(request.error));
    if (!upgrade) markHopByHop(buf.bytes, head);
    if (head.l5d && side.direction === "inbound") markField(buf.bytes, head, CLIENT_ID);
    const start = rewriteHead(buf.bytes, head, null, 0);

    const client = this.#dial(buf, head);
    if (client === null) return -1;
    this.#state = request.done ? State.Waiting : State.Body;
    this.#client = client;
    client.begin(this);
    if (client.reused) this.#replay.begin();
    this.#send(client, buf, start, bodyEnd);
    return bodyEnd;
  }

  #dial(buf: Buf, head: Head): Http1Client | null {
    const side = this.#side;
    const target = this.target;
    const refusal = side.refusal(target);
    if (refusal !== null) {
      this.#fail(refusal, target.name);
      return null;
    }
    const pool = poolFor(target, buf.bytes, head, this.#pool);
    this.#pool = pool;
    const connection = this.#connection!;
    if (connection.hasEarly) return adoptEarly(side, connection, pool);
    const idle = pool === null ? null : takeIdle(side, pool);
    if (idle !== null) return idle;
    const client = dialNew(side, target, pool);
    if (typeof client !== "number") return client;
    this.#fail(connectCause(-client), target.name);
    return null;
  }

  #relayBody(buf: Buf, at: number, end: number): number {
    const request = this.#request;
    const good = request.take(buf.bytes, at, end);
    if (request.error !== 0) return this.#fail(Cause.BadRequest, chunkErrorReason(request.error));
    if (good > at) this.#send(this.#client!, buf, at, good);
    if (request.done) {
      this.#state = State.Waiting;
      this.#carry.keep(buf, good, end);
      this.#settle();
      return -1;
    }
    this.#carry.keep(buf, good, end);
    return -1;
  }

  #send(client: Http1Client, buf: Buf, at: number, end: number): void {
    this.#replay.add(buf, at, end);
    switch (client.send(buf, at, end)) {
      case WriteResult.Done:
        if (end - at >= this.#readBytes) this.#readBytes = Math.min(2 * this.#readBytes, READ_BYTES_MAX);
        break;
      case WriteResult.Held:
        this.#readBytes = READ_BYTES_MIN;
        if (!this.#request.done) this.stream.pauseReading();
        break;
      case WriteResult.Broken:
        // The server may have answered before it closed: its end, or its answer, comes as an event.
        if (!this.#request.done) this.stream.pauseReading();
        break;
    }
  }

  #sendAgain(old: Http1Client): void {
    const side = this.#side;
    old.reset();
    this.#client = null;
    this.target.series.replayed();
    const client = dialNew(side, this.target, this.#pool);
    if (typeof client === "number") {
      this.#fail(connectCause(-client), this.target.name);
      return;
    }
    this.#client = client;
    client.begin(this);
    const copy = this.#replay;
    const result = client.send(copy.buf!, 0, copy.bytes);
    copy.clear();
    if (result === WriteResult.Done) this.onUpstreamDrained();
  }

  /** Goes on to the next request once request and response are both complete. */
  #settle(): void {
    const exchange = this.exchange;
    if (!exchange.responseDone) return;
    const client = this.#client!;
    if (!this.#request.done) {
      if (client.broken) this.#linger();
      return;
    }
    this.#client = null;
    this.#replay.clear();
    if (client.reusable) giveBack(this.#side, client);
    else client.close();
    if (!exchange.keepAlive || this.#side.draining) {
      if (this.#side.draining) this.#talksOn = true;
      this.#closeWhenFlushed();
      return;
    }
    this.#state = State.Head;
    if (!this.#halfClosed) this.stream.resumeReading();
    const carry = this.#carry;
    if (carry.buf !== null) this.#consume(carry.buf, carry.at, carry.end);
    if (this.#halfClosed) this.#afterLastBytes();
  }

  /** The client had ended its direction; what it sent before has been looked at. */
  #afterLastBytes(): void {
    switch (this.#state) {
      case State.Head:
        this.#closeWhenFlushed();
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

  /** Answers with a synthesised response, or with a reset when a response has begun. Returns -1: nothing to go on with. */
  #fail(cause: Cause, detail: string): number {
    const side = this.#side;
    side.failed(this.target, cause, true, detail);
    if (this.#client !== null && this.exchange.responseStarted) {
      this.abort();
      return -1;
    }
    if (this.exchange.inFlight) this.target.series.http.failed().value += 1;
    this.#client?.reset();
    this.#client = null;
    const scratch = side.plane.scratch;
    const end = writeErrorResponse(scratch, 0, cause, detail, side.informational);
    if (FAILURES[cause].status === 0 || this.stream.write(scratch, 0, end) === WriteResult.Broken) this.abort();
    else this.#linger();
    return -1;
  }

  /** The client has ended its direction. */
  #onEnd(): void {
    switch (this.#state) {
      case State.Head:
        // The last response may not be out yet.
        this.#halfClosed = true;
        this.stream.pauseReading();
        this.#closeWhenFlushed();
        break;
      case State.Body:
        this.abort();
        break;
      default:
        this.#halfClosed = true;
        this.stream.pauseReading();
        this.#watchHalfClosed();
    }
  }

  #watchHalfClosed(): void {
    this.#progressSeen = this.#progress();
    this.#side.plane.reactor.after(this.#timer, HALF_CLOSED_MS);
  }

  /** Differs while request bytes are going to the server, or response bytes coming from it or going to the client. */
  #progress(): number {
    return this.exchange.progress - this.stream.heldBytes - (this.#client?.stream.heldBytes ?? 0);
  }

  #closeWhenFlushed(): void {
    if (!this.#carry.empty) this.#talksOn = true;
    this.#carry.clear();
    if (this.stream.heldBytes > 0) this.#flush();
    else if (this.#talksOn) this.#linger();
    else this.#close();
  }

  #flush(): void {
    this.#state = State.Flushing;
    if (this.#halfClosed) this.#watchHalfClosed();
  }

  /** Says that we are done and reads on for a while: closing over unread bytes would reset the response away. */
  #linger(): void {
    this.#client?.close();
    this.#client = null;
    this.#leaveFlight();
    this.#state = State.Lingering;
    this.#carry.clear();
    this.stream.finish();
    if (this.#halfClosed && this.stream.heldBytes === 0) {
      this.#close();
      return;
    }
    this.stream.resumeReading();
    this.#side.plane.reactor.after(this.#timer, LINGER_MS);
  }

  #discard(stream: Stream): void {
    const received = stream.read(this.#side.plane.rx, 0, READ_BYTES_MAX);
    if (received > 0 || received === -Errno.EAGAIN) return;
    if (received === 0 && stream.heldBytes > 0) {
      stream.pauseReading();
      this.#halfClosed = true;
      this.#flush();
    } else {
      this.#close();
    }
  }

  #close(): void {
    this.stream.close();
    this.release();
  }

  #leaveFlight(): void {
    if (!this.exchange.inFlight) return;
    this.exchange.inFlight = false;
    this.#side.requestsInFlight -= 1;
  }

  #releaseHead(): void {
    if (this.#head === null) return;
    this.#head.reset();
    this.#side.plane.heads.release(this.#head);
    this.#head = null;
  }

  /** How much may be kept: a head of the largest size, or a little of the next requests. */
  #carryBytesMax(): number {
    return this.#state === State.Waiting ? PIPELINE_BYTES_MAX : this.#side.plane.carryBytesMax;
  }
}
