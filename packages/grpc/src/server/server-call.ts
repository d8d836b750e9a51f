import { ErrorCode, type Http2Stream } from "@bowline/wire";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { GrpcError, toGrpcError } from "../grpc-error.ts";
import { Incoming, type IncomingOwner, onlyMessage } from "../incoming.ts";
import { Metadata } from "../metadata.ts";
import { Outgoing, type OutgoingOwner } from "../outgoing.ts";
import { GrpcStatus } from "../status.ts";
import type { CallContext, ServerMethod, ServerStream } from "./implementation.ts";
import type { ServerSession } from "./server-session.ts";

type Message = MessageShape<DescMessage>;
type MessageInit = MessageInitShape<DescMessage>;

/**
 * One call on the server, which is also what its handler sees of it. An open watch is this object, its outgoing side
 * and the engine's stream: the incoming side goes as soon as the request was read.
 */
export class ServerCall implements CallContext, ServerStream, OutgoingOwner, IncomingOwner {
  readonly deadline: number | null;
  onDrain: (() => void) | null = null;
  onClose: ((error: GrpcError | null) => void) | null = null;
  /** Over: nothing more is sent. */
  closed = false;
  readonly #session: ServerSession;
  readonly #method: ServerMethod;
  readonly #startMs: number;
  readonly #outgoing: Outgoing<ServerCall>;
  #stream: Http2Stream<ServerCall> | null;
  #incoming: Incoming<Message> | null;
  #requestMetadata: Metadata | null;
  #trailers: Metadata | null = null;
  #abort: AbortController | null = null;
  #cancelDeadline: (() => void) | null = null;
  #headSent = false;
  /** send() returned false and onDrain was not called since. */
  #overfull = false;
  /** The handler is done: undefined while it is not, then its status, which waits for buffered messages to go. */
  #outcome: GrpcError | null | undefined = undefined;
  #reason: GrpcError | null = null;

