import type { TurnEnd } from "@bowline/loop";
import { NO_GRPC_STATUS, SentBody, Verdict } from "@bowline/model";
import { ErrorCode, FieldList, type Http2Stream, ResetBy } from "@bowline/wire";
import { Cause, connectCause } from "../failures.ts";
import { errorTrailers } from "../http2/errors.ts";
import type { Logical } from "../pool/logical.ts";
import type { Member } from "../pool/member.ts";
import { HeadStep, type RouteRun } from "../route/route-run.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { type ResponseError, responseError, TIMEOUT, UNCLASSIFIED } from "../telemetry/http-series.ts";
import { type RouteError, resetError, routeError } from "../telemetry/route-series.ts";
import { ByteQueue } from "./byte-queue.ts";
import { CallCounts } from "./call-counts.ts";
import type { CallQueue } from "./call-queue.ts";
import type { Answerer, Asker } from "./ends.ts";
import type { HeadBytes } from "./head-bytes.ts";
import { keptCopy } from "./kept-copy.ts";
import { MemberUse } from "./member-use.ts";
import type { RequestPlan } from "./request-plan.ts";
import { planResponse } from "./response-plan.ts";
import { SentCopy } from "./sent-copy.ts";

/** A head's memory is kept for the next call up to this size. */
const OWN_HEAD_BYTES_MAX = 4096;

/** How often a request that its server has certainly not processed is sent again. */
const RESENDS_MAX = 3;

/**
 * One request on its way and its response on the way back, between whoever asks and whoever answers. Each direction
 * passes bytes on as they come; what the other side does not take waits here, and is not confirmed (`consumed`) until it
 * does, so that flow control reaches through. Reused for one call after another.
 */
export class Call implements TurnEnd {
  asker: Asker | null = null;
  askStream: Http2Stream<Call> | null = null;
  answerer: Answerer | null = null;
  answerStream: Http2Stream<Call> | null = null;
  /** Where the client's connection was going, and who answers; the latter is known once an endpoint is picked. */
  origin: Target | null = null;
  target: Target | null = null;
  /** What the control plane says about the origin; null where it is not asked. */
  logical: Logical | null = null;
  grpc = false;
  /** The request was HTTP/1 when it came to this proxy, or to the one before: bits of OrigProto. */
  origProto = 0;
  /** A response to it has no body, whatever its head says. */
  headRequest = false;
  /** The request's head: the list of a decoder that will not change it, or `#ownHead`. */
  head: FieldList;
  /** Where the bytes of its head and trailers count; null where they are bounded otherwise. */
  heads: HeadBytes | null = null;
  /** Neither body nor trailers follow the head. */
  headOnly = false;
  responseStarted = false;
  startMs = 0;
  /** What its route does with it; null for a plain forward. */
  run: RouteRun | null = null;
  /** Where it waits, if it does. */
  queue: CallQueue | null = null;
  queuePrevious: Call | null = null;
  queueNext: Call | null = null;
  readonly counts: CallCounts;
  readonly #side: Side;
  #ownHead: FieldList = new FieldList();
  /** What of `heads` is this call's. */
  #headBytes = 0;
  readonly #requestQueue: ByteQueue;
  readonly #responseQueue: ByteQueue;
  readonly #sent: SentCopy = new SentCopy();
  #requestTrailers: FieldList | null = null;
  #responseTrailers: FieldList | null = null;
  /** The whole request has come in; all of it has gone out. */
  #askDone = false;
  #sentDone = false;
  /** The whole response has come in; all of it has gone back. */
  #answerDone = false;
  #givenDone = false;
  #inFlight = false;
  readonly #use: MemberUse = new MemberUse();
  #dispatchAwaited = false;
  #resends = 0;
  #status = 0;
  #grpcStatus: number = NO_GRPC_STATUS;

  constructor(side: Side) {
    this.#side = side;
    this.counts = new CallCounts(side);
    this.head = this.#ownHead;
    this.#requestQueue = new ByteQueue(side.plane.bufs);
    this.#responseQueue = new ByteQueue(side.plane.bufs);
  }

