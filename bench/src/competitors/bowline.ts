import { existsSync } from "node:fs";
import { join } from "node:path";
import { ADMIN_PORT, INBOUND_PROXY_PORT } from "@bowline/contracts";
import type { Competitor } from "./competitor.ts";

const ROOT = join(import.meta.dir, "../../..");
const CLI = join(ROOT, "packages/cli/src/main.ts");
const DATA_PATH = join(ROOT, "packages/proxy/src/data");

export const bowline: Competitor = {
  name: "bowline",
  configuration: "outbound path, 1 data thread, metrics on",
  modes: ["http", "http2", "tcp"],
  absence: () => (existsSync(CLI) && existsSync(DATA_PATH) ? null : "this checkout has no data path yet"),
  command: (_lab, { proxyPort, backendPort }, { mode }) => ({
    argv: [process.execPath, CLI, "proxy"],
    env: {
      LINKERD2_PROXY_LOG: "warn,linkerd2_proxy=warn",
      LINKERD2_PROXY_CORES: "1",
      LINKERD2_PROXY_POD_NAMESPACE: "bench",
      LINKERD2_PROXY_INBOUND_LISTEN_ADDR: `127.0.0.1:${INBOUND_PROXY_PORT}`,
      LINKERD2_PROXY_OUTBOUND_LISTEN_ADDR: `127.0.0.1:${proxyPort}`,
      LINKERD2_PROXY_ADMIN_LISTEN_ADDR: `127.0.0.1:${ADMIN_PORT}`,
      ...(mode === "tcp" ? { LINKERD2_PROXY_OUTBOUND_PORTS_DISABLE_PROTOCOL_DETECTION: String(backendPort) } : {}),
    },
    port: proxyPort,
  }),
  checkAfter: async (lab) => {
    const url = `http://127.0.0.1:${ADMIN_PORT}/metrics`;
    const text = await lab.runLoad(["curl", "-sSf", "--max-time", "5", url], 10_000);
    const opened = /^tcp_open_total\{[^}]*direction="outbound"[^}]*\} ([0-9]+)/m.exec(text)?.[1];
    if (!(Number(opened) > 0)) throw new Error("its /metrics counts no outbound connection: are metrics on?");
  },
};
