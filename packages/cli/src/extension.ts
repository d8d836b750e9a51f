import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { CommandFailure, type Io } from "./io.ts";

/** Ours first: what is made for Linkerd's command line works here too. */
const PREFIXES = ["bowline", "linkerd"] as const;
/** No slashes: an extension is looked for in PATH, nowhere else. */
const NAME = /^[a-z0-9][\w.-]*$/i;

/**
 * The program that an unknown command stands for, as with kubectl and Linkerd: `bowline foo` is `bowline-foo` or `linkerd-foo`.
 *
 * @param name the first word that was typed: flags before it are the command line's own, of which an extension knows nothing
 * @returns its path, or null
 */
export function findExtension(name: string, env: Io["env"]): string | null {
  if (!NAME.test(name)) return null;
  const options = { PATH: env["PATH"] ?? "" };
  return PREFIXES.map((prefix) => Bun.which(`${prefix}-${name}`, options)).find((path) => path !== null) ?? null;
}

/**
 * Runs an extension in place of this program: it has its input, output and signals.
 *
 * @returns its exit code, 128 and the number of the signal that ended it
 * @throws CommandFailure when it can't be started
 */
export function runExtension(path: string, args: readonly string[], env: Io["env"]): Promise<number> {
  let child: ChildProcess | null = null;
  // Ctrl-C reaches both: this one waits for what the extension makes of it.
  const forward = (signal: NodeJS.Signals): void => {
    if (signal !== "SIGINT") child?.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  // Before it starts: from its first word on, it counts on being told.
  for (const signal of signals) process.on(signal, forward);
  const started = spawn(path, [...args], { stdio: "inherit", env: { ...env } });
  child = started;
  return new Promise<number>((resolve, reject) => {
    started.once("error", (error) => reject(new CommandFailure(`cannot run ${path}: ${error.message}`)));
    started.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  }).finally(() => {
    for (const signal of signals) process.off(signal, forward);
  });
}
