import { changeRules } from "./change.ts";
import { parseFlags } from "./flags.ts";
import { type Host, machine } from "./host.ts";
import { IptablesError } from "./iptables.ts";
import { createLog } from "./logger.ts";
import { simulate } from "./simulate.ts";

/** Where a command writes; both are called with whole lines. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/**
 * `bowline proxy-init`: installs, simulates or removes a pod's nat rules. Logs go to standard output as Linkerd's do,
 * errors to standard error. A simulation's output is a script, so its logs go to standard error too.
 *
 * @param args the arguments after the command's name
 * @returns the exit status: 0, or 1 with nothing changed
 */
export async function runProxyInit(args: readonly string[], output: Output, host: Host = machine): Promise<number> {
  const flags = parseFlags(args);
  if (flags.kind === "help") {
    output.out(flags.text);
    return 0;
  }
  if (flags.kind === "errors") {
    for (const error of flags.errors) output.err(`Error: ${error}\n`);
    output.err("Nothing was changed. proxy-init --help lists the flags.\n");
    return 1;
  }
  const { options } = flags;
  const { logFormat, logLevel, simulate: simulated } = options.host;
  const log = createLog(logFormat, logLevel, simulated ? output.err : output.out);
  try {
    if (simulated) output.out(await simulate(options, host, log));
    else await changeRules(options, host, log);
    return 0;
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error;
    output.err(`Error: ${error.message}\n`);
    return 1;
  }
}
