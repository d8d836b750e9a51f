import { basename } from "node:path";
import { VERSION } from "@bowline/contracts";
import { findCommand, HELP, type Invocation } from "./commands.ts";

/**
 * The one executable. Each subcommand's code is imported when it is called for, so that `proxy-init` does not pay for
 * the proxy, nor the proxy for the command line.
 */
async function main(): Promise<number> {
  const invocation = findCommand(basename(process.argv0), process.argv.slice(2));
  return await run(invocation);
}

const output = {
  out: (text: string): void => {
    process.stdout.write(text);
  },
  err: (text: string): void => {
    process.stderr.write(text);
  },
};

async function run(invocation: Invocation): Promise<number> {
  switch (invocation.command) {
    case "proxy-init": {
      const { runProxyInit } = await import("@bowline/proxy-init");
      return runProxyInit(invocation.args, output);
    }
    case "network-validator": {
      const { runNetworkValidator } = await import("@bowline/proxy-init/network-validator");
      return runNetworkValidator(invocation.args, process.env, output);
    }
    case "proxy": {
      const { runProxy } = await import("@bowline/proxy");
      const code = await runProxy(process.env);
      // A question to DNS cannot be taken back, and would keep the process for as long as nobody answers.
      process.stdout.write("", () => process.exit(code));
      return code;
    }
    case "help":
      output.out(HELP);
      return 0;
    case "version":
      output.out(`bowline ${VERSION}\n`);
      return 0;
    case "unknown":
      output.err(`Error: unknown command ${JSON.stringify(invocation.name)}\n\n${HELP}`);
      return 1;
  }
}

process.exitCode = await main();
