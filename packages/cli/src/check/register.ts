import { parseDurationMs, VERSION } from "@bowline/contracts";
import type { Command } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { connectLater, type GlobalFlags } from "../kube-flags.ts";
import { categoriesFor } from "./all-checks.ts";
import { type CheckContext, runChecks } from "./check.ts";
import { ClusterState } from "./cluster-state.ts";
import { isFormat, makeReport } from "./report.ts";

interface CheckFlags extends GlobalFlags {
  readonly pre?: boolean;
  readonly crds?: boolean;
  readonly proxy?: boolean;
  readonly namespace?: string;
  readonly wait: string;
  readonly expectedVersion: string;
  readonly output: string;
}

const RETRY_MS = 500;

/** `bowline check`: is everything as it has to be? Exit code 1 when not; warnings alone don't count. */
export function register(program: Command, io: Io): void {
  program
    .command("check")
    .description("check the installation for problems")
    .option("--pre", "only what has to be true before an installation")
    .option("--crds", "only the CustomResourceDefinitions")
    .option("--proxy", "also the proxies of workloads")
    .option("-n, --namespace <namespace>", "with --proxy: only workloads of this namespace")
    .option("--wait <duration>", "how long to wait for what is still starting", "5m")
    .option("--expected-version <version>", "version that this program should have", VERSION)
    .option("-o, --output <format>", "table, short (only what is wrong) or json", "table")
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<CheckFlags>();
      const waitMs = parseDurationMs(flags.wait);
      if (waitMs === null) throw new CommandFailure(`--wait ${flags.wait}: not a duration such as 30s or 5m`);
      if (!isFormat(flags.output))
        throw new CommandFailure(`-o ${flags.output}: the formats are table, short and json`);
      if (flags.pre === true && flags.proxy === true) throw new CommandFailure("--pre and --proxy exclude each other");
      const report = makeReport(flags.output, io);
      const options = { waitMs, retryMs: RETRY_MS, onResult: report.add };
      const success = await runChecks(categoriesFor(flags), contextOf(command, flags, io), options);
      report.end(success);
      if (!success) throw new CommandFailure("");
    });
}

function contextOf(command: Command, flags: CheckFlags, io: Io): CheckContext {
  const client = connectLater(command, io);
  return {
    client,
    state: new ClusterState(client, flags.linkerdNamespace),
    controlPlaneNamespace: flags.linkerdNamespace,
    namespace: flags.namespace,
    expectedVersion: flags.expectedVersion,
    now: () => Date.now(),
  };
}
