import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CommandOptions,
  type CommandResult,
  describeFailure,
  mustRun,
  type RunningProcess,
  runCommand,
  spawnProcess,
} from "@bowline/testkit";

/** Another version than the machine's may be tried: what faces kubectl must work with old ones and new ones. */
const KUBECTL = process.env["BOWLINE_TEST_KUBECTL"] ?? "kubectl";
const ROOT = new URL("../..", import.meta.url).pathname;
/** Executables of tests, each named for the process that tests it: no event tells of the end of all tests. */
const EXECUTABLES = join(ROOT, ".tsbuild/test-cluster");
/** One for a whole run of the tests: it starts in half the time that the sources need. */
let executable: Promise<string> | null = null;

/** Path of an executable built from the sources as they are. */
export function bowlineExecutable(): Promise<string> {
  executable ??= (async () => {
    const path = join(EXECUTABLES, `bowline-${process.pid}`);
    await mustRun([process.execPath, "run", join(ROOT, "scripts/build.ts"), path], { timeoutMs: 60_000 });
    for (const name of readdirSync(EXECUTABLES)) {
      if (!existsSync(`/proc/${name.slice("bowline-".length)}`)) rmSync(join(EXECUTABLES, name), { force: true });
    }
    return path;
  })();
  return executable;
}

/** An embedded cluster of a test's own; `await using` ends it. */
export class TestCluster implements AsyncDisposable {
  readonly name: string;
  readonly kubeconfig: string;
  readonly stateDir: string;
  readonly #bowline: string;
  readonly #dir: string;

  private constructor(bowline: string, dir: string, name: string) {
    this.#bowline = bowline;
    this.#dir = dir;
    this.name = name;
    this.stateDir = join(dir, "state");
    this.kubeconfig = join(this.stateDir, "kubeconfig");
  }

  /**
   * @param config what `--config` reads, as an object
   * @throws Error with the output of `bowline local up` when it fails; nothing is left then
   */
  static async up(config?: Readonly<Record<string, unknown>>): Promise<TestCluster> {
    const bowline = await bowlineExecutable();
    const dir = mkdtempSync(join(tmpdir(), "bowline-cluster-"));
    // Containers of any user run what lies in there.
    chmodSync(dir, 0o755);
    const cluster = new TestCluster(bowline, dir, `test-${process.pid.toString(36)}-${(serial++).toString(36)}`);
    const file = join(dir, "config.yaml");
    writeFileSync(file, JSON.stringify(config ?? {}));
    try {
      await cluster.local("up", "--config", file);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** `bowline local COMMAND` for this cluster. Rejects when it fails. */
  local(command: string, ...args: string[]): Promise<string> {
    const where = ["--name", this.name, "--state-dir", this.stateDir];
    return mustRun([this.#bowline, "local", command, ...where, ...args], { timeoutMs: 60_000 });
  }

  /** `bowline …` as a user of this cluster types it. Rejects unless it ends with 0. */
  async bowline(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return succeeded(["bowline", ...args], await this.tryBowline(args, options));
  }

  tryBowline(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand([this.#bowline, ...args], this.#with(options));
  }

  /** `kubectl …`. Rejects unless it ends with 0. */
  async kubectl(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return succeeded(["kubectl", ...args], await this.tryKubectl(args, options));
  }

  tryKubectl(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand([KUBECTL, ...args], this.#with(options));
  }

  /**
   * `kubectl LINE`, split at blanks: for what has no blanks within its arguments. Rejects unless it ends with 0, within a
   * minute: later than any `--timeout` in a line, whose message would be lost.
   */
  run(line: string, input?: string): Promise<string> {
    return this.kubectl(line.split(" "), { timeoutMs: 60_000, ...(input === undefined ? {} : { input }) });
  }

  /** A `kubectl` that goes on until it is stopped: `-w`, `-f`, `port-forward`. */
  spawnKubectl(args: readonly string[]): RunningProcess {
    return spawnProcess([KUBECTL, ...args], { env: this.env });
  }

  /** `kubectl apply -f -` of objects or of YAML. */
  apply(manifests: string | readonly unknown[]): Promise<string> {
    const input =
      typeof manifests === "string" ? manifests : JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests });
    return this.kubectl(["apply", "-f", "-"], { input });
  }

  /** `bowline install`, applied, and waited for with `bowline check`. */
  async installControlPlane(...flags: string[]): Promise<void> {
    await this.apply(await this.bowline(["install", "--crds"]));
    await this.apply(await this.bowline(["install", ...flags]));
    await this.bowline(["check", "--wait", "60s"], { timeoutMs: 90_000 });
  }

  /** How the environment of a program that talks to this cluster looks. */
  get env(): Readonly<Record<string, string>> {
    return { KUBECONFIG: this.kubeconfig, HOME: this.#dir };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.local("down");
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #with(options: CommandOptions): CommandOptions {
    return { ...options, env: { ...this.env, ...options.env } };
  }
}

let serial = 0;

function succeeded(argv: readonly string[], result: CommandResult): string {
  if (result.code !== 0) throw new Error(describeFailure(argv, result));
  return result.stdout;
}

/** Of the kubectl that the tests use: 20 is 1.20, which has fewer commands than later ones. */
export async function kubectlMinor(): Promise<number> {
  const { clientVersion } = JSON.parse(await mustRun([KUBECTL, "version", "--client", "-o", "json"])) as {
    clientVersion: { minor: string };
  };
  return Number.parseInt(clientVersion.minor, 10);
}
