import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { listenAny } from "./listen-any.ts";

/** What a path of a program's own answers. */
export interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface AdminServerOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Whether the program does its work: what `/ready` says. */
  readonly isReady: () => boolean;
  /** The page for `/metrics`. */
  readonly metricsText: () => string;
  /** Further paths, for GET. */
  readonly routes?: Readonly<Record<string, (query: URLSearchParams) => AdminAnswer>>;
  /** Told when answering failed; the client was told 500. */
  readonly onError: (error: unknown) => void;
}

/** Where a control-plane program says how it is. */
export interface AdminServer {
  readonly port: number;
  /** Ends all connections. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const HEAD_BYTES_MAX = 16_384;

/**
 * Serves `/metrics`, `/ping` and `/ready` as Linkerd's control plane does, and a program's own paths.
 * @throws Error when the address is taken
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = await listenAny(options.host, (host) => {
    const http = createServer({ maxHeaderSize: HEAD_BYTES_MAX, requestTimeout: REQUEST_TIMEOUT_MS });
    http.on("request", (request, response) => respond(options, request, response));
    return listen(http, host, options.port);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** Text as Linkerd's programs answer with it. */
export function textAnswer(status: number, body: string): AdminAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

export function jsonAnswer(status: number, value: unknown): AdminAnswer {
  return { status, contentType: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

function listen(server: Server, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

function respond(options: AdminServerOptions, request: IncomingMessage, response: ServerResponse): void {
  // A body nobody asked for is read and dropped, so that the connection can carry the next request.
  request.resume();
  const { status, contentType, body } = answer(options, request);
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(request.method === "HEAD" ? undefined : body);
}

function answer(options: AdminServerOptions, request: IncomingMessage): AdminAnswer {
  if (request.method !== "GET" && request.method !== "HEAD") return textAnswer(405, "only GET is served here\n");
  const url = new URL(request.url ?? "/", "http://admin");
  try {
    switch (url.pathname) {
      case "/ping":
        return textAnswer(200, "pong\n");
      case "/ready":
        return options.isReady() ? textAnswer(200, "ok\n") : textAnswer(500, "not ready\n");
      case "/metrics":
        return textAnswer(200, options.metricsText());
      default:
        return options.routes?.[url.pathname]?.(url.searchParams) ?? textAnswer(404, "404 page not found\n");
    }
  } catch (error) {
    options.onError(error);
    return textAnswer(500, `${error instanceof Error ? error.message : String(error)}\n`);
  }
}
