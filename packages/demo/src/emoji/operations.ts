import type { CounterFamily } from "./counters.ts";
import { type HttpServer, startHttpServer, text } from "./http-server.ts";

export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly counters: readonly CounterFamily[];
  readonly isReady: () => boolean;
}

/** The side door of each program: /metrics for Prometheus, /live and /ready for the kubelet. */
export function startOperations({ host, port, counters, isReady }: OperationsOptions): Promise<HttpServer> {
  return startHttpServer({
    host,
    port,
    handle: (_method, { pathname }) => {
      if (pathname === "/live") return text(200, "live\n");
      if (pathname === "/ready") return isReady() ? text(200, "ready\n") : text(503, "shutting down\n");
      if (pathname !== "/metrics") return text(404, "not found\n");
      const body = counters.map((family) => family.text()).join("");
      return { status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body };
    },
  });
}
