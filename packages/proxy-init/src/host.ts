import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface CommandOutput {
  /** Null when a signal ended the command. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What proxy-init needs of the machine. Tests of what happens when a command fails bring their own. */
export interface Host {
  /** Runs a command to its end. A command that cannot be started is reported as one that failed. */
  readonly run: (argv: readonly string[], input?: string) => Promise<CommandOutput>;
  readonly onPath: (program: string) => boolean;
  readonly unixSecs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

export const machine: Host = {
  run: runCommand,
  onPath: isOnPath,
  unixSecs: () => Math.floor(Date.now() / 1_000),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

function runCommand(argv: readonly string[], input = ""): Promise<CommandOutput> {
  return new Promise((resolve) => {
    const [file = "", ...args] = argv;
    // Messages are searched for causes, so they must not be translated.
    const child = spawn(file, args, { stdio: "pipe", env: { ...process.env, LC_ALL: "C" } });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", (error) => resolve({ code: null, stdout, stderr: `${file}: ${error.message}` }));
    child.once("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.on("error", () => {
      // The command ended without reading its input; its exit status says why.
    });
    child.stdin.end(input);
  });
}

function isOnPath(program: string): boolean {
  const { PATH = "" } = process.env;
  return PATH.split(delimiter).some((directory) => isExecutable(join(directory || ".", program)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: both mean that it cannot be run.
    return false;
  }
}
