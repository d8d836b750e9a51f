import { type ChildProcess, spawn } from "node:child_process";
import { waitFor } from "./wait-for.ts";

export interface CommandOptions {
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to the command's standard input, which is then closed; without it the input is empty. */
  readonly input?: string;
  /** The command is killed and reported as failed after this long. Default 30,000. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  /** Exit status; 128 + signal number is not used: a killed command has `code` null and `signal` set. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** A long-running process with its output kept in memory. */
export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Everything written so far. */
  stdout(): string;
  stderr(): string;
  /** Settles when the process has ended and all of its output has been read. */
  readonly exited: Promise<CommandResult>;
  /** The result once it has ended, null until then. */
  result(): CommandResult | null;
  kill(signal: NodeJS.Signals): void;
  /**
   * Waits until standard output or standard error matches.
   *
   * @throws Error with the output so far when the process ends first or `timeoutMs` (default 5,000) passes
   */
  waitForOutput(pattern: RegExp | string, timeoutMs?: number): Promise<void>;
  /** SIGTERM, then SIGKILL after `graceMs` (default 2,000); returns when it has ended. Harmless when it already has. */
  stop(graceMs?: number): Promise<CommandResult>;
}

/**
 * Runs a command to its end and gives back whatever came of it; a non-zero exit is no exception.
 *
 * @throws Error when the command cannot be started
 */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = start(argv, options);
  const output = collect(child);
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 30_000);
  child.stdin?.on("error", () => {
    // A command may end without reading its input; its exit status tells what that means.
  });
  child.stdin?.end(options.input ?? "");
  return new Promise<CommandResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout: output.stdout(), stderr: output.stderr() }));
  }).finally(() => clearTimeout(timer));
}

/**
 * Like `runCommand`, for commands that must succeed.
 *
 * @returns standard output
 * @throws Error with the command and its output when it ends with anything but 0
 */
export async function mustRun(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(argv, options);
  if (result.code !== 0) throw new Error(describeFailure(argv, result));
  return result.stdout;
}

/** Starts a process that runs until it ends by itself or is stopped; dispose it (or `stop()` it) in every case. */
export function spawnProcess(argv: readonly string[], options: SpawnOptions = {}): RunningProcess {
  const child = start(argv, options);
  const output = collect(child);
  child.stdin?.end();
  let ended: CommandResult | null = null;
  const exited = new Promise<CommandResult>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null, more = ""): void => {
      ended ??= { code, signal, stdout: output.stdout(), stderr: output.stderr() + more };
      resolve(ended);
    };
    child.once("error", (error) => end(null, null, String(error)));
    child.once("close", end);
  });
  const running: RunningProcess = {
    pid: child.pid ?? -1,
    argv,
    stdout: output.stdout,
    stderr: output.stderr,
    exited,
    result: () => ended,
    kill: (signal) => {
      child.kill(signal);
    },
    waitForOutput: (pattern, timeoutMs = 5_000) => waitForOutput(running, pattern, timeoutMs),
    stop: (graceMs = 2_000) => stop(child, running, graceMs),
    [Symbol.asyncDispose]: async () => {
      await running.stop();
    },
  };
  return running;
}

export function describeFailure(argv: readonly string[], result: CommandResult): string {
  const how = result.code === null ? `was ended by ${result.signal}` : `ended with ${result.code}`;
  return `${argv.join(" ")} ${how}\nstdout: ${result.stdout}\nstderr: ${result.stderr}`;
}

function start(argv: readonly string[], { env, cwd }: SpawnOptions): ChildProcess {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error("an empty command");
  return spawn(file, args, { env: { ...process.env, ...env }, ...(cwd === undefined ? {} : { cwd }), stdio: "pipe" });
}

function collect(child: ChildProcess): { stdout: () => string; stderr: () => string } {
  const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  child.stdout?.on("data", (chunk: Buffer) => chunks.stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.stderr.push(chunk));
  return {
    stdout: () => Buffer.concat(chunks.stdout).toString(),
    stderr: () => Buffer.concat(chunks.stderr).toString(),
  };
}

async function waitForOutput(running: RunningProcess, pattern: RegExp | string, timeoutMs: number): Promise<void> {
  const found = (): boolean =>
    [running.stdout(), running.stderr()].some((text) =>
      typeof pattern === "string" ? text.includes(pattern) : text.search(pattern) >= 0,
    );
  const state = await waitFor(() => (found() ? "found" : running.result() && "ended"), {
    timeoutMs,
    what: `${pattern} from ${running.argv.join(" ")}`,
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\nstdout: ${running.stdout()}\nstderr: ${running.stderr()}`);
  });
  const result = running.result();
  if (state === "ended" && result !== null && !found()) throw new Error(describeFailure(running.argv, result));
}

async function stop(child: ChildProcess, running: RunningProcess, graceMs: number): Promise<CommandResult> {
  if (running.result() !== null) return running.exited;
  // Its own children may have inherited the pipes and outlive it; do not wait for those.
  child.once("exit", () => setTimeout(() => closePipes(child), 500).unref());
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  try {
    return await running.exited;
  } finally {
    clearTimeout(timer);
  }
}

function closePipes(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}
