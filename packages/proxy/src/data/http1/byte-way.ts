import { L5D_HEADERS } from "@bowline/contracts";
import { type Buf, type Stream, WriteResult } from "@bowline/loop";
import { NO_GRPC_STATUS } from "@bowline/model";
import { chunkErrorReason, type Head, markField, markFraming, markHopByHop, rewriteHead } from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import { Cause, connectCause } from "../failures.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import type { HttpSeries } from "../telemetry/http-series.ts";
import type { InboundRouteSeries } from "../telemetry/inbound-route-series.ts";
import { READ_BYTES_MAX, READ_BYTES_MIN } from "./carry.ts";
import { adoptEarly, dialNew, giveBack, poolFor, takeIdle } from "./dial.ts";
import type { Exchange } from "./exchange.ts";
import type { HostPool } from "./host-pool.ts";
import type { Http1Client } from "./relay.ts";
import { mayReplay, ReplayCopy } from "./replay.ts";
import type { RequestWay } from "./request-way.ts";
import type { Requester } from "./requester.ts";
import type { Http1Server } from "./serve.ts";

const CLOSE_LINE = asciiBytes("connection: close\r\n");
const KEEP_ALIVE_LINE = asciiBytes("connection: keep-alive\r\n");
const PROXY_ERROR = asciiBytes(L5D_HEADERS.proxyError);
const PROXY_ERROR_CAUSE = asciiBytes(L5D_HEADERS.proxyErrorCause);
const PROXY_CONNECTION = asciiBytes(L5D_HEADERS.proxyConnection);

const latin1 = new TextDecoder("latin1");

/** HTTP/1 to HTTP/1: heads lose what belongs to the hop, bodies pass with the framing they have. */
export class ByteWay implements RequestWay, Requester {
  readonly exchange: Exchange;
  readonly wantsData = false;
  readonly #side: Side;
  readonly #server: Http1Server;
  readonly #replay: ReplayCopy;
  /** The connection that answers the request in hand; null between requests. */
  #client: Http1Client | null = null;
  /** Of the request before, for the same target. */
  #pool: HostPool | null = null;
  #poolTarget: Target | null = null;
  /** The series of the request in hand; null once what became of it has been counted. */
  #http: HttpSeries | null = null;
  /** The route that let it in, until what became of it has been counted; null outbound. */
  #route: InboundRouteSeries | null = null;
  /** When all of it was on its way; infinite before. */
  #sentMs = Number.POSITIVE_INFINITY;

  constructor(side: Side, server: Http1Server) {
    this.#side = side;
    this.#server = server;
    this.exchange = server.exchange;
    this.#replay = new ReplayCopy(side.plane.reactor.io, side.plane.bufs);
  }

  get spliceTo(): Stream | null {
    return this.#server.stream;
  }

  get waitingBytes(): number {
    return this.#client?.stream.heldBytes ?? 0;
  }

  get requestUnwanted(): boolean {
    return this.#client!.broken;
  }

  begin(buf: Buf, head: Head, end: number): number {
    const side = this.#side;
    const server = this.#server;
    this.#beginCounting(buf, head);
    this.exchange.inFlight = true;
    side.requestsInFlight += 1;
    if (side.requestsInFlight > side.config.requestsInFlightMax) return server.fail(Cause.LoadShed, "");

    const { request } = server;
    const bodyEnd = request.take(buf.bytes, head.end, end);
    if (bodyEnd > head.end) this.#route?.requestFrames.observe(bodyEnd - head.end);
    if (request.error !== 0) return server.fail(Cause.BadRequest, chunkErrorReason(request.error));
    const start = rewriteHead(buf.bytes, head, null, 0);
    const client = this.#dial(buf, head);
    if (client === null) return -1;
    this.#client = client;
    client.begin(this);
    if (client.reused) this.#replay.begin();
    this.#send(client, buf, start, bodyEnd);
    if (request.done) this.#sentMs = side.plane.reactor.nowMs;
    return bodyEnd;
  }

  takeBody(buf: Buf, at: number, end: number): number {
    const { request } = this.#server;
    const good = request.take(buf.bytes, at, end);
    if (request.error !== 0) return this.#server.fail(Cause.BadRequest, chunkErrorReason(request.error));
    if (good > at) {
      this.#route?.requestFrames.observe(good - at);
      this.#send(this.#client!, buf, at, good);
    }
    if (request.done) this.#sentMs = this.#side.plane.reactor.nowMs;
    return good;
  }

  onClientDrained(): void {
    this.#client!.resume();
  }

