import type { Http2Params } from "@bowline/model";
import { DEFAULT_HTTP2_SETTINGS, FRAME_HEAD_BYTES, type Http2Settings } from "@bowline/wire";
import type { Config, ServerHttp2Config } from "../../config/types.ts";

/** Linkerd sets no limit of its own; this one keeps what a connection may ask of us within a bound. */
const SERVER_STREAMS_MAX = 20_000;

/**
 * What one client wastes goes to a connection that others use, too, and whose server has a limit of its own: nghttp2 ends
 * a connection after 1000, and 33 a second.
 */
const WASTED_STREAMS_MAX = 1000;

/** A frame must fit into what is kept of a connection's bytes until it has arrived in full. */
const FRAME_BYTES_MAX = 262_144;

/** What is kept at most of a connection with these settings: one frame, and what came with its end. */
export function carryBytesMax(settings: Http2Settings): number {
  return FRAME_HEAD_BYTES + settings.frameBytesMax + 4096;
}

/** What the proxy allows its clients (proxy-facts §2.4). */
export function http2ServerSettings(config: ServerHttp2Config): Http2Settings {
  const defaults = DEFAULT_HTTP2_SETTINGS;
  return {
    ...defaults,
    wastedStreamsMax: config.pendingAcceptResetStreamsMax ?? WASTED_STREAMS_MAX,
    concurrentStreamsMax: config.concurrentStreamsMax ?? SERVER_STREAMS_MAX,
    initialStreamWindowBytes: config.initialStreamWindowBytes ?? defaults.initialStreamWindowBytes,
    initialConnectionWindowBytes: config.initialConnectionWindowBytes ?? defaults.initialConnectionWindowBytes,
    adaptiveWindow: config.adaptiveFlowControl,
    frameBytesMax: Math.min(config.frameBytesMax ?? defaults.frameBytesMax, FRAME_BYTES_MAX),
    headerListBytesMax: config.headerListBytesMax ?? defaults.headerListBytesMax,
    outputBytesMax: config.sendBufferBytesMax ?? defaults.outputBytesMax,
  };
}

/** What the proxy allows the servers it calls. */
export function http2ClientSettings(config: Config["http2"]): Http2Settings {
  return {
    ...DEFAULT_HTTP2_SETTINGS,
    initialStreamWindowBytes: config.clientInitialStreamWindowBytes,
    initialConnectionWindowBytes: config.clientInitialConnectionWindowBytes,
  };
}

/** The same for one endpoint, which may ask for other windows: both of them, or adaptive ones (proxy-facts §4.15). */
export function http2EndpointSettings(settings: Http2Settings, params: Http2Params | null): Http2Settings {
  if (params === null) return settings;
  const { initialStreamWindowBytes, initialConnectionWindowBytes, adaptiveWindow } = params;
  if (adaptiveWindow === true) return { ...settings, adaptiveWindow };
  if (initialStreamWindowBytes === null || initialConnectionWindowBytes === null) return settings;
  return { ...settings, initialStreamWindowBytes, initialConnectionWindowBytes, adaptiveWindow: false };
}
