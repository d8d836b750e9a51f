import { heapStats } from "bun:jsc";
import { afterEach, describe, expect, test } from "bun:test";
import { ErrorCode } from "@bowline/wire";
import { GrpcChannel } from "../client/channel.ts";
import { createClient } from "../client/client.ts";
import { encodeMessage } from "../encode.ts";
import { frameMessage } from "../framing.ts";
import { GrpcError } from "../grpc-error.ts";
import { Metadata } from "../metadata.ts";
import { GrpcStatus } from "../status.ts";
import { eventually, settled } from "../testing/eventually.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { Echo, EchoResponseSchema } from "../testing/gen/echo_pb.ts";
import { memoryPair } from "../testing/memory-stream.ts";
import { RawClient } from "../testing/raw-client.ts";
import { GrpcServer } from "./grpc-server.ts";
import type { CallContext, ServerStream, ServiceImplementation } from "./implementation.ts";
import type { GrpcServerOptions } from "./server-options.ts";

type EchoStream = ServerStream<typeof EchoResponseSchema>;

const KIB = new Uint8Array(1024);

class World {
  readonly clock = new FakeClock();
  readonly ends: string[] = [];
  readonly server: GrpcServer;
  readonly #channels: GrpcChannel[] = [];

  constructor(implementation: ServiceImplementation<typeof Echo>, options: GrpcServerOptions = {}) {
    this.server = new GrpcServer({
      clock: this.clock,
      observer: {
        onCallStart: () => undefined,
        onCallEnd: (service, method, code) => this.ends.push(`${service}/${method} ${code}`),
      },
      ...options,
    });
    this.server.add(Echo, implementation);
  }

  channel(): GrpcChannel {
    const channel = new GrpcChannel({
      target: { host: "10.0.0.1", port: 1 },
      authority: "echo.test",
      clock: this.clock,
      connect: () => {
        const [client, server] = memoryPair();
        this.server.accept(server);
        return Promise.resolve(client);
      },
    });
    this.#channels.push(channel);
    return channel;
  }

  client() {
    return createClient(Echo, this.channel());
  }

  raw(): RawClient {
    const [client, server] = memoryPair();
    this.server.accept(server);
    return new RawClient(client, this.clock);
  }