  finish(): void {
    const client = this.#client!;
    this.#client = null;
    this.#replay.clear();
    if (client.reusable) giveBack(this.#side, client);
    else client.close();
  }

  stop(): void {
    this.#client?.close();
    this.#forget();
  }

  fail(): void {
    if (this.exchange.inFlight) this.#http!.failed().value += 1;
    this.reset();
  }

  reset(): void {
    const { responseStarted, responseDone, status } = this.exchange;
    // That the client does not wait for the rest is not the server's fault.
    if (responseStarted && !responseDone && this.#http !== null) this.#http.total(status, NO_GRPC_STATUS).value += 1;
    this.#client?.reset();
    this.#forget();
  }

  /** The client's connection is over. */
  clear(): void {
    this.#pool = null;
    this.#poolTarget = null;
  }

  onConnectFailed(errno: number): void {
    this.#server.fail(connectCause(errno), this.#server.target.name);
  }

  onServerDrained(): void {
    this.#server.resumeRequest();
  }

  onNoResponse(client: Http1Client, errno: number): void {
    if (mayReplay(this.#replay, this.exchange, client, errno)) this.#sendAgain(client);
    else this.#server.fail(errno === 0 ? Cause.UpstreamClosed : Cause.UpstreamReset, this.#server.target.name);
  }

  onBadResponse(reason: string): void {
    this.#server.fail(Cause.BadResponse, reason);
  }

  onResponseByte(): void {
    this.#replay.clear();
  }

  onInterim(buf: Buf, head: Head): boolean {
    const { exchange } = this;
    if (!exchange.upgrade) markHopByHop(buf.bytes, head);
    this.#markProxyHeaders(buf, head);
    // RFC 9110 §15.2: interim responses are not for HTTP/1.0 clients.
    if (exchange.http10) return true;
    const start = rewriteHead(buf.bytes, head, null, 0);
    return this.#respond(buf, start, head.end, false);
  }

  onResponse(buf: Buf, head: Head, bodyEnd: number): boolean {
    const { exchange } = this;
    const client = this.#client!;
    markHopByHop(buf.bytes, head);
    this.#markProxyHeaders(buf, head);
    // A body that ends by close ends the client's connection, too; so does a server that announces nothing else.
    if (client.body.endsByClose) exchange.keepAlive = false;
    let insert: Uint8Array | null = null;
    if (!exchange.keepAlive) insert = CLOSE_LINE;
    else if (exchange.http10) insert = KEEP_ALIVE_LINE;
    const start = rewriteHead(buf.bytes, head, insert, insert === null ? 0 : insert.length);
    this.#onHead(head.status);
    if (bodyEnd > head.end) this.#route?.responseFrames.observe(bodyEnd - head.end);
    return this.#respond(buf, start, bodyEnd, client.body.done);
  }

  onBody(buf: Buf, at: number, end: number): boolean {
    this.#route?.responseFrames.observe(end - at);
    return this.#respond(buf, at, end, this.#client!.body.done);
  }

  onTunnel(buf: Buf, head: Head, end: number): void {
    const server = this.#server;
    if (!this.exchange.upgrade) {
      server.fail(Cause.BadResponse, "a protocol switch that was not asked for");
      return;
    }
    this.#markProxyHeaders(buf, head);
    if (head.status !== 101) markFraming(head);
    const start = rewriteHead(buf.bytes, head, null, 0);
    this.#onHead(head.status);
    if (!this.#respond(buf, start, end, false)) return;
    this.#http!.total(head.status, NO_GRPC_STATUS).value += 1;
    const relay = this.#side.opaqueRelays.acquire();
    this.#client!.handOver(relay);
    this.#forget();
    server.handOver(relay);
  }

  onSpliced(bytes: number): void {
    this.exchange.progress++;
    if (bytes > 0) this.#route?.responseFrames.observe(bytes);
  }

  onSpliceFailed(): void {
    this.#server.abort();
  }

  onResponseDone(): void {
    this.#http!.total(this.exchange.status, NO_GRPC_STATUS).value += 1;
    this.#endCounting();
    this.#server.onResponseDone();
  }

  onResponseTruncated(): void {
    const server = this.#server;
    this.#side.failed(server.target, Cause.ResponseTruncated, true, "");
    this.#http!.broken(this.exchange.status).value += 1;
    this.#http = null;
    server.abort();
  }

  onServerGone(): void {
    this.#server.linger();
  }

  #dial(buf: Buf, head: Head): Http1Client | null {
    const side = this.#side;
    const { target, connection } = this.#server;
    const refusal = side.refusal(target);
    if (refusal !== null) {
      this.#server.fail(refusal, target.name);
      return null;
    }
    // A client of HTTP/1.0 has a connection of its own (proxy-facts §4.5).
    const last = target === this.#poolTarget ? this.#pool : null;
    const pool = head.minor === 0 ? null : poolFor(target, buf.bytes, head.hostStart, head.hostEnd, last);
    this.#pool = pool;
    this.#poolTarget = target;
    if (connection.hasEarly) return adoptEarly(side, connection, pool);
    const idle = pool === null ? null : takeIdle(side, pool);
    if (idle !== null) return idle;
    const client = dialNew(side, target, pool);
    if (typeof client !== "number") return client;
    this.#server.fail(connectCause(-client), target.name);
    return null;
  }

  #send(client: Http1Client, buf: Buf, at: number, end: number): void {
    const server = this.#server;
    this.#replay.add(buf, at, end);
    switch (client.send(buf, at, end)) {
      case WriteResult.Done:
        if (end - at >= server.readBytes) server.readBytes = Math.min(2 * server.readBytes, READ_BYTES_MAX);
        break;
      case WriteResult.Held:
        server.readBytes = READ_BYTES_MIN;
        if (!server.request.done) server.stream.pauseReading();
        break;
      case WriteResult.Broken:
        // The server may have answered before it closed: its end, or its answer, comes as an event.
        if (!server.request.done) server.stream.pauseReading();
        break;
    }
  }

  #sendAgain(old: Http1Client): void {
    const { target } = this.#server;
    old.reset();
    this.#client = null;
    target.series.replayed();
    const client = dialNew(this.#side, target, this.#pool);
    if (typeof client === "number") {
      this.#server.fail(connectCause(-client), target.name);
      return;
    }
    this.#client = client;
    client.begin(this);
    const copy = this.#replay;
    const result = client.send(copy.buf!, 0, copy.bytes);
    copy.clear();
    if (result === WriteResult.Done) this.onServerDrained();
  }

  /** The final response head is about to go to the client. */
  #onHead(status: number): void {
    const { exchange } = this;
    exchange.responseStarted = true;
    exchange.status = status;
    this.#leaveFlight();
    this.#http!.latencyMs(status).observe(this.#side.plane.reactor.nowMs - exchange.startMs);
  }

  /**
   * Sends response bytes to the client; false when the client is gone, and its connection with it.
   * @param last they are the response's last
   */
  #respond(buf: Buf, at: number, end: number, last: boolean): boolean {
    const { exchange } = this;
    const server = this.#server;
    exchange.progress++;
    const closeFollows = last && !exchange.keepAlive && server.request.done;
    const result = server.stream.write(buf, at, end, closeFollows);
    if (result === WriteResult.Broken) {
      server.abort();
      return false;
    }
    if (result === WriteResult.Held) this.#client!.slowDown();
    return true;
  }

  /** What the next proxy says about itself is not for the application. */
  #markProxyHeaders(buf: Buf, head: Head): void {
    if (this.#side.direction !== "outbound" || !head.l5d) return;
    markField(buf.bytes, head, PROXY_ERROR);
    markField(buf.bytes, head, PROXY_ERROR_CAUSE);
    markField(buf.bytes, head, PROXY_CONNECTION);
  }

  #beginCounting(buf: Buf, { hostStart, hostEnd }: Head): void {
    const { series } = this.#server.target;
    const http = this.#side.authorityLabels
      ? series.httpOf(latin1.decode(buf.bytes.subarray(hostStart, hostEnd)))
      : series.http;
    http.requests.value += 1;
    this.#http = http;
    this.#sentMs = Number.POSITIVE_INFINITY;
    this.#route = series.inboundRoute();
    if (this.#route !== null) this.#route.requests.value += 1;
  }

  /** Counts for its route what became of the request, once. */
  #endCounting(): void {
    const route = this.#route;
    if (route === null) return;
    this.#route = null;
    const { status, startMs } = this.exchange;
    route.ended(status, startMs, this.#sentMs, this.#side.plane.reactor.nowMs);
  }

  #forget(): void {
    this.#endCounting();
    this.#client = null;
    this.#replay.clear();
    this.#leaveFlight();
  }

  #leaveFlight(): void {
    if (!this.exchange.inFlight) return;
    this.exchange.inFlight = false;
    this.#side.requestsInFlight -= 1;
  }
}
