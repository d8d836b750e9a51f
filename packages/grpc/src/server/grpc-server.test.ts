import { afterEach, describe, expect, test } from "bun:test";
import { createClient } from "../client/client.ts";
import { frameMessage } from "../framing.ts";
import { GrpcError } from "../grpc-error.ts";
import { Metadata } from "../metadata.ts";
import { GrpcStatus } from "../status.ts";
import { eventually, settled } from "../testing/eventually.ts";
import { Echo } from "../testing/gen/echo_pb.ts";
import { type EchoStream, messageOf, openStream, ServerWorld } from "../testing/server-world.ts";
import type { CallContext } from "./implementation.ts";

const KIB = new Uint8Array(1024);

const worlds: ServerWorld[] = [];

function keep(made: ServerWorld): ServerWorld {
  worlds.push(made);
  return made;
}

function world(...args: ConstructorParameters<typeof ServerWorld>): ServerWorld {
  return keep(new ServerWorld(...args));
}

afterEach(async () => {
  for (const made of worlds.splice(0)) {
    await made.close();
    expect(made.server.openCalls).toBe(0);
    expect(made.server.bufferedBytes).toBe(0);
    expect(made.clock.timers).toBe(0);
  }
});

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
    const { world: opened, raw, stream } = await openStream({ keepAlive });
    const { clock, server } = keep(opened);
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

async function* none(): AsyncGenerator<never> {}
