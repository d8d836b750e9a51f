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
    "1 thread; splicing on for bodies from 64 KiB; http: mode http, http-keep-alive, http-reuse always; where HTTP/2 is spoken the same with proto h2; tcp: mode tcp",
  modes: ["http", "http2", "tcp", "chain"],
  absence: () => null,
  command: (lab, { proxyPort, backendAddress, backendPort }, { mode, largeBodies }) => {
    const http = mode === "tcp" ? "" : "option http-keep-alive\n  http-reuse always";
    const front = mode === "http2" || mode === "http2-to-http" ? "proto h2" : "";
    const back = mode === "http2" || mode === "http-to-http2" ? "proto h2" : "";
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
  bind 127.0.0.1:${proxyPort} backlog 4096 ${front}
  server backend ${backendAddress}:${backendPort} ${back}
`;
    const path = writeConfig(lab.directory("haproxy"), `${mode}.cfg`, config);
    return { argv: ["haproxy", "-db", "-f", path], port: proxyPort };
  },
};
