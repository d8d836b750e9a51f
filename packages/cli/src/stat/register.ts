import { parseDurationMs } from "@bowline/contracts";
import { parseResource, type StatAnswer, type StatRequest, type StatRow } from "@bowline/viz";
import type { Command } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { connectLater, type GlobalFlags } from "../kube-flags.ts";
import { askStat } from "./ask-stat.ts";
import { registerMetricsApi } from "./metrics-api-command.ts";
import { statTable } from "./stat-table.ts";

interface StatFlags extends GlobalFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly timeWindow: string;
  readonly to?: string;
  readonly toNamespace?: string;
  readonly from?: string;
  readonly fromNamespace?: string;
  readonly selector?: string;
  readonly output: string;
  readonly unmeshed?: boolean;
}

const EXAMPLES = `
Examples:
  bowline stat deploy -n emojivoto                     success rate, requests and latencies of each deployment
  bowline stat deploy/web deploy/voting -n emojivoto
  bowline stat deploy/web -n emojivoto --to svc/voting-svc
  bowline stat deploy -n emojivoto --from deploy/web -o wide
  bowline stat ns`;

/** `bowline stat RESOURCE`: the golden metrics. */
export function register(program: Command, io: Io): void {
  registerMetricsApi(program);
  program
    .command("stat")
    .description("show success rate, requests per second and latencies of resources")
    .argument("<resource...>", "KIND, KIND/NAME, KIND NAME or all")
    .option("-n, --namespace <namespace>", "namespace of the resources (default: that of the kubeconfig's context)")
    .option("-A, --all-namespaces", "resources of all namespaces")
    .option("-t, --time-window <duration>", "how far to look back, 15s to 10m", "1m")
    .option("--to <resource>", "only traffic to this resource")
    .option("--to-namespace <namespace>", "namespace of --to (default: that of the resources)")
    .option("--from <resource>", "only traffic from this resource")
    .option("--from-namespace <namespace>", "namespace of --from (default: that of the resources)")
    .option("-l, --selector <selector>", "only resources with pods of these labels")
    .option("-o, --output <format>", "table, wide or json", "table")
    .option("--unmeshed", "also resources without a proxy")
    .addHelpText("after", EXAMPLES)
    .action(async (resources: string[], _options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<StatFlags>();
      if (!["table", "wide", "json"].includes(flags.output)) {
        throw new CommandFailure(`-o ${flags.output}: the formats are table, wide and json`);
      }
      // The client also knows the context's namespace, so it is made once, and not at all with --api-addr and -n.
      const client = connectLater(command, io);
      const request = requestOf(resources, flags, () => client().config.namespace);
      const answer = await askStat(request, {
        client,
        namespace: flags.linkerdNamespace,
        ...(flags.apiAddr === undefined ? {} : { apiAddr: flags.apiAddr }),
      });
      print(answer, request, flags, io);
    });
}

function requestOf(resources: readonly string[], flags: StatFlags, contextNamespace: () => string): StatRequest {
  const windowMs = parseDurationMs(flags.timeWindow);
  if (windowMs === null) throw new CommandFailure(`-t ${flags.timeWindow}: not a duration such as 30s or 5m`);
  const names = joinNames(resources).flatMap(parseResource);
  const namespace = flags.allNamespaces === true ? undefined : (flags.namespace ?? contextNamespace());
  const end = (flag: string, text: string | undefined): StatRequest["to"] => {
    if (text === undefined) return undefined;
    const [resource, ...others] = parseResource(text);
    if (others.length > 0) throw new CommandFailure(`${flag} ${text}: name one resource`);
    return resource;
  };
  return {
    resources: names,
    windowMs,
    unmeshed: flags.unmeshed === true,
    namespace,
    labelSelector: flags.selector,
    to: end("--to", flags.to),
    toNamespace: flags.toNamespace,
    from: end("--from", flags.from),
    fromNamespace: flags.fromNamespace,
  };
}

/** `deploy web` is the same as `deploy/web`, as with kubectl: a kind without a slash takes the names behind it. */
function joinNames(words: readonly string[]): string[] {
  const [kind = "", ...names] = words;
  if (names.length === 0 || words.some((word) => word.includes("/"))) return [...words];
  return names.map((name) => `${kind}/${name}`);
}

function print({ rows }: StatAnswer, request: StatRequest, flags: StatFlags, io: Io): void {
  if (flags.output === "json") {
    io.out(`${JSON.stringify(rows.map(jsonRow), null, 2)}\n`);
    return;
  }
  if (rows.length === 0) {
    io.err("No traffic found.\n");
    return;
  }
  const kinds = [...new Map(request.resources.map(({ kind }) => [kind.kind, kind])).values()];
  const tables = kinds
    .map((kind) => ({ kind, rows: rows.filter((row) => row.kind === kind.kind) }))
    .filter((table) => table.rows.length > 0)
    .map((table) =>
      statTable(table.rows, {
        wide: flags.output === "wide",
        allNamespaces: flags.allNamespaces === true,
        prefix: kinds.length > 1 ? table.kind.short : null,
      }),
    );
  io.out(tables.join("\n"));
}

/** Field names are those of Linkerd's JSON. */
function jsonRow({ namespace, kind, name, status, meshed, requests, tcp }: StatRow): Record<string, unknown> {
  const round = (value: number | null | undefined): number | null =>
    value === null || value === undefined ? null : Math.round(value);
  return {
    namespace,
    kind,
    name,
    ...(status === undefined ? {} : { status }),
    ...(meshed === undefined ? {} : { meshed: `${meshed.meshed}/${meshed.total}` }),
    success: requests?.success ?? null,
    rps: requests?.rps ?? null,
    latency_ms_p50: round(requests?.latencyMs.p50),
    latency_ms_p95: round(requests?.latencyMs.p95),
    latency_ms_p99: round(requests?.latencyMs.p99),
    tcp_open_connections: tcp?.open ?? null,
    tcp_read_bytes_rate: tcp?.readBytesPerSecond ?? null,
    tcp_write_bytes_rate: tcp?.writeBytesPerSecond ?? null,
  };
}
