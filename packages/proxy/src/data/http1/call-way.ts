import type { Buf, TurnEnd } from "@bowline/loop";
import {
  chunkErrorReason,
  ErrorCode,
  FIELD_LIST_STRIDE,
  FIELD_VALUE_AT,
  FieldList,
  type Head,
  Method,
  NameId,
} from "@bowline/wire";
import { asciiBytes } from "../ascii-bytes.ts";
import type { Call } from "../call/call.ts";
import type { Asker } from "../call/ends.ts";
import { OrigProto, readOrigProto } from "../call/orig-proto.ts";
import { RequestPlan } from "../call/request-plan.ts";
import { Cause, FAILURES } from "../failures.ts";
import { writeErrorFields } from "../http2/errors.ts";
import { Output, type OutputOwner } from "../http2/output.ts";
import type { Side } from "../side.ts";
import { readRequestFields, readTrailerFields } from "./head-fields.ts";
import { Framing, writeBody, writeBodyEnd, writeResponseHead } from "./head-writer.ts";
import type { RequestWay } from "./request-way.ts";
import type { Http1Server } from "./serve.ts";

const CLOSE_LINE = asciiBytes("connection: close\r\n");
const KEEP_ALIVE_LINE = asciiBytes("connection: keep-alive\r\n");
/** Collected for a client that takes none: beyond this the call keeps the body. */
const COLLECTED_BYTES_MAX = 65536;
/** Read of a request and not taken by its server: beyond this no more is read. */
const UNCONSUMED_BYTES_MAX = 65536;

/** HTTP/1 requests that become calls, and calls' responses that become HTTP/1. */
export class CallWay implements RequestWay, Asker, OutputOwner, TurnEnd {
  requestUnwanted = false;
  readonly #side: Side;
  readonly #server: Http1Server;
  readonly #plan: RequestPlan;
  readonly #fields: FieldList = new FieldList();
  readonly #output: Output;
  /** The call in hand; null between requests, and once nothing is expected of it nor it of us. */
  #call: Call | null = null;
  #trailers: FieldList | null = null;
  /** A synthesised response that goes out at the end of the turn. */
  #refusal: FieldList | null = null;
  #unconsumedBytes = 0;
  #framing: Framing = Framing.None;
  /** The whole response has been collected. */
  #ended = false;
  /** The call waits for onAskerWritable. */
  #blocked = false;

  constructor(side: Side, server: Http1Server) {
    this.#side = side;
    this.#server = server;
    this.#plan = new RequestPlan(side.direction);
    this.#output = new Output(side.plane, this, server.stream);
  }

  get waitingBytes(): number {
    return this.#output.end + this.#unconsumedBytes;
  }

