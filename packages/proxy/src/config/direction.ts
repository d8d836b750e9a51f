import {
  type BackoffEnv,
  DIRECTION_ENV,
  type Direction,
  INBOUND_PROXY_PORT,
  OUTBOUND_PROXY_PORT,
  PROXY_ENV,
  PROXY_ENV_2018,
} from "@bowline/contracts";
import { parseSocketAddr, parseSocketAddrs, parseTcpUrlSocketAddr } from "./address-values.ts";
import { BadValue } from "./bad-value.ts";
import type { EnvReader } from "./env-reader.ts";
import { parsePortRanges } from "./port-values.ts";
import {
  parseDuration,
  parseJitter,
  parsePositiveDuration,
  parseSocketDuration,
  wholeNumber,
} from "./scalar-values.ts";
import type { BackoffConfig, DirectionConfig, SocketAddr } from "./types.ts";

interface DirectionDefaults {
  readonly listenAddr: SocketAddr;
  readonly connectTimeoutMs: number;
  readonly failfastTimeoutMs: number;
  readonly discoveryIdleTimeoutMs: number;
  readonly backoff: BackoffConfig;
}

// Linkerd's. Inbound connects within the pod, so it may give up soon; outbound caches little, since stale clients of
// many destinations cost memory.
const DEFAULTS: Readonly<Record<Direction, DirectionDefaults>> = {
  inbound: {
    listenAddr: { ip: "0.0.0.0", port: INBOUND_PROXY_PORT },
    connectTimeoutMs: 300,
    failfastTimeoutMs: 1_000,
    discoveryIdleTimeoutMs: 90_000,
    backoff: { minMs: 100, maxMs: 10_000, jitter: 0.1 },
  },
  outbound: {
    listenAddr: { ip: "127.0.0.1", port: OUTBOUND_PROXY_PORT },
    connectTimeoutMs: 1_000,
    failfastTimeoutMs: 3_000,
    discoveryIdleTimeoutMs: 5_000,
    backoff: { minMs: 100, maxMs: 60_000, jitter: 0.1 },
  },
};

const DETECT_TIMEOUT_MS = 10_000;
// No longer than servers keep idle connections, or requests would go out on connections that are about to close.
const POOL_IDLE_TIMEOUT_MS = 3_000;
const POOL_IDLE_CONNECTIONS_MAX = 10_000;
const REQUESTS_IN_FLIGHT_MAX = 100_000;
const QUEUE_CAPACITY = 10_000;

/** SMTP and MySQL, whose servers speak first: what 2018's proxy took for opaque unless told otherwise. */
const OPAQUE_PORTS_2018 = [
  { lo: 25, hi: 25 },
  { lo: 3306, hi: 3306 },
];

export const parseCount: (text: string) => number | BadValue = wholeNumber(0, 0xffff_ffff);
const parseBacklog = wholeNumber(0, 0x7fff_ffff);

/** `style2018`: the proxy runs with 2018's variables, so 2018's opaque ports are the default. */
export function readDirection(env: EnvReader, direction: Direction, style2018: boolean): DirectionConfig {
  const names = DIRECTION_ENV[direction];
  const defaults = DEFAULTS[direction];
  return {
    listenAddrs: readListenAddrs(env, direction),
    listenBacklog: env.read(names.tcpListenBacklog, parseBacklog) ?? 0,
    acceptKeepaliveMs: env.read(names.acceptKeepalive, parseSocketDuration) ?? 0,
    acceptUserTimeoutMs: env.read(names.acceptUserTimeout, parseSocketDuration) ?? 0,
    connectKeepaliveMs: env.read(names.connectKeepalive, parseSocketDuration) ?? 0,
    connectUserTimeoutMs: env.read(names.connectUserTimeout, parseSocketDuration) ?? 0,
    detectTimeoutMs: env.read(names.detectTimeout, parsePositiveDuration) ?? DETECT_TIMEOUT_MS,
    connectTimeoutMs: env.read(names.connectTimeout, parsePositiveDuration) ?? defaults.connectTimeoutMs,
    poolIdleTimeoutMs: env.read(names.http1PoolIdleTimeout, parseDuration) ?? POOL_IDLE_TIMEOUT_MS,
    poolIdleConnectionsMax: env.read(names.maxIdleConnsPerEndpoint, parseCount) ?? POOL_IDLE_CONNECTIONS_MAX,
    requestsInFlightMax: env.read(names.maxInFlight, wholeNumber(1, 0xffff_ffff)) ?? REQUESTS_IN_FLIGHT_MAX,
    opaquePorts: env.read(names.portsDisableProtocolDetection, parsePortRanges) ?? (style2018 ? OPAQUE_PORTS_2018 : []),
    failfastTimeoutMs: env.read(names.httpFailfastTimeout, parsePositiveDuration) ?? defaults.failfastTimeoutMs,
  };
}

