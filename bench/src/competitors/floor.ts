import { BACKEND_ADDRESS } from "../backend-address.ts";
import type { Competitor } from "./competitor.ts";

export const floor: Competitor = {
  name: "floor",
  configuration: "bench/floor.c: epoll, recv, send, one 64 KiB buffer",
  modes: ["http", "http2", "tcp"],
  absence: () => null,
  command: (lab, { proxyPort, backendPort }) => ({
    argv: [lab.floor, String(proxyPort), BACKEND_ADDRESS, String(backendPort)],
    port: proxyPort,
  }),
};
