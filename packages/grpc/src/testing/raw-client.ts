import { DEFAULT_HTTP2_SETTINGS, FieldList, type Http2Settings, type Http2Stream, NameId, Role } from "@bowline/wire";
import type { ByteStream } from "../byte-stream.ts";
import { textOf } from "../call-status.ts";
import type { Clock } from "../clock.ts";
import { Http2Link, type LinkOwner } from "../link.ts";

/** What came back on a stream. */
export class RawExchange {
  stream: Http2Stream<RawExchange> | null = null;
  status: string | null = null;
  grpcStatus: string | null = null;
  grpcMessage: string | null = null;
  bodyBytes = 0;
  /** Frames of the response's head: 1 for trailers-only. */
  heads = 0;
  reset: number | null = null;
  over = false;
}

/** A client that speaks HTTP/2 as a test says, also what no gRPC client would; it gives no window back by itself. */
export class RawClient implements LinkOwner<RawExchange> {
  readonly link: Http2Link<RawExchange>;

  constructor(stream: ByteStream, clock: Clock, settings: Partial<Http2Settings> = {}) {
    this.link = new Http2Link(Role.Client, { ...DEFAULT_HTTP2_SETTINGS, ...settings }, this, stream, clock);
    this.link.begin();
  }

  /** Sends a request; the fields given replace or add to those of a proper gRPC call, null takes one out. */
  request(fields: Readonly<Record<string, string | null>>, body: Uint8Array = new Uint8Array(5)): RawExchange {
    const all: Record<string, string | null> = {
      ":method": "POST",
      ":scheme": "http",
      ":path": "/bowline.testing.Echo/Unary",
      ":authority": "echo.test",
      te: "trailers",
      "content-type": "application/grpc",
      ...fields,
    };
    const list = new FieldList();
    for (const [name, value] of Object.entries(all)) if (value !== null) list.addText(name, value);
    const exchange = new RawExchange();
    exchange.stream = this.link.http2.openStream(exchange, list, false);
    if (exchange.stream !== null) this.link.http2.sendData(exchange.stream, body, 0, body.length, true);
    this.link.flushSoon();
    return exchange;
  }

  /** Gives received bytes back to the server's window. */
  consume(exchange: RawExchange, bytes: number): void {
    if (exchange.stream !== null) this.link.http2.consumed(exchange.stream, bytes);
    this.link.flushSoon();
  }

  onHead({ user }: Http2Stream<RawExchange>, fields: FieldList, last: boolean): void {
    if (user === null) return;
    user.heads++;
    user.status = textOf(fields, NameId.Status);
    if (last) this.#end(user, fields);
  }

  onData({ user }: Http2Stream<RawExchange>, _bytes: Uint8Array, at: number, end: number, last: boolean): void {
    if (user === null) return;
    user.bodyBytes += end - at;
    user.over ||= last;
  }

  onTrailers({ user }: Http2Stream<RawExchange>, fields: FieldList): void {
    if (user !== null) this.#end(user, fields);
  }

  onReset({ user }: Http2Stream<RawExchange>, code: number): void {
    if (user === null) return;
    user.reset = code;
    user.over = true;
    user.stream = null;
  }

  onWritable(): void {}
  onRoomForStreams(): void {}
  onGoAway(): void {}
  onPong(): void {}
  onReceived(): void {}
  onLinkClosed(): void {}

  #end(exchange: RawExchange, fields: FieldList): void {
    exchange.grpcStatus = textOf(fields, NameId.GrpcStatus);
    exchange.grpcMessage = textOf(fields, NameId.GrpcMessage);
    exchange.over = true;
  }
}
