import { writeConfig } from "../lab.ts";
import type { Competitor } from "./competitor.ts";

export const haproxy: Competitor = {
  name: "haproxy",
  configuration: "1 thread; http: http-keep-alive, http-reuse safe; tcp: mode tcp",
  absence: () => null,
  command: (lab, { proxyPort, backendPort }, mode) => {
    const http = mode === "http" ? "option http-keep-alive\n  http-reuse safe" : "";
    const config = `global
  nbthread 1
  maxconn 7000
defaults
  mode ${mode}
  ${http}
  timeout connect 5s
  timeout client 600s
  timeout server 600s
listen bench
  bind 127.0.0.1:${proxyPort} backlog 4096
  server backend 127.0.0.1:${backendPort}
`;
    return {
      argv: ["haproxy", "-db", "-f", writeConfig(lab.directory("haproxy"), "haproxy.cfg", config)],
      port: proxyPort,
    };
  },
};
