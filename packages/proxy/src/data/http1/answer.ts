import type { Buf } from "@bowline/loop";
import {
  ErrorCode,
  FIELD_LIST_STRIDE,
  FIELD_VALUE_AT,
  FIELD_VALUE_END,
  FieldList,
  type Head,
  markHopByHop,
  methodOf,
  NameId,
  ResetBy,
} from "@bowline/wire";
import type { Call } from "../call/call.ts";
import type { Answerer } from "../call/ends.ts";
import { OrigProto } from "../call/orig-proto.ts";
import { Cause } from "../failures.ts";
import { Output, type OutputOwner } from "../http2/output.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { dialNew, giveBack, poolFor, takeIdle } from "./dial.ts";
import { Exchange } from "./exchange.ts";
import { readResponseFields, readTrailerFields } from "./head-fields.ts";
import { Framing, writeBody, writeBodyEnd, writeRequestHead } from "./head-writer.ts";
import type { HostPool } from "./host-pool.ts";
import type { Http1Client } from "./relay.ts";
import { mayRepeat } from "./replay.ts";
import type { Requester } from "./requester.ts";

/** Collected for a server that takes none: beyond this the call keeps the body. */
const COLLECTED_BYTES_MAX = 65536;
/** Read of a response and not taken by its client: beyond this no more is read. */
const UNCONSUMED_BYTES_MAX = 65536;

/** Sends a call to the target as HTTP/1. */
export function askHttp1(side: Side, call: Call, target: Target): void {
  side.http1Answers.acquire().ask(call, target);
}

/** Answers one call at a time over HTTP/1. */
export class Http1Answer implements Answerer, Requester, OutputOwner {
  readonly exchange: Exchange = new Exchange();
  readonly wantsData = true;
  readonly spliceTo = null;
  readonly #side: Side;
  readonly #fields: FieldList = new FieldList();
  #output: Output | null = null;
  /** The connection in use; null while there is nothing to do. */
  #client: Http1Client | null = null;
  /** Null once nothing is expected of the call nor it of us. */
  #call: Call | null = null;
  #trailers: FieldList | null = null;
  #framing: Framing = Framing.None;
  #unconsumedBytes = 0;
  #requestDone = false;
  #responseDone = false;
  /** The call waits for onAnswererWritable. */
  #blocked = false;
  #paused = false;
  /** Where its last request went: mostly the next one goes there, too. */
  #lastTarget: Target | null = null;
  #lastPool: HostPool | null = null;

  constructor(side: Side) {
    this.#side = side;
  }

