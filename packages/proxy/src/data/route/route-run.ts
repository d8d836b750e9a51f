import { Timer, type TimerOwner } from "@bowline/loop";
import {
  Backoff,
  Classification,
  decideProfileRetry,
  decideRetry,
  type FilterAnswer,
  type HeaderEdits,
  headTimeout,
  NO_GRPC_STATUS,
  overrideRetry,
  overrideTimeouts,
  REQUEST_OVERRIDE_HEADERS,
  RetryDecision,
  type RetryPolicy,
  type Timeouts,
  TryEnd,
} from "@bowline/model";
import type { FieldList } from "@bowline/wire";
import type { Call } from "../call/call.ts";
import { Cause } from "../failures.ts";
import type { Side } from "../side.ts";
import { TIMEOUT, UNCLASSIFIED } from "../telemetry/http-series.ts";
import type { RouteError, RouteSeries } from "../telemetry/route-series.ts";
import { editFields, editHead } from "./edit-fields.ts";
import { filterAnswerFields } from "./filter-answer.ts";
import type { Routing } from "./routing.ts";
import type { Way, WayBackend } from "./way.ts";

const HTTP_OK = 200;

const REQUEST_TIMER = 0;
const RESPONSE_TIMER = 1;
const IDLE_TIMER = 2;
const HEAD_TIMER = 3;
const BACKOFF_TIMER = 4;

/** What becomes of a response's head. */
export const HeadStep = {
  /** It goes to the client. */
  Pass: 0,
  /** It waits for what follows it, which may show that the request is to be sent again. */
  Hold: 1,
  /** It is thrown away: the request is being sent again. */
  Retried: 2,
} as const;
export type HeadStep = (typeof HeadStep)[keyof typeof HeadStep];

/** A call on its way through a route: filters, timeouts, tries. Reused for one call after another. */
export class RouteRun implements TimerOwner {
  /** Where the call leaves a response head that is to be held. */
  heldHead: FieldList | null = null;
  readonly #side: Side;
  readonly #requestTimer: Timer = new Timer(this, REQUEST_TIMER);
  readonly #responseTimer: Timer = new Timer(this, RESPONSE_TIMER);
  readonly #idleTimer: Timer = new Timer(this, IDLE_TIMER);
  readonly #headTimer: Timer = new Timer(this, HEAD_TIMER);
  readonly #backoffTimer: Timer = new Timer(this, BACKOFF_TIMER);
  readonly #class: Classification = new Classification();
  #call: Call | null = null;
  /** The request's head as the route sends it; backends may change it further. */
  #head: FieldList | null = null;
  /** Held for as long as the call may go by it. */
  #routing: Routing | null = null;
  #way: Way | null = null;
  #backend: WayBackend | null = null;
  #timeouts: Timeouts | null = null;
  #retry: RetryPolicy | null = null;
  #backoff: Backoff | null = null;
  #heldStatus = 0;
  #tries = 0;
  /** The try in hand went to a backend, and what became of it has not been counted. */
  #trying = false;
  /** When all of the request was on its way; infinite before. */
  #sentMs = Number.POSITIVE_INFINITY;
  #series: RouteSeries | null = null;
  #timedOut = false;
  /** Which of the timeouts it was. */
  #timeout: RouteError = "";
  #ended = false;

  constructor(side: Side) {
    this.#side = side;
  }