/** 2018's router idle age is what today's discovery idle timeout was called. */
export function readDiscoveryIdleTimeoutMs(env: EnvReader, direction: Direction): number {
  const age = PROXY_ENV_2018[direction === "inbound" ? "inboundRouterMaxIdleAge" : "outboundRouterMaxIdleAge"];
  const names = DIRECTION_ENV[direction];
  const idleMs = env.readFirst([names.discoveryIdleTimeout, parseDuration], [age, parseDuration]);
  return idleMs ?? DEFAULTS[direction].discoveryIdleTimeoutMs;
}

export function readHttpQueueCapacity(env: EnvReader, direction: Direction): number {
  return env.read(DIRECTION_ENV[direction].httpQueueCapacity, parseCount) ?? QUEUE_CAPACITY;
}

export function readOutboundTcpQueue(env: EnvReader): { capacity: number; failfastTimeoutMs: number } {
  return {
    capacity: env.read(PROXY_ENV.outboundTcpQueueCapacity, parseCount) ?? QUEUE_CAPACITY,
    failfastTimeoutMs:
      env.read(PROXY_ENV.outboundTcpFailfastTimeout, parsePositiveDuration) ?? DEFAULTS.outbound.failfastTimeoutMs,
  };
}

export function readConnectBackoff(env: EnvReader, direction: Direction): BackoffConfig {
  return readBackoff(env, DIRECTION_ENV[direction].connectBackoff, DEFAULTS[direction].backoff);
}

/** min and max must come together, min no longer than max; jitter is then 0 unless given. */
export function readBackoff(env: EnvReader, names: BackoffEnv, defaults: BackoffConfig): BackoffConfig {
  const minMs = env.read(names.min, parsePositiveDuration);
  const maxMs = env.read(names.max, parsePositiveDuration);
  const jitter = env.read(names.jitter, parseJitter);
  if (env.isSet(names.min) && !env.isSet(names.max)) env.missing(names.max, names.min);
  if (env.isSet(names.max) && !env.isSet(names.min)) env.missing(names.min, names.max);
  if (minMs === null || maxMs === null) return jitter === null ? defaults : { ...defaults, jitter };
  if (minMs > maxMs) env.invalid(names.min, `longer than ${names.max}`);
  return { minMs, maxMs, jitter: jitter ?? 0 };
}

function readListenAddrs(env: EnvReader, direction: Direction): readonly SocketAddr[] {
  const names = DIRECTION_ENV[direction];
  const one = (text: string): readonly SocketAddr[] | BadValue => listOfOne(parseSocketAddr(text));
  const url = (text: string): readonly SocketAddr[] | BadValue => listOfOne(parseTcpUrlSocketAddr(text));
  const addrs =
    direction === "inbound"
      ? env.readFirst(
          [names.listenAddr, one],
          [PROXY_ENV_2018.inboundListener, url],
          [PROXY_ENV_2018.publicListener, url],
        )
      : env.readFirst(
          [PROXY_ENV.outboundListenAddrs, parseSocketAddrs],
          [names.listenAddr, one],
          [PROXY_ENV_2018.outboundListener, url],
          [PROXY_ENV_2018.privateListener, url],
        );
  return addrs ?? [DEFAULTS[direction].listenAddr];
}

function listOfOne(addr: SocketAddr | BadValue): readonly SocketAddr[] | BadValue {
  return addr instanceof BadValue ? addr : [addr];
}
