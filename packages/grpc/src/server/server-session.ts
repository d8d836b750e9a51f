import { ErrorCode, FieldList, type Http2Stream, NameId, ResetBy, Role } from "@bowline/wire";
import type { ByteStream } from "../byte-stream.ts";
import { isGrpcContentType, textOf, writeStatus } from "../call-status.ts";
import { GrpcError } from "../grpc-error.ts";
import { KeepAlive, KeepAliveStep } from "../keep-alive.ts";
import { Http2Link, type LinkOwner } from "../link.ts";
import { Metadata } from "../metadata.ts";
import { GrpcStatus } from "../status.ts";
import { grpcStatusOfReset } from "../status-http.ts";
import { parseGrpcTimeoutMs } from "../timeout.ts";
import type { GrpcServer } from "./grpc-server.ts";
import { type CallHead, ServerCall } from "./server-call.ts";

/** Written to by whoever sends a head or trailers, and read within the same call. */
const scratch = new FieldList();

/** The response head of nearly all calls, and the trailers of those that end well. */
const PLAIN_HEAD: FieldList = sharedFields([
  [":status", "200"],
  ["content-type", "application/grpc"],
]);
const OK_TRAILERS: FieldList = sharedFields([["grpc-status", "0"]]);

/** One client's connection to a server. */
export class ServerSession implements LinkOwner<ServerCall> {
  readonly server: GrpcServer;
  readonly link: Http2Link<ServerCall>;
  openCalls = 0;
  readonly #keepAlive: KeepAlive;

  constructor(server: GrpcServer, stream: ByteStream) {
    const { http2, clock, keepAlive } = server.setup;
    this.server = server;
    this.link = new Http2Link(Role.Server, http2, this, stream, clock);
    this.#keepAlive = new KeepAlive(keepAlive, clock.nowMs());
  }

  begin(): void {
    this.link.begin();
  }

  /** New calls are refused; the connection closes when those it has are over. */
  drain(): void {
    this.link.http2.drain();
    this.link.flushSoon();
  }

  tick(nowMs: number): void {
    this.link.tick(this.server.setup.limits.stallMsMax);
    const step = this.#keepAlive.check(nowMs, this.openCalls);
    if (step === KeepAliveStep.Ping) {
      this.link.http2.ping();
      this.link.flushSoon();
    } else if (step === KeepAliveStep.GiveUp) {
      this.link.close(ErrorCode.NoError, new Error("no answer to a keep-alive ping"));
    }
  }

  // === for the calls ===

  sendHead(stream: Http2Stream<ServerCall>, metadata: Metadata | null): void {
    this.link.http2.sendHead(stream, headFields(metadata), false);
    this.link.flushSoon();
  }

  /** Ends a stream with its status; without a head sent before, the head is all there is (trailers-only). */
  sendStatus(
    stream: Http2Stream<ServerCall>,
    headSent: boolean,
    error: GrpcError | null,
    trailers: Metadata | null,
  ): void {
    const { http2 } = this.link;
    const requestOver = stream.receivedLast;
    if (headSent) http2.sendTrailers(stream, trailerFields(error, trailers));
    else http2.sendHead(stream, statusOnlyFields(error, trailers), true);
    if (!requestOver) this.#endRequest(stream);
    this.link.flushSoon();
  }

  reset(stream: Http2Stream<ServerCall>, code: ErrorCode): void {
    this.link.http2.reset(stream, code);
    this.link.flushSoon();
  }

  giveBack(stream: Http2Stream<ServerCall>, bytes: number): void {
    this.link.http2.consumed(stream, bytes);
    this.link.flushSoon();
  }

  onCallClosed(): void {
    this.openCalls--;
    this.server.onCallClosed();
  }

  // === from the engine ===

  onHead(stream: Http2Stream<ServerCall>, fields: FieldList, last: boolean): void {
    const refusal = httpRefusal(fields);
    if (refusal !== null) {
      this.#refuse(stream, refusal);
      return;
    }
    if (this.server.openCalls >= this.server.setup.limits.callsMax) {
      this.link.http2.reset(stream, ErrorCode.RefusedStream);
      return;
    }
    const path = textOf(fields, NameId.Path) ?? "";
    const method = this.server.method(path);
    if (method === undefined) {
      this.#rejectUnknown(stream, path);
      return;
    }
    const encoding = textOf(fields, NameId.GrpcEncoding) ?? "identity";
    if (encoding !== "identity") {
      this.#refuseEncoding(stream, encoding);
      return;
    }
    const head = this.#readHead(fields);
    if (head === null) {
      this.sendStatus(stream, false, new GrpcError(GrpcStatus.Internal, "malformed grpc-timeout"), null);
      return;
    }
    if (this.openCalls++ === 0) this.#keepAlive.onFirstCall(head.nowMs);
    this.server.openCalls++;
    const call = new ServerCall(this, stream, method, head);
    stream.user = call;
    call.run();
    if (last) call.onRequestEnd();
  }

  onData(stream: Http2Stream<ServerCall>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    const call = stream.user;
    if (call === null) this.link.http2.consumed(stream, end - at);
    else call.onData(bytes, at, end, last);
  }

