import { type Command, Option } from "commander";
import type { Io } from "../io.ts";
import { declareSourceFlags } from "./flags.ts";

const INSTALL_EXAMPLES = `
Examples:
  bowline install --crds | kubectl apply -f -        kinds that the control plane adds, first
  bowline install | kubectl apply -f -
  bowline install --ha --set proxy.logLevel=debug --values values.yaml`;

/** `install`, `upgrade`, `uninstall`, `prune` and `version`. */
export function register(program: Command, io: Io): void {
  registerInstall(program, io);
  registerUpgrade(program, io);
  registerRemoval(program, io);
  program
    .command("version")
    .description("print the versions of this executable and of the control plane")
    .option("--client", "only of this executable")
    .option("--short", "versions alone")
    .option("--proxy", "also of proxies, and how many there are")
    .option("-n, --namespace <namespace>", "only proxies of this namespace")
    .action(async (_options: unknown, command: Command) => {
      const { version } = await import("./version.ts");
      await version(command, io);
    });
}

function registerInstall(program: Command, io: Io): void {
  const command = program
    .command("install")
    .description("print the manifests of a control plane, for kubectl apply")
    .option("--crds", "print the custom resource definitions, which must be applied first")
    .option("--ignore-cluster", "do not look whether a control plane is there already")
    .addOption(outputOption());
  declareSourceFlags(command, "install")
    .addHelpText("after", INSTALL_EXAMPLES)
    .action(async (_options: unknown, invoked: Command) => {
      const { install } = await import("./install.ts");
      await install(invoked, io);
    });
}

function registerUpgrade(program: Command, io: Io): void {
  const command = program
    .command("upgrade")
    .description("print the manifests of the control plane that is there, as this version has them")
    .option("--crds", "print the custom resource definitions")
    .option("--from-manifests <file>", "what is there, from a file (or -) rather than from the cluster")
    .addOption(outputOption());
  declareSourceFlags(command, "upgrade").action(async (_options: unknown, invoked: Command) => {
    const { upgrade } = await import("./install.ts");
    await upgrade(invoked, io);
  });
}

function registerRemoval(program: Command, io: Io): void {
  program
    .command("uninstall")
    .description("print what is to be deleted, for kubectl delete")
    .option("-f, --force", "even while pods have a proxy")
    .addOption(outputOption())
    .action(async (_options: unknown, invoked: Command) => {
      const { uninstall } = await import("./remove.ts");
      await uninstall(invoked, io);
    });
  const command = program
    .command("prune")
    .description("print objects of the control plane that this version no longer has, for kubectl delete")
    .addOption(outputOption());
  declareSourceFlags(command, "upgrade").action(async (_options: unknown, invoked: Command) => {
    const { prune } = await import("./remove.ts");
    await prune(invoked, io);
  });
}

function outputOption(): Option {
  return new Option("-o, --output <format>", "yaml or json").choices(["yaml", "json"]).default("yaml");
}
