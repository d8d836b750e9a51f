import type { destination } from "@bowline/contracts/proto";
import { GrpcError, GrpcStatus, type ServerStream, type ServiceImplementation } from "@bowline/grpc";
import { ClientStream } from "./client-stream.ts";
import type { Discovery } from "./discovery.ts";

export interface DestinationServiceOptions {
  readonly discovery: Discovery;
  /** Messages that may wait for a client that does not read. */
  readonly streamQueueCapacity: number;
  readonly onEndpointsOverflow: (path: string) => void;
  readonly onProfileOverflow: (path: string) => void;
}

/** The Destination service of Linkerd's proxy API. */
export class DestinationService {
  readonly #options: DestinationServiceOptions;
  readonly #streams = new Set<ClientStream>();
  #stopping = false;

  constructor(options: DestinationServiceOptions) {
    this.#options = options;
  }

  get implementation(): ServiceImplementation<typeof destination.Destination> {
    const { discovery, onEndpointsOverflow, onProfileOverflow } = this.#options;
    return {
      get: {
        push: ({ path, contextToken }, stream, context) => {
          const overflow = (): void => onEndpointsOverflow(path);
          // Linkerd's proxies wait three seconds for a sign of life.
          context.sendInitialMetadata();
          this.#serve(stream, overflow, (sink) => discovery.watchEndpoints(path, contextToken, sink));
        },
      },
      getProfile: {
        push: ({ path, contextToken }, stream, context) => {
          const overflow = (): void => onProfileOverflow(path);
          context.sendInitialMetadata();
          this.#serve(stream, overflow, (sink) => discovery.watchProfile(path, contextToken, sink));
        },
      },
    };
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Ends all streams in good order, so that clients ask another instance, and takes no new ones. */
  stop(): void {
    this.#stopping = true;
    for (const stream of this.#streams) stream.end();
  }

  #serve(stream: ServerStream, onOverflow: () => void, watch: (sink: ClientStream) => () => void): void {
    if (this.#stopping) throw new GrpcError(GrpcStatus.Unavailable, "shutting down");
    const client = new ClientStream(stream, { queueMax: this.#options.streamQueueCapacity, onOverflow });
    const stop = watch(client);
    this.#streams.add(client);
    client.onStop(() => {
      this.#streams.delete(client);
      stop();
    });
  }
}
