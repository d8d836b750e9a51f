import { BACKEND_ADDRESS } from "../backend-address.ts";
import { writeConfig } from "../lab.ts";
import type { Competitor } from "./competitor.ts";

/**
 * As fast as it gets with one thread. Splicing takes a third off its cost with large bodies and adds a fifth with small
 * ones, so it is on only for the former. `http-reuse always` spares it a backend connection for every first request, as
 * the other HTTP proxies here spare it.
 */
export const haproxy: Competitor = {
  name: "haproxy",
  configuration:
    "1 thread; splicing on for bodies from 64 KiB; http: mode http, http-keep-alive, http-reuse always; http2: the same, proto h2 on both sides; tcp: mode tcp",
  modes: ["http", "http2", "tcp"],
  absence: () => null,
  command: (lab, { proxyPort, backendPort }, { mode, largeBodies }) => {
    const http = mode === "tcp" ? "" : "option http-keep-alive\n  http-reuse always";
    const protocol = mode === "http2" ? "proto h2" : "";
    const splice = largeBodies ? "option splice-request\n  option splice-response" : "";
    // maxconn times two, and pipes to splice through, must fit into the lab's limit of descriptors.
    const config = `global
  nbthread 1
  maxconn 4000
defaults
  mode ${mode === "tcp" ? "tcp" : "http"}
  ${http}
  ${splice}
  timeout connect 5s
  timeout client 600s
  timeout server 600s
listen bench
  bind 127.0.0.1:${proxyPort} backlog 4096 ${protocol}
  server backend ${BACKEND_ADDRESS}:${backendPort} ${protocol}
`;
    const path = writeConfig(lab.directory("haproxy"), "haproxy.cfg", config);
    return { argv: ["haproxy", "-db", "-f", path], port: proxyPort };
  },
};
