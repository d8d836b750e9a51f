import { DIRECTION_ENV, type Direction, PROXY_ENV } from "@bowline/contracts";
import { parseCount } from "./direction.ts";
import type { EnvReader } from "./env-reader.ts";
import { parseBool, parsePositiveDuration, wholeNumber } from "./scalar-values.ts";
import type { Config, ServerHttp2Config } from "./types.ts";

/** RFC 9113 §6.5.2: the largest window, and the limits of a frame's payload. */
const WINDOW_BYTES_MAX = 0x7fff_ffff;
const parseWindow = wholeNumber(1, WINDOW_BYTES_MAX);
const parseFrameBytes = wholeNumber(16_384, 16_777_215);
/** With no room for a byte no body could ever be sent. */
const parseSendBuffer = wholeNumber(1, 0xffff_ffff);

const INITIAL_STREAM_WINDOW_BYTES = 65_535;
/** 1 MiB: about 16 streams, each with its window full. */
const INITIAL_CONNECTION_WINDOW_BYTES = 1_048_576;

export function readHttp2(env: EnvReader): Config["http2"] {
  return {
    clientInitialStreamWindowBytes:
      env.read(PROXY_ENV.http2InitialStreamWindowSize, parseWindow) ?? INITIAL_STREAM_WINDOW_BYTES,
    clientInitialConnectionWindowBytes:
      env.read(PROXY_ENV.http2InitialConnectionWindowSize, parseWindow) ?? INITIAL_CONNECTION_WINDOW_BYTES,
    inboundServer: readServer(env, "inbound"),
    outboundServer: readServer(env, "outbound"),
  };
}

/** The two windows count only together, and so do the two keep-alive durations, as in Linkerd. */
function readServer(env: EnvReader, direction: Direction): ServerHttp2Config {
  const names = DIRECTION_ENV[direction].serverHttp2;
  const streamWindow = env.read(names.initialStreamWindowSize, parseWindow);
  const connectionWindow = env.read(names.initialConnectionWindowSize, parseWindow);
  const windows = streamWindow !== null && connectionWindow !== null;
  const intervalMs = env.read(names.keepAliveInterval, parsePositiveDuration);
  const timeoutMs = env.read(names.keepAliveTimeout, parsePositiveDuration);
  return {
    initialStreamWindowBytes: windows ? streamWindow : null,
    initialConnectionWindowBytes: windows ? connectionWindow : null,
    adaptiveFlowControl: env.read(names.adaptiveFlowControl, parseBool) ?? false,
    keepAlive: intervalMs !== null && timeoutMs !== null ? { intervalMs, timeoutMs } : null,
    concurrentStreamsMax: env.read(names.maxConcurrentStreams, parseCount),
    frameBytesMax: env.read(names.maxFrameSize, parseFrameBytes),
    headerListBytesMax: env.read(names.maxHeaderListSize, parseCount),
    pendingAcceptResetStreamsMax: env.read(names.maxPendingAcceptResetStreams, parseCount),
    sendBufferBytesMax: env.read(names.maxSendBufSize, parseSendBuffer),
  };
}
