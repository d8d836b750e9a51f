import { ErrorCode, FieldList, type Http2Stream, NameId, ResetBy } from "@bowline/wire";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { isGrpcContentType, readStatus, readStatusCode, textOf } from "../call-status.ts";
import { GrpcError, toGrpcError } from "../grpc-error.ts";
import { Incoming, type IncomingOwner } from "../incoming.ts";
import { Metadata } from "../metadata.ts";
import { Outgoing, type OutgoingOwner } from "../outgoing.ts";
import { GrpcStatus } from "../status.ts";
import { grpcStatusOfHttp, grpcStatusOfReset } from "../status-http.ts";
import { formatGrpcTimeout } from "../timeout.ts";
import type { CallOptions } from "./call-options.ts";
import type { GrpcChannel } from "./channel.ts";
import type { ClientMethod } from "./client-method.ts";
import type { ClientSession } from "./client-session.ts";

type MessageInit = MessageInitShape<DescMessage>;

/** The requests of a call: one message, framed, or as many as the iterable yields. */
export type Requests = Uint8Array | AsyncIterable<MessageInit>;

/** A request iterable is not pulled while more than this waits for the server's window. */
const SEND_HIGH_WATER_BYTES = 64 * 1024;
/** A call whose request the server surely has not acted on is sent again so often (gRFC A6, transparent retries). */
const RESENDS_MAX = 3;

const scratch = new FieldList();

/**
 * One call of a client, from before it has a connection until its status is known. Its responses are in `incoming`,
 * whose end is the call's status.
 */
export class ClientCall implements OutgoingOwner, IncomingOwner {
  readonly incoming: Incoming<MessageShape<DescMessage>>;
  /** Waits for a connection rather than failing without. */
  readonly waitForReady: boolean;
  ended = false;
  readonly #channel: GrpcChannel;
  readonly #method: ClientMethod;
  readonly #options: CallOptions;
  readonly #startMs: number;
  readonly #onAbort: (() => void) | null = null;
  #requests: Requests;
  #iterator: AsyncIterator<MessageInit> | null = null;
  #session: ClientSession | null = null;
  #stream: Http2Stream<ClientCall> | null = null;
  #outgoing: Outgoing<ClientCall> | null = null;
  #cancelDeadline: (() => void) | null = null;
  #resends = 0;
  #headSeen = false;
  /** Wakes the loop that sends requests, when it waits for room. */
  #wake: () => void = ignore;

