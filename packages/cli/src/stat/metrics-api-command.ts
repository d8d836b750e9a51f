import type { ListenAddress } from "@bowline/control-plane/admin";
import type { Command } from "commander";
import { CommandFailure } from "../io.ts";

interface MetricsApiFlags {
  readonly addr: string;
  readonly adminAddr: string;
  readonly controllerNamespace: string;
  readonly clusterDomain: string;
  readonly prometheusUrl?: string;
  readonly logLevel: string;
  readonly logFormat: string;
}

/** `bowline metrics-api`: the program of the metrics service's pod. */
export function registerMetricsApi(program: Command): void {
  program
    .command("metrics-api", { hidden: true })
    .description("the metrics service: scrapes the proxies and answers `stat`")
    .option("--addr <address>", "host:port of its API", ":8085")
    .option("--admin-addr <address>", "host:port of /metrics, /ping and /ready", ":9995")
    .option("--controller-namespace <namespace>", "where the control plane lives", "linkerd")
    .option("--cluster-domain <domain>", "of the cluster's DNS", "cluster.local")
    .option("--prometheus-url <url>", "a Prometheus that scrapes the proxies: asked in place of them")
    .option("--log-level <level>", "error, warn, info or debug", "info")
    .option("--log-format <format>", "plain or json", "plain")
    .action(async (flags: MetricsApiFlags) => {
      const { runMetricsApi } = await import("@bowline/viz");
      const { parseListenAddress, parseLogLevel } = await import("@bowline/control-plane/admin");
      const addressOf = (flag: string, text: string): ListenAddress => {
        const address = parseListenAddress(text);
        if (address === null) throw new CommandFailure(`${flag} ${text}: not host:port`);
        return address;
      };
      const logLevel = parseLogLevel(flags.logLevel);
      if (logLevel === null) throw new CommandFailure(`--log-level ${flags.logLevel}: error, warn, info or debug`);
      if (flags.logFormat !== "plain" && flags.logFormat !== "json") {
        throw new CommandFailure(`--log-format ${flags.logFormat}: plain or json`);
      }
      if (flags.prometheusUrl !== undefined && !/^https?:$/.test(URL.parse(flags.prometheusUrl)?.protocol ?? "")) {
        throw new CommandFailure(
          `--prometheus-url ${flags.prometheusUrl}: not a URL such as http://prometheus.monitoring:9090`,
        );
      }
      const { host, port } = addressOf("--addr", flags.addr);
      const exitCode = await runMetricsApi({
        host,
        port,
        adminPort: addressOf("--admin-addr", flags.adminAddr).port,
        controlPlaneNamespace: flags.controllerNamespace,
        ...(flags.prometheusUrl === undefined ? {} : { prometheusUrl: flags.prometheusUrl }),
        logLevel,
        logFormat: flags.logFormat,
      });
      if (exitCode !== 0) throw new CommandFailure("", exitCode);
    });
}
