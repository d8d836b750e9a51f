import { availableParallelism } from "node:os";
import {
  ADMIN_PORT,
  BOWLINE_ENV,
  IGNORED_ENV,
  PROXY_ENV,
  PROXY_ENV_2018,
  SERVICE_ENV,
  TAP_PORT,
} from "@bowline/contracts";
import { parseDnsName, parseIpSet, parseSocketAddr, parseTcpUrlSocketAddr } from "./config/address-values.ts";
import { BadValue } from "./config/bad-value.ts";
import { readControlStreams, readDestination, readPolicy, readService } from "./config/control-plane.ts";
import { readDataThreads } from "./config/data-threads.ts";
import {
  readConnectBackoff,
  readDirection,
  readDiscoveryIdleTimeoutMs,
  readHttpQueueCapacity,
  readOutboundTcpQueue,
} from "./config/direction.ts";
import { type ConfigNote, type Env, EnvReader } from "./config/env-reader.ts";
import { readHttp2 } from "./config/http2.ts";
import { readIdentity } from "./config/identity.ts";
import { isStyle2018, readBindTimeoutMs, readInboundForward, readLegacy, readPodNamespace } from "./config/legacy.ts";
import {
  oneOf,
  parseAnyText,
  parseBool,
  parseDuration,
  parsePositiveDuration,
  wholeNumber,
} from "./config/scalar-values.ts";
import type { Config } from "./config/types.ts";
import { formatRecord, type LogFormat } from "./log/format.ts";
import { Level } from "./log/level.ts";
import { logTarget } from "./log/target.ts";

export type { ConfigNote, Env } from "./config/env-reader.ts";
export type * from "./config/types.ts";

export type ConfigResult =
  | { readonly config: Config; readonly notes: readonly ConfigNote[] }
  | { readonly errors: readonly string[]; readonly notes: readonly ConfigNote[] };

/** sysexits.h EX_CONFIG would be 78; Linkerd's proxies have always used EX_USAGE. */
const CONFIG_ERROR_EXIT_CODE = 64;

const LOG_FILTER = "warn,linkerd=info,hickory=error";
const SHUTDOWN_GRACE_MS = 120_000;
const METRICS_RETAIN_IDLE_MS = 600_000;

// A head is buffered whole, once per connection, before it goes anywhere. 64 KiB and 256 fields is what the largest
// cookies and tokens seen behind proxies need; the upper limits keep a typing mistake from costing all memory.
const HEAD_BYTES_MAX = 65_536;
const parseHeadBytesMax = wholeNumber(1_024, 262_144);
const HEAD_FIELDS_MAX = 256;
const parseHeadFieldsMax = wholeNumber(1, 256);
const HEAD_TIMEOUT_MS = 60_000;

/**
 * The whole configuration from environment variables (see contracts' env.ts for all names), or one line for every
 * variable that is not valid or missing. Arguments, files and the clock play no part.
 */
export function readConfig(env: Env, cpusAvailable: number = availableParallelism()): ConfigResult {
  const reader = new EnvReader(env);
  const config = readAll(reader, cpusAvailable);
  noteIgnored(reader);
  if (reader.errors.length > 0) return { errors: reader.errors, notes: reader.notes };
  return { config: deepFreeze(config), notes: reader.notes };
}

export interface ConfigOrExitOptions {
  readonly stderr: (text: string) => void;
  readonly exit: (code: number) => never;
}

/**
 * The configuration, or the end of the process: every mistake is logged as an error, then stderr says
 * `configuration error: InvalidEnvVar` and the exit code is 64. All of it goes to stderr, as in 2018, and whatever
 * LINKERD2_PROXY_LOG says: a proxy that does not start must say why.
 */
export function configOrExit(
  env: Env,
  { stderr, exit }: ConfigOrExitOptions,
): { config: Config; notes: readonly ConfigNote[] } {
  const result = readConfig(env);
  if ("config" in result) return result;
  for (const error of result.errors) stderr(errorLine(error, readLogFormat(env[PROXY_ENV.logFormat])));
  stderr("configuration error: InvalidEnvVar\n");
  return exit(CONFIG_ERROR_EXIT_CODE);
}