  constructor(session: ServerSession, stream: Http2Stream<ServerCall>, method: ServerMethod, head: CallHead) {
    this.#session = session;
    this.#stream = stream;
    this.#method = method;
    this.#startMs = head.nowMs;
    this.#requestMetadata = head.metadata;
    this.#outgoing = new Outgoing(session.link, stream, this);
    this.#incoming = new Incoming(this, method.decode, session.server.setup.limits.messageBytesMax);
    this.deadline = head.timeoutMs === null ? null : head.nowMs + head.timeoutMs;
    if (head.timeoutMs !== null) {
      this.#cancelDeadline = session.server.setup.clock.after(head.timeoutMs, () => {
        this.terminate(new GrpcError(GrpcStatus.DeadlineExceeded, "deadline passed"), ErrorCode.Cancel);
      });
    }
    session.server.setup.observer?.onCallStart(method.service, method.method);
  }

  get service(): string {
    return this.#method.service;
  }

  get method(): string {
    return this.#method.method;
  }

  get peer(): string {
    return this.#session.link.stream.peer;
  }

  get requestMetadata(): Metadata {
    this.#requestMetadata ??= new Metadata();
    return this.#requestMetadata;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#reason !== null) this.#abort.abort(this.#reason);
    }
    return this.#abort.signal;
  }

  get bufferedBytes(): number {
    return this.#outgoing.bufferedBytes;
  }

  /** Lets the handler begin. */
  run(): void {
    this.#handle().catch((thrown: unknown) => this.fail(thrown));
  }

  sendInitialMetadata(metadata?: Metadata): void {
    if (this.#stream === null || this.#headSent) return;
    this.#headSent = true;
    this.#session.sendHead(this.#stream, metadata ?? null);
  }

  setTrailers(metadata: Metadata): void {
    this.#trailers = metadata;
  }

  send(message: MessageInit): boolean {
    return this.closed ? false : this.sendEncoded(this.#method.encode(message));
  }

  sendEncoded(framed: Uint8Array): boolean {
    if (this.closed || this.#outcome !== undefined) return false;
    const { limits } = this.#session.server.setup;
    if (this.bufferedBytes > 0 && this.#isBacklogTooLarge(framed.length)) {
      this.terminate(new GrpcError(GrpcStatus.ResourceExhausted, "reader too slow"), ErrorCode.EnhanceYourCalm);
      return false;
    }
    this.sendInitialMetadata();
    this.#session.server.bufferedBytes += framed.length;
    this.#outgoing.send(framed, false);
    this.#overfull = this.bufferedBytes > limits.highWaterBytes;
    return !this.#overfull;
  }

  end(): void {
    this.#conclude(null);
  }

  fail(error: unknown): void {
    this.#conclude(toGrpcError(error));
  }

  /** Ends the call now, whatever is still to be sent: by a status where that is possible, else by a reset. */
  terminate(error: GrpcError, code: ErrorCode): void {
    if (this.closed) return;
    this.#outcome = error;
    if (this.#stream !== null) {
      if (this.bufferedBytes === 0) this.#session.sendStatus(this.#stream, this.#headSent, error, this.#trailers);
      else this.#session.reset(this.#stream, code);
    }
    this.#close(error, error);
  }

  // === from the engine, by way of the session ===

  onData(bytes: Uint8Array, at: number, end: number, last: boolean): void {
    if (this.#incoming === null) this.onRead(end - at);
    else this.#incoming.push(bytes, at, end);
    if (last) this.onRequestEnd();
  }

  onRequestEnd(): void {
    this.#incoming?.finish(null);
  }

  /** The client cancelled, or the connection is gone: the stream is over already. */
  onReset(error: GrpcError): void {
    this.#stream = null;
    this.#close(error, error);
  }

  onWritable(): void {
    this.#outgoing.onWritable();
  }

  onSent(bytes: number): void {
    this.#session.server.bufferedBytes -= bytes;
    if (this.closed) return;
    if (this.#outcome !== undefined && this.bufferedBytes === 0) this.#sendStatus(this.#outcome);
    else if (this.#overfull && this.bufferedBytes <= this.#session.server.setup.limits.highWaterBytes / 2) {
      this.#overfull = false;
      this.onDrain?.();
    }
  }

  onRead(bytes: number): void {
    if (this.#stream !== null) this.#session.giveBack(this.#stream, bytes);
  }

  onBroken(error: GrpcError): void {
    this.terminate(error, ErrorCode.InternalError);
  }

  onAbandoned(): void {
    // A handler may stop reading requests and still answer; what the client sends on is dropped.
  }

  // === the handler ===

  async #handle(): Promise<void> {
    const method = this.#method;
    switch (method.kind) {
      case "unary":
        return this.#answer(await method.handler(await this.#onlyRequest(), this));
      case "client_streaming":
        return this.#answer(await method.handler(this.#requests(), this));
      case "server_streaming": {
        const request = await this.#onlyRequest();
        if (typeof method.handler === "function") return this.#sendAll(method.handler(request, this));
        return method.handler.push(request, this, this);
      }
      case "bidi_streaming":
        if (typeof method.handler === "function") return this.#sendAll(method.handler(this.#requests(), this));
        return method.handler.push(this.#requests(), this, this);
    }
  }

  async #onlyRequest(): Promise<Message> {
    const request = await onlyMessage(this.#requests());
    this.#incoming = null;
    return request;
  }

  #requests(): Incoming<Message> {
    // There is one until the only request was read, and each kind of method asks once.
    if (this.#incoming === null) throw new Error("gRPC call: its requests were read");
    return this.#incoming;
  }

  #answer(message: MessageInit): void {
    this.send(message);
    this.end();
  }

  async #sendAll(messages: AsyncIterable<MessageInit>): Promise<void> {
    const iterator = messages[Symbol.asyncIterator]();
    let wake: () => void = ignore;
    this.onDrain = () => wake();
    this.onClose = () => {
      wake();
      void iterator.return?.().catch(ignore);
    };
    while (!this.closed) {
      const result = await iterator.next();
      if (result.done === true) return this.end();
      const wait = !this.send(result.value) && !this.closed;
      if (wait) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  // === ending ===

  #conclude(outcome: GrpcError | null): void {
    if (this.closed || this.#outcome !== undefined) return;
    this.#outcome = outcome;
    if (this.bufferedBytes === 0) this.#sendStatus(outcome);
  }

  #sendStatus(error: GrpcError | null): void {
    if (this.#stream !== null) this.#session.sendStatus(this.#stream, this.#headSent, error, this.#trailers);
    this.#close(error, null);
  }

  /** @param reason what the handler's signal should abort with; null when it was the handler who ended the call */
  #close(error: GrpcError | null, reason: GrpcError | null): void {
    this.closed = true;
    this.#stream = null;
    this.#cancelDeadline?.();
    this.#outgoing.close();
    this.#reason = reason;
    this.#incoming?.abort(error ?? new GrpcError(GrpcStatus.Cancelled, "the call is over"));
    this.#incoming = null;
    const { clock, observer } = this.#session.server.setup;
    const ms = clock.nowMs() - this.#startMs;
    observer?.onCallEnd(this.service, this.method, error?.code ?? GrpcStatus.Ok, ms);
    this.#session.onCallClosed();
    if (reason !== null) this.#abort?.abort(reason);
    const onClose = this.onClose;
    this.onClose = null;
    this.onDrain = null;
    onClose?.(error);
  }

  #isBacklogTooLarge(moreBytes: number): boolean {
    const { server } = this.#session;
    const { streamBufferBytesMax, bufferBytesMax } = server.setup.limits;
    return this.bufferedBytes + moreBytes > streamBufferBytesMax || server.bufferedBytes + moreBytes > bufferBytesMax;
  }
}

/** What the head of a request says about its call. */
export interface CallHead {
  readonly metadata: Metadata | null;
  readonly timeoutMs: number | null;
  readonly nowMs: number;
}

/** A generator that is told to stop may fail in doing so; its call is over and has nobody to tell. */
function ignore(): void {}
