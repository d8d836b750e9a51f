import { parseArgs } from "node:util";
import { PROXY_INJECTOR_ADMIN_PORT, PROXY_INJECTOR_PORT, VERSION } from "@bowline/contracts";
import { type ListenAddress, parseListenAddress } from "../admin/listen-any.ts";
import { LOG_LEVELS, type LogLevel, parseLogLevel } from "../admin/log.ts";

/** What `bowline proxy-injector` was told to do. */
export interface InjectorFlags {
  readonly listen: ListenAddress;
  readonly admin: ListenAddress;
  readonly valuesPath: string;
  readonly anchorsPath: string;
  readonly tlsDirectory: string;
  /** How often the certificate is looked at. */
  readonly tlsReloadMs: number;
  /** "" is the usual places. */
  readonly kubeconfig: string;
  readonly logLevel: LogLevel;
  readonly logFormat: "plain" | "json";
}

/** A flag cannot be used; the message says which and why. */
export class InjectorFlagError extends Error {
  override name = "InjectorFlagError";
}

const TLS_RELOAD_MS = 10_000;

const DEFAULTS = {
  addr: `:${PROXY_INJECTOR_PORT}`,
  "admin-addr": `:${PROXY_INJECTOR_ADMIN_PORT}`,
  "values-file": "/var/run/linkerd/config/values",
  "trust-roots-file": "/var/run/linkerd/identity/trust-roots/ca-bundle.crt",
  "tls-dir": "/var/run/linkerd/tls",
  kubeconfig: "",
  "linkerd-namespace": "linkerd",
  "log-level": "info",
  "log-format": "plain",
} as const;

export const INJECTOR_HELP: string = [
  "Usage: bowline proxy-injector [flags]",
  "",
  `The webhook by which new pods get their proxies (${VERSION}).`,
  "",
  "Flags:",
  ...Object.entries(DEFAULTS).map(([name, value]) =>
    `  --${name.padEnd(20)}${value === "" ? "" : `(${value})`}`.trimEnd(),
  ),
  "",
].join("\n");

/** @throws InjectorFlagError */
export function parseInjectorFlags(args: readonly string[]): InjectorFlags {
  const values = readFlags(args);
  return {
    listen: parseListen("addr", values.addr),
    admin: parseListen("admin-addr", values["admin-addr"]),
    valuesPath: values["values-file"],
    anchorsPath: values["trust-roots-file"],
    tlsDirectory: values["tls-dir"],
    tlsReloadMs: TLS_RELOAD_MS,
    kubeconfig: values.kubeconfig,
    logLevel: parseLevel(values["log-level"]),
    logFormat: values["log-format"] === "json" ? "json" : "plain",
  };
}

function readFlags(args: readonly string[]): Record<keyof typeof DEFAULTS, string> {
  const options = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: "string" as const }]));
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true });
    return { ...DEFAULTS, ...values };
  } catch (error) {
    throw new InjectorFlagError(error instanceof Error ? error.message : String(error));
  }
}

function parseListen(flag: string, text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === null) throw new InjectorFlagError(`--${flag} ${text}: not HOST:PORT`);
  return address;
}

function parseLevel(text: string): LogLevel {
  const level = parseLogLevel(text);
  if (level === null) throw new InjectorFlagError(`--log-level ${text}: none of ${LOG_LEVELS.join(", ")}`);
  return level;
}