  /** Sends the call the way that its route is, or answers it as the route says. */
  begin(call: Call, routing: Routing, way: Way): void {
    routing.hold();
    this.#routing = routing;
    this.#call = call;
    this.#way = way;
    this.#tries = 0;
    this.#trying = false;
    this.#timedOut = false;
    this.#ended = false;
    this.#timeouts = way.timeouts;
    this.#retry = way.retry;
    call.run = this;
    const series = this.#seriesOf(call, way);
    this.#series = series;
    call.counts.requestFrames = series === null ? null : series.requestFrames;
    if (way.profileSeries !== null) way.profileSeries.requests.value += 1;
    if (way.allowL5dHeaders) this.#takeOverrides(call, way);
    const answer = this.#filter(way.filters, way.prefixLength);
    if (answer !== null) {
      this.#answer(answer);
      return;
    }
    const { reactor } = this.#side.plane;
    const { requestMs, idleMs } = this.#timeouts;
    if (requestMs !== null) reactor.after(this.#requestTimer, requestMs);
    if (idleMs !== null) reactor.after(this.#idleTimer, idleMs);
    if (way.headTimeoutMs !== null) reactor.after(this.#requestTimer, way.headTimeoutMs);
    this.#try();
  }

  /** The request goes out again. */
  again(): void {
    this.#try();
  }

  /** No server has processed the request: that it is sent again is no retry. */
  onResend(): void {
    this.#tries -= 1;
    this.#countTry(0, NO_GRPC_STATUS, "IO");
  }

  /** All of the request is on its way. */
  onRequestSent(): void {
    this.#sentMs = this.#side.plane.reactor.nowMs;
    const responseMs = this.#timeouts!.responseMs;
    if (responseMs !== null) this.#side.plane.reactor.after(this.#responseTimer, responseMs);
  }

  /** Something moved, in either direction. */
  onFrame(): void {
    const idleMs = this.#timeouts!.idleMs;
    if (idleMs !== null) this.#side.plane.reactor.after(this.#idleTimer, idleMs);
  }

  /** @param last nothing follows the head */
  onHead(status: number, grpcStatus: number, last: boolean): HeadStep {
    const call = this.#call!;
    this.#headTimer.cancel();
    const classification = this.#class;
    classification.head(this.#way!.classes, call.grpc, status, grpcStatus);
    if (last) classification.end(NO_GRPC_STATUS);
    const hold = !last && grpcStatus === NO_GRPC_STATUS && call.grpc && this.#mayRetryByTrailers(status);
    if (hold) {
      this.#heldStatus = status;
      return HeadStep.Hold;
    }
    return this.#decide(TryEnd.Response, status, grpcStatus) ? HeadStep.Retried : HeadStep.Pass;
  }

  /** Trailers follow a head that was held at once; true when the request is being sent again. */
  onHeldTrailers(grpcStatus: number): boolean {
    this.#class.end(grpcStatus);
    return this.#decide(TryEnd.Response, this.#heldStatus, grpcStatus);
  }

  /** The head goes to the client. Returns it with the route's changes. */
  passHead(fields: FieldList): FieldList {
    if (this.#way!.headTimeoutMs !== null) this.#requestTimer.cancel();
    this.heldHead = null;
    const { filters } = this.#way!;
    const own = this.#backend?.filters ?? null;
    if ((filters === null || filters.responseEdits.length === 0) && (own === null || own.responseEdits.length === 0)) {
      return fields;
    }
    return editFields(editFields(fields, own?.responseEdits ?? []), filters?.responseEdits ?? []);
  }

  /** The try failed without a response; true when the request is being sent again. */
  onFailed(cause: Cause, error: RouteError): boolean {
    if (this.#ended) return false;
    this.#headTimer.cancel();
    this.#countTry(0, NO_GRPC_STATUS, this.#timedOut ? this.#timeout : error);
    if (this.#timedOut) return false;
    return this.#decide(tryEndOf(cause), 0, NO_GRPC_STATUS);
  }

  /** The server would not take the request; true when it is being sent again. */
  onRefusedStream(): boolean {
    this.#headTimer.cancel();
    this.#countTry(0, NO_GRPC_STATUS, "REFUSED");
    return this.#decide(TryEnd.RefusedStream, 0, NO_GRPC_STATUS);
  }

  /**
   * The call is over.
   * @param status 0 without a response
   */
  end(status: number, grpcStatus: number, error: RouteError): void {
    if (this.#ended) return;
    this.#ended = true;
    const { profileSeries, budget } = this.#way!;
    const series = this.#series;
    const call = this.#call!;
    const { nowMs } = this.#side.plane.reactor;
    const label = this.#timedOut ? this.#timeout : error;
    this.#countTry(status, grpcStatus, label);
    if (series !== null) {
      series.seconds.observe((nowMs - call.startMs) / 1000);
      series.statuses.count(series.grpc ? grpcStatus : status === 0 ? -1 : status, label);
      if (this.#tries > 1 && error === "" && !this.#class.failure) series.retrySuccesses.value += 1;
    }
    if (profileSeries === null) return;
    if (budget !== null && error !== "") budget.deposit(nowMs);
    const failure = error !== "" || this.#class.failure;
    profileSeries.responded(status, failure, grpcStatus, this.#timedOut ? TIMEOUT : error && UNCLASSIFIED);
    if (status !== 0) profileSeries.latencyMs(status).observe(nowMs - call.startMs);
  }

  /** The call has gone. */
  release(): void {
    this.#requestTimer.cancel();
    this.#responseTimer.cancel();
    this.#idleTimer.cancel();
    this.#headTimer.cancel();
    this.#backoffTimer.cancel();
    const routing = this.#routing;
    this.#routing = null;
    this.#call = null;
    this.#head = null;
    this.#way = null;
    this.#backend = null;
    this.#series = null;
    this.#timeouts = null;
    this.#retry = null;
    this.#backoff = null;
    this.heldHead = null;
    this.#side.routeRuns.release(this);
    // Last: what it held may end with it.
    routing?.release();
  }

  onTimer(kind: number): void {
    const call = this.#call!;
    if (kind === BACKOFF_TIMER) {
      this.#try();
      return;
    }
    if (kind === HEAD_TIMER && this.#decide(TryEnd.HeadTimeout, 0, NO_GRPC_STATUS)) return;
    this.#timedOut = true;
    this.#timeout = timeoutError(kind);
    if (call.responseStarted) call.cutShort();
    else call.refuse(Cause.RouteTimeout, "");
  }

  #try(): void {
    const call = this.#call!;
    const { reactor } = this.#side.plane;
    this.#tries += 1;
    this.#sentMs = Number.POSITIVE_INFINITY;
    // What the filters of the backend that was tried before have made of it is no other try's.
    this.#head ??= call.head;
    call.head = this.#head;
    const backend = this.#way!.choice.pick();
    this.#backend = backend;
    if (backend === null) {
      call.refuse(Cause.LoadShed, "no backend is available");
      return;
    }
    const answer = this.#filter(backend.filters, null);
    if (answer !== null) {
      this.#answer(answer);
      return;
    }
    const timeoutMs = this.#retry === null ? null : headTimeout(this.#retry, this.#tries);
    if (timeoutMs !== null) reactor.after(this.#headTimer, timeoutMs);
    this.#trying = true;
    const { series } = backend;
    if (series !== null) series.requests.value += 1;
    call.counts.responseFrames = series === null ? null : series.frames;
    if (this.#way!.profileSeries !== null) this.#way!.profileSeries.actualRequests.value += 1;
    backend.backend.send(call);
  }

  /** Decides whether to send again, and if so begins to; a response so far is thrown away then. */
  #decide(end: TryEnd, status: number, grpcStatus: number): boolean {
    const call = this.#call!;
    const { nowMs } = this.#side.plane.reactor;
    const way = this.#way!;
    if (this.#retry !== null) {
      const body = call.sentBody(this.#retry.requestBytesMax);
      const decision = decideRetry(this.#retry, this.#tries, end, status, grpcStatus, body);
      if (decision === RetryDecision.LimitReached) this.#count("limit");
      if (decision !== RetryDecision.Retry) return false;
      this.#count("retry");
    } else if (way.budget !== null) {
      const body = call.sentBody(Number.POSITIVE_INFINITY);
      const { failure } = this.#class;
      if (end === TryEnd.Response && failure && way.profileSeries !== null) way.profileSeries.retryable.value += 1;
      const decision = decideProfileRetry(way.budget, end, failure, body, nowMs);
      if (decision === RetryDecision.NoBudget && way.profileSeries !== null) way.profileSeries.noBudget.value += 1;
      if (decision !== RetryDecision.Retry) return false;
    } else {
      return false;
    }
    if (end === TryEnd.Response) this.#countTry(status, grpcStatus, "");
    else if (end === TryEnd.HeadTimeout) this.#countTry(0, NO_GRPC_STATUS, "RESPONSE_HEADERS_TIMEOUT");
    this.#again(call);
    return true;
  }

  #again(call: Call): void {
    this.heldHead = null;
    call.rewind();
    const backoff = this.#retry?.backoff ?? null;
    if (backoff === null) {
      call.redispatch();
      return;
    }
    this.#backoff ??= new Backoff(backoff, Math.random);
    this.#side.plane.reactor.after(this.#backoffTimer, this.#backoff.next());
  }

  #mayRetryByTrailers(status: number): boolean {
    if (status !== 200) return false;
    const codes = this.#retry?.codes ?? null;
    return codes !== null || this.#way!.budget !== null;
  }

  #count(what: "retry" | "limit"): void {
    const series = this.#series;
    if (series === null) return;
    if (what === "retry") series.retries.value += 1;
    else series.retryLimitExceeded.value += 1;
  }

  /** Counts what became of the try in hand, once. */
  #countTry(status: number, grpcStatus: number, error: RouteError): void {
    if (!this.#trying) return;
    this.#trying = false;
    const { profileSeries } = this.#way!;
    if (profileSeries !== null) {
      const failure = error !== "" || this.#class.failure;
      profileSeries.tried(status, failure, grpcStatus, error && UNCLASSIFIED);
    }
    const series = this.#backend!.series;
    if (series === null) return;
    series.statuses.count(this.#series?.grpc === true ? grpcStatus : status === 0 ? -1 : status, error);
    series.seconds.observe(Math.max(0, this.#side.plane.reactor.nowMs - this.#sentMs) / 1000);
  }

  #seriesOf(call: Call, { series, hosts }: Way): RouteSeries | null {
    return hosts === null ? series : hosts.of(this.#side.headFacts.of(call.head).authority);
  }

  /** What the filters answer by themselves, or null; the request's head as they change it. */
  #filter(filters: Way["filters"], prefixLength: number | null): FilterAnswer | null {
    if (filters === null) return null;
    const call = this.#call!;
    if (filters.decides) {
      const facts = this.#side.headFacts.of(call.head);
      const { scheme, authority: host, port, path, query } = facts;
      const answer = filters.answer({ scheme, host, port, path, query }, prefixLength, Math.random);
      if (answer !== null) return answer;
    }
    const edits: readonly HeaderEdits[] = filters.requestEdits;
    if (edits.length > 0) call.head = editHead(call.head, edits);
    return null;
  }

  #answer(answer: FilterAnswer): void {
    const call = this.#call!;
    this.#endAnswered(answer);
    call.answer(filterAnswerFields(answer, call.grpc, this.#side.informational));
  }

  #endAnswered(answer: FilterAnswer): void {
    switch (answer.kind) {
      case "error":
        this.end(0, NO_GRPC_STATUS, "UNKNOWN");
        break;
      case "grpc-fail":
        this.end(HTTP_OK, answer.code, "");
        break;
      default:
        this.end(answer.status, NO_GRPC_STATUS, "");
    }
  }

  #takeOverrides(call: Call, way: Way): void {
    const facts = this.#side.headFacts.of(call.head);
    this.#timeouts = overrideTimeouts(way.timeouts, facts);
    this.#retry = overrideRetry(way.retry, facts);
    const named = REQUEST_OVERRIDE_HEADERS.filter((name) => facts.header(name, 0) !== null);
    if (named.length > 0) call.head = editFields(call.head, [{ add: [], set: [], remove: named }]);
  }
}

function tryEndOf(cause: Cause): TryEnd {
  switch (cause) {
    case Cause.Failfast:
      return TryEnd.Failfast;
    case Cause.LoadShed:
      return TryEnd.Shed;
    default:
      return TryEnd.OtherError;
  }
}

/** How the end of a call by one of the timers is labelled. */
function timeoutError(timer: number): RouteError {
  switch (timer) {
    case RESPONSE_TIMER:
      return "RESPONSE_STREAM_TIMEOUT";
    case IDLE_TIMER:
      return "IDLE_TIMEOUT";
    case HEAD_TIMER:
      return "RESPONSE_HEADERS_TIMEOUT";
    default:
      return "REQUEST_TIMEOUT";
  }
}
