import type { Command } from "commander";
import { CommandFailure, type Io } from "./io.ts";

/**
 * The programs of a pod, for `--help`. main.ts starts them by name before the parser is loaded; only a name behind a global flag
 * comes here.
 */
export function register(program: Command, io: Io): void {
  const initArgs = (command: Command): readonly string[] => command.args;
  program
    .command("proxy-init")
    .description("redirect a pod's TCP traffic to its proxy, or stop doing so")
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options: unknown, command: Command) => {
      const { runProxyInit } = await import("@bowline/proxy-init");
      endWith(await runProxyInit(initArgs(command), io));
    });
  program
    .command("proxy")
    .description("run the proxy; configured by LINKERD2_PROXY_* variables, reads no arguments")
    .action(async () => {
      const { runProxy } = await import("@bowline/proxy");
      endWith(await runProxy(process.env));
    });
  program
    .command("network-validator")
    .description("check that traffic is redirected; exits with 95 when it is not")
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options: unknown, command: Command) => {
      const { runNetworkValidator } = await import("@bowline/proxy-init/network-validator");
      endWith(await runNetworkValidator(initArgs(command), process.env, io));
    });
}

function endWith(exitCode: number): void {
  if (exitCode !== 0) throw new CommandFailure("", exitCode);
}