  constructor(channel: GrpcChannel, method: ClientMethod, requests: Requests, options: CallOptions) {
    const { clock, observer, messageBytesMax, waitForReady } = channel.setup;
    this.#channel = channel;
    this.#method = method;
    this.#requests = requests;
    this.#options = options;
    this.waitForReady = options.waitForReady ?? waitForReady;
    this.incoming = new Incoming(this, method.decode, messageBytesMax);
    this.#startMs = clock.nowMs();
    observer?.onCallStart(method.service, method.method);
    const { deadlineMs, signal } = options;
    if (deadlineMs !== undefined) {
      this.#cancelDeadline = clock.after(deadlineMs, () => {
        this.end(new GrpcError(GrpcStatus.DeadlineExceeded, `no answer within ${deadlineMs} ms`), true);
      });
    }
    if (signal !== undefined) {
      this.#onAbort = () => this.end(new GrpcError(GrpcStatus.Cancelled, "cancelled", { cause: signal.reason }), true);
      signal.addEventListener("abort", this.#onAbort);
    }
  }

  /** Begins, unless it was cancelled before. */
  start(): void {
    if (this.#options.signal?.aborted === true) this.#onAbort?.();
    else this.#channel.dispatch(this);
  }

  /** Goes out on a connection. False: it has no room for a stream now. */
  open(session: ClientSession): boolean {
    const stream = session.link.http2.openStream(this, this.#head(), false);
    if (stream === null) return false;
    this.#session = session;
    this.#stream = stream;
    this.#outgoing = new Outgoing(session.link, stream, this);
    if (this.#requests instanceof Uint8Array) this.#outgoing.send(this.#requests, true);
    else this.#sendAll(this.#requests, this.#outgoing).catch(ignore);
    session.link.flushSoon();
    return true;
  }

  /**
   * Ends the call, once.
   *
   * @param error null for OK
   * @param now drops responses that nobody has taken yet; otherwise the status comes after them
   */
  end(error: GrpcError | null, now: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.#cancelDeadline?.();
    if (this.#onAbort !== null) this.#options.signal?.removeEventListener("abort", this.#onAbort);
    // Bytes that finish() gives back may be the last that the engine waited for: then the stream is over with them.
    const both = this.#stream !== null && isComplete(this.#stream);
    if (error !== null && now) this.incoming.abort(error);
    else this.incoming.finish(error);
    const stream = this.#stream;
    this.#stream = null;
    // CANCEL also where the server ended before us: on NO_ERROR, Node's servers wait for a request they never read.
    if (stream !== null && !both) this.#session?.reset(stream, ErrorCode.Cancel);
    this.#outgoing?.close();
    this.#stopRequests();
    if (this.#session === null) this.#channel.forget(this);
    else this.#session.onCallClosed();
    const { clock, observer } = this.#channel.setup;
    const ms = clock.nowMs() - this.#startMs;
    observer?.onCallEnd(this.#method.service, this.#method.method, error?.code ?? GrpcStatus.Ok, ms);
  }

  // === from the engine, by way of the session ===

  onHead(fields: FieldList, last: boolean): void {
    const status = textOf(fields, NameId.Status) ?? "";
    if (status.startsWith("1")) return;
    this.#headSeen = true;
    const contentType = textOf(fields, NameId.ContentType);
    const isGrpc = status === "200" && isGrpcContentType(contentType);
    if (last && (isGrpc || readStatusCode(fields) !== null)) {
      this.onTrailers(fields);
    } else if (isGrpc) {
      this.#options.onHeaders?.(Metadata.readFrom(fields));
    } else {
      const code = grpcStatusOfHttp(Number(status));
      this.end(new GrpcError(code, `not a gRPC response: HTTP ${status}, content-type ${contentType}`), true);
    }
  }

  onData(bytes: Uint8Array, at: number, end: number, last: boolean): void {
    this.incoming.push(bytes, at, end);
    if (last) this.end(new GrpcError(GrpcStatus.Internal, "the response ended without a status"), false);
  }

  onTrailers(fields: FieldList): void {
    this.#options.onTrailers?.(Metadata.readFrom(fields));
    this.end(readStatus(fields), false);
  }

  onReset(code: ErrorCode, by: ResetBy, closeError: Error | null): void {
    this.#stream = null;
    if (this.ended) return;
    if (by === ResetBy.Unprocessed && this.#canResend()) {
      this.#resend();
      return;
    }
    this.end(this.#resetError(code, by, closeError), false);
  }

  onWritable(): void {
    this.#outgoing?.onWritable();
  }

  onSent(_bytes: number): void {
    if ((this.#outgoing?.bufferedBytes ?? 0) <= SEND_HIGH_WATER_BYTES / 2) this.#wake();
  }

  onRead(bytes: number): void {
    if (this.#stream !== null) this.#session?.giveBack(this.#stream, bytes);
  }

  onBroken(error: GrpcError): void {
    this.end(error, true);
  }

  onAbandoned(): void {
    this.end(new GrpcError(GrpcStatus.Cancelled, "the caller stopped reading"), true);
  }

  // === requests ===

  #head(): FieldList {
    const { deadlineMs, metadata } = this.#options;
    if (deadlineMs === undefined && metadata === undefined) return this.#method.head;
    scratch.copyFrom(this.#method.head);
    if (deadlineMs !== undefined) {
      const leftMs = deadlineMs - (this.#channel.setup.clock.nowMs() - this.#startMs);
      scratch.addText("grpc-timeout", formatGrpcTimeout(Math.max(0, leftMs)));
    }
    metadata?.writeTo(scratch);
    return scratch;
  }

  async #sendAll(requests: AsyncIterable<MessageInit>, outgoing: Outgoing<ClientCall>): Promise<void> {
    const iterator = requests[Symbol.asyncIterator]();
    this.#iterator = iterator;
    try {
      while (!this.ended) {
        const result = await iterator.next();
        if (this.ended) return;
        if (result.done === true) {
          this.#iterator = null;
          outgoing.end();
          return;
        }
        outgoing.send(this.#method.encode(result.value), false);
        if (outgoing.bufferedBytes > SEND_HIGH_WATER_BYTES) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } catch (thrown) {
      // The caller's iterable failed: what it threw is what the call ends with.
      this.#iterator = null;
      this.end(toGrpcError(thrown), true);
    }
  }

  #stopRequests(): void {
    const iterator = this.#iterator;
    this.#iterator = null;
    this.#wake();
    void iterator?.return?.().catch(ignore);
  }

  // === resets ===

  /** An iterable can't be read twice. */
  #canResend(): boolean {
    return this.#requests instanceof Uint8Array && !this.#headSeen && this.#resends < RESENDS_MAX;
  }

  #resend(): void {
    this.#resends++;
    this.#outgoing?.close();
    this.#outgoing = null;
    this.#session?.onCallClosed();
    this.#session = null;
    this.#channel.dispatch(this);
  }

  #resetError(code: ErrorCode, by: ResetBy, closeError: Error | null): GrpcError {
    switch (by) {
      case ResetBy.ConnectionLost:
        return lostBecause(closeError);
      case ResetBy.Unprocessed:
        return new GrpcError(GrpcStatus.Unavailable, "refused by the server");
      case ResetBy.PeerFault:
        return new GrpcError(grpcStatusOfReset(code), `the server stalled or broke HTTP/2's rules (error ${code})`);
      default:
        return new GrpcError(grpcStatusOfReset(code), `reset by the server (HTTP/2 error ${code})`);
    }
  }
}

function isComplete(stream: Http2Stream<ClientCall>): boolean {
  return stream.sentLast && stream.receivedLast;
}

/** Calls that end with a connection have that connection's end as their cause. */
function lostBecause(closeError: Error | null): GrpcError {
  if (closeError instanceof GrpcError) return closeError;
  const reason = closeError === null ? "closed by the server" : closeError.message;
  return new GrpcError(GrpcStatus.Unavailable, `connection lost: ${reason}`, { cause: closeError });
}

/** For iterators told to stop: their call is over and has nobody to tell. */
function ignore(): void {}
