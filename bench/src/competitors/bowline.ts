import { existsSync } from "node:fs";
import { join } from "node:path";
import { ADMIN_PORT, INBOUND_PROXY_PORT } from "@bowline/contracts";
import { SERVICE_NETWORK } from "../addresses.ts";
import type { Lab } from "../lab.ts";
import type { Competitor } from "./competitor.ts";

const ROOT = join(import.meta.dir, "../../..");
const CLI = join(ROOT, "packages/cli/src/main.ts");
const DATA_PATH = join(ROOT, "packages/proxy/src/data");

/** Of the second of two. */
const FAR_OUTBOUND_PORT = 4240;
const FAR_ADMIN_PORT = 4291;

export const bowline: Competitor = {
  name: "bowline",
  configuration: "outbound path, 1 data thread, metrics on",
  modes: ["http", "http2", "tcp", "chain", "services"],
  absence: () => (existsSync(CLI) && existsSync(DATA_PATH) ? null : "this checkout has no data path yet"),
  command: (lab, { proxyPort, backendPort }, { mode, discovers }) => {
    const [inbound, outbound, admin] =
      mode === "http2-to-http"
        ? [proxyPort, FAR_OUTBOUND_PORT, FAR_ADMIN_PORT]
        : [INBOUND_PROXY_PORT, proxyPort, ADMIN_PORT];
    return {
      argv: [process.execPath, CLI, "proxy"],
      env: {
        LINKERD2_PROXY_LOG: "warn,linkerd2_proxy=warn",
        LINKERD2_PROXY_CORES: "1",
        LINKERD2_PROXY_POD_NAMESPACE: "bench",
        LINKERD2_PROXY_INBOUND_LISTEN_ADDR: `127.0.0.1:${inbound}`,
        LINKERD2_PROXY_OUTBOUND_LISTEN_ADDR: `127.0.0.1:${outbound}`,
        LINKERD2_PROXY_ADMIN_LISTEN_ADDR: `127.0.0.1:${admin}`,
        ...(mode === "tcp" ? { LINKERD2_PROXY_OUTBOUND_PORTS_DISABLE_PROTOCOL_DETECTION: String(backendPort) } : {}),
        ...(discovers ? discoveryFrom(lab.controlPlane) : {}),
      },
      port: proxyPort,
    };
  },
  checkAfter: async (lab, mode) => {
    const opened = await countOpened(lab, ADMIN_PORT, "outbound");
    if (!(opened > 0)) throw new Error("its /metrics counts no outbound connection: are metrics on?");
    if (mode !== "chain") return;
    const between = await countOpened(lab, FAR_ADMIN_PORT, "inbound");
    // An idle one is closed between rounds. Of HTTP/1 there would be one per connection of the client's and round.
    if (!(between > 0 && between < 64)) throw new Error(`${between} connections between its two proxies: not HTTP/2?`);
  },
};

function discoveryFrom(controlPlane: string): Record<string, string> {
  return {
    LINKERD2_PROXY_DESTINATION_SVC_ADDR: controlPlane,
    LINKERD2_PROXY_POLICY_SVC_ADDR: controlPlane,
    LINKERD2_PROXY_DESTINATION_CONTEXT: '{"ns":"bench","pod":"bench"}',
    LINKERD2_PROXY_POLICY_WORKLOAD: '{"ns":"bench","pod":"bench"}',
    LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS: `192.0.2.0/24,${SERVICE_NETWORK}`,
  };
}

/** Connections from its clients on one side, by its metrics. */
async function countOpened(lab: Lab, adminPort: number, direction: string): Promise<number> {
  const url = `http://127.0.0.1:${adminPort}/metrics`;
  const text = await lab.runLoad(["curl", "-sSf", "--max-time", "5", url], 10_000);
  const rows = text.matchAll(/^tcp_open_total\{([^}]*)\} ([0-9]+)$/gm);
  return [...rows]
    .filter(([, labels = ""]) => labels.includes(`direction="${direction}"`) && labels.includes('peer="src"'))
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}
