import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Container, ContainerStatus } from "@bowline/kube";
import { runProbeCommand } from "../container/exec.ts";
import type { ContainerLaunch } from "../container/launch.ts";
import { type ContainerExit, ContainerRun, discardFiles } from "../container/run.ts";
import { killRun } from "../container/run-processes.ts";
import { LogRecorder } from "../log/log-recorder.ts";
import type { ExecResult } from "../probe/probe-target.ts";
import { BackOff } from "./back-off.ts";
import type { PodPaths } from "./node-context.ts";
import type { ContainerFacts, ContainerRole } from "./plan.ts";
import type { ContainerView, Termination } from "./pod-status.ts";
import { terminationMessage } from "./termination-message.ts";

export interface Waiting {
  readonly reason: string;
  readonly message?: string;
}

/** One container of a pod through all its runs. Knows nothing of why it runs: the pod's worker does. */
export class ContainerSlot {
  readonly spec: Container;
  readonly role: ContainerRole;
  backOff: BackOff = new BackOff();
  /** Why it does not run now but will, if that is anything but the ordinary. */
  waiting: Waiting | undefined;
  /** Before that moment its image is not looked up again. */
  imageRetryAtMs = 0;
  /** Past its startup probe and its postStart hook. */
  started = false;
  /** What its readiness probe says; without one, as `started`. */
  ready = false;
  /** The log of the present run, while it grows. */
  recorder: LogRecorder | undefined;
  readonly #uid: string;
  readonly #paths: PodPaths;
  readonly #onExit: (slot: ContainerSlot) => void;
  #attempt = -1;
  #run: ContainerRun | undefined;
  #launch: ContainerLaunch | undefined;
  #exit: Termination | undefined;
  #previous: Termination | undefined;
  /** Runs so far were in a sandbox that is gone; for init containers that means to run again. */
  #renewed = false;

  constructor(
    uid: string,
    spec: Container,
    role: ContainerRole,
    paths: PodPaths,
    onExit: (slot: ContainerSlot) => void,
  ) {
    this.#uid = uid;
    this.spec = spec;
    this.role = role;
    this.#paths = paths;
    this.#onExit = onExit;
  }

  /** Number of the present or last run; -1 before the first. */
  get attempt(): number {
    return this.#attempt;
  }

  get run(): ContainerRun | undefined {
    return this.#run;
  }

  get exit(): Termination | undefined {
    return this.#exit;
  }

  /** The working directory, user and environment of the present run. */
  get launch(): ContainerLaunch | undefined {
    return this.#launch;
  }

  get nextDirectory(): string {
    return this.#paths.run(this.spec.name, this.#attempt + 1);
  }

  directory(attempt: number): string {
    return this.#paths.run(this.spec.name, attempt);
  }

