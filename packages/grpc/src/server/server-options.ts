import { DEFAULT_HTTP2_SETTINGS, type Http2Settings } from "@bowline/wire";
import type { Listen } from "../byte-stream.ts";
import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import { MESSAGE_BYTES_MAX } from "../framing.ts";
import type { KeepAliveOptions } from "../keep-alive.ts";
import { listenTcp } from "../node-net.ts";
import type { GrpcObserver } from "../observer.ts";

/** What a server allows its clients, and how much it holds for them. */
export interface ServerLimits {
  readonly connectionsMax: number;
  /** Calls open at once, over all connections; more are refused in a way that lets clients try elsewhere. */
  readonly callsMax: number;
  /** A request message longer than this ends its call with RESOURCE_EXHAUSTED. */
  readonly messageBytesMax: number;
  /** Above this a stream's send() returns false; half of it is where onDrain comes. */
  readonly highWaterBytes: number;
  /** A stream whose reader is so slow that more than this waits is ended with RESOURCE_EXHAUSTED. */
  readonly streamBufferBytesMax: number;
  /** The same over all streams of the server: whoever adds to its own backlog beyond this is ended. */
  readonly bufferBytesMax: number;
  /** A peer whose window holds back what we send for so long, without any progress, is disconnected. */
  readonly stallMsMax: number;
}

/** For a control plane with ten thousand watches; a proxy's own little servers will want less. */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  connectionsMax: 20_000,
  callsMax: 100_000,
  messageBytesMax: MESSAGE_BYTES_MAX,
  highWaterBytes: 64 * 1024,
  streamBufferBytesMax: 4 * 1024 * 1024,
  bufferBytesMax: 256 * 1024 * 1024,
  stallMsMax: 120_000,
};

export interface GrpcServerOptions {
  readonly limits?: Partial<ServerLimits>;
  readonly http2?: Partial<Http2Settings>;
  /** null, the default: none; the kernel's probes find peers that are gone. */
  readonly keepAlive?: KeepAliveOptions | null;
  readonly observer?: GrpcObserver;
  readonly clock?: Clock;
  readonly listen?: Listen;
}

export interface ServerSetup {
  readonly limits: ServerLimits;
  readonly http2: Http2Settings;
  readonly keepAlive: KeepAliveOptions | null;
  readonly observer: GrpcObserver | null;
  readonly clock: Clock;
  readonly listen: Listen;
}

/**
 * All proxies of a cluster may come through one connection, that of the server's own sidecar, so a connection may have
 * as many streams as come. Windows stay as they are: what slow handlers leave unread is one window per stream.
 */
const SERVER_HTTP2_SETTINGS: Http2Settings = {
  ...DEFAULT_HTTP2_SETTINGS,
  concurrentStreamsMax: 20_000,
  adaptiveWindow: false,
  connectProtocol: false,
};

export function serverSetup(options: GrpcServerOptions): ServerSetup {
  return {
    limits: { ...DEFAULT_SERVER_LIMITS, ...options.limits },
    http2: { ...SERVER_HTTP2_SETTINGS, ...options.http2 },
    keepAlive: options.keepAlive ?? null,
    observer: options.observer ?? null,
    clock: options.clock ?? SYSTEM_CLOCK,
    listen: options.listen ?? listenTcp,
  };
}
