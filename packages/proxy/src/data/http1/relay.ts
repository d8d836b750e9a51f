import { L5D_HEADERS } from "@bowline/contracts";
import { type Buf, Errno, Stream, type StreamOwner, Timer, type TimerOwner, WriteResult } from "@bowline/loop";
import {
  BodyKind,
  chunkErrorReason,
  type Head,
  HeadStep,
  headErrorReason,
  markField,
  markFraming,
  markHopByHop,
  parseResponseHead,
  responseBodyKind,
  rewriteHead,
} from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import type { Connection } from "../connection.ts";
import type { Side } from "../side.ts";
import { Splicer } from "../splice/splicer.ts";
import type { Target } from "../target.ts";
import { BodyReader } from "./body-reader.ts";
import { Carry, HEADROOM_BYTES, READ_BYTES_FIRST, READ_BYTES_MAX, READ_BYTES_MIN } from "./carry.ts";
import type { HostPool } from "./host-pool.ts";
import type { Http1Server } from "./serve.ts";

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

const CLOSE_LINE = asciiBytes("connection: close\r\n");
const KEEP_ALIVE_LINE = asciiBytes("connection: keep-alive\r\n");
const PROXY_ERROR = asciiBytes(L5D_HEADERS.proxyError);
const PROXY_ERROR_CAUSE = asciiBytes(L5D_HEADERS.proxyErrorCause);
const PROXY_CONNECTION = asciiBytes(L5D_HEADERS.proxyConnection);

/** From this many bytes to come, a body that arrives faster than it is read moves by splice. */
const SPLICE_BYTES_MIN = 131072;