  /** Begins with a request's head. The plan's fields may be the asker's again afterwards. */
  begin(asker: Asker, origin: Target, plan: RequestPlan, last: boolean): void {
    const side = this.#side;
    this.asker = asker;
    this.origin = origin;
    this.grpc = plan.grpc;
    this.origProto = plan.origProto;
    this.headRequest = plan.head;
    this.headOnly = last;
    this.#askDone = last;
    this.#sentDone = false;
    this.#answerDone = false;
    this.#givenDone = false;
    this.responseStarted = false;
    this.#resends = 0;
    this.#status = 0;
    this.#grpcStatus = NO_GRPC_STATUS;
    this.startMs = side.plane.reactor.nowMs;
    if (plan.fields.shared) {
      this.head = plan.fields;
    } else {
      this.head = this.#ownHead;
      this.#ownHead.copyFrom(plan.fields);
      this.#countHead(this.head);
    }
    this.counts.begin(origin, this.startMs);
    this.#inFlight = true;
    side.requestsInFlight += 1;
    if (side.requestsInFlight > side.config.requestsInFlightMax) this.refuse(Cause.LoadShed, "");
    else side.dispatch(this);
  }

  /** An endpoint has been picked. */
  assigned(target: Target, member: Member | null): void {
    this.target = target;
    target.series.pin();
    this.counts.assigned(target, this.head);
    this.#use.begin(member, this.#side.plane.reactor.nowMs);
  }

  /** The endpoint cannot be reached; nothing has been sent. */
  unassigned(): void {
    this.#use.leave();
    this.target!.series.unpin();
    this.target = null;
  }

