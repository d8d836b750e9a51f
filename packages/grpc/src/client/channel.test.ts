import { afterEach, describe, expect, test } from "bun:test";
import { DEFAULT_HTTP2_SETTINGS, ErrorCode, Role } from "@bowline/wire";
import { exponentialBackoff } from "../backoff.ts";
import { GrpcError } from "../grpc-error.ts";
import { Http2Link, type LinkOwner } from "../link.ts";
import { GrpcServer } from "../server/grpc-server.ts";
import type { ServerStream } from "../server/implementation.ts";
import type { GrpcServerOptions } from "../server/server-options.ts";
import { GrpcStatus } from "../status.ts";
import { eventually, settled } from "../testing/eventually.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { Echo, type EchoResponseSchema } from "../testing/gen/echo_pb.ts";
import { MemoryNetwork } from "../testing/memory-network.ts";
import { GrpcChannel } from "./channel.ts";
import type { ChannelOptions } from "./channel-options.ts";
import { createClient } from "./client.ts";

const ADDRESS = { host: "10.0.0.1", port: 8086 };

/** A channel and a server in memory, where time passes only when a test says so. */
class World {
  readonly clock = new FakeClock();
  readonly network = new MemoryNetwork();
  readonly states: string[] = [];
  readonly ends: string[] = [];
  readonly watches: ServerStream<typeof EchoResponseSchema>[] = [];
  readonly channel: GrpcChannel;
  readonly server: GrpcServer;
  readonly client: ReturnType<typeof createClient<typeof Echo>>;

  constructor(options: Partial<ChannelOptions> = {}, serverOptions: GrpcServerOptions = {}) {
    this.server = this.startServer(serverOptions);
    this.channel = new GrpcChannel({
      target: ADDRESS,
      authority: "echo.test",
      connect: this.network.connect,
      clock: this.clock,
      backoff: exponentialBackoff({ minMs: 1_000, maxMs: 8_000, jitter: 0 }),
      onState: (state, error) => this.states.push(error === null ? state : `${state}: ${error.message}`),
      observer: {
        onCallStart: () => undefined,
        onCallEnd: (service, method, code) => this.ends.push(`${service}/${method} ${code}`),
      },
      ...options,
    });
    this.client = createClient(Echo, this.channel);
  }

  /** Serves from now on; connections of the one before stay. */
  readonly startServer = (options: GrpcServerOptions = {}): GrpcServer => {
    const server = new GrpcServer({ clock: this.clock, ...options });
    server.add(Echo, {
      unary: ({ text }) => ({ text }),
      serverStream: { push: (_request, stream) => void this.watches.push(stream) },
    });
    this.network.serve("10.0.0.1:8086", (stream) => server.accept(stream));
    return server;
  };
}

/** The owner of a connection that does nothing with what comes. */
class DeafOwner implements LinkOwner<object> {
  onHead(): void {}
  onData(): void {}
  onTrailers(): void {}
  onReset(): void {}
  onWritable(): void {}
  onRoomForStreams(): void {}
  onGoAway(): void {}
  onPong(): void {}
  onReceived(): void {}
  onLinkClosed(): void {}
}

const worlds: World[] = [];

function world(...args: ConstructorParameters<typeof World>): World {
  const made = new World(...args);
  worlds.push(made);
  return made;
}

afterEach(async () => {
  for (const { channel, server } of worlds.splice(0)) {
    channel.close();
    await server.close();
  }
});

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => GrpcStatus.Ok,
    (error: unknown) => (error instanceof GrpcError ? error.code : -1),
  );

