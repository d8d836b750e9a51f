import { Http2Connection } from "../../packages/wire/src/http2/connection.ts";
import { fieldListOf } from "../../packages/wire/src/http2/field-texts.ts";
import type { FieldList } from "../../packages/wire/src/http2/fields.ts";
import { type Http2Handler, Role } from "../../packages/wire/src/http2/handler.ts";
import { NameId } from "../../packages/wire/src/http2/name-id.ts";
import { DEFAULT_HTTP2_SETTINGS } from "../../packages/wire/src/http2/settings.ts";
import type { Http2Stream } from "../../packages/wire/src/http2/stream.ts";
import { GrowingSink } from "../../packages/wire/src/http2/testing/growing-sink.ts";

/**
 * What one exchange costs: a client and a server engine joined back to back, 100 concurrent streams, a request of 10
 * fields and a response of 10 fields with a small body. Heads are the same every time ("same": what health checks and
 * gRPC unary calls come close to), or differ in one field ("path", "length").
 *
 * usage: bun run bench/micro/http2.bench.ts [exchanges] [case...]
 */
const STREAMS = 100;
const BODY = new TextEncoder().encode("hello, here is your small response body");
const VARIANTS = 500;

interface Case {
  readonly name: string;
  readonly requests: readonly FieldList[];
  readonly responses: readonly FieldList[];
  readonly body: boolean;
  /** The request has a body too, and the response ends with trailers. */
  readonly grpc?: boolean;
}

function request(path: string): FieldList {
  return fieldListOf([
    [":method", "GET"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "web.emojivoto.svc.cluster.local:8080"],
    ["user-agent", "h2load nghttp2/1.64.0"],
    ["accept", "*/*"],
    ["accept-encoding", "gzip, deflate"],
    ["x-request-id", "4b1c2a30-7d9e-4a5b-9f3e-2f6d8c1b0a99"],
    ["l5d-dst-canonical", "web.emojivoto.svc.cluster.local:8080"],
    ["te", "trailers"],
  ]);
}

function response(date: string, length = BODY.length): FieldList {
  return fieldListOf([
    [":status", "200"],
    ["content-type", "application/json"],
    ["content-length", String(length)],
    ["server", "nghttpd nghttp2/1.64.0"],
    ["cache-control", "max-age=3600"],
    ["date", date],
    ["etag", '"5f3e-2f6d8c1b"'],
    ["vary", "accept-encoding"],
    ["x-frame-options", "DENY"],
    ["x-content-type-options", "nosniff"],
  ]);
}

function shared(list: FieldList): FieldList {
  list.share();
  return list;
}

function grpcRequest(): FieldList {
  return fieldListOf([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/emojivoto.v1.EmojiService/ListAll"],
    [":authority", "emoji-svc.emojivoto.svc.cluster.local:8080"],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
    ["user-agent", "grpc-go/1.60.0"],
    ["grpc-accept-encoding", "gzip"],
  ]);
}

const GRPC_STATUS = shared(
  fieldListOf([
    ["grpc-status", "0"],
    ["grpc-message", ""],
  ]),
);
const DATE = "Mon, 23 Nov 2026 01:31:31 GMT";
const CASES: Case[] = [
  { name: "same", requests: [shared(request("/api/list"))], responses: [shared(response(DATE))], body: true },
  { name: "same, unshared", requests: [request("/api/list")], responses: [response(DATE)], body: true },
  {
    name: "path differs",
    requests: Array.from({ length: VARIANTS }, (_, i) => request(`/api/list/${i * 7919}`)),
    responses: [shared(response(DATE))],
    body: true,
  },
  {
    name: "grpc",
    requests: [shared(grpcRequest())],
    responses: [
      shared(
        fieldListOf([
          [":status", "200"],
          ["content-type", "application/grpc"],
        ]),
      ),
    ],
    body: true,
    grpc: true,
  },
  { name: "no body", requests: [shared(request("/api/list"))], responses: [shared(response(DATE, 0))], body: false },
];

class Client implements Http2Handler<number> {
  readonly sink: GrowingSink = new GrowingSink();
  readonly connection: Http2Connection<number> = new Http2Connection<number>(
    Role.Client,
    DEFAULT_HTTP2_SETTINGS,
    this,
    this.sink,
  );
  ended = 0;
  bytes = 0;
  private next = 0;
  readonly one: Case;

  constructor(one: Case) {
    this.one = one;
  }

