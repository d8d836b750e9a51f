import { VERSION } from "@bowline/contracts";
import { DEFAULT_HTTP2_SETTINGS, type Http2Settings } from "@bowline/wire";
import { type Backoff, grpcBackoff } from "../backoff.ts";
import type { Address, Connect } from "../byte-stream.ts";
import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import { MESSAGE_BYTES_MAX } from "../framing.ts";
import type { KeepAliveOptions } from "../keep-alive.ts";
import { connectTcp } from "../node-net.ts";
import type { GrpcObserver } from "../observer.ts";
import type { RequestOrigin } from "./client-method.ts";

/**
 * - `idle`: no connection, none wanted.
 * - `connecting`: calls wait for the outcome.
 * - `ready`: at least one connection takes calls.
 * - `failing`: the last attempt failed and the next is not due; calls fail at once unless they wait for ready.
 */
export type ChannelState = "idle" | "connecting" | "ready" | "failing" | "closed";

/** Asks for addresses anew before each attempt to connect. */
export type Resolver = (signal: AbortSignal) => Promise<readonly Address[]>;

export interface ChannelOptions {
  /** Where the server is. Of several addresses one is taken by chance, and the others are tried if it fails. */
  readonly target: Address | readonly Address[] | Resolver;
  /** What requests carry as :authority. */
  readonly authority: string;
  readonly scheme?: "http" | "https";
  readonly userAgent?: string;
  /** Delays between attempts to connect: gRPC's by default. */
  readonly backoff?: Backoff;
  /** For one address, from the start to the server's SETTINGS; 20 s by default, gRPC's minimum. */
  readonly connectTimeoutMs?: number;
  /** null, the default: none. gRPC servers end connections that ping more often than every five minutes. */
  readonly keepAlive?: KeepAliveOptions | null;
  /** Longest response message, 4 MiB by default. */
  readonly messageBytesMax?: number;
  /** Calls that may wait for a connection or for room on one; further ones are UNAVAILABLE. 10,000 by default. */
  readonly waitingMax?: number;
  /** Connections at once: more than one only where the server's limit of streams is reached. 4 by default. */
  readonly connectionsMax?: number;
  /** The default of the calls' option, false. */
  readonly waitForReady?: boolean;
  /** A server that lets nothing through for so long is disconnected; 120 s by default. */
  readonly stallMsMax?: number;
  readonly http2?: Partial<Http2Settings>;
  readonly connect?: Connect;
  readonly observer?: GrpcObserver;
  readonly onState?: (state: ChannelState, error: Error | null) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface ChannelSetup {
  readonly resolve: Resolver;
  readonly origin: RequestOrigin;
  readonly backoff: Backoff;
  readonly connectTimeoutMs: number;
  readonly keepAlive: KeepAliveOptions | null;
  readonly messageBytesMax: number;
  readonly waitingMax: number;
  readonly connectionsMax: number;
  readonly waitForReady: boolean;
  readonly stallMsMax: number;
  readonly http2: Http2Settings;
  readonly connect: Connect;
  readonly observer: GrpcObserver | null;
  readonly onState: (state: ChannelState, error: Error | null) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Windows stay as they are: what a slow reader leaves is one window per call. */
const CLIENT_HTTP2_SETTINGS: Http2Settings = { ...DEFAULT_HTTP2_SETTINGS, adaptiveWindow: false };

export function channelSetup(options: ChannelOptions): ChannelSetup {
  const random = options.random ?? Math.random;
  return {
    resolve: resolverOf(options.target),
    origin: {
      scheme: options.scheme ?? "http",
      authority: options.authority,
      userAgent: options.userAgent ?? `grpc-bowline/${VERSION}`,
    },
    backoff: options.backoff ?? grpcBackoff({}, random),
    connectTimeoutMs: options.connectTimeoutMs ?? 20_000,
    keepAlive: options.keepAlive ?? null,
    messageBytesMax: options.messageBytesMax ?? MESSAGE_BYTES_MAX,
    waitingMax: options.waitingMax ?? 10_000,
    connectionsMax: options.connectionsMax ?? 4,
    waitForReady: options.waitForReady ?? false,
    stallMsMax: options.stallMsMax ?? 120_000,
    http2: { ...CLIENT_HTTP2_SETTINGS, ...options.http2 },
    connect: options.connect ?? connectTcp,
    observer: options.observer ?? null,
    onState: options.onState ?? (() => undefined),
    clock: options.clock ?? SYSTEM_CLOCK,
    random,
  };
}

function resolverOf(target: ChannelOptions["target"]): Resolver {
  if (typeof target === "function") return target;
  const addresses: readonly Address[] = "host" in target ? [target] : target;
  return () => Promise.resolve(addresses);
}
