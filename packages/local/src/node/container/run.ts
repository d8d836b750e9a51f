import { existsSync, mkdirSync, statSync, watch, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { ContainerInput } from "./input.ts";
import { type ContainerLaunch, envWords, setprivWords } from "./launch.ts";
import { catches, readText, trySignal } from "./process.ts";
import { isRunActive, killOrphan, loggerOf, mainOf, noteMain, startLogger, supervisorOf } from "./run-processes.ts";
import { containerScript, STARTED } from "./script.ts";

export interface ContainerExit {
  /** As a shell gives it: 128 + signal when a signal ended the container. */
  readonly exitCode: number;
  readonly finishedAt: Date;
  /** Why the command never ran. */
  readonly fault?: string;
  /** The supervisor is gone and has not said how the container ended: it was killed, or the machine was switched off. */
  readonly lost?: true;
}

/** An adopted container, which is not this process's child, says its end by a file; should it be killed with its supervisor, it can't. */
const ADOPTED_POLL_MS = 2_000;
/** From the exit's being written to the logger's having ended. */
const ENDING_POLL_MS = 5;

/** One run of a container: its supervisor, and the directory that tells everything of it to a later daemon. */
export class ContainerRun {
  readonly directory: string;
  readonly startedAt: Date;
  readonly ended: Promise<ContainerExit>;
  /** Of a container that was started by this process and reads anything. */
  readonly input: ContainerInput | undefined;

  private constructor(directory: string, startedAt: Date, ended: Promise<ContainerExit>, input?: ContainerInput) {
    this.directory = directory;
    this.input = input;
    this.startedAt = startedAt;
    this.ended = ended;
  }

  /**
   * Starts a container in `directory`, which must not have been used before.
   * @returns once the command has taken over, or the exit with its fault when it could not
   */
  static async start(directory: string, netns: string, launch: ContainerLaunch): Promise<ContainerRun | ContainerExit> {
    for (const name of ["upper", "work", "root"]) mkdirSync(join(directory, name), { recursive: true });
    const script = join(directory, "run.sh");
    writeFileSync(script, containerScript(launch), { mode: 0o600 });
    makeFifo(join(directory, "output"));
    const input = launch.stdin ? makeInput(join(directory, "input")) : undefined;
    const logger = startLogger(directory);
    const unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "dash", script];
    const child = Bun.spawn(["nsenter", `--net=${netns}`, ...unshare], {
      cwd: directory,
      env: {},
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      detached: true,
    });
    child.unref();
    const ended = child.exited.then(async () => {
      killOrphan(directory);
      input?.close();
      await logger.exited;
      return await exitOf(directory, child.stderr);
    });
    if (!(await firstLine(child.stdout)).startsWith(STARTED)) {
      // It may wait for a container that never came.
      logger.kill("SIGKILL");
      return await ended;
    }
    noteMain(directory);
    return new ContainerRun(directory, new Date(), ended, input);
  }

  /** What became of the container that an earlier daemon started in `directory`. */
  static async adopt(directory: string): Promise<ContainerRun | ContainerExit> {
    const supervisor = supervisorOf(directory);
    if (supervisor === undefined) {
      killOrphan(directory);
      return await exitOf(directory);
    }
    noteMain(directory);
    // Without one the container stands still as soon as the FIFO is full, or before it has begun.
    if (loggerOf(directory) === undefined) startLogger(directory);
    return new ContainerRun(directory, startOf(directory), untilExit(directory));
  }

  /** SIGKILL ends every process of the container; other signals are for its first one, which is deaf to those it does not handle. */
  signal(signal: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGINT" | "SIGQUIT" | "SIGUSR1" | "SIGUSR2"): void {
    const pid = mainOf(this.directory);
    if (pid !== undefined) trySignal(pid, signal);
  }

  /** Whether SIGTERM would be more than lost on it: a program that has just begun does not handle it yet. */
  get heedsTerm(): boolean {
    const pid = mainOf(this.directory);
    return pid !== undefined && catches(pid, constants.signals.SIGTERM);
  }

  /** The words that run `command` within the container, as its user and with its environment. */
  execWords(launch: ContainerLaunch, command: readonly string[]): string[] | undefined {
    const pid = mainOf(this.directory);
    if (pid === undefined) return undefined;
    const enter = ["nsenter", "--target", String(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"];
    const change = ["dash", "-c", 'cd "$1" && shift && exec "$@"', "dash", launch.workingDir];
    return [...enter, ...change, ...setprivWords(launch), ...envWords(launch.env), ...command];
  }
}

/** The container's own writings, of no use to anybody once it has ended. Its log and exit stay. */
export async function discardFiles(directory: string): Promise<void> {
  await Promise.all(
    ["upper", "work", "root"].map((name) => rm(join(directory, name), { recursive: true, force: true })),
  );
}

/** @throws with what mkfifo(1) says */
function makeFifo(path: string): void {
  const { success, stderr } = Bun.spawnSync(["mkfifo", "-m", "666", path]);
  if (!success) throw new Error(stderr.toString().trim());
}

function makeInput(path: string): ContainerInput {
  makeFifo(path);
  return new ContainerInput(path);
}

async function exitOf(directory: string, stderr?: ReadableStream<Uint8Array>): Promise<ContainerExit> {
  const path = join(directory, "exit");
  const code = readText(path).trim();
  const finishedAt = existsSync(path) ? statSync(path).mtime : new Date();
  const said = stderr === undefined ? "" : (await new Response(stderr).text()).trim();
  const fault = readText(join(directory, "fault")).trim() || said;
  if (fault !== "") return { exitCode: code === "" ? 128 : Number(code), finishedAt, fault };
  return code === "" ? { exitCode: 137, finishedAt, lost: true } : { exitCode: Number(code), finishedAt };
}

async function untilExit(directory: string): Promise<ContainerExit> {
  const path = join(directory, "exit");
  while (isRunActive(directory)) {
    killOrphan(directory);
    // The supervisor that has just begun has not made the file yet.
    if (existsSync(path) && readText(path) === "") await changeOf(path, ADOPTED_POLL_MS);
    else await Bun.sleep(ENDING_POLL_MS);
  }
  return await exitOf(directory);
}

/** Resolves when the file is written to, or when the time is over. */
function changeOf(path: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      watcher.close();
      resolve();
    };
    const watcher = watch(path, { persistent: false }, finish);
    const timer = setTimeout(finish, timeoutMs);
    // It may have been written to before it was watched.
    if (readText(path) !== "") finish();
  });
}

/** The supervisor writes `pid` before anything else. */
function startOf(directory: string): Date {
  return statSync(join(directory, "pid")).mtime;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  // Nothing more comes, but the supervisor keeps the other end open as long as it runs.
  await reader.cancel();
  return text;
}