  open(): void {
    const { requests, grpc = false } = this.one;
    const stream = this.connection.openStream(1, requests[this.next++ % requests.length]!, !grpc);
    if (stream === null) throw new Error("no room");
    if (grpc) this.connection.sendData(stream, BODY, 0, BODY.length, true);
  }
  onHead(stream: Http2Stream<number>, fields: FieldList, last: boolean): void {
    if (fields.find(NameId.Status) !== 0 || stream.user !== 1) throw new Error("not the response");
    if (last) this.end();
  }
  onData(stream: Http2Stream<number>, _bytes: Uint8Array, at: number, end: number, last: boolean): void {
    this.bytes += end - at;
    this.connection.consumed(stream, end - at);
    if (last) this.end();
  }
  end(): void {
    this.ended++;
  }
  onTrailers(): void {
    this.end();
  }
  onReset(): void {
    throw new Error("reset");
  }
  onWritable(): void {}
  onRoomForStreams(): void {}
  onGoAway(): void {}
  onPong(): void {}
}

class Server implements Http2Handler<number> {
  readonly sink: GrowingSink = new GrowingSink();
  readonly connection: Http2Connection<number> = new Http2Connection<number>(
    Role.Server,
    DEFAULT_HTTP2_SETTINGS,
    this,
    this.sink,
  );
  private next = 0;
  readonly one: Case;

  constructor(one: Case) {
    this.one = one;
  }

  onHead(stream: Http2Stream<number>, _fields: FieldList, last: boolean): void {
    if (last) this.respond(stream);
  }
  onData(stream: Http2Stream<number>, _bytes: Uint8Array, at: number, end: number, last: boolean): void {
    this.connection.consumed(stream, end - at);
    if (last) this.respond(stream);
  }
  respond(stream: Http2Stream<number>): void {
    const { responses, body, grpc = false } = this.one;
    this.connection.sendHead(stream, responses[this.next++ % responses.length]!, !body);
    if (body) this.connection.sendData(stream, BODY, 0, BODY.length, !grpc);
    if (grpc) this.connection.sendTrailers(stream, GRPC_STATUS);
  }
  onTrailers(): void {}
  onReset(): void {
    throw new Error("reset");
  }
  onWritable(): void {}
  onRoomForStreams(): void {}
  onGoAway(): void {}
  onPong(): void {}
}

function exchange(client: Client, server: Server, nowMs: number): void {
  pass(client.sink, server, nowMs);
  client.connection.drained();
  pass(server.sink, client, nowMs);
  server.connection.drained();
}

function pass(sink: GrowingSink, to: Client | Server, nowMs: number): void {
  const taken = to.connection.receive(sink.bytes, 0, sink.end, nowMs);
  if (taken !== sink.end || to.connection.failed) throw new Error(`failed: ${to.connection.errorReason}`);
  sink.end = 0;
}

/** Nanoseconds an exchange, and bytes on the wire. */
function run(one: Case, exchanges: number): { ns: number; wire: number } {
  const client = new Client(one);
  const server = new Server(one);
  client.connection.begin(0);
  server.connection.begin(0);
  for (let i = 0; i < 3; i++) exchange(client, server, 0);
  let wire = 0;
  const before = process.cpuUsage();
  for (let round = 0; round < exchanges / STREAMS; round++) {
    for (let i = 0; i < STREAMS; i++) client.open();
    wire += client.sink.end;
    pass(client.sink, server, round);
    client.connection.drained();
    wire += server.sink.end;
    pass(server.sink, client, round);
    server.connection.drained();
  }
  const { user } = process.cpuUsage(before);
  const done = Math.floor(exchanges / STREAMS) * STREAMS;
  if (client.ended < done) throw new Error(`${client.ended} of ${done} ended`);
  if (one.body && client.bytes !== client.ended * BODY.length) throw new Error("bytes are missing");
  return { ns: (user * 1000) / exchanges, wire: wire / exchanges };
}

const [exchangesText = "200000", ...names] = process.argv.slice(2);
const exchanges = Number(exchangesText);
for (const one of CASES) {
  if (names.length > 0 && !names.includes(one.name)) continue;
  run(one, exchanges / 4);
  const times = [0, 1, 2].map(() => run(one, exchanges));
  const best = Math.min(...times.map(({ ns }) => ns));
  console.log(`${one.name}: ${best.toFixed(0)} ns an exchange, ${times[0]!.wire.toFixed(0)} bytes on the wire`);
}