  begin(buf: Buf, head: Head, end: number): number {
    const side = this.#side;
    const server = this.#server;
    const { request } = server;
    const next = request.takeData(buf.bytes, head.end, end);
    if (request.error !== 0) return server.fail(Cause.BadRequest, chunkErrorReason(request.error));
    this.#output.stream = server.stream;
    this.#trailers = null;
    this.#unconsumedBytes = 0;
    this.#ended = false;
    this.#blocked = false;
    this.requestUnwanted = false;

    const plan = this.#planOf(buf.bytes, head);
    const call = side.calls.acquire();
    call.logical = server.connection.logical;
    this.#call = call;
    call.begin(this, server.connection.target, plan, request.absent);
    // A call that is refused at once has left already.
    if (this.#call !== call) return this.#refusal === null ? -1 : next;
    if (!request.absent) this.#give(call, buf);
    return next;
  }

  takeBody(buf: Buf, at: number, end: number): number {
    const { request } = this.#server;
    const next = request.takeData(buf.bytes, at, end);
    if (request.error !== 0) return this.#server.fail(Cause.BadRequest, chunkErrorReason(request.error));
    if (this.#call !== null) this.#give(this.#call, buf);
    return next;
  }

  onClientDrained(): void {
    this.#output.flush(false);
    if (this.#output.end === 0) this.onOutputDrained();
  }

  finish(): void {}

  stop(): void {
    this.#leave();
  }

  fail(): void {
    this.reset();
  }

  reset(): void {
    this.#leave();
    this.#ended = false;
    this.#refusal = null;
    this.#output.clear();
  }

  sendHead(call: Call, fields: FieldList, last: boolean): void {
    if (call !== this.#call) return;
    const { exchange } = this.#server;
    const status = statusOf(fields);
    exchange.progress++;
    if (status < 200) {
      // RFC 9110 §15.2: interim responses are not for HTTP/1.0 clients.
      if (!exchange.http10) writeResponseHead(this.#output, fields, 1, status, Framing.None, null);
      return;
    }
    exchange.responseStarted = true;
    exchange.status = status;
    const minor = this.#minorOf(fields);
    this.#framing = this.#framingOf(fields, status, minor, last);
    let line: Uint8Array | null = null;
    if (!exchange.keepAlive) line = CLOSE_LINE;
    else if (exchange.http10) line = KEEP_ALIVE_LINE;
    writeResponseHead(this.#output, fields, minor, status, this.#framing, line);
    if (last) this.#end(null);
  }

  sendData(call: Call, bytes: Uint8Array, at: number, end: number, last: boolean): number {
    if (call !== this.#call) return end - at;
    if (at < end && this.#output.end >= COLLECTED_BYTES_MAX) {
      this.#blocked = true;
      return 0;
    }
    this.#server.exchange.progress++;
    writeBody(this.#output, bytes, at, end, this.#framing);
    if (last) this.#end(null);
    return end - at;
  }

  sendTrailers(call: Call, fields: FieldList): void {
    if (call === this.#call) this.#end(fields);
  }

  consumed(call: Call, count: number): void {
    if (call !== this.#call) return;
    this.#unconsumedBytes -= count;
    if (this.#unconsumedBytes <= UNCONSUMED_BYTES_MAX / 2) this.#server.resumeRequest();
  }

  refuse(call: Call, cause: Cause, detail: string): void {
    if (call !== this.#call) return;
    this.#call = null;
    // Interim responses that are still here would only delay it.
    this.#output.clear();
    if (FAILURES[cause].closes || !this.#server.request.done) {
      this.#server.answerFailure(cause, detail);
      return;
    }
    // It may have been refused while its head was being taken: the next request must not begin before that is done.
    this.#refusal = writeErrorFields(cause, detail, false, this.#side.informational);
    this.#side.plane.reactor.atTurnEnd(this);
  }

  onTurnEnd(): void {
    const fields = this.#refusal;
    if (fields === null) return;
    this.#refusal = null;
    const { exchange } = this.#server;
    let line: Uint8Array | null = null;
    if (!exchange.keepAlive) line = CLOSE_LINE;
    else if (exchange.http10) line = KEEP_ALIVE_LINE;
    writeResponseHead(this.#output, fields, exchange.http10 ? 0 : 1, statusOf(fields), Framing.Plain, line);
    this.#end(null);
  }

  breakOff(call: Call, _code: ErrorCode): void {
    if (call !== this.#call) return;
    this.#call = null;
    const { exchange } = this.#server;
    if (!this.#ended && !exchange.responseDone) {
      this.#server.abort();
      return;
    }
    this.requestUnwanted = true;
    if (exchange.responseDone) this.#server.linger();
  }

  onOutputDrained(): void {
    if (this.#ended) {
      this.#done();
    } else if (this.#blocked) {
      this.#blocked = false;
      this.#call?.onAskerWritable();
    }
  }

  onOutputBroken(): void {
    this.#server.abort();
  }

  /** The head as a call wants it; of one that has come before, what it was then. */
  #planOf(bytes: Uint8Array, head: Head): RequestPlan {
    const { http1Requests: known, direction } = this.#side;
    const found = known.find(bytes, head.start, head.end);
    if (found !== null) return found;
    // Without a host the destination stands in for it.
    const copy = head.hostStart < head.hostEnd ? known.copyOf(bytes, head.start, head.end) : null;
    const plan = copy === null ? this.#plan : new RequestPlan(direction);
    plan.origProto = readRequestFields(bytes, head, this.#server.connection.target, this.#fields);
    plan.fields = copy === null ? this.#fields : this.#fields.sharedCopy(0);
    plan.head = head.method === Method.Head;
    if (copy !== null) known.keep(copy, plan);
    return plan;
  }

  /** Gives the call what the request's reader has found. */
  #give(call: Call, buf: Buf): void {
    const { dataAt, dataEnd, trailersAt, trailersEnd, done } = this.#server.request;
    if (trailersAt < trailersEnd) {
      this.#trailers ??= new FieldList();
      readTrailerFields(buf.bytes, trailersAt, trailersEnd, this.#trailers);
    }
    const trailers = this.#trailers;
    const last = done && trailers === null;
    this.#unconsumedBytes += dataEnd - dataAt;
    // Response and request are both complete: the call is over with the next word.
    if (done && (this.#ended || this.#server.exchange.responseDone)) this.#call = null;
    if (dataAt < dataEnd || last) call.onRequestData(buf.bytes, dataAt, dataEnd, last);
    if (done && !last) call.onRequestTrailers(trailers!);
    const waits = !done && this.#call === call && this.#unconsumedBytes > UNCONSUMED_BYTES_MAX;
    if (waits) this.#server.stream.pauseReading();
  }

  /** The response is complete. Within a word of the call: nothing may come of it that has to do with that. */
  #end(trailers: FieldList | null): void {
    writeBodyEnd(this.#output, trailers, this.#framing);
    this.#ended = true;
    const { request, exchange } = this.#server;
    if (request.done) {
      this.#call = null;
      this.#output.flush(!exchange.keepAlive);
    }
    if (this.#ended && this.#output.end === 0) this.#done();
  }

  #done(): void {
    this.#ended = false;
    this.#server.onResponseDone();
  }

  #leave(): void {
    const call = this.#call;
    this.#call = null;
    this.#trailers = null;
    call?.onAskerGone(ErrorCode.Cancel);
  }

  /** The response's version, of which its proxy may have said something. */
  #minorOf(fields: FieldList): number {
    for (let i = fields.count - 1; i >= 0; i--) {
      // Among the fields that go no further.
      if (fields.nameId(i) !== NameId.L5dOrigProto) continue;
      const version = readOrigProto(fields, i);
      if (version !== 0) return version === OrigProto.Http10 ? 0 : 1;
    }
    return this.#server.exchange.http10 ? 0 : 1;
  }

  #framingOf(fields: FieldList, status: number, minor: number, last: boolean): Framing {
    const { exchange } = this.#server;
    if (exchange.method === Method.Head || status === 204 || status === 304) return Framing.None;
    if (fields.find(NameId.ContentLength) >= 0) return Framing.Plain;
    if (last) return Framing.Empty;
    if (minor === 1 && !exchange.http10) return Framing.Chunked;
    // RFC 9112 §6.3: nothing but the connection's end says where this body ends.
    exchange.keepAlive = false;
    return Framing.Plain;
  }
}

/** Of a response head, whose status the engine has found to be three digits. */
function statusOf(fields: FieldList): number {
  const { bytes, entries } = fields;
  const at = entries[fields.find(NameId.Status) * FIELD_LIST_STRIDE + FIELD_VALUE_AT]!;
  return (bytes[at]! - 0x30) * 100 + (bytes[at + 1]! - 0x30) * 10 + (bytes[at + 2]! - 0x30);
}