  async close(): Promise<void> {
    for (const channel of this.#channels) channel.close();
    await this.server.close();
  }
}

const worlds: World[] = [];

function world(...args: ConstructorParameters<typeof World>): World {
  const made = new World(...args);
  worlds.push(made);
  return made;
}

afterEach(async () => {
  for (const made of worlds.splice(0)) {
    await made.close();
    expect(made.server.openCalls).toBe(0);
    expect(made.server.bufferedBytes).toBe(0);
    expect(made.clock.timers).toBe(0);
  }
});

/** A server whose only method hands its stream over. */
async function openStream(options: GrpcServerOptions = {}) {
  let stream: EchoStream | undefined;
  const made = world(
    {
      serverStream: {
        push: (_request, opened) => {
          stream = opened;
        },
      },
    },
    options,
  );
  const raw = made.raw();
  const exchange = raw.request({ ":path": "/bowline.testing.Echo/ServerStream" });
  await eventually(() => stream !== undefined);
  if (stream === undefined) throw new Error("no stream");
  return { clock: made.clock, ends: made.ends, server: made.server, raw, exchange, stream };
}

describe("what is no call", () => {
  const rows: { name: string; fields: Record<string, string | null>; status: string; grpc: string | null }[] = [
    { name: "another method", fields: { ":method": "PUT" }, status: "405", grpc: null },
    { name: "another content type", fields: { "content-type": "application/json" }, status: "415", grpc: null },
    { name: "no content type", fields: { "content-type": null }, status: "415", grpc: null },
    { name: "an unknown path", fields: { ":path": "/nobody" }, status: "200", grpc: "12" },
    { name: "an unknown method", fields: { ":path": "/bowline.testing.Echo/Bidi" }, status: "200", grpc: "12" },
    { name: "compression", fields: { "grpc-encoding": "gzip" }, status: "200", grpc: "12" },
    { name: "a malformed timeout", fields: { "grpc-timeout": "soon" }, status: "200", grpc: "13" },
  ];

  for (const { name, fields, status, grpc } of rows) {
    test(`${name} is answered ${status}${grpc === null ? "" : ` with grpc-status ${grpc}`}`, async () => {
      const exchange = world({ unary: () => ({}) })
        .raw()
        .request(fields);
      await eventually(() => exchange.over);
      expect({ status: exchange.status, grpc: exchange.grpcStatus, heads: exchange.heads }).toEqual({
        status,
        grpc,
        heads: 1,
      });
    });
  }

  const bodies: { name: string; body: Uint8Array; grpc: number }[] = [
    { name: "no message", body: new Uint8Array(0), grpc: GrpcStatus.Unimplemented },
    { name: "two messages", body: new Uint8Array(10), grpc: GrpcStatus.Unimplemented },
    { name: "half a message", body: Uint8Array.of(0, 0, 0, 0, 9, 1), grpc: GrpcStatus.Internal },
    { name: "a compressed message", body: Uint8Array.of(1, 0, 0, 0, 0), grpc: GrpcStatus.Internal },
    { name: "a message that does not decode", body: frameMessage(Uint8Array.of(0xff)), grpc: GrpcStatus.Internal },
    { name: "a length above the limit", body: Uint8Array.of(0, 0xff, 0, 0, 0), grpc: GrpcStatus.ResourceExhausted },
  ];

  for (const { name, body, grpc } of bodies) {
    test(`a unary request of ${name} ends with ${grpc}`, async () => {
      let asked = false;
      const made = world({
        unary: () => {
          asked = true;
          return {};
        },
      });
      const exchange = made.raw().request({}, body);
      await eventually(() => exchange.over);
      expect(exchange.grpcStatus).toBe(String(grpc));
      expect(asked).toBe(false);
    });
  }
});

describe("handlers", () => {
  const failures: { name: string; thrown: unknown; want: string }[] = [
    {
      name: "a GrpcError",
      thrown: new GrpcError(GrpcStatus.NotFound, "no such thing"),
      want: "NOT_FOUND: no such thing",
    },
    { name: "an Error", thrown: new Error("broken"), want: "UNKNOWN: broken" },
    { name: "text", thrown: "text", want: "UNKNOWN: text" },
  ];

  for (const { name, thrown, want } of failures) {
    test(`that throw ${name} end their calls with it, whatever the kind`, async () => {
      const made = world({
        unary: () => {
          throw thrown;
        },
        clientStream: () => Promise.reject(thrown),
        serverStream: {
          push: () => {
            throw thrown;
          },
        },
        async *bidi(requests) {
          for await (const _ of requests) yield {};
          throw thrown;
        },
      });
      const client = made.client();
      const messages = await Promise.all([
        messageOf(client.unary({})),
        messageOf(client.clientStream(none())),
        messageOf(client.serverStream({}).next()),
        messageOf(client.bidi(none()).next()),
      ]);
      expect(messages).toEqual([want, want, want, want]);
    });
  }

  test("see metadata, peer and names, and send metadata at both ends", async () => {
    let seen: CallContext | undefined;
    const made = world({
      unary: (_request, context) => {
        seen = context;
        context.sendInitialMetadata(new Metadata({ "x-first": "1" }));
        context.setTrailers(new Metadata({ "x-last": "2" }));
        return {};
      },
    });
    const received: string[] = [];
    const note = (metadata: Metadata) =>
      void received.push(...[...metadata].map(([name, value]) => `${name}=${String(value)}`));
    const metadata = new Metadata({ "x-from": "me" });
    await made.client().unary({}, { metadata, onHeaders: note, onTrailers: note });
    expect(received).toEqual(["x-first=1", "x-last=2"]);
    expect(seen?.requestMetadata.get("x-from")).toBe("me");
    expect([seen?.service, seen?.method, seen?.peer]).toEqual(["bowline.testing.Echo", "Unary", "server:0"]);
    expect(seen?.deadline).toBeNull();
    expect(seen?.signal.aborted).toBe(false);
  });

  test("are told of cancellation by their signal", async () => {
    let context: CallContext | undefined;
    const made = world({
      unary: (_request, opened) => {
        context = opened;
        return new Promise(() => undefined);
      },
    });
    const abort = new AbortController();
    const failed = messageOf(made.client().unary({}, { signal: abort.signal }));
    await eventually(() => context !== undefined);
    const signal = context?.signal;
    expect(signal?.aborted).toBe(false);
    abort.abort();
    expect(await failed).toBe("CANCELLED: cancelled");
    await eventually(() => signal?.aborted === true);
    expect(made.ends).toEqual(["bowline.testing.Echo/Unary 1"]);
  });

  test("have their time, and then their call ends without them", async () => {
    let context: CallContext | undefined;
    const made = world({
      unary: (_request, opened) => {
        context = opened;
        return new Promise(() => undefined);
      },
    });
    const exchange = made.raw().request({ "grpc-timeout": "500m" });
    await eventually(() => context !== undefined);
    expect(context?.deadline).toBe(made.clock.nowMs() + 500);
    made.clock.advance(499);
    expect(context?.signal.aborted).toBe(false);
    made.clock.advance(1);
    expect(context?.signal.reason).toMatchObject({ code: GrpcStatus.DeadlineExceeded });
    await eventually(() => exchange.over);
    expect([exchange.grpcStatus, exchange.heads]).toEqual(["4", 1]);
  });

  test("may answer before they have read all requests", async () => {
    const made = world({
      clientStream: async (requests) => {
        for await (const { text } of requests) return { text };
        return {};
      },
    });
    async function* endless() {
      for (;;) yield { text: "first", payload: KIB };
    }
    expect((await made.client().clientStream(endless())).text).toBe("first");
  });

  test("are counted by the names of known methods only", async () => {
    const made = world({ unary: () => ({}) });
    const raw = made.raw();
    const exchanges = ["/bowline.testing.Echo/Unary", "/x/y"].map((path) => raw.request({ ":path": path }));
    await eventually(() => exchanges.every(({ over }) => over));
    expect(made.ends.sort()).toEqual(["/ 12", "bowline.testing.Echo/Unary 0"]);
  });
});

describe("pushed streams", () => {
  test("send what was encoded once to many", async () => {
    const streams: EchoStream[] = [];
    const made = world({ serverStream: { push: (_request, stream) => void streams.push(stream) } });
    const readers = Array.from({ length: 20 }, () => made.client().serverStream({}));
    await eventually(() => streams.length === 20);
    const framed = encodeMessage(EchoResponseSchema, { text: "for all" });
    for (const stream of streams) expect(stream.sendEncoded(framed)).toBe(true);
    const got = await Promise.all(readers.map((reader) => reader.next()));
    expect(got.map(({ value }) => value?.text)).toEqual(Array(20).fill("for all"));
    for (const stream of streams) stream.end();
    expect(await Promise.all(readers.map(async (reader) => (await reader.next()).done))).toEqual(Array(20).fill(true));
  });

  test("say when a reader falls behind, and when it has caught up", async () => {
    const { stream, raw, exchange } = await openStream({ limits: { highWaterBytes: 16 * 1024 } });
    let sent = 0;
    let drains = 0;
    stream.onDrain = () => drains++;
    while (stream.send({ payload: KIB })) sent++;
    await settled();
    // 64 KiB of window, then 16 KiB of backlog.
    expect(sent).toBeGreaterThan(75);
    expect(sent).toBeLessThan(85);
    expect([drains, stream.bufferedBytes > 15_000]).toEqual([0, true]);
    expect(exchange.bodyBytes).toBe(65_535);
    raw.consume(exchange, 65_535);
    await eventually(() => drains === 1);
    expect(stream.bufferedBytes).toBe(0);
    expect(stream.send({ payload: KIB })).toBe(true);
  });

  test("end when a reader falls too far behind", async () => {
    const { stream, exchange, ends, server } = await openStream({ limits: { streamBufferBytesMax: 100_000 } });
    let closed: GrpcError | null | undefined;
    stream.onClose = (error) => {
      closed = error;
    };
    for (let i = 0; i < 170 && !stream.closed; i++) stream.send({ payload: KIB });
    await eventually(() => exchange.over);
    expect(exchange.reset).toBe(ErrorCode.EnhanceYourCalm);
    expect(closed?.code).toBe(GrpcStatus.ResourceExhausted);
    expect(ends).toEqual(["bowline.testing.Echo/ServerStream 8"]);
    expect(server.bufferedBytes).toBe(0);
  });

  test("end when a reader does not read at all for too long", async () => {
    const { stream, exchange, clock, ends } = await openStream({ limits: { stallMsMax: 30_000 } });
    for (let i = 0; i < 70; i++) stream.send({ payload: KIB });
    for (let second = 0; second < 40 && !exchange.over; second++) {
      await settled();
      clock.advance(1_000);
    }
    await eventually(() => exchange.over);
    expect(exchange.reset).toBe(ErrorCode.EnhanceYourCalm);
    expect(stream.closed).toBe(true);
    expect(ends).toEqual(["bowline.testing.Echo/ServerStream 8"]);
  });

  test("have one limit for all slow readers together", async () => {
    const { stream, exchange } = await openStream({ limits: { bufferBytesMax: 50_000 } });
    while (!stream.closed) stream.send({ payload: KIB });
    await eventually(() => exchange.over);
    expect(exchange.reset).toBe(ErrorCode.EnhanceYourCalm);
  });

  test("take one message of any size, however small the limit", async () => {
    const { stream, exchange, raw } = await openStream({ limits: { streamBufferBytesMax: 1000 } });
    expect(stream.send({ payload: new Uint8Array(200_000) })).toBe(false);
    stream.end();
    while (!exchange.over) {
      await settled();
      raw.consume(exchange, exchange.bodyBytes);
      exchange.bodyBytes = 0;
    }
    expect([exchange.reset, exchange.grpcStatus]).toEqual([null, "0"]);
  });

  test("send their status after what was sent before", async () => {
    const { stream, exchange, raw } = await openStream();
    for (let i = 0; i < 80; i++) stream.send({ payload: KIB });
    stream.fail(new GrpcError(GrpcStatus.Aborted, "that was all"));
    expect(stream.send({})).toBe(false);
    await settled();
    expect(exchange.over).toBe(false);
    raw.consume(exchange, 65_535);
    await eventually(() => exchange.over);
    expect([exchange.grpcStatus, exchange.grpcMessage]).toEqual(["10", "that was all"]);
    expect(exchange.bodyBytes).toBeGreaterThan(80 * 1024);
  });

  test("are closed once when the client goes, and drop what is sent then", async () => {
    const { stream, exchange, raw, ends } = await openStream();
    const closes: (GrpcError | null)[] = [];
    stream.onClose = (error) => closes.push(error);
    if (exchange.stream !== null) raw.link.http2.reset(exchange.stream, ErrorCode.Cancel);
    raw.link.flushSoon();
    await eventually(() => stream.closed);
    expect(stream.send({})).toBe(false);
    stream.end();
    expect(closes.map((error) => error?.code)).toEqual([GrpcStatus.Cancelled]);
    expect(ends).toEqual(["bowline.testing.Echo/ServerStream 1"]);
  });

  test("from an iterable are pulled no faster than the reader reads", async () => {
    let pulled = 0;
    let stopped = false;
    const made = world(
      {
        async *serverStream() {
          try {
            for (;;) {
              pulled++;
              yield { payload: KIB };
            }
          } finally {
            stopped = true;
          }
        },
      },
      { limits: { highWaterBytes: 16 * 1024 } },
    );
    const responses = made.client().serverStream({});
    await responses.next();
    await settled();
    expect(pulled).toBeLessThan(100);
    for (let i = 0; i < 100; i++) await responses.next();
    await settled();
    expect(pulled).toBeGreaterThan(100);
    expect(pulled).toBeLessThan(200);
    await responses.return?.();
    await eventually(() => stopped);
  });
});

test("an open watch costs less than 4 KB", async () => {
  const streams: EchoStream[] = [];
  const made = world({ serverStream: { push: (_request, stream) => void streams.push(stream) } });
  const raw = made.raw();
  await eventually(() => raw.link.http2.settingsSeen);
  const framed = encodeMessage(EchoResponseSchema, { text: "update" });
  const open = async (count: number) => {
    const wanted = streams.length + count;
    for (let i = 0; i < count; i++) raw.request({ ":path": "/bowline.testing.Echo/ServerStream" });
    await eventually(() => streams.length === wanted);
    for (const stream of streams) stream.sendEncoded(framed);
    await settled();
    Bun.gc(true);
    const { heapSize, extraMemorySize } = heapStats();
    return heapSize + extraMemorySize;
  };
  const before = await open(500);
  const after = await open(2000);
  // What the test's client keeps for each is counted too.
  expect((after - before) / 2000).toBeLessThan(4096);
});

describe("clients' streams", () => {
  test("are pulled no faster than the handler reads", async () => {
    let go: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      go = resolve;
    });
    const made = world({
      clientStream: async (requests) => {
        await gone;
        let index = 0;
        for await (const _ of requests) index++;
        return { index };
      },
    });
    let pulled = 0;
    async function* requests() {
      for (; pulled < 1000; pulled++) yield { payload: KIB };
    }
    const reply = made.client().clientStream(requests());
    await settled();
    // One window on its way, one high-water mark of backlog.
    expect(pulled).toBeGreaterThan(60);
    expect(pulled).toBeLessThan(140);
    go();
    expect((await reply).index).toBe(1000);
  });

