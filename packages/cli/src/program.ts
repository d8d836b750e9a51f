// Certificates (@peculiar/x509) need it first of all; bundled, an import beside theirs would be run after them.
import "reflect-metadata";
import { VERSION } from "@bowline/contracts";
import { Command, CommanderError } from "commander";
import { register as registerCheck } from "./check/register.ts";
import { register as registerCompletion } from "./completion/register.ts";
import { register as registerControllers } from "./controllers.ts";
import { register as registerDataPlane } from "./data-plane.ts";
import { register as registerDemoApp } from "./demo-app.ts";
import { register as registerDiagnostics } from "./diagnostics/register.ts";
import { findExtension, runExtension } from "./extension.ts";
import { register as registerInject } from "./inject/register.ts";
import { register as registerInstall } from "./install/register.ts";
import { CommandFailure, type Io } from "./io.ts";
import { register as registerLocal } from "./local/register.ts";
import { register as registerStat } from "./stat/register.ts";

/** Each group of commands; what a command does is imported when it runs. */
const GROUPS: readonly ((program: Command, io: Io) => void)[] = [
  registerInstall,
  registerInject,
  registerCheck,
  registerStat,
  registerDiagnostics,
  registerLocal,
  registerCompletion,
  registerControllers,
  registerDataPlane,
  registerDemoApp,
];

/**
 * Runs what a person typed.
 *
 * @param args everything behind the executable's name
 * @returns the exit code: 1 for failures and for wrong usage
 */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  const program = buildProgram(io);
  try {
    const [name = "", ...rest] = args;
    const extension = isCommand(program, name) ? null : findExtension(name, io.env);
    if (extension !== null) return await runExtension(extension, rest, io.env);
    await program.parseAsync(args.length === 0 ? ["help"] : [...args], { from: "user" });
    return 0;
  } catch (error) {
    return exitCodeOf(error, io);
  }
}

/** The command line as it is parsed: also what completion and the documents are made from. */
export function buildProgram(io: Io): Command {
  const program = new Command("bowline")
    .description("a service mesh that speaks Linkerd's contracts")
    .version(`bowline ${VERSION}`, "-v, --version", "print the version")
    .option(
      "-L, --linkerd-namespace <namespace>",
      "namespace of the control plane",
      io.env["LINKERD_NAMESPACE"] ?? "linkerd",
    )
    .option("--kubeconfig <path>", "path of the kubeconfig file")
    .option("--context <name>", "context of the kubeconfig file to use")
    .option("--as <user>", "user to impersonate")
    .option("--as-group <group>", "group to impersonate; may be repeated", collect, [])
    .option("--api-addr <address>", "host:port of the control plane's metrics API, in place of the cluster's proxy")
    .option("--verbose", "say more about what happens")
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError("(add --help for the flags)");
  for (const register of GROUPS) register(program, io);
  return program;
}

function isCommand({ commands }: Command, name: string): boolean {
  return name === "help" || commands.some((command) => command.name() === name || command.aliases().includes(name));
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

function exitCodeOf(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof CommandFailure) {
    if (error.message !== "") io.err(`Error: ${error.message}\n`);
    return error.exitCode;
  }
  io.err(`Error: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
}
