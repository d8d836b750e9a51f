import { type Command, Option } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { connect, type GlobalFlags } from "../kube-flags.ts";

interface MetricsFlags extends GlobalFlags {
  readonly namespace?: string;
}

interface EndpointsFlags extends GlobalFlags {
  readonly namespace?: string;
  readonly output: "table" | "json";
  readonly destinationPod?: string;
  readonly token?: string;
  readonly pod?: string;
}

const ENDPOINTS_EXAMPLES = `
Examples:
  bowline diagnostics endpoints web-svc.emojivoto.svc.cluster.local:80
  bowline diagnostics endpoints web-svc.emojivoto.svc.cluster.local:80 --pod emojivoto/vote-bot-6c8d8d7f7-x2x9k

With --pod there is a column that compares with what this pod's proxy holds:
  same      the proxy holds it as the control plane says
  differs   the proxy holds it, with another identity, protocol or labels
  missing   the proxy does not hold it
  stale     the proxy holds it, and the control plane does not know it
  unasked   the proxy does not follow this name`;

/** `bowline diagnostics`: what the parts of the mesh say themselves. All of it goes through the API server. */
export function register(program: Command, io: Io): void {
  const diagnostics = program
    .command("diagnostics")
    .alias("dg")
    .description("show what the mesh's parts know and count");
  diagnostics
    .command("proxy-metrics")
    .description("print the metrics of the proxies of a resource's pods")
    .argument("<resource...>", "KIND/NAME or KIND NAME")
    .option("-n, --namespace <namespace>", "namespace of the resource (default: that of the kubeconfig's context)")
    .action(async (resource: string[], _options: unknown, command: Command) => {
      const client = connect(command, io);
      const namespace = command.optsWithGlobals<MetricsFlags>().namespace ?? client.config.namespace;
      const { proxyMetrics } = await import("./metrics.ts");
      io.out(await proxyMetrics(client, namespace, resource.join("/")));
    });
  diagnostics
    .command("controller-metrics")
    .description("print the metrics of the control plane's programs")
    .action(async (_options: unknown, command: Command) => {
      const { controllerMetrics } = await import("./metrics.ts");
      const { linkerdNamespace } = command.optsWithGlobals<GlobalFlags>();
      io.out(await controllerMetrics(connect(command, io), linkerdNamespace));
    });
  diagnostics
    .command("endpoints")
    .alias("ep")
    .description("show the endpoints that the control plane tells proxies, beside those that a proxy holds")
    .argument("<authority...>", "NAME:PORT, such as web.default.svc.cluster.local:80")
    .addOption(new Option("-o, --output <format>", "format").choices(["table", "json"]).default("table"))
    .option("-n, --namespace <namespace>", "namespace of --pod (default: that of the kubeconfig's context)")
    .option("--pod <pod>", "compare with what the proxy of this pod holds: NAME or NAMESPACE/NAME")
    .option("--destination-pod <name>", "ask this pod of the control plane (default: any that is ready)")
    .option("--token <token>", "context to ask in, as a proxy would (default: that of --pod)")
    .addHelpText("after", ENDPOINTS_EXAMPLES)
    .action(async (authorities: string[], _options: unknown, command: Command) => {
      await showEndpoints(authorities, command, io);
    });
}

async function showEndpoints(authorities: readonly string[], command: Command, io: Io): Promise<void> {
  const flags = command.optsWithGlobals<EndpointsFlags>();
  const client = connect(command, io);
  const { askEndpoints } = await import("./endpoints.ts");
  const { endpointsJson, endpointsTable } = await import("./endpoints-table.ts");
  const rows = await askEndpoints(client, authorities, {
    controlPlaneNamespace: flags.linkerdNamespace,
    destinationPod: flags.destinationPod,
    token: flags.token,
    pod: flags.pod === undefined ? undefined : podName(flags.pod, flags.namespace ?? client.config.namespace),
  });
  if (flags.output === "json") io.out(endpointsJson(rows));
  else if (rows.length === 0) io.err("No endpoints found.\n");
  else io.out(endpointsTable(rows, flags.pod !== undefined));
}

function podName(text: string, namespace: string): { namespace: string; name: string } {
  const [first = "", second, ...others] = text.split("/");
  if (others.length > 0 || first === "" || second === "") {
    throw new CommandFailure(`--pod ${text}: not NAME or NAMESPACE/NAME`);
  }
  return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
}
