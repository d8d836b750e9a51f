import { heapStats } from "bun:jsc";
import { afterEach, describe, expect, test } from "bun:test";
import { ErrorCode } from "@bowline/wire";
import { encodeMessage } from "../encode.ts";
import { GrpcError } from "../grpc-error.ts";
import { GrpcStatus } from "../status.ts";
import { eventually, settled } from "../testing/eventually.ts";
import { EchoResponseSchema } from "../testing/gen/echo_pb.ts";
import { type EchoStream, messageOf, openStream, ServerWorld } from "../testing/server-world.ts";
import type { GrpcServerOptions } from "./server-options.ts";

const KIB = new Uint8Array(1024);

const worlds: ServerWorld[] = [];

function keep(made: ServerWorld): ServerWorld {
  worlds.push(made);
  return made;
}

function world(...args: ConstructorParameters<typeof ServerWorld>): ServerWorld {
  return keep(new ServerWorld(...args));
}

async function open(options: GrpcServerOptions = {}) {
  const opened = await openStream(options);
  const { clock, ends, server } = keep(opened.world);
  return { ...opened, clock, ends, server };
}

afterEach(async () => {
  for (const made of worlds.splice(0)) {
    await made.close();
    expect(made.server.openCalls).toBe(0);
    expect(made.server.bufferedBytes).toBe(0);
    expect(made.clock.timers).toBe(0);
  }
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
    const { stream, raw, exchange } = await open({ limits: { highWaterBytes: 16 * 1024 } });
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
    const { stream, exchange, ends, server } = await open({ limits: { streamBufferBytesMax: 100_000 } });
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
    const { stream, exchange, clock, ends } = await open({ limits: { stallMsMax: 30_000 } });
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
    const { stream, exchange } = await open({ limits: { bufferBytesMax: 50_000 } });
    while (!stream.closed) stream.send({ payload: KIB });
    await eventually(() => exchange.over);
    expect(exchange.reset).toBe(ErrorCode.EnhanceYourCalm);
  });

  test("take one message of any size, however small the limit", async () => {
    const { stream, exchange, raw } = await open({ limits: { streamBufferBytesMax: 1000 } });
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
    const { stream, exchange, raw } = await open();
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
    const { stream, exchange, raw, ends } = await open();
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
  const openMore = async (count: number) => {
    const wanted = streams.length + count;
    for (let i = 0; i < count; i++) raw.request({ ":path": "/bowline.testing.Echo/ServerStream" });
    await eventually(() => streams.length === wanted);
    for (const stream of streams) stream.sendEncoded(framed);
    await settled();
    Bun.gc(true);
    const { heapSize, extraMemorySize } = heapStats();
    return heapSize + extraMemorySize;
  };
  const before = await openMore(500);
  const after = await openMore(2000);
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