describe("connecting", () => {
  test("happens when a call needs it, once for all that wait", async () => {
    const { channel, client, network, states } = world();
    expect(channel.state).toBe("idle");
    const replies = await Promise.all(["a", "b", "c"].map((text) => client.unary({ text })));
    expect(replies.map(({ text }) => text)).toEqual(["a", "b", "c"]);
    expect(states).toEqual(["connecting", "ready"]);
    expect(network.connections).toHaveLength(1);
  });

  test("a failure fails the calls that wait, and those of the time of back-off at once", async () => {
    const { channel, client, clock, network, states, ends } = world();
    network.stop("10.0.0.1:8086");
    const failed = await client.unary({}).catch((error: GrpcError) => error.message);
    expect(failed).toBe("UNAVAILABLE: no connection: connection refused by 10.0.0.1:8086");
    expect(channel.state).toBe("failing");
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Unavailable);
    expect(network.attempts).toHaveLength(1);
    clock.advance(1_000);
    expect(channel.state).toBe("idle");
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Unavailable);
    expect(network.attempts).toHaveLength(2);
    expect(states).toEqual([
      "connecting",
      "failing: connection refused by 10.0.0.1:8086",
      "idle",
      "connecting",
      "failing: connection refused by 10.0.0.1:8086",
    ]);
    expect(ends).toEqual(Array(3).fill("bowline.testing.Echo/Unary 14"));
  });

  test("a call that waits for ready gets its answer after attempts with back-off", async () => {
    const { client, clock, network, startServer } = world();
    network.stop("10.0.0.1:8086");
    const reply = client.unary({ text: "patient" }, { waitForReady: true });
    for (const delayMs of [1_000, 2_000, 4_000]) {
      await settled();
      const before = network.attempts.length;
      clock.advance(delayMs - 1);
      await settled();
      expect(network.attempts).toHaveLength(before);
      if (delayMs === 4_000) startServer();
      clock.advance(1);
    }
    expect((await reply).text).toBe("patient");
    expect(network.attempts).toHaveLength(4);
  });

  test("of several addresses those that refuse are passed over", async () => {
    const target = [8086, 8087, 8088].map((port) => ({ host: "10.0.0.1", port }));
    const { client, network, channel } = world({ target, random: () => 0 });
    network.stop("10.0.0.1:8086");
    const { server } = world();
    network.serve("10.0.0.1:8088", (stream) => server.accept(stream));
    expect((await client.unary({ text: "third" })).text).toBe("third");
    expect(network.attempts).toEqual(["10.0.0.1:8086", "10.0.0.1:8087", "10.0.0.1:8088"]);
    expect(channel.state).toBe("ready");
  });

  test("addresses are asked for anew before each attempt", async () => {
    const answers = [[], [{ host: "10.0.0.9", port: 1 }], [ADDRESS]];
    const { client, clock } = world({ target: () => Promise.resolve(answers.shift() ?? []) });
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Unavailable);
    clock.advance(1_000);
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Unavailable);
    clock.advance(2_000);
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Ok);
  });

  test("a server that accepts and stays silent is given up", async () => {
    const { client, clock, network } = world({ connectTimeoutMs: 3_000 });
    network.serve("10.0.0.1:8086", () => undefined);
    const code = codeOf(client.unary({}));
    await settled();
    clock.advance(2_999);
    await settled();
    clock.advance(1);
    expect(await code).toBe(GrpcStatus.Unavailable);
  });

  test("a deadline passes while a call waits for a connection", async () => {
    const { client, clock, channel } = world({ connect: () => new Promise(() => undefined) });
    const code = codeOf(client.unary({}, { deadlineMs: 50, waitForReady: true }));
    expect(channel.waitingCalls).toBe(1);
    clock.advance(50);
    expect(await code).toBe(GrpcStatus.DeadlineExceeded);
    expect(channel.waitingCalls).toBe(0);
  });

  test("more calls than may wait are refused", async () => {
    const { client, channel } = world({ waitingMax: 2, connect: () => new Promise(() => undefined) });
    const waiting = [codeOf(client.unary({})), codeOf(client.unary({}))];
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Unavailable);
    channel.close();
    expect(await Promise.all(waiting)).toEqual([GrpcStatus.Cancelled, GrpcStatus.Cancelled]);
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Cancelled);
  });

  test("a call cancelled before it began does not connect", async () => {
    const { client, network } = world();
    expect(await codeOf(client.unary({}, { signal: AbortSignal.abort() }))).toBe(GrpcStatus.Cancelled);
    expect(network.attempts).toEqual([]);
  });
});

