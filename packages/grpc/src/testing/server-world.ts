import { GrpcChannel } from "../client/channel.ts";
import { type Client, createClient } from "../client/client.ts";
import { GrpcServer } from "../server/grpc-server.ts";
import type { ServerStream, ServiceImplementation } from "../server/implementation.ts";
import type { GrpcServerOptions } from "../server/server-options.ts";
import { eventually } from "./eventually.ts";
import { FakeClock } from "./fake-clock.ts";
import { Echo, type EchoResponseSchema } from "./gen/echo_pb.ts";
import { memoryPair } from "./memory-stream.ts";
import { RawClient, type RawExchange } from "./raw-client.ts";

export type EchoStream = ServerStream<typeof EchoResponseSchema>;

/** A server with clients in memory, where time passes only when a test says so. */
export class ServerWorld {
  readonly clock: FakeClock = new FakeClock();
  /** `service/method code` of the calls that are over. */
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

  client(): Client<typeof Echo> {
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

/** An open server stream with the client that asked for it. */
export interface OpenStream {
  readonly world: ServerWorld;
  readonly raw: RawClient;
  readonly exchange: RawExchange;
  readonly stream: EchoStream;
}

/** A server whose only method hands its stream over. */
export async function openStream(options: GrpcServerOptions = {}): Promise<OpenStream> {
  let stream: EchoStream | undefined;
  const world = new ServerWorld(
    {
      serverStream: {
        push: (_request, opened) => {
          stream = opened;
        },
      },
    },
    options,
  );
  const raw = world.raw();
  const exchange = raw.request({ ":path": "/bowline.testing.Echo/ServerStream" });
  await eventually(() => stream !== undefined);
  if (stream === undefined) throw new Error("no stream");
  return { world, raw, exchange, stream };
}

/** The message of what a promise is rejected with, `OK` when it is not. */
export function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "OK",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}