  /** The head is on its way to a server; what there is of the body follows. */
  asked(answerer: Answerer, stream: Http2Stream<Call> | null): void {
    this.answerer = answerer;
    this.answerStream = stream;
    this.counts.requested();
    if (this.headOnly) this.#markSent();
    else if (this.#requestWaits || this.#askDone) this.onAnswererWritable();
  }

  onRequestData(bytes: Uint8Array, at: number, end: number, last: boolean): void {
    if (last) this.#askDone = true;
    if (at < end) this.counts.requestFrames?.observe(end - at);
    this.run?.onFrame();
    let from = at;
    if (this.answerer !== null && !this.#requestWaits) {
      from += this.#send(bytes, at, end, last);
      if (from > at && this.asker !== null) this.asker.consumed(this, from - at);
    }
    if (from < end) this.#requestQueue.push(bytes, from, end);
    else if (this.#sentDone) this.#settle();
  }

  onRequestTrailers(fields: FieldList): void {
    this.#askDone = true;
    // Kept in any case: the request may have to be sent again.
    this.#requestTrailers = keptCopy(fields);
    this.#countHead(fields);
    if (this.answerer === null || this.#requestWaits) return;
    this.answerer.sendTrailers(this, fields);
    this.#markSent();
    this.#settle();
  }

  /** The server takes bytes of the request again. */
  onAnswererWritable(): void {
    if (!this.#sendCopy()) return;
    const queue = this.#requestQueue;
    while (queue.bytes > 0 && this.answerer !== null) {
      const { front, frontAt, frontEnd } = queue;
      const last = this.#askDone && this.#requestTrailers === null && queue.bytes === frontEnd - frontAt;
      const count = this.#send(front, frontAt, frontEnd, last);
      queue.advance(count);
      if (count > 0) this.asker?.consumed(this, count);
      if (count < frontEnd - frontAt) return;
    }
    if (this.answerer === null || !this.#askDone) return;
    if (this.#sentDone) {
      this.#settle();
      return;
    }
    const trailers = this.#requestTrailers;
    if (trailers !== null) this.answerer.sendTrailers(this, trailers);
    else this.answerer.sendData(this, this.#sent.bytes, 0, 0, true);
    this.#markSent();
    this.#settle();
  }

  /** Nobody waits for the response any more: the client reset the stream, or is gone. */
  onAskerGone(code: ErrorCode): void {
    this.asker = null;
    this.askStream = null;
    // What the client does is not the endpoint's fault. Without a head there is no response that could be counted.
    if (this.target !== null && !this.#givenDone && this.#status !== 0) this.#complete();
    this.run?.end(this.#status, this.#grpcStatus, "CANCEL");
    this.#drop(code);
  }

  /** The client takes response bytes again. */
  onAskerWritable(): void {
    const queue = this.#responseQueue;
    while (queue.bytes > 0 && this.asker !== null) {
      const { front, frontAt, frontEnd } = queue;
      const last = this.#answerDone && this.#responseTrailers === null && queue.bytes === frontEnd - frontAt;
      const count = this.asker.sendData(this, front, frontAt, frontEnd, last);
      queue.advance(count);
      if (count > 0) this.answerer?.consumed(this, count);
      if (count < frontEnd - frontAt) return;
      if (last) this.#given();
    }
    if (this.asker === null || !this.#answerDone || this.#givenDone) return;
    const trailers = this.#responseTrailers;
    this.#responseTrailers = null;
    if (trailers !== null) this.asker.sendTrailers(this, trailers);
    else this.asker.sendData(this, this.#sent.bytes, 0, 0, true);
    this.#given();
  }

  onResponseHead(fields: FieldList, last: boolean): void {
    const plan = planResponse(fields, this.#side.responsePlan);
    const { asker, target, run } = this;
    if (asker === null || target === null) return;
    if (plan.status < 200) {
      asker.sendHead(this, plan.fields, false);
      return;
    }
    this.#status = plan.status;
    this.#grpcStatus = plan.grpcStatus;
    this.#use.onHead(plan.status, plan.grpcStatus, plan.hintMs);
    if (run !== null) {
      const step = run.onHead(plan.status, plan.grpcStatus, last);
      if (step === HeadStep.Retried) return;
      if (step === HeadStep.Hold) {
        run.heldHead = keptCopy(plan.fields);
        return;
      }
    }
    this.#passHead(plan.fields, last);
  }

  #passHead(fields: FieldList, last: boolean): void {
    const { asker, run } = this;
    this.#leaveFlight();
    this.responseStarted = true;
    if (this.#sent.out) this.#sent.clear();
    this.counts.responded(this.#status);
    if (last) this.#answerDone = true;
    asker!.sendHead(this, run === null ? fields : run.passHead(fields), last);
    if (last) this.#given();
  }

  onResponseData(bytes: Uint8Array, at: number, end: number, last: boolean): void {
    const { asker, run } = this;
    if (asker === null) return;
    if (run !== null) {
      run.onFrame();
      if (run.heldHead !== null) this.#passHead(run.heldHead, false);
    }
    if (last) this.#answerDone = true;
    if (at < end) this.counts.responseFrames?.observe(end - at);
    this.#use.onData();
    let from = at;
    if (this.#responseQueue.bytes === 0) {
      from += asker.sendData(this, bytes, at, end, last);
      if (from > at) this.answerer?.consumed(this, from - at);
    }
    if (from < end) this.#responseQueue.push(bytes, from, end);
    else if (last && this.#responseQueue.bytes === 0) this.#given();
  }

  onResponseTrailers(fields: FieldList): void {
    const { asker, run } = this;
    if (asker === null) return;
    const plan = planResponse(fields, this.#side.responsePlan);
    if (run !== null && run.heldHead !== null) {
      if (run.onHeldTrailers(plan.grpcStatus)) return;
      this.#passHead(run.heldHead, false);
    }
    if (plan.grpcStatus !== NO_GRPC_STATUS) this.#grpcStatus = plan.grpcStatus;
    this.#answerDone = true;
    if (this.#responseQueue.bytes > 0) {
      this.#responseTrailers = keptCopy(plan.fields);
      return;
    }
    asker.sendTrailers(this, plan.fields);
    this.#given();
  }

  /**
   * The exchange with the server is over without a complete response.
   * @param refused the endpoint's proxy is there, but its application took no connection: another endpoint may do
   */
  onAnswererReset(code: ErrorCode, by: ResetBy, refused: boolean = false): void {
    this.answerer = null;
    this.answerStream = null;
    if (this.#answerDone) {
      // What has come in completely still goes back; the server merely wants no more of the request (RFC 9113 §8.1).
      this.#sentDone = true;
      if (this.#givenDone) this.#stopRequest(code);
      return;
    }
    const { member } = this.#use;
    if (refused) member?.onRefused();
    if (by === ResetBy.Unprocessed && this.#mayResend()) {
      if (this.run?.onRefusedStream()) return;
      // The only endpoint there is would refuse it again.
      if (!refused || member?.fit === false) {
        this.#resend();
        return;
      }
    }
    if (!this.responseStarted && (by === ResetBy.ConnectionLost || by === ResetBy.Unprocessed || this.isHttp1)) {
      // An HTTP/1 client knows no reset of a single request (proxy-facts §4.11).
      const error = responseError(code, by);
      const cause = refused ? Cause.ConnectRefused : Cause.UpstreamReset;
      this.refuse(cause, this.target!.name, error, resetError(code, by));
    } else this.#breakOff(code, by);
  }

  /** Its endpoint cannot be reached: nothing has been sent, and another may do. */
  onConnectFailed(errno: number): void {
    const { member } = this.#use;
    const { name } = this.target!;
    member?.onUnreachable(null);
    if (member === null || member.fit || this.#resends >= RESENDS_MAX) {
      this.refuse(connectCause(errno), name);
      return;
    }
    this.#resend();
  }

  #resend(): void {
    this.#resends += 1;
    this.rewind();
    this.run?.onResend();
    this.redispatch();
  }

  /**
   * Sends the request anew, at the end of the turn: whoever has just been left may be in the middle of something, and is
   * not to be met again there as the one who is asked next.
   */
  redispatch(): void {
    this.#dispatchAwaited = true;
    this.#side.plane.reactor.atTurnEnd(this);
  }

  onTurnEnd(): void {
    if (!this.#dispatchAwaited) return;
    this.#dispatchAwaited = false;
    this.#side.dispatch(this);
  }

  /**
   * Answers with a synthesised response, for want of a real one.
   * @param error as the metrics of the endpoint and those of the route label it, where they can say more than the cause
   */
  refuse(
    cause: Cause,
    detail: string,
    error: ResponseError = cause === Cause.RouteTimeout ? TIMEOUT : UNCLASSIFIED,
    label: RouteError = routeError(cause),
  ): void {
    const side = this.#side;
    const { asker } = this;
    side.failed(this.target ?? this.origin!, cause, true, detail);
    if (this.target !== null) {
      this.counts.requested();
      this.counts.broken(0, error);
      this.#use.judged(Verdict.Failure);
    }
    const { run } = this;
    if (run !== null) {
      if (run.onFailed(cause, label)) return;
      run.end(0, NO_GRPC_STATUS, label);
    }
    this.asker = null;
    asker?.refuse(this, cause, detail);
    this.askStream = null;
    this.#drop(ErrorCode.Cancel);
  }

  /** Answers with a response of the proxy's own, which is no failure. */
  answer(fields: FieldList): void {
    const { asker } = this;
    this.asker = null;
    if (asker !== null) {
      asker.sendHead(this, fields, true);
      this.#stopAsker(asker, ErrorCode.NoError);
    }
    this.askStream = null;
    this.#drop(ErrorCode.Cancel);
  }

  /** The response takes too long: ends it, with a status where the protocol can still say one. */
  cutShort(): void {
    const { asker } = this;
    if (this.target !== null) {
      this.#side.failed(this.target, Cause.RouteTimeout, true, "");
      this.counts.broken(this.#status, TIMEOUT);
    }
    this.#use.judged(Verdict.Failure);
    this.run?.end(this.#status, this.#grpcStatus, "REQUEST_TIMEOUT");
    this.asker = null;
    if (asker !== null) {
      if (this.grpc && this.#responseQueue.bytes === 0) {
        asker.sendTrailers(this, errorTrailers(Cause.RouteTimeout));
        this.#stopAsker(asker, ErrorCode.NoError);
      } else {
        asker.breakOff(this, ErrorCode.Cancel);
      }
    }
    this.askStream = null;
    this.#drop(ErrorCode.Cancel);
  }

  /** Whether the request can be sent again as a whole: what has been sent of it, and what still waits. */
  sentBody(bytesMax: number): SentBody {
    if (!this.#sent.complete || this.#sent.length + this.#requestQueue.bytes > bytesMax) return SentBody.TooLarge;
    return this.#askDone ? SentBody.Whole : SentBody.Unfinished;
  }

  /** Gives up the exchange in hand, so that the request can be sent to another endpoint, or to the same again. */
  rewind(): void {
    const { answerer, target } = this;
    this.queue?.remove(this);
    this.answerer = null;
    answerer?.cancel(this, ErrorCode.Cancel);
    this.answerStream = null;
    if (target !== null) {
      if (this.#status !== 0) {
        this.counts.complete(this.#status, this.#grpcStatus, false);
        this.#use.answered(this.#status, this.#grpcStatus);
      }
      this.unassigned();
    }
    this.#status = 0;
    this.#grpcStatus = NO_GRPC_STATUS;
    this.#answerDone = false;
    this.#sentDone = false;
    this.#sent.outBytes = 0;
  }

  #countHead({ shared, listBytes }: FieldList): void {
    if (this.heads === null || shared) return;
    this.#headBytes += listBytes;
    this.heads.bytes += listBytes;
  }

  #markSent(): void {
    this.#sentDone = true;
    this.counts.sent();
    this.run?.onRequestSent();
  }

  /** The client still sends, or has sent what nobody will take: it is not to wait for that. */
  #stopAsker(asker: Asker, code: ErrorCode): void {
    if (!this.#askDone || this.#requestQueue.bytes > 0) asker.breakOff(this, code);
  }

  /** Bytes of the request wait here for the server to take them. */
  get #requestWaits(): boolean {
    return this.#requestQueue.bytes > 0 || !this.#sent.out;
  }

  /** Sends what went to another server before; true when all of it is out. */
  #sendCopy(): boolean {
    const sent = this.#sent;
    if (sent.out) return true;
    if (this.answerer === null) return false;
    const last = this.#askDone && this.#requestTrailers === null && this.#requestQueue.bytes === 0;
    // It was confirmed to the asker when it went out first.
    sent.outBytes += this.answerer.sendData(this, sent.bytes, sent.outBytes, sent.length, last);
    if (!sent.out) return false;
    // Nor will it be sent again.
    if (this.responseStarted) sent.clear();
    if (last) this.#markSent();
    return true;
  }

  #send(bytes: Uint8Array, at: number, end: number, last: boolean): number {
    const count = this.answerer!.sendData(this, bytes, at, end, last);
    if (!this.responseStarted) this.#sent.add(bytes, at, at + count);
    if (last && count === end - at) this.#markSent();
    return count;
  }

  /** Breaks off a response of which nothing, or not everything, has come in. */
  #breakOff(code: ErrorCode, by: ResetBy): void {
    const { asker, target } = this;
    if (target !== null) this.counts.broken(this.#status, responseError(code, by));
    this.#use.judged(Verdict.Failure);
    if (by !== ResetBy.Peer && target !== null) this.#side.failed(target, Cause.ResponseTruncated, true, "");
    this.run?.end(this.#status, this.#grpcStatus, resetError(code, by));
    this.asker = null;
    asker?.breakOff(this, code);
    this.askStream = null;
    this.#drop(code);
  }

  /** The whole response has gone back. */
  #given(): void {
    this.#givenDone = true;
    const grpcStatus = this.#complete();
    this.#use.answered(this.#status, grpcStatus);
    this.run?.end(this.#status, this.#grpcStatus, "");
    this.counts.ended(this.#status);
    this.#settle();
  }

  #complete(): number {
    return this.counts.complete(this.#status, this.#grpcStatus, this.grpc);
  }

  #settle(): void {
    if (!this.#givenDone) return;
    // What its server left of the request is still with its client's connection.
    if (this.#sentDone && this.#askDone && this.#requestQueue.bytes === 0) this.#release();
    else if (this.answerer === null) this.#stopRequest(ErrorCode.NoError);
  }

  /** The response is complete, and the server wants no more of the request: neither may its client send it. */
  #stopRequest(code: ErrorCode): void {
    const { asker } = this;
    this.asker = null;
    if (asker !== null) this.#stopAsker(asker, code);
    this.askStream = null;
    this.#drop(code);
  }

  /** Its client speaks HTTP/1. */
  get isHttp1(): boolean {
    return this.origProto !== 0 && this.#side.direction === "outbound";
  }

  /** It has gone to a server before, which has not processed it. */
  get resent(): boolean {
    return this.#resends > 0;
  }

  #mayResend(): boolean {
    return !this.responseStarted && this.#sent.complete && this.#resends < RESENDS_MAX && this.asker !== null;
  }

  /** Leaves whoever is left, and goes back to the pool. */
  #drop(code: ErrorCode): void {
    const { answerer } = this;
    this.answerer = null;
    answerer?.cancel(this, code);
    this.#release();
  }

  #leaveFlight(): void {
    if (!this.#inFlight) return;
    this.#inFlight = false;
    this.#side.requestsInFlight -= 1;
  }

  #release(): void {
    this.#leaveFlight();
    this.counts.ended(this.#status);
    this.#dispatchAwaited = false;
    const { run } = this;
    this.run = null;
    this.#use.leave();
    this.queue?.remove(this);
    this.#requestQueue.clear();
    this.#responseQueue.clear();
    this.#sent.clear();
    this.#requestTrailers = null;
    this.#responseTrailers = null;
    this.asker = null;
    this.askStream = null;
    this.answerer = null;
    this.answerStream = null;
    this.target?.series.unpin();
    this.target = null;
    this.origin = null;
    this.logical = null;
    if (this.heads !== null) this.heads.bytes -= this.#headBytes;
    this.heads = null;
    this.#headBytes = 0;
    if (this.#ownHead.bytes.length > OWN_HEAD_BYTES_MAX) this.#ownHead = new FieldList();
    this.head = this.#ownHead;
    // Once nothing else knows it: where it waited may go with the run.
    run?.release();
    this.#side.calls.release(this);
  }
}
