import { basename } from "node:path";
import { findCommand, type Invocation } from "./commands.ts";
import type { Io } from "./io.ts";

/** 128 and SIGPIPE's number: as of a program that the signal ends, which this runtime ignores. */
const READER_GONE_EXIT_CODE = 141;

/**
 * The one executable. Each subcommand's code is imported when it is called for, so that `proxy-init` does not pay for
 * the proxy, nor the proxy for the command line.
 */
async function main(): Promise<number> {
  const invocation = findCommand(basename(process.argv0), process.argv.slice(2));
  return await run(invocation);
}

const io: Io = {
  out: (text) => {
    process.stdout.write(text);
  },
  err: (text) => {
    process.stderr.write(text);
  },
  env: process.env,
  stdin: () => Bun.stdin.text(),
};

/** `bowline install | head` wants no more than head does; what can't be told on stderr is no reason to end. */
function endWhenUnread(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(READER_GONE_EXIT_CODE);
    process.stderr.write(`Error: writing the output: ${error.message}\n`, () => process.exit(1));
  });
  process.stderr.on("error", () => undefined);
}

async function run(invocation: Invocation): Promise<number> {
  switch (invocation.command) {
    case "proxy-init": {
      const { runProxyInit } = await import("@bowline/proxy-init");
      return runProxyInit(invocation.args, io);
    }
    case "network-validator": {
      const { runNetworkValidator } = await import("@bowline/proxy-init/network-validator");
      return runNetworkValidator(invocation.args, process.env, io);
    }
    case "proxy": {
      const { runProxy } = await import("@bowline/proxy");
      const code = await runProxy(process.env);
      // A question to DNS cannot be taken back, and would keep the process for as long as nobody answers.
      process.stdout.write("", () => process.exit(code));
      return code;
    }
    case "program": {
      endWhenUnread();
      const { runProgram } = await import("./program.ts");
      return runProgram(invocation.args, io);
    }
  }
}

process.exitCode = await main();
