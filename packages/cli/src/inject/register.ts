import { type Command, Option } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { addOverrideFlags } from "./flags.ts";

/** `inject`, `uninject`, and what runs of injection within a cluster: the webhook, and the wait for a proxy. */
export function register(program: Command, io: Io): void {
  registerInject(program, io);
  program
    .command("uninject")
    .description("remove the proxy and the mesh's annotations from manifests")
    .argument("[inputs...]", "files, directories, https URLs, or - for standard input")
    .addOption(outputOption())
    .action(async (inputs: string[], _options: unknown, command: Command) => {
      const { runUninject } = await import("./command.ts");
      await runUninject(inputs, command, io);
    });
  program
    .command("proxy-injector", { hidden: true })
    .description("run the webhook by which new pods get their proxies")
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options: unknown, command: Command) => {
      const { runProxyInjector } = await import("@bowline/control-plane");
      const exitCode = await runProxyInjector(command.args, io.env);
      if (exitCode !== 0) throw new CommandFailure("", exitCode);
    });
  program
    .command("await", { hidden: true })
    .description("wait until the pod's proxy is ready")
    .option("--port <port>", "admin port of the proxy", "4191")
    .option("--timeout <duration>", "how long to wait", "90s")
    .action(async (flags: { port: string; timeout: string }) => {
      const { awaitProxy } = await import("./await-proxy.ts");
      await awaitProxy(flags.port, flags.timeout);
    });
}

function registerInject(program: Command, io: Io): void {
  const command = program
    .command("inject")
    .description("add the proxy to manifests: annotate what pods are made from, for the webhook to add it")
    .argument("[inputs...]", "files, directories, https URLs, or - for standard input")
    .option("--manual", "render the proxy into the manifests, in place of annotations for the webhook")
    .option("--ignore-cluster", "with --manual: go by the default configuration, not by the cluster's")
    .addOption(outputOption());
  addOverrideFlags(command);
  command.action(async (inputs: string[]) => {
    const { runInject } = await import("./command.ts");
    await runInject(inputs, command, io);
  });
}

function outputOption(): Option {
  return new Option("-o, --output <format>", "format of the manifests printed")
    .choices(["yaml", "json"])
    .default("yaml");
}
