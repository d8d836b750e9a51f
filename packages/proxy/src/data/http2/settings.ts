import { DEFAULT_HTTP2_SETTINGS, FRAME_HEAD_BYTES, type Http2Settings } from "@bowline/wire";
import type { Config, ServerHttp2Config } from "../../config/types.ts";

/** Linkerd sets no limit of its own; this one keeps what a connection may ask of us within a bound. */
const SERVER_STREAMS_MAX = 20_000;

/** What is kept of a connection's bytes: a frame that has not arrived in full. */
export const HTTP2_CARRY_BYTES_MAX: number = FRAME_HEAD_BYTES + DEFAULT_HTTP2_SETTINGS.frameBytesMax + 4096;

/** What the proxy allows its clients (proxy-facts §2.4). */
export function http2ServerSettings(config: ServerHttp2Config): Http2Settings {
  const defaults = DEFAULT_HTTP2_SETTINGS;
  return {
    ...defaults,
    concurrentStreamsMax: config.concurrentStreamsMax ?? SERVER_STREAMS_MAX,
    initialStreamWindowBytes: config.initialStreamWindowBytes ?? defaults.initialStreamWindowBytes,
    initialConnectionWindowBytes: config.initialConnectionWindowBytes ?? defaults.initialConnectionWindowBytes,
    adaptiveWindow: config.adaptiveFlowControl,
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