function readAll(env: EnvReader, cpusAvailable: number): Config {
  const style2018 = isStyle2018(env);
  const podNamespace = readPodNamespace(env);
  const ingressMode = env.read(PROXY_ENV.ingressMode, parseBool) ?? false;
  const outboundTcpQueue = readOutboundTcpQueue(env);
  return {
    inbound: readDirection(env, "inbound", style2018),
    outbound: readDirection(env, "outbound", style2018),
    inboundIps: env.read(PROXY_ENV.inboundIps, parseIpSet) ?? [],
    inboundForward: readInboundForward(env),
    admin: readAdmin(env),
    control: readControl(env),
    tapServiceName: env.read(PROXY_ENV.tapSvcName, parseDnsName),
    http1: readHttp1(env),
    http2: readHttp2(env),
    shutdownGraceMs: env.read(PROXY_ENV.shutdownGracePeriod, parseDuration) ?? SHUTDOWN_GRACE_MS,
    bindTimeoutMs: readBindTimeoutMs(env),
    dataThreads: readDataThreads(env, cpusAvailable),
    log: {
      filter: env.read(PROXY_ENV.log, parseAnyText) ?? LOG_FILTER,
      format: env.read(PROXY_ENV.logFormat, readLogFormat) ?? "plain",
    },
    accessLog: env.readLeniently(PROXY_ENV.accessLog, (text) => parseAccessLog(text.toLowerCase())),
    informationalHeaders: {
      inbound: true,
      outbound: !(env.read(PROXY_ENV.outboundDisableInformationalHeaders, parseBool) ?? ingressMode),
    },
    podNamespace,
    ingressMode,
    queues: {
      inboundHttpCapacity: readHttpQueueCapacity(env, "inbound"),
      outboundHttpCapacity: readHttpQueueCapacity(env, "outbound"),
      outboundTcpCapacity: outboundTcpQueue.capacity,
      outboundTcpFailfastTimeoutMs: outboundTcpQueue.failfastTimeoutMs,
    },
    connectBackoff: { inbound: readConnectBackoff(env, "inbound"), outbound: readConnectBackoff(env, "outbound") },
    discoveryIdleTimeoutMs: {
      inbound: readDiscoveryIdleTimeoutMs(env, "inbound"),
      outbound: readDiscoveryIdleTimeoutMs(env, "outbound"),
    },
    destination: readDestination(env),
    policy: readPolicy(env),
    identity: readIdentity(env),
    controlStreams: readControlStreams(env),
    dns: {
      minTtlMs: env.read(PROXY_ENV.dnsMinTtl, parseDuration),
      maxTtlMs: env.read(PROXY_ENV.dnsMaxTtl, parseDuration),
    },
    metricLabels: {
      inboundAuthority: env.read(PROXY_ENV.inboundMetricsAuthorityLabels, parseAuthorityLabels) ?? false,
      outboundHostname: env.read(PROXY_ENV.outboundMetricsHostnameLabels, parseBool) ?? false,
    },
    trace: readTrace(env),
    legacy: readLegacy(env, podNamespace),
  };
}

function readAdmin(env: EnvReader): Config["admin"] {
  const listenAddr = env.readFirst(
    [PROXY_ENV.adminListenAddr, parseSocketAddr],
    [PROXY_ENV_2018.metricsListener, parseTcpUrlSocketAddr],
  );
  return {
    listenAddr: listenAddr ?? { ip: "127.0.0.1", port: ADMIN_PORT },
    shutdownEndpoint: env.read(PROXY_ENV.shutdownEndpointEnabled, parseBool) ?? false,
    metricsRetainIdleMs: env.read(PROXY_ENV.metricsRetainIdle, parseDuration) ?? METRICS_RETAIN_IDLE_MS,
  };
}

function readControl(env: EnvReader): Config["control"] {
  const listenAddr = env.readFirst(
    [PROXY_ENV.controlListenAddr, parseSocketAddr],
    [PROXY_ENV_2018.controlListener, parseTcpUrlSocketAddr],
  );
  return { listenAddr: listenAddr ?? { ip: "0.0.0.0", port: TAP_PORT } };
}

function readHttp1(env: EnvReader): Config["http1"] {
  return {
    headBytesMax: env.read(BOWLINE_ENV.http1HeadBytesMax, parseHeadBytesMax) ?? HEAD_BYTES_MAX,
    fieldsMax: env.read(BOWLINE_ENV.http1HeadFieldsMax, parseHeadFieldsMax) ?? HEAD_FIELDS_MAX,
    headTimeoutMs: env.read(BOWLINE_ENV.http1HeadTimeout, parsePositiveDuration) ?? HEAD_TIMEOUT_MS,
  };
}

function readTrace(env: EnvReader): Config["trace"] {
  return {
    collector: readService(env, SERVICE_ENV.traceCollector),
    attributesFile: env.read(PROXY_ENV.traceAttributesPath, parseAnyText),
    serviceName: env.read(PROXY_ENV.traceServiceName, parseAnyText),
    extraAttributes: env.read(PROXY_ENV.traceExtraAttributes, parseAnyText),
    otelAttributes: env.read(PROXY_ENV.otelResourceAttributes, parseAnyText),
    hostname: env.read(PROXY_ENV.hostname, parseAnyText),
  };
}

const parseAccessLog = oneOf(["apache", "json"] as const);

/** Anything but json is plain, as in Linkerd. */
function readLogFormat(text: string | undefined): LogFormat {
  return text?.trim().toLowerCase() === "json" ? "json" : "plain";
}

function parseAuthorityLabels(text: string): boolean | BadValue {
  if (text === "") return false;
  return text.toLowerCase() === "unsafe" ? true : new BadValue("neither empty nor unsafe");
}

function noteIgnored(env: EnvReader): void {
  for (const name of IGNORED_ENV) if (env.isSet(name)) env.note("debug", `${name} has no effect`);
  if (!env.isSet(PROXY_ENV.inboundIps))
    env.note("info", `${PROXY_ENV.inboundIps} is not set: any target address is accepted`);
}

function errorLine(message: string, format: LogFormat): string {
  const target = logTarget("config");
  if (format === "plain") return `ERR! ${target} ${message}\n`;
  return formatRecord({ level: Level.Error, target, message, fields: null, timeMs: Date.now(), thread: 1 }, format, 0);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