/** One connection to a server: carries requests of one client connection after another and relays the responses. */
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
  readonly #side: Side;
  readonly #body = new BodyReader();
  readonly #carry: Carry;
  readonly #splicer: Splicer;
  readonly #connectTimer: Timer = new Timer(this, 0);
  #target: Target | null = null;
  #state: State = State.Closed;
  #server: Http1Server | null = null;
  #head: Head | null = null;
  #readBytes = READ_BYTES_FIRST;
  /** Bytes of requests given to the connection, in all and before the one in hand. */
  #givenBytes = 0;
  #givenBefore = 0;

  constructor(side: Side) {
    this.#side = side;
    const { reactor, bufs } = side.plane;
    this.stream = new Stream(reactor, bufs, this);
    this.#carry = new Carry(reactor.io, bufs);
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

  /** Serves a request of `server` next. */
  begin(server: Http1Server): void {
    this.#server = server;
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

  /** The server's kernel has acknowledged no byte of the request in hand. */
  nothingAcknowledged(): boolean {
    return this.stream.bytesAcknowledged() <= this.#givenBefore;
  }

  /** The client does not keep up: read less at a time, and only once it has taken what is held. */
  slowDown(): void {
    this.#readBytes = READ_BYTES_MIN;
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

  /** The connection is idle from now on. */
  rest(): void {
    this.#server = null;
    this.#state = State.Idle;
    this.stream.resumeReading();
  }

  /** The client takes response bytes again. */
  onClientDrained(): void {
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
    const carry = this.#carry;
    const moved = carry.makeRoom(this.#side.plane.carryBytesMax);
    this.#head?.shift(moved);
    const held = carry.buf;
    const buf = held ?? this.#side.plane.rx;
    const at = held === null ? HEADROOM_BYTES : carry.end;
    const wanted = held === null ? this.#readBytes : Math.min(carry.room, this.#readBytes);
    const received = stream.read(buf, at, wanted);
    if (received <= 0) {
      if (received !== -Errno.EAGAIN) this.#onLost(-received);
      return;
    }
    if (received === wanted) this.#readBytes = Math.min(2 * this.#readBytes, READ_BYTES_MAX);
    if (this.#state === State.Head) this.#server!.onResponseByte();
    if (held !== null) carry.end += received;
    this.#consume(buf, held === null ? at : carry.at, at + received);
    const more = received === wanted && this.#state === State.Body && stream.reading;
    if (more && this.#body.plainBytes >= SPLICE_BYTES_MIN) this.#splicer.begin();
  }

  onDrained(_stream: Stream): void {
    this.#server?.onUpstreamDrained();
  }

  onConnected(stream: Stream): void {
    this.#connectTimer.cancel();
    const series = this.target.series.connect;
    stream.meter = series;
    series.opened();
  }

  onBroken(stream: Stream, errno: number): void {
    if (stream.connecting) this.#onConnectFailed(errno);
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
    this.#readBytes = READ_BYTES_FIRST;
    this.#givenBytes = 0;
  }

  #onConnectFailed(errno: number): void {
    this.#server!.onConnectFailed(errno);
  }

  /** The server ended its direction (errno 0) or reset. */
  #onLost(errno: number): void {
    const server = this.#server;
    switch (this.#state) {
      case State.Idle:
        this.dropIdle();
        break;
      case State.Head:
        if (this.#carry.empty) server!.onNoResponse(this, errno);
        else server!.onBadResponse("connection ended within the response head");
        break;
      case State.Body:
        if (errno === 0 && this.#body.endsByClose) this.#onComplete();
        else server!.onResponseTruncated();
        break;
      case State.Done:
        server!.onUpstreamGone();
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
    if (at === end) {
      this.#carry.clear();
      return -1;
    }
    const plane = this.#side.plane;
    this.#head ??= plane.heads.acquire();
    const head = this.#head;
    const step = parseResponseHead(buf.bytes, at, end, plane.headLimits, head);
    if (step === HeadStep.NeedMore) {
      head.shift(this.#carry.keep(buf, at, end));
      return -1;
    }
    if (step !== HeadStep.Ok) {
      this.#server!.onBadResponse(headErrorReason(step));
      return -1;
    }
    const next = this.#takeHead(buf, head, end);
    this.#releaseHead();
    return next;
  }

  #takeHead(buf: Buf, head: Head, end: number): number {
    const server = this.#server!;
    const { exchange } = server;
    const kind = responseBodyKind(head, exchange.method);
    if (kind === BodyKind.Tunnel) return this.#beginTunnel(buf, head, end);
    if (!exchange.upgrade || head.status >= 200) markHopByHop(buf.bytes, head);
    if (this.#side.direction === "outbound" && head.l5d) this.#markProxyHeaders(buf, head);
    if (head.status < 200) {
      // RFC 9110 §15.2: interim responses are not for HTTP/1.0 clients.
      if (exchange.http10) return head.end;
      const start = rewriteHead(buf.bytes, head, null, 0);
      return server.respond(buf, start, head.end, false) ? head.end : -1;
    }

    const body = this.#body;
    body.begin(kind, head.contentLength);
    const bodyEnd = body.take(buf.bytes, head.end, end);
    if (body.error !== 0) {
      server.onBadResponse(chunkErrorReason(body.error));
      return -1;
    }
    // A body that ends by close ends the client's connection, too; so does a server that announces nothing else.
    if (kind === BodyKind.Close) exchange.keepAlive = false;
    this.reusable = head.keepAlive && !head.closeAfter && kind !== BodyKind.Close && !exchange.upgrade;
    let insert: Uint8Array | null = null;
    if (!exchange.keepAlive) insert = CLOSE_LINE;
    else if (exchange.http10) insert = KEEP_ALIVE_LINE;
    const start = rewriteHead(buf.bytes, head, insert, insert === null ? 0 : insert.length);
    this.#state = State.Body;
    server.onResponseHead(head.status);
    return server.respond(buf, start, bodyEnd, body.done) ? this.#afterBody(buf, bodyEnd, end) : -1;
  }

  #relayBody(buf: Buf, at: number, end: number): number {
    const body = this.#body;
    const good = body.take(buf.bytes, at, end);
    if (body.error !== 0) {
      this.#server!.onResponseTruncated();
      return -1;
    }
    if (good > at && !this.#server!.respond(buf, at, good, body.done)) return -1;
    return this.#afterBody(buf, good, end);
  }

  #spliceBody(): void {
    const server = this.#server!;
    const splicer = this.#splicer;
    const moved = this.#body.done ? -Errno.EAGAIN : splicer.fill(this.stream, this.#body.plainBytes);
    if (moved > 0) {
      this.#body.skip(moved);
    } else if (moved !== -Errno.EAGAIN) {
      server.onResponseTruncated();
      return;
    }
    server.exchange.progress++;
    if (splicer.drain(server.stream) < 0) {
      server.abort();
    } else if (splicer.bytes > 0) {
      this.stream.pauseReading();
      server.stream.awaitWritable();
    } else {
      this.stream.resumeReading();
      if (this.#body.done) {
        splicer.end();
        this.#onComplete();
      }
    }
  }

  #afterBody(buf: Buf, at: number, end: number): number {
    if (this.#body.done) {
      // Bytes behind the response answer nothing that was asked.
      if (at < end) this.reusable = false;
      this.#carry.clear();
      this.#onComplete();
    } else {
      this.#carry.keep(buf, at, end);
    }
    return -1;
  }

  #onComplete(): void {
    this.#state = State.Done;
    this.#server!.onResponseDone();
  }

  /** 101, or 2xx to CONNECT: the bytes of both sides pass as they are from here on. */
  #beginTunnel(buf: Buf, head: Head, end: number): number {
    const server = this.#server!;
    const { exchange } = server;
    if (!exchange.upgrade) {
      server.onBadResponse("a protocol switch that was not asked for");
      return -1;
    }
    if (head.status !== 101) markFraming(head);
    const start = rewriteHead(buf.bytes, head, null, 0);
    server.onResponseHead(head.status);
    if (!server.respond(buf, start, end, false)) return -1;
    const { connection, carry } = server.handOver();
    const relay = this.#side.opaqueRelays.acquire();
    this.stream = relay.swapUpstream(this.stream);
    this.#carry.clear();
    this.#release();
    relay.begin(connection, carry.buf, carry.at, carry.end);
    server.release();
    return -1;
  }

  /** What the next proxy says about itself is not for the application. */
  #markProxyHeaders(buf: Buf, head: Head): void {
    markField(buf.bytes, head, PROXY_ERROR);
    markField(buf.bytes, head, PROXY_ERROR_CAUSE);
    markField(buf.bytes, head, PROXY_CONNECTION);
  }

  #release(): void {
    this.#state = State.Closed;
    this.#server = null;
    this.#connectTimer.cancel();
    this.#carry.clear();
    this.#splicer.end();
    this.#releaseHead();
    this.pool = null;
    this.#side.http1Clients.release(this);
  }

  #releaseHead(): void {
    if (this.#head === null) return;
    this.#head.reset();
    this.#side.plane.heads.release(this.#head);
    this.#head = null;
  }
}
