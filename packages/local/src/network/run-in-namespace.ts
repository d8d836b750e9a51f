import { NetNamespaceHandle } from "@bowline/sys";

/** A command of the system (ip, nft, conntrack) failed; `message` has its command line and what it wrote to stderr. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;
  readonly stderr: string;

  constructor(argv: readonly string[], exitCode: number, stderr: string) {
    super(`${argv.join(" ")}: ${stderr.trim() || `exit code ${exitCode}`}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/**
 * Runs a command with its network namespace at path `netns`, undefined for our own; its file systems stay ours (unlike
 * with `ip netns exec`, within which `ip netns add` would be seen by nobody).
 *
 * @returns its standard output; rejects with CommandError when it exits with anything but 0
 */
export async function runIn(netns: string | undefined, argv: readonly string[], stdin = ""): Promise<string> {
  const child = inNamespace(netns, () =>
    Bun.spawn([...argv], { stdin: new TextEncoder().encode(stdin), stdout: "pipe", stderr: "pipe" }),
  );
  const [stdout, stderr, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (exitCode !== 0) throw new CommandError(argv, exitCode, stderr);
  return stdout;
}

/** Runs the lines as one `ip -batch`, which stops at the first that fails, and returns what they wrote. */
export async function runIpBatch(netns: string | undefined, lines: readonly string[]): Promise<string> {
  try {
    return await runIn(netns, ["ip", "-batch", "-"], `${lines.join("\n")}\n`);
  } catch (error) {
    if (error instanceof CommandError) throw new Error(`${error.message} in:\n${lines.join("\n")}`, { cause: error });
    throw error;
  }
}

/** Runs `run` with the thread in the namespace at path `netns`. */
export function inNamespace<T>(netns: string | undefined, run: () => T): T {
  if (netns === undefined) return run();
  using handle = NetNamespaceHandle.open(netns);
  return handle.within(run);
}