  test("that throw end the call with what they threw, at both ends", async () => {
    const made = world({
      clientStream: async (requests) => {
        for await (const _ of requests);
        return {};
      },
    });
    async function* failing() {
      yield {};
      throw new GrpcError(GrpcStatus.DataLoss, "tape torn");
    }
    expect(await messageOf(made.client().clientStream(failing()))).toBe("DATA_LOSS: tape torn");
    await eventually(() => made.ends.length === 1);
    expect(made.ends).toEqual(["bowline.testing.Echo/ClientStream 1"]);
  });
});

describe("a server that ends", () => {
  test("drains: open calls end well, new connections are turned away", async () => {
    const streams: EchoStream[] = [];
    const made = world({ serverStream: { push: (_request, stream) => void streams.push(stream) } });
    const responses = made.client().serverStream({});
    await eventually(() => streams.length === 1);
    let drained = false;
    void made.server.drain().then(() => {
      drained = true;
    });
    await settled();
    expect(drained).toBe(false);
    expect(await messageOf(made.client().unary({}))).toMatch(/^UNAVAILABLE: no connection/);
    streams[0]?.end();
    expect((await responses.next()).done).toBe(true);
    await eventually(() => drained);
  });

  test("closes: open calls are lost", async () => {
    const made = world({ serverStream: { push: () => undefined } });
    const next = messageOf(made.client().serverStream({}).next());
    await eventually(() => made.server.openCalls === 1);
    await made.server.close();
    expect(await next).toMatch(/^UNAVAILABLE/);
    expect(made.server.connections).toBe(0);
  });

  test("may be closed, as may be a channel, within any callback", async () => {
    const streams: EchoStream[] = [];
    const made = world({ serverStream: { push: (_request, stream) => void streams.push(stream) } });
    const channel = made.channel();
    const first = createClient(Echo, channel).serverStream({}, { onHeaders: () => channel.close() });
    const second = made.client().serverStream({});
    await eventually(() => streams.length === 2);
    for (const stream of streams) stream.send({ text: "hello" });
    // What came with the head is still delivered.
    expect((await first.next()).value?.text).toBe("hello");
    expect(await messageOf(first.next())).toBe("CANCELLED: channel closed");
    expect((await second.next()).value?.text).toBe("hello");
    await eventually(() => streams[0]?.closed === true);
    const [, open] = streams;
    if (open === undefined) throw new Error("no stream");
    open.onClose = () => void made.server.close();
    await second.return?.();
    await eventually(() => made.server.connections === 0);
  });

  test("takes only so many connections", async () => {
    const made = world({ unary: () => ({}) }, { limits: { connectionsMax: 1 } });
    await made.client().unary({});
    expect(await messageOf(made.client().unary({}))).toMatch(/^UNAVAILABLE: no connection/);
    expect(made.server.connections).toBe(1);
  });

  test("gives up clients that answer no ping", async () => {
    const keepAlive = { intervalMs: 5_000, timeoutMs: 2_000 };
    const { clock, raw, server, stream } = await openStream({ keepAlive });
    for (let second = 0; second < 20; second++) {
      clock.advance(1_000);
      await settled();
    }
    expect(stream.closed).toBe(false);
    raw.link.stream.owner = null;
    for (let second = 0; second < 12; second++) {
      clock.advance(1_000);
      await settled();
    }
    expect(stream.closed).toBe(true);
    expect(server.connections).toBe(0);
  });
});

function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "OK",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

async function* none(): AsyncGenerator<never> {}