describe("a connection that ends", () => {
  test("takes its calls with it as UNAVAILABLE; the next call connects again", async () => {
    const { client, network, channel, watches } = world();
    const responses = client.serverStream({});
    const next = codeOf(responses.next());
    await eventually(() => watches.length === 1);
    watches[0]?.send({ text: "first" });
    expect(await next).toBe(GrpcStatus.Ok);
    const lost = responses.next().catch((error: GrpcError) => error.message);
    network.connections[0]?.cut(new Error("cable unplugged"));
    expect(await lost).toBe("UNAVAILABLE: connection lost: cable unplugged");
    expect(channel.state).toBe("idle");
    expect((await client.unary({ text: "again" })).text).toBe("again");
  });

  test("before any response it counts as a failed attempt", async () => {
    const { client, network, channel, watches } = world();
    const next = codeOf(client.serverStream({}).next());
    await eventually(() => watches.length === 1);
    network.connections[0]?.cut(new Error("crashed"));
    expect(await next).toBe(GrpcStatus.Unavailable);
    expect(channel.state).toBe("failing");
  });

  test("GOAWAY lets open calls end and sends new ones elsewhere", async () => {
    const { client, server, network, watches, startServer } = world();
    const responses = client.serverStream({});
    await eventually(() => watches.length === 1);
    startServer();
    const drained = server.drain();
    await settled();
    expect((await client.unary({ text: "new" })).text).toBe("new");
    expect(network.connections).toHaveLength(2);
    watches[0]?.send({ text: "old" });
    watches[0]?.end();
    expect((await responses.next()).value?.text).toBe("old");
    expect((await responses.next()).done).toBe(true);
    await drained;
    expect(server.connections).toBe(0);
  });

  test("GOAWAY sends calls it left unprocessed elsewhere, without anybody noticing", async () => {
    const states: (() => void)[] = [];
    const { client, clock, network, startServer } = world({
      onState: (state) => void (state === "ready" && states.pop()?.()),
    });
    network.serve("10.0.0.1:8086", (stream) => {
      const link = new Http2Link(Role.Server, DEFAULT_HTTP2_SETTINGS, new DeafOwner(), stream, clock);
      link.begin();
      startServer();
      // While the first request is on its way.
      states.push(() => {
        link.http2.goAway(ErrorCode.NoError);
        link.flushSoon();
      });
    });
    expect((await client.unary({ text: "unnoticed" })).text).toBe("unnoticed");
    expect(network.connections).toHaveLength(2);
  });

  test("one that answers no ping is given up, but only while calls are open", async () => {
    const { client, clock, channel, network, watches } = world({ keepAlive: { intervalMs: 10_000, timeoutMs: 2_000 } });
    await client.unary({});
    const serverSide = network.connections[0]?.other;
    if (serverSide === null || serverSide === undefined) throw new Error("no connection");
    clock.advance(60_000);
    await settled();
    expect(channel.state).toBe("ready");
    const next = codeOf(client.serverStream({}).next());
    await eventually(() => watches.length === 1);
    clock.advance(10_000);
    await settled();
    clock.advance(9_000);
    await settled();
    expect(channel.state).toBe("ready");
    serverSide.owner = null;
    clock.advance(10_000);
    await settled();
    clock.advance(3_000);
    expect(await next).toBe(GrpcStatus.Unavailable);
  });
});

describe("refusals and limits", () => {
  test("a call that the server refused unprocessed is sent again", async () => {
    const { client, watches, server } = world({}, { limits: { callsMax: 1 } });
    const responses = client.serverStream({});
    await eventually(() => watches.length === 1);
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Unavailable);
    void responses.return?.();
    await eventually(() => server.openCalls === 0);
    expect(await codeOf(client.unary({}))).toBe(GrpcStatus.Ok);
  });

  test("beyond a connection's streams there is another connection, and beyond all of them a queue", async () => {
    const http2 = { ...DEFAULT_HTTP2_SETTINGS, concurrentStreamsMax: 2 };
    const { client, watches, network, channel } = world({ connectionsMax: 2 }, { http2 });
    const all = Array.from({ length: 4 }, () => client.serverStream({}));
    await eventually(() => watches.length === 4);
    expect(network.connections).toHaveLength(2);
    const fifth = client.serverStream({});
    await settled();
    expect(channel.waitingCalls).toBe(1);
    void all[2]?.return?.();
    await eventually(() => watches.length === 5);
    expect(network.connections).toHaveLength(2);
    watches[4]?.end();
    expect((await fifth.next()).done).toBe(true);
  });

  test("closing cancels what is open and leaves no timer", async () => {
    const { client, channel, clock, watches, server } = world();
    const next = codeOf(client.serverStream({}, { deadlineMs: 10_000 }).next());
    await eventually(() => watches.length === 1);
    channel.close();
    expect(await next).toBe(GrpcStatus.Cancelled);
    expect(channel.state).toBe("closed");
    await eventually(() => server.connections === 0);
    expect(clock.timers).toBe(0);
  });
});
