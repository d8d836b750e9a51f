import type { Competitor } from "./competitor.ts";

export const floor: Competitor = {
  name: "floor",
  configuration: "bench/floor.c: epoll, recv, send, one 64 KiB buffer",
  modes: ["http", "http2", "tcp", "chain"],
  absence: () => null,
  command: (lab, { proxyPort, backendAddress, backendPort }) => ({
    argv: [lab.floor, String(proxyPort), backendAddress, String(backendPort)],
    port: proxyPort,
  }),
};
