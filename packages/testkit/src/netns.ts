import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync } from "node:fs";
import { enterNetNamespace } from "@bowline/sys";
import {
  type CommandOptions,
  type CommandResult,
  mustRun,
  type RunningProcess,
  runCommand,
  type SpawnOptions,
  spawnProcess,
} from "./process.ts";
import { waitFor } from "./wait-for.ts";

/** Who a command in a namespace runs as; without it, as root. */
export interface RunAs {
  readonly uid: number;
  /** Default: the uid. */
  readonly gid?: number;
}

export interface InsideOptions {
  readonly as?: RunAs;
  /** Capabilities taken away, as setpriv names them: `["net_admin", "net_raw"]`. */
  readonly withoutCapabilities?: readonly string[];
}

const DIRECTORY = "/run/netns";
/** bl-<pid of the owner>-<count>-<label>: the pid tells a later run whether the owner is still there. */
const OWNED_NAME = /^bl-([0-9]+)-[0-9]+-/;

const living = new Set<string>();
let created = 0;
let swept: Promise<void> | null = null;

/**
 * A network namespace of our own, with `lo` up and everything in it killed when it is disposed:
 *
 *     await using pod = await NetNamespace.create("web");
 *     await pod.run(["iptables", "-t", "nat", "-L"]);
 *     const server = pod.spawn(["nginx", …], { as: { uid: 33 } });
 *
 * Needs root. Namespaces left behind by processes that no longer exist are removed by the first `create`.
 */
export class NetNamespace implements AsyncDisposable {
  readonly name: string;
  /** For `nsenter --net=` and `--netns`. */
  readonly path: string;
  readonly #processes = new Set<RunningProcess>();

  private constructor(name: string) {
    this.name = name;
    this.path = `${DIRECTORY}/${name}`;
  }

  /** @param label lower-case letters, digits and dashes; only there to tell namespaces apart in `ip netns list` */
  static async create(label = "test"): Promise<NetNamespace> {
    swept ??= removeLeftovers();
    await swept;
    const namespace = new NetNamespace(`bl-${process.pid}-${created++}-${label}`);
    registerExitHook();
    living.add(namespace.name);
    try {
      await mustRun(["ip", "netns", "add", namespace.name]);
      await mustRun(["ip", "-n", namespace.name, "link", "set", "lo", "up"]);
    } catch (error) {
      await namespace[Symbol.asyncDispose]();
      throw error;
    }
    return namespace;
  }

  /** Runs a command inside to its end; a non-zero exit is a result, not an exception. */
  exec(argv: readonly string[], options: CommandOptions & InsideOptions = {}): Promise<CommandResult> {
    return runCommand(this.argvInside(argv, options), options);
  }

  /** Runs a command inside that must succeed and returns its standard output. */
  run(argv: readonly string[], options: CommandOptions & InsideOptions = {}): Promise<string> {
    return mustRun(this.argvInside(argv, options), options);
  }

  /** Starts a long-running process inside; it is stopped with the namespace at the latest. */
  spawn(argv: readonly string[], options: SpawnOptions & InsideOptions = {}): RunningProcess {
    const running = spawnProcess(this.argvInside(argv, options), options);
    this.#processes.add(running);
    void running.exited.then(() => this.#processes.delete(running));
    return running;
  }

  /** The full command line that runs `argv` inside; the process keeps the pid that this command line is started with. */
  argvInside(argv: readonly string[], { as, withoutCapabilities = [] }: InsideOptions = {}): string[] {
    const inside = ["ip", "netns", "exec", this.name];
    if (as === undefined && withoutCapabilities.length === 0) return [...inside, ...argv];
    const privileges: string[] = [];
    if (as !== undefined) privileges.push(`--reuid=${as.uid}`, `--regid=${as.gid ?? as.uid}`, "--clear-groups");
    if (withoutCapabilities.length > 0) {
      const list = withoutCapabilities.map((name) => `-${name}`).join(",");
      privileges.push(`--bounding-set=${list}`, `--inh-caps=${list}`);
    }
    return [...inside, "setpriv", ...privileges, "--", ...argv];
  }

  /**
   * Runs `make` with this thread inside, so that the sockets it makes at once (Bun.listen, Bun.connect to an address)
   * are this namespace's for good; the thread is outside again when this returns.
   */
  inside<T>(make: () => T): T {
    const home = openSync("/proc/thread-self/ns/net", "r");
    const there = openSync(this.path, "r");
    try {
      if (enterNetNamespace(there) !== 0) throw new Error(`cannot enter ${this.path}`);
      return make();
    } finally {
      const returned = enterNetNamespace(home);
      closeSync(there);
      closeSync(home);
      // Everything this process did from here on would happen in the wrong network.
      if (returned !== 0) process.abort();
    }
  }

  /** Every process inside, whoever started it. */
  async pids(): Promise<number[]> {
    const result = await runCommand(["ip", "netns", "pids", this.name]);
    return result.stdout.split("\n").filter(Boolean).map(Number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!living.has(this.name)) return;
    await Promise.all([...this.#processes].map((running) => running.stop()));
    await removeNamespace(this.name);
    living.delete(this.name);
  }
}

/** Removes the namespaces of owners that no longer exist, with the processes in them. */
async function removeLeftovers(): Promise<void> {
  if (!existsSync(DIRECTORY)) return;
  for (const name of readdirSync(DIRECTORY)) {
    const owner = OWNED_NAME.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) await removeNamespace(name);
  }
}

async function removeNamespace(name: string): Promise<void> {
  if (!existsSync(`${DIRECTORY}/${name}`)) return;
  await waitFor(
    async () => {
      const { stdout } = await runCommand(["ip", "netns", "pids", name]);
      const pids = stdout.split("\n").filter(Boolean).map(Number);
      for (const pid of pids) tryKill(pid);
      return pids.length === 0;
    },
    { what: `the processes in ${name} to end` },
  );
  const removed = await runCommand(["ip", "netns", "del", name]);
  // Two test runs may sweep the same leftover; gone is gone.
  if (removed.code !== 0 && existsSync(`${DIRECTORY}/${name}`))
    throw new Error(`ip netns del ${name}: ${removed.stderr}`);
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended between being listed and being killed.
  }
}

let hooked = false;

/** The last resort when a run ends without disposing: nothing asynchronous is possible any more. */
function registerExitHook(): void {
  if (hooked) return;
  hooked = true;
  process.once("exit", () => {
    for (const name of living) {
      const { stdout } = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" });
      for (const pid of stdout.split("\n").filter(Boolean)) tryKill(Number(pid));
      spawnSync("ip", ["netns", "del", name]);
    }
  });
}