  facts(): ContainerFacts {
    const { name } = this.spec;
    if (this.#run !== undefined) return { name, role: this.role, state: "running", started: this.started };
    if (this.#exit === undefined || this.#renewed) return { name, role: this.role, state: "absent", started: false };
    return { name, role: this.role, state: "exited", exitCode: this.#exit.exitCode, started: false };
  }

  /** @param firstReason what it waits for that has not run and is not held up */
  view(firstReason: string): ContainerView {
    const common = {
      spec: this.spec,
      role: this.role,
      restartCount: Math.max(0, this.#attempt),
      started: this.started,
    };
    const last = this.#previous === undefined ? {} : { last: this.#previous };
    const id = this.#attempt < 0 ? {} : { containerId: this.#containerId(this.#attempt) };
    if (this.#run !== undefined) {
      const state = { kind: "running" as const, startedAt: this.#run.startedAt };
      return { ...common, ...last, ...id, state, ready: this.role !== "init" && this.started && this.ready };
    }
    if (this.#exit !== undefined && this.waiting === undefined) {
      const done = this.role === "init" && this.#exit.exitCode === 0;
      return {
        ...common,
        ...last,
        ...id,
        started: false,
        ready: done,
        state: { kind: "terminated", termination: this.#exit },
      };
    }
    const latest = this.#exit === undefined ? last : { last: this.#exit };
    const waiting = this.waiting ?? { reason: firstReason };
    return { ...common, ...latest, ...id, started: false, ready: false, state: { kind: "waiting", ...waiting } };
  }

  /** Takes over what an earlier daemon has left, as far as it goes. @param status what that daemon last told of it */
  async adopt(status: ContainerStatus | undefined): Promise<void> {
    const attempts = this.#attemptsOnDisk();
    const latest = attempts.at(-1);
    if (latest === undefined) return;
    this.#attempt = latest;
    if (attempts.includes(latest - 1)) this.#previous = await this.#terminationOnDisk(latest - 1);
    const directory = this.directory(latest);
    const found = await ContainerRun.adopt(directory);
    this.#launch = readLaunch(directory);
    if (found instanceof ContainerRun) {
      this.started = status?.started === true;
      this.ready = status?.ready === true;
      this.backOff = BackOff.after(latest, found.startedAt.getTime());
      this.#follow(found);
      return;
    }
    this.#exit = this.#termination(latest, found, found.finishedAt);
    this.backOff = BackOff.after(latest, found.finishedAt.getTime());
    void discardFiles(directory);
  }

  /** The sandbox is new: whatever still runs belongs to the old one. */
  renew(): void {
    if (this.#attempt < 0) return;
    this.#renewed = true;
    if (this.#run !== undefined) killRun(this.#run.directory);
  }

  /** Starts the next run in `nextDirectory`, as `launch` says. @returns the fault when the command could not be run */
  async start(netns: string, launch: ContainerLaunch): Promise<string | undefined> {
    const attempt = this.#attempt + 1;
    const directory = this.nextDirectory;
    this.waiting = undefined;
    mkdirSync(directory, { recursive: true });
    writeLaunch(directory, launch);
    const begun = new Date();
    const result = await ContainerRun.start(directory, netns, launch);
    this.#previous = this.#exit;
    this.#exit = undefined;
    this.#attempt = attempt;
    this.#launch = launch;
    this.#renewed = false;
    // The first start is no restart.
    if (attempt > 0) this.backOff.restarted(Date.now());
    void this.#discardBefore(attempt - 1);
    if (result instanceof ContainerRun) {
      this.#follow(result);
      return undefined;
    }
    this.#exit = this.#termination(attempt, result, begun);
    void discardFiles(directory);
    return this.#exit.message ?? "";
  }

  /** Runs a command within the container; it fails when the container does not run. */
  async exec(command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    const words = this.execWords(command);
    if (words === undefined) return { exitCode: 126, output: "the container is not running", timedOut: false };
    return await runProbeCommand(words, timeoutMs);
  }

  execWords(command: readonly string[]): string[] | undefined {
    return this.#launch === undefined ? undefined : this.#run?.execWords(this.#launch, command);
  }

  /** Lets go without ending anything. */
  release(): void {
    this.recorder?.close();
    this.recorder = undefined;
  }

  #follow(run: ContainerRun): void {
    this.#run = run;
    this.recorder = new LogRecorder(run.directory);
    void run.ended.then((exit) => this.#ended(run, exit));
  }

  #ended(run: ContainerRun, exit: ContainerExit): void {
    this.recorder?.close();
    this.recorder = undefined;
    this.#run = undefined;
    this.started = false;
    this.ready = false;
    this.#exit = this.#termination(this.#attempt, exit, run.startedAt);
    void discardFiles(run.directory);
    this.#onExit(this);
  }

  #termination(attempt: number, exit: ContainerExit, startedAt: Date): Termination {
    const { exitCode, finishedAt, fault, lost } = exit;
    const common = { exitCode, startedAt, finishedAt, containerId: this.#containerId(attempt) };
    if (fault !== undefined) return { ...common, reason: "StartError", message: fault };
    if (lost === true) {
      return {
        ...common,
        reason: "ContainerStatusUnknown",
        message: "nobody saw how the container ended: its supervisor was gone",
      };
    }
    const message = terminationMessage(this.spec, this.directory(attempt), exitCode);
    return { ...common, reason: exitCode === 0 ? "Completed" : "Error", message };
  }

  async #terminationOnDisk(attempt: number): Promise<Termination | undefined> {
    const found = await ContainerRun.adopt(this.directory(attempt));
    return found instanceof ContainerRun ? undefined : this.#termination(attempt, found, found.finishedAt);
  }

  #attemptsOnDisk(): number[] {
    const directory = this.#paths.container(this.spec.name);
    if (!existsSync(directory)) return [];
    return readdirSync(directory)
      .map(Number)
      .toSorted((a, b) => a - b);
  }

  /** The present run and the one before it are kept, for `logs --previous`. */
  async #discardBefore(attempt: number): Promise<void> {
    const old = this.#attemptsOnDisk().filter((number) => number < attempt);
    await Promise.all(old.map((number) => rm(this.directory(number), { recursive: true, force: true })));
  }

  #containerId(attempt: number): string {
    const digest = new Bun.CryptoHasher("sha256").update(`${this.#uid}/${this.spec.name}/${attempt}`).digest("hex");
    return `bowline://${digest}`;
  }
}

function writeLaunch(directory: string, launch: ContainerLaunch): void {
  const text = JSON.stringify({ ...launch, env: [...launch.env] });
  writeFileSync(join(directory, "launch.json"), text, { mode: 0o600 });
}

function readLaunch(directory: string): ContainerLaunch | undefined {
  const path = join(directory, "launch.json");
  if (!existsSync(path)) return undefined;
  const launch = JSON.parse(readFileSync(path, "utf8")) as Omit<ContainerLaunch, "env"> & { env: [string, string][] };
  return { ...launch, env: new Map(launch.env) };
}
