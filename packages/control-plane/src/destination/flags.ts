import { DEFAULT_OPAQUE_PORTS, DESTINATION_ADMIN_PORT, DESTINATION_PORT } from "@bowline/contracts";
import { type ListenAddress, parseListenAddress } from "../admin/listen-any.ts";
import { LOG_LEVELS, type LogLevel, parseLogLevel } from "../admin/log.ts";
import { parseHttp2Params } from "./http2-params.ts";
import { parsePortList } from "./port-list.ts";
import type { DiscoverySettings } from "./settings.ts";

/** What `bowline destination` was told to do. */
export interface DestinationFlags {
  readonly listen: ListenAddress;
  readonly admin: ListenAddress;
  readonly settings: DiscoverySettings;
  readonly streamQueueCapacity: number;
  readonly logLevel: LogLevel;
  readonly logFormat: "plain" | "json";
  /** "" is the usual places. */
  readonly kubeconfig: string;
}

/** A flag cannot be used; the message says which and why. */
export class FlagError extends Error {
  readonly code = "FLAG";
}

interface FlagDefinition {
  readonly default: string;
  readonly help: string;
  readonly boolean?: true;
}

/** Linkerd's names, so that its charts' arguments fit. */
const FLAGS: Readonly<Record<string, FlagDefinition>> = {
  addr: { default: `:${DESTINATION_PORT}`, help: "address to serve gRPC on" },
  "admin-addr": { default: `:${DESTINATION_ADMIN_PORT}`, help: "address to serve metrics and probes on" },
  kubeconfig: { default: "", help: "path to a kubeconfig file" },
  "controller-namespace": { default: "linkerd", help: "namespace of the control plane" },
  "cluster-domain": { default: "cluster.local", help: "domain of the cluster" },
  "identity-trust-domain": { default: "", help: "trust domain of identities; without it endpoints are given none" },
  "outbound-transport-mode": { default: "transparent", help: "transparent or transport-header" },
  "enable-h2-upgrade": { default: "true", help: "offer HTTP/2 between proxies", boolean: true },
  "enable-endpoint-slices": { default: "true", help: "accepted; EndpointSlices are always used", boolean: true },
  "enable-ipv6": { default: "true", help: "prefer IPv6 addresses of pods that have both", boolean: true },
  "default-opaque-ports": { default: DEFAULT_OPAQUE_PORTS, help: "ports whose protocol is not looked for" },
  "meshed-http2-client-params": { default: "", help: "HTTP/2 settings between proxies, as JSON" },
  "stream-queue-capacity": { default: "100", help: "updates that may wait for a client that does not read" },
  "ext-endpoint-zone-weights": {
    default: "false",
    help: "prefer endpoints of the client's zone by weight",
    boolean: true,
  },
  "log-level": { default: "info", help: LOG_LEVELS.join(", ") },
  "log-format": { default: "plain", help: "plain or json" },
};

const ALIASES: Readonly<Record<string, string>> = { "metrics-addr": "admin-addr" };

export const DESTINATION_HELP: string = [
  "Usage: bowline destination [flags]",
  "",
  "Answers proxies: where services' endpoints are, and how their traffic is to be treated.",
  "",
  "Flags:",
  ...Object.entries(FLAGS).map(([name, { default: value, help }]) => {
    return `  --${name.padEnd(28)}${help}${value === "" ? "" : ` (${value})`}`;
  }),
  "",
].join("\n");

/**
 * Reads flags as Go's programs take them: `-flag value`, `--flag=value`; a boolean alone is true.
 * @throws FlagError
 */
export function parseDestinationFlags(args: readonly string[]): DestinationFlags {
  const read = readFlags(args);
  const text = (name: string): string => read.get(name) ?? FLAGS[name]?.default ?? "";
  const trustDomain = text("identity-trust-domain");
  return {
    listen: parseListen("addr", text("addr")),
    admin: parseListen("admin-addr", text("admin-addr")),
    streamQueueCapacity: parseCount("stream-queue-capacity", text("stream-queue-capacity")),
    logLevel: parseLevel("log-level", text("log-level")),
    logFormat: parseOneOf("log-format", text("log-format"), ["plain", "json"]),
    kubeconfig: text("kubeconfig"),
    settings: {
      clusterDomain: text("cluster-domain").replace(/\.$/, "").toLowerCase(),
      controllerNamespace: text("controller-namespace"),
      identityTrustDomain: trustDomain === "" ? null : trustDomain,
      h2Upgrade: parseBoolean("enable-h2-upgrade", text("enable-h2-upgrade")),
      ipv6: parseBoolean("enable-ipv6", text("enable-ipv6")),
      transportHeader:
        parseOneOf("outbound-transport-mode", text("outbound-transport-mode"), ["transparent", "transport-header"]) ===
        "transport-header",
      defaultOpaquePorts: parsePortList(text("default-opaque-ports")),
      http2: parseHttp2("meshed-http2-client-params", text("meshed-http2-client-params")),
      zoneWeights: parseBoolean("ext-endpoint-zone-weights", text("ext-endpoint-zone-weights")),
    },
  };
}

function readFlags(args: readonly string[]): ReadonlyMap<string, string> {
  const read = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const [, given, inline] = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (given === undefined) throw new FlagError(`${JSON.stringify(arg)} is not a flag`);
    const name = ALIASES[given] ?? given;
    const definition = FLAGS[name];
    if (definition === undefined) throw new FlagError(`there is no flag --${given}`);
    if (inline !== undefined) read.set(name, inline);
    else if (definition.boolean === true) read.set(name, "true");
    else if (at + 1 < args.length) read.set(name, args[++at] ?? "");
    else throw new FlagError(`--${given} needs a value`);
  }
  return read;
}

function parseListen(flag: string, text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === null) throw new FlagError(`--${flag}: ${JSON.stringify(text)} is not HOST:PORT`);
  return address;
}

function parseBoolean(flag: string, text: string): boolean {
  if (/^(?:true|t|1)$/i.test(text)) return true;
  if (/^(?:false|f|0)$/i.test(text)) return false;
  throw new FlagError(`--${flag}: ${JSON.stringify(text)} is neither true nor false`);
}

function parseCount(flag: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new FlagError(`--${flag}: ${JSON.stringify(text)} is not a number above 0`);
  return Number(text);
}

function parseOneOf<T extends string>(flag: string, text: string, values: readonly T[]): T {
  const found = values.find((value) => value === text);
  if (found === undefined) throw new FlagError(`--${flag}: ${JSON.stringify(text)} is none of ${values.join(", ")}`);
  return found;
}

function parseLevel(flag: string, text: string): LogLevel {
  const level = parseLogLevel(text);
  if (level === null) throw new FlagError(`--${flag}: ${JSON.stringify(text)} is none of ${LOG_LEVELS.join(", ")}`);
  return level;
}

function parseHttp2(flag: string, text: string): DiscoverySettings["http2"] {
  if (text === "") return null;
  try {
    return parseHttp2Params(text);
  } catch (error) {
    throw new FlagError(`--${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