  ask(call: Call, target: Target): void {
    const side = this.#side;
    const http10 = (call.origProto & OrigProto.Http10) !== 0;
    const framing = framingOf(call);
    if (http10 && framing === Framing.Chunked) {
      side.http1Answers.release(this);
      call.refuse(Cause.BadRequest, "HTTP/1.0 with a body of unknown length");
      return;
    }
    const pool = http10 ? null : this.#poolOf(call, target);
    // One whose server had closed is no reason to try the next such.
    const idle = pool === null || call.resent ? null : takeIdle(side, pool);
    const client = idle ?? dialNew(side, target, pool);
    if (typeof client === "number") {
      side.http1Answers.release(this);
      call.onConnectFailed(-client);
      return;
    }
    this.#begin(call, client, framing);
    writeRequestHead(this.#out, call.head, call.origProto, framing);
    client.sending(this.#out.end);
    call.asked(this, null);
  }

  sendData(call: Call, bytes: Uint8Array, at: number, end: number, last: boolean): number {
    if (call !== this.#call) return end - at;
    const out = this.#out;
    const before = out.end;
    if (at < end && before >= COLLECTED_BYTES_MAX) {
      this.#blocked = true;
      return 0;
    }
    // A server that takes no more may have answered before it closed: its end, or its answer, comes as an event.
    if (!this.#client!.broken) {
      writeBody(out, bytes, at, end, this.#framing);
      if (last) writeBodyEnd(out, null, this.#framing);
      this.#client!.sending(out.end - before);
    }
    if (last) this.#endRequest();
    return end - at;
  }

  sendTrailers(call: Call, fields: FieldList): void {
    if (call !== this.#call) return;
    const out = this.#out;
    const before = out.end;
    if (!this.#client!.broken) writeBodyEnd(out, fields, this.#framing);
    this.#client!.sending(out.end - before);
    this.#endRequest();
  }

  consumed(call: Call, count: number): void {
    if (call !== this.#call) return;
    this.#unconsumedBytes -= count;
    if (!this.#paused || this.#unconsumedBytes > UNCONSUMED_BYTES_MAX / 2) return;
    this.#paused = false;
    this.#client!.resume();
  }

  cancel(call: Call, _code: ErrorCode): void {
    if (call !== this.#call) return;
    this.#client!.reset();
    this.#release();
  }

  onConnectFailed(errno: number): void {
    this.#call!.onConnectFailed(errno);
  }

  onServerDrained(): void {
    this.#out.flush(false);
    if (this.#out.end === 0) this.onOutputDrained();
  }

  onOutputDrained(): void {
    if (this.#client === null) return;
    if (this.#requestDone && this.#responseDone) {
      this.#finish();
    } else if (this.#blocked) {
      this.#blocked = false;
      this.#call?.onAnswererWritable();
    }
  }

  onOutputBroken(): void {
    if (this.#client !== null) this.#client.broken = true;
  }

  onNoResponse(client: Http1Client, errno: number): void {
    const call = this.#call!;
    const { target } = client;
    if (!mayRepeat(this.exchange.method, client, errno)) {
      call.refuse(errno === 0 ? Cause.UpstreamClosed : Cause.UpstreamReset, target.name);
      return;
    }
    target.series.replayed();
    client.reset();
    this.#release();
    call.onAnswererReset(ErrorCode.RefusedStream, ResetBy.Unprocessed);
  }

  onBadResponse(reason: string): void {
    this.#call!.refuse(Cause.BadResponse, reason);
  }

  onResponseByte(): void {}

  onInterim(buf: Buf, head: Head): boolean {
    const client = this.#client!;
    markHopByHop(buf.bytes, head);
    readResponseFields(buf.bytes, head, this.#fields);
    this.#call!.onResponseHead(this.#fields, false);
    return this.#client === client;
  }

  onResponse(buf: Buf, head: Head, _bodyEnd: number): boolean {
    const call = this.#call!;
    const client = this.#client!;
    const { body } = client;
    const fields = this.#fieldsOf(buf.bytes, head);
    const last = body.absent;
    if (last && this.#requestDone) this.#call = null;
    call.onResponseHead(fields, last);
    // The call may have gone on to another server, and this object with it: only the connection tells.
    if (this.#client !== client) return false;
    return last || (this.#call === call && this.#deliver(call, buf));
  }

  onBody(buf: Buf, _at: number, _end: number): boolean {
    return this.#deliver(this.#call!, buf);
  }

  onTunnel(_buf: Buf, _head: Head, _end: number): void {
    this.onBadResponse("a protocol switch that was not asked for");
  }

  onSpliced(): void {}

  onSpliceFailed(): void {}

  onResponseDone(): void {
    const client = this.#client!;
    if (client.body.endsByClose) {
      const call = this.#call!;
      if (this.#requestDone) this.#call = null;
      call.onResponseData(this.#fields.bytes, 0, 0, true);
      if (this.#client !== client) return;
    }
    this.#responseDone = true;
    if (!this.#requestDone) {
      if (client.broken) this.onServerGone();
    } else if (this.#out.end === 0) {
      this.#finish();
    }
  }

  onResponseTruncated(): void {
    const call = this.#call!;
    this.#client!.reset();
    this.#release();
    call.onAnswererReset(ErrorCode.InternalError, ResetBy.ConnectionLost);
  }

  onServerGone(): void {
    const call = this.#call;
    this.#client!.close();
    this.#release();
    call?.onAnswererReset(ErrorCode.NoError, ResetBy.Peer);
  }

  get #out(): Output {
    return this.#output!;
  }

  #begin(call: Call, client: Http1Client, framing: Framing): void {
    const { head } = call;
    this.#call = call;
    this.#client = client;
    this.#framing = framing;
    this.#trailers = null;
    this.#unconsumedBytes = 0;
    this.#requestDone = call.headOnly;
    this.#responseDone = false;
    this.#blocked = false;
    this.#paused = false;
    const method = head.find(NameId.Method) * FIELD_LIST_STRIDE;
    const { entries } = head;
    this.exchange.method = methodOf(head.bytes, entries[method + FIELD_VALUE_AT]!, entries[method + FIELD_VALUE_END]!);
    this.#output ??= new Output(this.#side.plane, this, client.stream);
    this.#output.stream = client.stream;
    client.begin(this);
  }

  #poolOf(call: Call, target: Target): HostPool | null {
    const { head } = call;
    const absolute = (call.origProto & OrigProto.AbsoluteForm) !== 0;
    const host = head.find(NameId.Host);
    const index = absolute || (host >= 0 && !isEmpty(head, host)) ? head.find(NameId.Authority) : -1;
    if (index < 0) return null;
    const entry = index * FIELD_LIST_STRIDE;
    const at = head.entries[entry + FIELD_VALUE_AT]!;
    const end = head.entries[entry + FIELD_VALUE_END]!;
    const pool = poolFor(target, head.bytes, at, end, target === this.#lastTarget ? this.#lastPool : null);
    this.#lastTarget = target;
    this.#lastPool = pool;
    return pool;
  }

  /** The head as a call wants it; of one that has come before, what it was then. */
  #fieldsOf(bytes: Uint8Array, head: Head): FieldList {
    const known = this.#side.http1Responses;
    const found = known.find(bytes, head.start, head.end);
    if (found !== null) return found;
    const copy = known.copyOf(bytes, head.start, head.end);
    markHopByHop(bytes, head);
    readResponseFields(bytes, head, this.#fields);
    if (copy === null) return this.#fields;
    const fields = this.#fields.sharedCopy(0);
    known.keep(copy, fields);
    return fields;
  }

  /** Gives the call what the response's reader has found; false when the call wants no more of it. */
  #deliver(call: Call, buf: Buf): boolean {
    const client = this.#client!;
    const { dataAt, dataEnd, trailersAt, trailersEnd, done } = client.body;
    if (trailersAt < trailersEnd) {
      this.#trailers ??= new FieldList();
      readTrailerFields(buf.bytes, trailersAt, trailersEnd, this.#trailers);
    }
    const trailers = this.#trailers;
    const last = done && trailers === null;
    this.#unconsumedBytes += dataEnd - dataAt;
    // Request and response are both complete: the call is over with the next word.
    if (last && this.#requestDone) this.#call = null;
    if (dataAt < dataEnd || last) call.onResponseData(buf.bytes, dataAt, dataEnd, last);
    if (this.#client !== client) return false;
    if (done && !last) {
      if (this.#requestDone) this.#call = null;
      call.onResponseTrailers(trailers!);
      return this.#client === client;
    }
    if (!done && this.#unconsumedBytes > UNCONSUMED_BYTES_MAX) {
      this.#paused = true;
      client.slowDown();
    }
    return true;
  }

  #endRequest(): void {
    this.#requestDone = true;
    if (!this.#responseDone) return;
    this.#call = null;
    this.#out.flush(false);
    if (this.#client !== null && this.#out.end === 0) this.#finish();
  }

  /** Request and response are complete, and out. */
  #finish(): void {
    const client = this.#client!;
    this.#release();
    if (client.reusable && !client.broken) giveBack(this.#side, client);
    else client.close();
  }

  #release(): void {
    this.#output?.clear();
    this.#client = null;
    this.#call = null;
    this.#trailers = null;
    this.#side.http1Answers.release(this);
  }
}

/** A body whose length nobody said goes in chunks. */
function framingOf(call: Call): Framing {
  if (call.headOnly) return Framing.None;
  return call.head.find(NameId.ContentLength) >= 0 ? Framing.Plain : Framing.Chunked;
}

function isEmpty(fields: FieldList, index: number): boolean {
  const entry = index * FIELD_LIST_STRIDE;
  return fields.entries[entry + FIELD_VALUE_AT] === fields.entries[entry + FIELD_VALUE_END];
}