  onTrailers(stream: Http2Stream<ServerCall>, _fields: FieldList): void {
    // gRPC gives a request's trailers no meaning; they only end it.
    stream.user?.onRequestEnd();
  }

  onReset(stream: Http2Stream<ServerCall>, code: ErrorCode, by: ResetBy): void {
    stream.user?.onReset(resetError(code, by));
  }

  onWritable(stream: Http2Stream<ServerCall>): void {
    stream.user?.onWritable();
  }

  onReceived(): void {
    this.#keepAlive.onReceived(this.server.setup.clock.nowMs());
  }

  onLinkClosed(_error: Error | null): void {
    this.server.onSessionClosed(this);
  }

  onRoomForStreams(): void {
    // A server opens none.
  }

  onGoAway(_code: ErrorCode, _lastStreamId: number): void {
    // The client opens no more streams; those it has go on.
  }

  onPong(): void {
    // KeepAlive counts any byte as an answer.
  }

  #readHead(fields: FieldList): CallHead | null {
    const timeout = textOf(fields, NameId.GrpcTimeout);
    const timeoutMs = timeout === null ? null : parseGrpcTimeoutMs(timeout);
    if (timeout !== null && timeoutMs === null) return null;
    const metadata = Metadata.readFrom(fields);
    return { metadata: metadata.size === 0 ? null : metadata, timeoutMs, nowMs: this.server.setup.clock.nowMs() };
  }

  #rejectUnknown(stream: Http2Stream<ServerCall>, path: string): void {
    const { observer } = this.server.setup;
    observer?.onCallStart("", "");
    this.sendStatus(stream, false, new GrpcError(GrpcStatus.Unimplemented, `unknown method ${path}`), null);
    observer?.onCallEnd("", "", GrpcStatus.Unimplemented, 0);
  }

  /** "Compression": a server says what it would have taken. */
  #refuseEncoding(stream: Http2Stream<ServerCall>, encoding: string): void {
    const error = new GrpcError(GrpcStatus.Unimplemented, `no decoder for grpc-encoding ${encoding}`);
    statusOnlyFields(error, null).addText("grpc-accept-encoding", "identity");
    this.#answerAtOnce(stream);
  }

  /** Answers what is not gRPC in HTTP's own terms ("gRPC over HTTP2": 415 for another content type). */
  #refuse(stream: Http2Stream<ServerCall>, status: string): void {
    scratch.clear();
    scratch.addText(":status", status);
    this.#answerAtOnce(stream);
  }

  /** Sends the scratch fields as all there is to say. */
  #answerAtOnce(stream: Http2Stream<ServerCall>): void {
    const requestOver = stream.receivedLast;
    this.link.http2.sendHead(stream, scratch, true);
    if (!requestOver) this.#endRequest(stream);
    this.link.flushSoon();
  }

  /** RFC 9113 §8.1: after its whole response, a server may ask the client not to send the rest of the request. */
  #endRequest(stream: Http2Stream<ServerCall>): void {
    this.link.http2.reset(stream, ErrorCode.NoError);
  }
}

/** The HTTP status for a request that is no gRPC call, null for one that is. */
function httpRefusal(fields: FieldList): string | null {
  if (textOf(fields, NameId.Method) !== "POST") return "405";
  return isGrpcContentType(textOf(fields, NameId.ContentType)) ? null : "415";
}

function resetError(code: ErrorCode, by: ResetBy): GrpcError {
  switch (by) {
    case ResetBy.PeerFault:
      return new GrpcError(grpcStatusOfReset(code), `the client stalled or broke HTTP/2's rules (error ${code})`);
    case ResetBy.ConnectionLost:
      return new GrpcError(GrpcStatus.Cancelled, "connection lost");
    default:
      return new GrpcError(GrpcStatus.Cancelled, `cancelled by the client (HTTP/2 error ${code})`);
  }
}

function headFields(metadata: Metadata | null): FieldList {
  if (metadata === null || metadata.size === 0) return PLAIN_HEAD;
  scratch.clear();
  addPlainHead(scratch);
  metadata.writeTo(scratch);
  return scratch;
}

function trailerFields(error: GrpcError | null, metadata: Metadata | null): FieldList {
  if (error === null && metadata === null) return OK_TRAILERS;
  scratch.clear();
  addStatus(error, metadata);
  return scratch;
}

function statusOnlyFields(error: GrpcError | null, metadata: Metadata | null): FieldList {
  scratch.clear();
  addPlainHead(scratch);
  addStatus(error, metadata);
  return scratch;
}

function addStatus(error: GrpcError | null, metadata: Metadata | null): void {
  writeStatus(scratch, error);
  metadata?.writeTo(scratch);
  error?.metadata.writeTo(scratch);
}

function addPlainHead(fields: FieldList): void {
  fields.addText(":status", "200");
  fields.addText("content-type", "application/grpc");
}

function sharedFields(pairs: readonly (readonly [name: string, value: string])[]): FieldList {
  const fields = new FieldList();
  for (const [name, value] of pairs) fields.addText(name, value);
  fields.share();
  return fields;
}
