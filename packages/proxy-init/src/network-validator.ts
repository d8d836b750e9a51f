import { Command, Option } from "commander";
import { FlagReader, type FlagsEnd, runCommander } from "./flag-reader.ts";
import { parseLogFormat, parseLogLevel, parseSocketAddress, parseTimeout } from "./flag-values.ts";
import { createLog } from "./logger.ts";
import type { LogFormat, LogLevel } from "./options.ts";
import type { Output } from "./proxy-init.ts";
import { type ValidationOptions, validateRedirect } from "./validate-redirect.ts";

/** Linkerd's repair controller deletes pods whose validator ended with this status. */
export const EXIT_NOT_REDIRECTED = 95;

interface ValidatorOptions extends ValidationOptions {
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

type ValidatorFlags = { readonly kind: "options"; readonly options: ValidatorOptions } | FlagsEnd;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `bowline network-validator`: tells whether this network namespace redirects outbound connections to the proxy's
 * port, by listening there and connecting elsewhere.
 *
 * @returns 0 when redirected; 95 when not, on a timeout and on SIGINT or SIGTERM; 1 for mistakes in the arguments
 */
export async function runNetworkValidator(args: readonly string[], env: Environment, output: Output): Promise<number> {
  const flags = parseValidatorFlags(args, env);
  if (flags.kind === "help") {
    output.out(flags.text);
    return 0;
  }
  if (flags.kind === "errors") {
    for (const error of flags.errors) output.err(`Error: ${error}\n`);
    return 1;
  }
  const { options } = flags;
  const log = createLog(options.logFormat, options.logLevel, output.out);
  const interruption = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void => interruption.abort(new Error(`interrupted by ${signal}`));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    await validateRedirect(options, interruption.signal, log);
    log("info", "Validated");
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log("error", `traffic is not redirected to ${addressText(options.listen)}: ${reason}`);
    return EXIT_NOT_REDIRECTED;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** Flags first, then the environment, then the defaults; exported for its tests. */
export function parseValidatorFlags(args: readonly string[], env: Environment): ValidatorFlags {
  const command = declareFlags(env);
  const ended = runCommander(command, args);
  if (ended !== null) return ended;
  const raw = command.opts<{
    timeout: string;
    listenAddr: string;
    connectAddr: string;
    logLevel: string;
    logFormat: string;
  }>();
  const reader = new FlagReader();
  const nowhere = { host: "", port: 0 };
  const options: ValidatorOptions = {
    timeoutMs: reader.read("--timeout", raw.timeout, parseTimeout, 0),
    listen: reader.read("--listen-addr", raw.listenAddr, parseSocketAddress, nowhere),
    connect: reader.read("--connect-addr", raw.connectAddr, parseSocketAddress, nowhere),
    logLevel: reader.read("--log-level", raw.logLevel, parseLogLevel, "info"),
    logFormat: reader.read("--log-format", raw.logFormat, parseLogFormat, "plain"),
  };
  return reader.errors.length === 0 ? { kind: "options", options } : { kind: "errors", errors: reader.errors };
}

function declareFlags(env: Environment): Command {
  const fromEnv = (name: string, fallback: string): string => env[`LINKERD_NETWORK_VALIDATOR_${name}`] || fallback;
  return (
    new Command("network-validator")
      .description("Checks that outbound TCP connections are redirected to the proxy's port; exits with 95 when not.")
      .allowExcessArguments(false)
      .showSuggestionAfterError(false)
      .helpOption("-h, --help", "show this help")
      .addOption(new Option("--timeout <duration>", "how long to try").default("10s"))
      .addOption(new Option("--listen-addr <ip:port>", "where redirected connections arrive").default("0.0.0.0:4140"))
      // 192.0.2.0/24 is set aside for documentation (RFC 5737): nothing real answers there.
      .addOption(new Option("--connect-addr <ip:port>", "where to connect to").default("192.0.2.2:1404"))
      .addOption(new Option("--log-level <level>", "level of log lines").default(fromEnv("LOG_LEVEL", "info")))
      .addOption(new Option("--log-format <format>", "plain or json").default(fromEnv("LOG_FORMAT", "plain")))
  );
}

function addressText({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
