import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, watch, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ContainerLaunch, envWords, setprivWords } from "./launch.ts";
import { containerScript, DEFAULT_PATH, STARTED } from "./script.ts";

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
  readonly #supervisor: number;
  /** Undefined until the supervisor's child has been seen. */
  #main: number | undefined;

  private constructor(directory: string, supervisor: number, startedAt: Date, ended: Promise<ContainerExit>) {
    this.directory = directory;
    this.#supervisor = supervisor;
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
      await logger.exited;
      return await exitOf(directory, child.stderr);
    });
    if (!(await firstLine(child.stdout)).startsWith(STARTED)) {
      // It may wait for a container that never came.
      logger.kill("SIGKILL");
      return await ended;
    }
    return new ContainerRun(directory, child.pid, new Date(), ended);
  }

  /** What became of the container that an earlier daemon started in `directory`. */
  static async adopt(directory: string): Promise<ContainerRun | ContainerExit> {
    const supervisor = supervisorOf(directory);
    if (supervisor === undefined) return await exitOf(directory);
    return new ContainerRun(directory, supervisor, startOf(directory), untilExit(directory));
  }

  /** PID 1 of the container, as the machine numbers it; undefined when it has ended. */
  get mainPid(): number | undefined {
    this.#main ??= childOf(this.#supervisor);
    return this.#main !== undefined && existsSync(`/proc/${this.#main}`) ? this.#main : undefined;
  }

  /** SIGKILL ends every process of the container; other signals are for its first one, which is deaf to those it does not handle. */
  signal(signal: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGINT" | "SIGQUIT" | "SIGUSR1" | "SIGUSR2"): void {
    const pid = this.mainPid;
    if (pid !== undefined) tryKill(pid, signal);
  }

  /** The words that run `command` within the container, as its user and with its environment. */
  execWords(launch: ContainerLaunch, command: readonly string[]): string[] | undefined {
    const pid = this.mainPid;
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

/** The supervisor that runs in `directory`, if one does. Its command line has the script's path, so a pid that has been given to another process is told apart. */
function supervisorOf(directory: string): number | undefined {
  const pid = Number(readText(join(directory, "pid")));
  if (!(pid > 0)) return undefined;
  const words = readText(`/proc/${pid}/cmdline`).split("\0");
  return words.includes(join(directory, "run.sh")) ? pid : undefined;
}

/** Whether a container of `directory` runs, or what it wrote is not yet in its log. */
export function isRunActive(directory: string): boolean {
  return supervisorOf(directory) !== undefined || loggerOf(directory) !== undefined;
}

/** Ends the container that runs in `directory`, supervisor and all. */
export function killRun(directory: string): void {
  const supervisor = supervisorOf(directory);
  const main = supervisor === undefined ? undefined : childOf(supervisor);
  // PDEATHSIG takes along what the supervisor may have started after we looked.
  for (const pid of [main, supervisor, loggerOf(directory)]) {
    if (pid !== undefined) tryKill(pid, "SIGKILL");
  }
}

/** Writes the container's output to its log until the last process that could add to it is gone. */
function startLogger(directory: string): Bun.Subprocess {
  const { success, stderr } = Bun.spawnSync(["mkfifo", "-m", "666", join(directory, "output")]);
  if (!success) throw new Error(stderr.toString().trim());
  const logger = Bun.spawn(["dash", "-c", "echo $$ >logger; exec cat <output >>log"], {
    cwd: directory,
    env: { PATH: DEFAULT_PATH },
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
  });
  logger.unref();
  return logger;
}

function loggerOf(directory: string): number | undefined {
  const pid = Number(readText(join(directory, "logger")));
  return pid > 0 && linkTarget(`/proc/${pid}/cwd`) === directory ? pid : undefined;
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

/** A supervisor has one child, or none any more. */
function childOf(supervisor: number): number | undefined {
  const first = readText(`/proc/${supervisor}/task/${supervisor}/children`).trim().split(" ")[0];
  return first === undefined || first === "" ? undefined : Number(first);
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

/** A process may end at any time before it is signalled. */
function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, which is what was wanted.
  }
}

/** Empty when there is no such link or process. */
function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** Empty when there is no such file, or, for one in /proc, no such process any more. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
