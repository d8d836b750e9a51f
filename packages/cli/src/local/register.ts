import type { Command } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { ownPrograms } from "../own-programs.ts";

interface ClusterFlags {
  readonly name: string;
  readonly stateDir?: string;
}

/** `bowline local …`: the embedded cluster. */
export function register(program: Command, io: Io): void {
  const local = program
    .command("local")
    .description("a cluster on this machine: the Kubernetes API, pods as network namespaces");
  registerUp(local, io);
  clusterCommand(local, "down", "end the cluster: its pods, namespaces and state; the machine is as before").action(
    async (flags: ClusterFlags) => {
      const { clusterDown, clusterPaths } = await import("@bowline/local");
      const paths = clusterPaths(flags.name, flags.stateDir);
      const existed = await clusterDown(paths);
      io.out(existed ? `cluster ${paths.name} is down\n` : `there is no cluster ${paths.name}\n`);
    },
  );
  registerStatus(local, io);
  clusterCommand(local, "kubeconfig", "print the kubeconfig of the cluster's administrator").action(
    async (flags: ClusterFlags) => {
      const { clusterPaths } = await import("@bowline/local");
      const paths = clusterPaths(flags.name, flags.stateDir);
      const file = Bun.file(paths.kubeconfig);
      if (!(await file.exists())) throw new CommandFailure(`cluster ${paths.name} is not up: run \`bowline local up\``);
      io.out(await file.text());
    },
  );
  clusterCommand(local, "daemon", "what `up` starts", { hidden: true }).action(async (flags: ClusterFlags) => {
    const { clusterPaths, runDaemon } = await import("@bowline/local");
    await runDaemon(clusterPaths(flags.name, flags.stateDir), ownPrograms());
  });
}

function registerUp(local: Command, io: Io): void {
  clusterCommand(local, "up", "start the cluster, or take over what an earlier one left running")
    .option("--config <file>", "configuration: what image names stand for, address families")
    .option("--api-port <port>", "port of the API on the machine's loopback (default: any free one)")
    .action(async (flags: ClusterFlags & { config?: string; apiPort?: string }) => {
      const { clusterPaths, clusterUp } = await import("@bowline/local");
      const paths = clusterPaths(flags.name, flags.stateDir);
      const startedMs = performance.now();
      const result = await clusterUp({
        paths,
        ...(flags.config === undefined ? {} : { configFile: flags.config }),
        ...(flags.apiPort === undefined ? {} : { apiPort: portOf(flags.apiPort) }),
        bowline: ownPrograms().bowline,
        timeoutMs: 30_000,
      });
      const took = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
      io.out(
        result.already
          ? `cluster ${paths.name} is up already at ${result.server}\n`
          : `cluster ${paths.name} is up at ${result.server} (${took})\n`,
      );
      io.out(`export KUBECONFIG=${paths.kubeconfig}\n`);
    });
}

function registerStatus(local: Command, io: Io): void {
  clusterCommand(local, "status", "say whether the cluster runs, and what in it; exit code 1 unless it runs")
    .option("-o, --output <format>", "text or json", "text")
    .action(async (flags: ClusterFlags & { output: string }) => {
      if (!["text", "json"].includes(flags.output)) {
        throw new CommandFailure(`-o ${flags.output}: the formats are text and json`);
      }
      const { clusterPaths, clusterStatus } = await import("@bowline/local");
      const status = await clusterStatus(clusterPaths(flags.name, flags.stateDir));
      if (flags.output === "json") io.out(`${JSON.stringify(status, null, 2)}\n`);
      else {
        io.out(`cluster ${status.name}: ${status.state}\n`);
        if (status.server !== undefined) io.out(`API:        ${status.server}\n`);
        if (status.kubeconfig !== undefined) io.out(`kubeconfig: ${status.kubeconfig}\n`);
        if (status.pods !== undefined) io.out(`pods:       ${status.pods.ready} of ${status.pods.total} ready\n`);
      }
      if (status.state !== "running") throw new CommandFailure("");
    });
}

function clusterCommand(
  local: Command,
  name: string,
  description: string,
  options: { hidden?: boolean } = {},
): Command {
  return local
    .command(name, options)
    .description(description)
    .option("--name <name>", "the cluster's name", "local")
    .option("--state-dir <path>", "where the cluster keeps its state (default: /var/lib/bowline/NAME)");
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new CommandFailure(`--api-port ${text}: not a port`);
  return port;
}
